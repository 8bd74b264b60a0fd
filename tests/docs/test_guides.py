"""The how-to guides: what they say to type works as it stands, in a new folder, from the first line to the last."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from forked import Fork, Say

from nas.cli.arguments import DRY_RUN, JSON
from nas.commands import COMMANDS
from nas.commands.base import Option
from nas.core.config import OVERRIDE, shipped
from nas.strategies import STRATEGIES
from nas.studies.table_search_settings import strategy_options

ROOT = Path(__file__).resolve().parents[2]
GUIDES = sorted((ROOT / "docs/guides").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
LANGUAGES = {"console", "python", "latex", "sh"}  # `sh` needs data, machines or files that not everybody has


def steps(page: Path) -> list[tuple[str, str]]:
    """The blocks of code of a guide that can be run anywhere, in their order: language and text."""
    return [(kind, text) for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")) if kind != "sh"]


@pytest.mark.slow
@pytest.mark.parametrize("page", GUIDES, ids=[page.stem for page in GUIDES])
def test_a_guide_works_as_written(page: Path, tmp_path: Path) -> None:
    for kind, text in steps(page):
        if kind == "latex":
            (tmp_path / "main.tex").write_text(text)
            for program in ("pdflatex", "bibtex", "pdflatex") if shutil.which("pdflatex") else ():
                _run([program, *(["-interaction=batchmode"] if program == "pdflatex" else []), "main"], tmp_path)
            continue
        if kind == "python":
            name = re.match(r"# (\w+\.py)\n", text)
            file = tmp_path / (name[1] if name else "step.py")
            file.write_text(text)
            _run([sys.executable, str(file)], tmp_path)
            continue
        for line in text.replace("\\\n", " ").splitlines():
            _run([sys.executable, "-m", "nas", *shlex.split(line, comments=True)[1:]], tmp_path)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stderr[-2000:])


def contract(say: Say, folder: Path) -> None:
    sys.path.insert(0, str(folder))
    sys.modules.pop("test_space_contract", None)  # another test may have imported it for the spaces of this project
    tests = str(ROOT / "tests/search_spaces/test_space_contract.py")
    say(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-p", "branches", "-k", "branches", tests]))


@pytest.mark.landing
def test_the_search_space_of_the_guide_is_complete_short_and_passes_the_contract_of_spaces(tmp_path: Path) -> None:
    _, text = steps(ROOT / "docs/guides/add-a-space.md")[0]
    assert text.startswith("# branches.py\n")
    assert len(text.splitlines()) < 120
    (tmp_path / "branches.py").write_text(text)
    with Fork(contract, tmp_path) as fork:
        assert fork.lines.readline() == f"{pytest.ExitCode.OK}\n"


def test_guides_have_the_languages_that_the_test_knows() -> None:
    assert len(GUIDES) >= 7
    for page in GUIDES:
        assert {kind for kind, _ in BLOCK.findall(page.read_text(encoding="utf-8"))} <= LANGUAGES, page
        assert steps(page), page


def lines_of_shell() -> list[tuple[str, str]]:
    """Every line of the pages and the README that calls `nas`, with the page on which it is."""
    found = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for _, text in re.findall(
            r"^```(console|sh|bash|)\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
        ):
            for line in text.replace("\\\n", " ").splitlines():
                if re.match(r"(\$ )?nas \w", line):
                    found.append((page.name, line.removeprefix("$ ")))
    return found


def _recipe(line: str) -> bool:
    """Whether the line is a search, run or training of a recipe, with nothing left out."""
    words = shlex.split(line.split(" # ")[0])
    return (
        words[1] in ("run", "search", "train") and words[2] in shipped() and not re.search(r"\.\.\.|…|\$|\.yaml", line)
    )


def test_commands_and_options_in_the_pages_exist() -> None:
    lines = lines_of_shell()
    assert len(lines) > 80
    wrong = []
    for page, line in lines:
        words = shlex.split(line.split(" # ")[0])[1:]
        name = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in COMMANDS.components), None)
        if name is None:
            wrong.append((page, line)) if words[0] not in ("cost", "tables") else None
            continue
        known = {one.written for one in (*COMMANDS.get(name).arguments, JSON, DRY_RUN) if isinstance(one, Option)}
        given = {word.partition("=")[0] for word in words if word.startswith("--")} - {"--help"}
        wrong += [] if given <= known else [(page, line)]
    assert not wrong


def test_options_of_strategies_in_the_pages_are_accepted() -> None:
    """Those of `nas tables search`, alone and together."""
    lines = [
        shlex.split(line) for _, line in lines_of_shell() if line.startswith("nas tables search") and "--set" in line
    ]
    assert lines
    for words in lines:
        given = [words[number + 1] for number, word in enumerate(words) if word == "--set"]
        strategy_options(given, words[words.index("--strategy") + 1].split(","))


@pytest.mark.parametrize("page", ["guides/own-table.md", "topics/choosing.md"])
def test_strategies_for_partial_tables_are_those_that_do_not_move(page: str) -> None:
    text = " ".join((ROOT / "docs" / page).read_text("utf-8").split())
    named = re.search(r"(?:work \(|does not move to neighbours: )((?:`[a-z-]+`(?:, )?)+)", text)
    assert named, page
    names = re.findall(r"`([a-z-]+)`", named[1])
    assert sorted(names) == sorted(name for name in STRATEGIES.installed if not STRATEGIES.get(name).moves)


@pytest.mark.parametrize("page", sorted({page for page, line in lines_of_shell() if _recipe(line)}))
def test_settings_in_the_pages_are_accepted(page: str) -> None:
    """Those after a recipe: each key exists, has an effect, and its value is possible."""
    for _, line in [found for found in lines_of_shell() if found[0] == page and _recipe(found[1])]:
        command, recipe, *words = shlex.split(line.split(" # ")[0])[1:]
        overrides = [word for word in words if OVERRIDE.match(word)]
        given = "source" if command == "train" else "config"
        COMMANDS.get(command)().settings(**{given: recipe}, overrides=overrides)
