"""Which tests are the tests of a file.

A candidate is a test file in the folder that mirrors the file's folder (for `strategies/proxies/eproxy` the nearest
that exists, `tests/strategies/proxies`), and a test file that imports exactly this module in a folder that mirrors
another one that mutations are drawn from. Tests of the floors above (commands, runs, benchmarks) start whole runs
and are no file's own tests. Test files that are named after the module come first, then those that import it, then
the other ones of the folder; in each group the fastest first.

Of the candidates only those run that can notice a mutation: every candidate was once run without one, and what it
called was recorded. For a mutation in a function these are the test files that call this function, and those that
start other processes, as what happens there was not recorded. For one outside of functions, such as in a table of
constants, and for a default, which tests may look at without a call, all candidates run.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mutating.drawing import FOLDERS, Mutation

TESTS = "tests"


@dataclass(frozen=True)
class Measured:
    """What running a test file without a mutation showed."""

    seconds: dict[str, float]  # of each test that passes, by its id
    failed: tuple[str, ...]  # tests that do not pass here, and so say nothing
    called: frozenset[tuple[str, int]]  # file and first line of every function of the project that was called
    processes: bool  # whether it starts other processes

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Measured:
        """Inverse of `to_json`."""
        called = frozenset((file, line) for file, line in values["called"])
        return cls(values["seconds"], tuple(values["failed"]), called, values["processes"])

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**vars(self), "called": sorted(self.called)}

    def reaches(self, mutation: Mutation) -> bool:
        """Whether these tests can notice the mutation."""
        functions = () if mutation.place.operator == "default" else mutation.place.functions
        return not functions or self.processes or (mutation.file, functions[0]) in self.called


def module_of(file: str) -> str:
    """The name that a file is imported by."""
    parts = PurePosixPath(file).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts if parts[0] == "nas" else ("nas", *parts))


def mirrored(root: Path, file: str) -> str:
    """The folder of tests that mirrors the folder of a file."""
    parts = PurePosixPath(file).parent.parts
    parts = parts[1:] if parts[0] == "nas" else parts
    while parts and not (root / TESTS).joinpath(*parts).is_dir():
        parts = parts[:-1]
    return "/".join((TESTS, *parts))


def imported(text: str) -> set[str]:
    """Every module, and every name of a module, that a text imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def candidates(root: Path, file: str) -> list[list[str]]:
    """The test files of a file in three groups: named after it, importing it, of its folder or of one above that.

    What stands above holds for all rooms below it, such as the defaults of the whole of `nas/core`.
    """
    name, module, home = PurePosixPath(file).stem, module_of(file), mirrored(root, file)
    above = {home, *(str(folder) for folder in PurePosixPath(home).parents if folder.parts[1:])}
    groups: list[list[str]] = [[], [], []]
    homes = [root / TESTS / folder.removeprefix("nas/") for folder in FOLDERS]
    for path in sorted(path for folder in homes for path in folder.rglob("test_*.py")):
        test, here = path.relative_to(root).as_posix(), path.parent.relative_to(root).as_posix() in above
        imports = module in imported(path.read_text(encoding="utf-8"))
        if here or imports:
            named = f"_{name}_" in f"_{path.stem.removeprefix('test_')}_"
            groups[0 if named else 1 if imports else 2].append(test)
    return groups


def content_of(listing: str, test: str) -> str:
    """A checksum of what running a test file depends on, of the lines of `git ls-tree`: no other tests, no pages."""
    lines = []
    for line in listing.splitlines():
        file = PurePosixPath(line.split("\t")[1])
        other = file.name.startswith("test_") or "mutating" in file.parts or file.name == "mutations.py"
        if str(file) == test or (file.suffix not in (".md", ".png") and not other):
            lines.append(line)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def selected(groups: list[list[str]], measured: Mapping[str, Measured], mutation: Mutation) -> list[str]:
    """The test files to run for a mutation, in their order."""
    return [
        test
        for group in groups
        for test in sorted(group, key=lambda test: sum(measured[test].seconds.values()))
        if measured[test].seconds and measured[test].reaches(mutation)
    ]
