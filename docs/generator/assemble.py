"""Put the pages of the site together: those of docs, and those of the reference."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from generator import commands, components, notebooks, python_face, settings
from generator.markdown import linked, with_plain_bars

DOCS = Path(__file__).resolve().parent.parent
PAGES = {
    "reference/python.md": python_face.page,
    "reference/commands.md": commands.commands,
    "reference/recipes.md": commands.recipes,
    "reference/settings.md": settings.page,
    "reference/spaces.md": components.spaces,
    "reference/strategies.md": components.strategies,
    "reference/proxies.md": components.proxies,
    "reference/predictors.md": components.predictors,
    "reference/methods.md": components.methods,
    "reference/attacks.md": components.attacks,
    "reference/corruptions.md": components.corruptions,
    "reference/measures.md": components.measures,
    "reference/data.md": components.data,
    "reference/benchmarks.md": components.benchmarks,
}


def written() -> dict[str, str]:
    """The pages that people wrote, by their path below docs."""
    files = (file for file in DOCS.rglob("*.md") if "generator" not in file.parts)
    return {file.relative_to(DOCS).as_posix(): file.read_text(encoding="utf-8") for file in sorted(files)}


def reference() -> dict[str, str]:
    """The pages that are generated from the code, by their path below docs."""
    return {path: page() for path, page in PAGES.items()}


def pages(folder: Path | None = None) -> dict[str, str]:
    """All pages, in which every mention of a page is a link.

    If a folder is given, the notebooks are run: their pages have outputs, and their pictures are written into it.
    Raises KeyError if a page is mentioned but missing, and RuntimeError if a notebook cannot be run.
    """
    found = {**written(), **notebooks.pages(folder and folder / "notebooks"), **reference()}
    titles = {path: _title(text) for path, text in found.items()}
    # highlighted as a shell: `console` would expect a prompt in each line
    found = {path: text.replace("```console", "```sh") for path, text in found.items()}
    return {path: with_plain_bars(linked(text, path, titles)) for path, text in found.items()}


def _title(text: str) -> str:
    heading = re.search(r"^# (.*)", text, re.MULTILINE)
    return heading[1].partition(":")[0] if heading else ""


def assemble(folder: Path, run_notebooks: bool = True) -> int:
    """Write all pages and pictures into a folder, in place of what it has, and return the number of pages.

    Raises RuntimeError if a notebook cannot be run.
    """
    shutil.rmtree(folder, ignore_errors=True)
    ignored = shutil.ignore_patterns("generator", "*.md", "__pycache__")
    shutil.copytree(DOCS, folder, ignore=ignored)
    texts = pages(folder if run_notebooks else None)
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return len(texts)
