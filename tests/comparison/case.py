"""A case: commands that run one after the other, and the notation in which cases are written."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

DELETE, REFUSED = "delete ", "refused "  # begin a line that deletes files, and a command that ends with exit code 2


@dataclass(frozen=True)
class Step:
    """The words after `nas` and the expected exit code; or files to delete, so that the case's run is unfinished."""

    words: tuple[str, ...]
    code: int = 0
    deletes: bool = False

    @classmethod
    def read(cls, line: str) -> Step:
        if line.startswith(DELETE):
            return cls(tuple(shlex.split(line.removeprefix(DELETE))), deletes=True)
        return cls(tuple(shlex.split(line.removeprefix(REFUSED))), 2 if line.startswith(REFUSED) else 0)

    @property
    def command(self) -> str:
        """The name of the command, such as `tables search`."""
        return " ".join(self.words[: 2 if self.words[:1] == ("tables",) else 1])


@dataclass(frozen=True)
class Case:
    """Commands that run one after the other in the folder `name`.

    `needs` are the cases whose folders it reads. If `of_old`, the old tree does every step but the last in both
    folders, so that the new tree has to read what the old one wrote.
    """

    name: str
    steps: tuple[Step, ...]
    needs: tuple[str, ...] = ()
    of_old: bool = False

    @property
    def commands(self) -> set[str]:
        """The names of the commands that the case runs to a result, such as `tables search`."""
        run = [step for step in self.steps if not step.deletes and step.code == 0 and "--help" not in step.words]
        return {step.command for step in run}


def case(name: str, *lines: str, needs: Iterable[str] = (), of_old: bool = False) -> Case:
    return Case(name, tuple(Step.read(line) for line in lines), tuple(needs), of_old)


def ordered(cases: Iterable[Case], only: str | None) -> Iterator[Case]:
    """The cases that run the command `only` or have this name (None for all), each after the cases that it needs."""
    by_name = {one.name: one for one in cases}
    done: set[str] = set()

    def with_needs(one: Case) -> Iterator[Case]:
        if one.name not in done:
            done.add(one.name)
            for needed in one.needs:
                yield from with_needs(by_name[needed])
            yield one

    for one in by_name.values():
        if only in (None, one.name) or any(f"{command} ".startswith(f"{only} ") for command in one.commands):
            yield from with_needs(one)


def prepare(folder: Path, inputs: Path) -> None:
    """Make the folder of a case, with the user's code that some cases evaluate."""
    folder.mkdir(parents=True)
    (folder / "networks.py").write_bytes((inputs / "networks.py").read_bytes())
