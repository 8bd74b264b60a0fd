"""Notebooks in the percent format of Jupytext: their cells, and the pages that show what the cells print."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
ROOT = NOTEBOOKS.parent.parent
MARKER = re.compile(r"^# %%(.*)\n", re.MULTILINE)


@dataclass(frozen=True)
class NotebookCell:
    """A cell: Markdown, or Python code."""

    is_code: bool
    text: str


def cells_of(text: str) -> list[NotebookCell]:
    """The cells of a notebook, which begin with `# %%` or `# %% [markdown]`; what stands above the first is left out.

    The lines of a Markdown cell are comments. Empty cells are left out too.
    """
    _, *parts = MARKER.split(text)
    cells = []
    for marker, content in zip(parts[::2], parts[1::2]):
        is_code = "[markdown]" not in marker
        plain = content if is_code else re.sub(r"^# ?", "", content, flags=re.MULTILINE)
        if plain.strip():
            cells.append(NotebookCell(is_code, plain.strip("\n")))
    return cells


def page(file: Path, outputs: list[str] | None = None) -> str:
    """A notebook as a page in Markdown. `outputs` are those of its code cells, in their order."""
    title, *rest = cells_of(file.read_text(encoding="utf-8"))
    note = f"This page is a notebook: [`{file.name}`]({file.name}) can be opened in Jupyter with Jupytext, in VS Code, "
    script = (
        "It also runs as a script, which prints only what `print` is given, not the value of the last line of a cell."
    )
    parts = [title.text, f"{note}in Spyder or in PyCharm. {script}"]
    shown = iter(outputs or [])
    for cell in rest:
        parts.append(f"```python\n{cell.text}\n```" if cell.is_code else cell.text)
        if cell.is_code and (output := next(shown, "")):
            parts.append(output)
    return "\n\n".join(parts) + "\n"


def pages(pictures: Path | None = None) -> dict[str, str]:
    """The pages of all notebooks, by their path below docs.

    If a folder for the pictures is given, each notebook is run and its page has the outputs. Raises RuntimeError if one
    cannot be run to its end.
    """
    files = sorted(NOTEBOOKS.glob("*.py"))
    return {
        f"notebooks/{file.stem}.md": page(file, None if pictures is None else outputs_of(file, pictures))
        for file in files
    }


def outputs_of(file: Path, pictures: Path) -> list[str]:
    """Run a notebook in a process and an empty folder of its own, and return the outputs of its code cells as Markdown.

    Its figures are written into `pictures`. Raises RuntimeError if a cell raises an exception.
    """
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "outputs.json"
        (empty := Path(folder) / "empty").mkdir()
        paths = os.pathsep.join(map(str, (NOTEBOOKS.parent, ROOT, *sys.path[1:])))
        done = subprocess.run(
            [sys.executable, "-m", "generator.notebook_outputs", str(file), str(pictures.resolve()), str(result)],
            cwd=empty,
            env={**os.environ, "PYTHONPATH": paths, "MPLBACKEND": "agg"},
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{file.name} cannot be run:\n{done.stderr[-3000:]}")
        outputs: list[str] = json.loads(result.read_text(encoding="utf-8"))
    return outputs
