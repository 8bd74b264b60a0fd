"""Which test files run for a mutation of a file.

The candidates are the test files in the folder that mirrors the file's folder (for `strategies/proxies/eproxy` the
nearest that exists, `tests/strategies/proxies`), and test files elsewhere that import exactly this module. For a file
of `FOLDERS` only the folders that mirror those are searched, because the tests of the packages above (commands, runs)
start whole runs; for a file of another folder, all folders but `NO_UNIT_TESTS`, and an import by way of its package
counts too. If the tests of a package lie flat in `tests` (`tests/test_results.py`), the candidates are named after it.
Test files that are named after the module come first, then those that import it, then the others of the folder; within
each group the fastest come first.

Only candidates that can notice a mutation run. Every candidate was once run without a mutation, and its calls were
recorded. For a mutation in a function, the test files that call this function run, and those that start other
processes, in which calls were not recorded. For a mutation outside of functions, such as in a table of constants, and
for one of a default, which tests may look at without a call, all candidates run.
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
NO_UNIT_TESTS = ("bench", "comparison", "faults", "fuzz", "mutating")  # folders whose tests run the whole program


@dataclass(frozen=True)
class Measured:
    """What running a test file without a mutation showed."""

    seconds: dict[str, float]  # of each test that passes, by its id
    failed: tuple[str, ...]  # tests that do not pass even without a mutation, and so say nothing
    called: frozenset[tuple[str, int]]  # file and first line of every function of the project that was called
    processes: bool  # whether it starts other processes

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Measured:
        """Inverse of `to_json`."""
        called = frozenset((file, line) for file, line in values["called"])
        return cls(values["seconds"], tuple(values["failed"]), called, values["processes"])

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a JSON file."""
        return {**vars(self), "called": sorted(self.called)}

    def reaches(self, mutation: Mutation) -> bool:
        """Whether these tests can notice the mutation."""
        functions = () if mutation.place.operator == "default" else mutation.place.functions
        return not functions or self.processes or (mutation.file, functions[0]) in self.called


def module_of(file: str) -> str:
    """The name under which a file is imported."""
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
    """The test files of a file in three groups: named after it, importing it, in its mirrored folder or one above that.

    Test files in a folder are for all folders below it too, such as the tests of the defaults of all of `nas/core`.
    """
    name, module, home = PurePosixPath(file).stem, module_of(file), mirrored(root, file)
    above = {home, *(str(folder) for folder in PurePosixPath(home).parents)} - {TESTS, "."}
    modules = {module} if _in_default_folders(file) else {module, *_exporting(root, file)}
    groups: list[list[str]] = [[], [], []]
    for path in _searched(root, file):
        test, here = path.relative_to(root).as_posix(), path.parent.relative_to(root).as_posix() in above
        flat = home == TESTS == path.parent.name and _named(path, *PurePosixPath(file).with_suffix("").parts)
        imports = not modules.isdisjoint(imported(path.read_text(encoding="utf-8")))
        if here or flat or imports:
            groups[0 if _named(path, name) else 1 if imports else 2].append(test)
    return groups


def _searched(root: Path, file: str) -> list[Path]:
    """The test files that may be tests of a file."""
    tests = root / TESTS
    if _in_default_folders(file):
        folders = [tests / folder.removeprefix("nas/") for folder in FOLDERS]
        return sorted(path for folder in folders for path in folder.rglob("test_*.py"))
    return [path for path in sorted(tests.rglob("test_*.py")) if path.relative_to(tests).parts[0] not in NO_UNIT_TESTS]


def _in_default_folders(file: str) -> bool:
    return any(PurePosixPath(file).is_relative_to(folder) for folder in FOLDERS)


def _exporting(root: Path, file: str) -> set[str]:
    """The package of a file if its `__init__` imports the file: tests import its names from there."""
    package = PurePosixPath(file).with_name("__init__.py")
    exports = (root / package).exists() and module_of(file) in imported((root / package).read_text(encoding="utf-8"))
    return {module_of(str(package))} if exports else set()


def _named(path: Path, *names: str) -> bool:
    """Whether the name of a test file contains one of the names as whole words."""
    return any(f"_{name}_" in f"_{path.stem.removeprefix('test_')}_" for name in names)


def content_of(listing: str, test: str) -> str:
    """A checksum of the lines of `git ls-tree` on which a test file may depend: all but other tests and documents."""
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
