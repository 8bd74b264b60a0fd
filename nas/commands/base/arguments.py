"""Arguments of a command, declared as data that `nas.cli` reads: `nas --help` imports nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Argument:
    """A positional argument. The command gets its value as the keyword `name`."""

    name: str
    help: str
    metavar: str | None = None
    type: Any = str
    default: Any = ...  # the value if the argument is left out; `...`: it must be given


@dataclass(frozen=True)
class Option:
    """An argument `--name VALUE`, or `flag VALUE` if a flag is given; an option of type `bool` has no value."""

    name: str
    help: str
    metavar: str | None = None
    type: Any = str
    default: Any = None  # the value if the argument is left out; `...`: it must be given
    flag: str | None = None

    @property
    def written(self) -> str:
        return self.flag or f"--{self.name.replace('_', '-')}"


SEARCH_SETTINGS = (
    *("tables.*", "search.*", "latency.*", "label.*", "predicted.*"),
    *("strategy.*", "supernet.*", "scoring.*", "proxies.*"),
)
DEFAULT_SPACE = "nasbench201"  # `NASBench201.name`, which cannot be imported here
CONFIG = Argument("config", "A recipe (see `nas list configs`) or a path to a .yaml file.", "CONFIG")
OVERRIDES = Argument("overrides", "Settings to override.", "[KEY=VALUE]...", list[str], None)
