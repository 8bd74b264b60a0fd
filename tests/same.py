"""Whether the command line does the same as in another commit: `python tests/same.py COMMIT [--only COMMAND]`.

Every command runs with settings that take seconds, in the commit (checked out in a temporary folder) and in this tree
as it is, with this Python and its packages. Exit codes, what is printed, and what is written (configuration, results as
JSON and CSV, pages, stores, checkpoints) are compared: floats to a tolerance, everything else exactly, with times,
versions, paths and the revision masked. The script prints the differences and exits with 1 if there are any; a file
that only one of the two has is a difference. docs/testing.md says what is not compared.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from comparison import inputs
from comparison.case import Case, ordered, prepare
from comparison.cases import CASES
from comparison.differences import Masks, differences, folder_leaves, printed_leaves, text_leaves
from comparison.tree import Ended, Tree

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 12  # lines that are printed about the differences of one file


def git(*words: str) -> str:
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """The commit in a work tree of its own, which is removed afterwards."""
    git("worktree", "add", "--quiet", "--detach", str(folder), commit)
    try:
        yield folder
    finally:
        git("worktree", "remove", "--force", str(folder))


def masks(root: Path, place: Path) -> Masks:
    import ast

    places = [root / "nas/version.py", root / "nas/__init__.py"]  # the latter in older commits
    versions = [
        ast.literal_eval(node.value)
        for path in places
        if path.is_file()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assign) and [getattr(one, "id", "") for one in node.targets] == ["__version__"]
    ]
    return Masks((str(root), str(place)), versions[0] if versions else "")


class Side:
    """One of the two sides that are compared: a tree, its folder of cases, and its masks."""

    def __init__(self, tree: Tree, masks: Masks) -> None:
        self.tree = tree
        self.masks = masks
        self.cases = tree.place / "cases"

    def execute(self, case: Case, inputs: Path, by: Side) -> list[Ended]:
        """Run the steps of a case; if it is `of_old`, the tree of `by` does all but the last step."""
        folder = self.cases / case.name
        prepare(folder, inputs)
        found = []
        for number, step in enumerate(case.steps):
            words = tuple(word.replace("{inputs}", str(inputs)) for word in step.words)
            if step.deletes:
                for name in words:
                    (folder / name).unlink(missing_ok=True)
                continue
            last = number == len(case.steps) - 1
            found.append((self if last or not case.of_old else by).tree.run(words, folder))
        return found


def compare(case: Case, old: Side, new: Side, ended: tuple[list[Ended], list[Ended]], tolerance: float) -> list[str]:
    """A line for each difference of one case."""
    found = []
    steps = [step for step in case.steps if not step.deletes]
    for number, (step, one, other) in enumerate(zip(steps, *ended), 1):
        lines = [f"exit code: {one.code} → {other.code}"] if one.code != other.code else []
        if one.code == other.code != step.code:
            lines.append(f"exit code {one.code} in both, expected {step.code}: {other.err.strip()[-300:]}")
        lines += differences(
            dict(printed_leaves(one.out, old.masks)), dict(printed_leaves(other.out, new.masks)), tolerance
        )
        lines += [
            f"(stderr) {line}"
            for line in differences(
                dict(text_leaves(one.err, old.masks)), dict(text_leaves(other.err, new.masks)), tolerance
            )
        ]
        words = " ".join(step.words)
        found += _limited(f"command {number}, nas {words if len(words) < 60 else f'{words[:60]}…'}", lines)
    files = (folder_leaves(old.cases / case.name, old.masks), folder_leaves(new.cases / case.name, new.masks))
    for name in sorted({*files[0], *files[1]}):
        if name not in files[1]:
            found.append(f"{name}: only the old one has it")
        elif name not in files[0]:
            found.append(f"{name}: only the new one has it")
        else:
            found += _limited(name, differences(files[0][name], files[1][name], tolerance))
    return found


def _limited(title: str, lines: list[str]) -> list[str]:
    """The title and the first lines below it; nothing if there are no lines."""
    more = [f"  … {len(lines) - MAX_LINES} more"] if len(lines) > MAX_LINES else []
    return [title, *(f"  {line}" for line in lines[:MAX_LINES]), *more] if lines else []


def run(commit: str, only: str | None, tolerance: float, place: Path) -> int:
    """Compare and print; returns the exit code."""
    cases = list(ordered(CASES, only))
    if not cases:
        raise SystemExit(f"Expected a command that is compared but got --only {only!r}.")
    data = place / "inputs"
    inputs.make(data)
    for name in ("old", "new"):
        (place / name / "cases").mkdir(parents=True)
    begun, bad = time.monotonic(), 0
    with (
        checked_out(commit, place / "tree") as root,
        Tree(root, place / "old") as first,
        Tree(ROOT, place / "new") as second,
        ThreadPoolExecutor(2) as pool,
    ):
        old, new = Side(first, masks(root, first.place)), Side(second, masks(ROOT, second.place))
        for case in cases:
            start = time.monotonic()
            if case.of_old:  # the old tree does the steps of both sides, one after the other
                ended = old.execute(case, data, old), new.execute(case, data, old)
            else:
                futures = [pool.submit(side.execute, case, data, old) for side in (old, new)]
                ended = futures[0].result(), futures[1].result()
            lines = compare(case, old, new, ended, tolerance)
            print(f"{'DIFFERS' if lines else 'same   '} {case.name} ({time.monotonic() - start:.1f} s)")
            print("".join(f"    {line}\n" for line in lines), end="", flush=True)
            bad += bool(lines)
    print(f"{len(cases)} cases, {bad} with differences, {time.monotonic() - begun:.0f} s")
    return 1 if bad else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("commit", help="the commit with which this tree is compared")
    parser.add_argument(
        "--only", metavar="COMMAND", help="search, train, tables, 'tables predict', ..., or the name of a case"
    )
    parser.add_argument("--tolerance", type=float, default=1e-6, help="relative tolerance of floats")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="a new folder in which all files are kept")
    options = parser.parse_args()
    place = options.keep or Path(tempfile.mkdtemp(prefix="same-"))
    try:
        return run(options.commit, options.only, options.tolerance, place.resolve())
    finally:
        if options.keep is None:
            shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
