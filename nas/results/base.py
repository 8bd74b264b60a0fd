"""What every result has: its duration and its provenance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nas.core.io.records import LAST, Record

NOT_COUNTED = -1  # instead of a count: the version that wrote the result did not count
Count = int | None  # None: unknown, because a part was finished by a version that did not count
Correct = NDArray[np.bool_]  # for each image, whether it is classified correctly


class Interval(NamedTuple):
    low: float
    high: float


@dataclass(frozen=True)
class Environment(Record):
    """The software and hardware of a process."""

    versions: dict[str, str]
    hardware: dict[str, str | float | None]  # as the machine reports it
    source: Revision | None


@dataclass(frozen=True)
class Revision(Record):
    """The commit of a checkout, and whether files differ from it."""

    commit: str
    changed: bool


@dataclass(frozen=True)
class Provenance(Record):
    """Provenance of a result: everything that can change a number, besides the versions of packages."""

    seed: int
    settings_sha256: str  # of every setting that can change a number
    deterministic: bool  # whether deterministic kernels were on
    data_sha256: dict[str, str] | None  # by part; None if no data were read
    hardware: dict[str, str | float | None]  # as the machine reports it
    source: Revision | None
    earlier: list[Environment]  # those of other sessions of the run that differ from this one


@dataclass(frozen=True, eq=False)
class Result(Record):
    """The result of a command. The run that writes it fills in the three fields of this class."""

    command: ClassVar[str] = ""  # the name of the command

    seconds: dict[str, float] = field(default_factory=dict, kw_only=True, metadata=LAST)  # by stage, and in total
    versions: dict[str, str] = field(default_factory=dict, kw_only=True, metadata=LAST)
    provenance: Provenance | None = field(default=None, kw_only=True, metadata=LAST)


def result_type(command: str) -> type[Result]:
    """The type of a command's results, also of another package's command; `Result` itself if the command is unknown."""
    return next((kind for kind in Result.__subclasses__() if kind.command == command), Result)
