"""What every result holds: how long it took, and what its numbers depend on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nas.core.io.records import LAST, Record

NOT_COUNTED = -1  # in the place of a count: the version that measured did not count
Count = int | None  # None: not known, because an earlier version finished a part
Correct = NDArray[np.bool_]  # image by image, whether it is classified correctly


class Interval(NamedTuple):
    low: float
    high: float


@dataclass(frozen=True)
class Environment(Record):
    """What a process computes with."""

    versions: dict[str, str]
    hardware: dict[str, str | float | None]  # what the machine tells of itself
    source: Revision | None


@dataclass(frozen=True)
class Revision(Record):
    """The commit of a checkout, and whether its files differ from it."""

    commit: str
    changed: bool


@dataclass(frozen=True)
class Provenance(Record):
    """What the numbers of a result depend on, besides the versions of packages."""

    seed: int
    settings_sha256: str
    deterministic: bool
    data_sha256: dict[str, str] | None  # by part; None where no data were read
    hardware: dict[str, str | float | None]  # what the machine tells of itself
    source: Revision | None
    earlier: list[Environment]  # of other sessions of the run, where they differ


@dataclass(frozen=True, eq=False)
class Result(Record):
    """A result of a command; the run that writes it adds what it depends on."""

    command: ClassVar[str] = ""  # whose results these are

    seconds: dict[str, float] = field(default_factory=dict, kw_only=True, metadata=LAST)  # by stage, and in total
    versions: dict[str, str] = field(default_factory=dict, kw_only=True, metadata=LAST)
    provenance: Provenance | None = field(default=None, kw_only=True, metadata=LAST)


def result_type(command: str) -> type[Result]:
    """The type of a command's results, one that a package brings too; of an unknown command that without any key."""
    return next((kind for kind in Result.__subclasses__() if kind.command == command), Result)
