"""What is typed after the name of a command, declared as data: `nas.cli` reads it, and nothing is imported for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Argument:
    """A word of its own. The command gets it under the keyword `name`, as `type`, or `default` where it is left out."""

    name: str
    help: str
    metavar: str | None = None
    type: Any = str
    default: Any = ...  # it cannot be left out


@dataclass(frozen=True)
class Option:
    """A word behind `--name`, or behind `flag` where that is given. One of type `bool` has no word behind it."""

    name: str
    help: str
    metavar: str | None = None
    type: Any = str
    default: Any = None  # `...`: it cannot be left out
    flag: str | None = None

    @property
    def written(self) -> str:
        return self.flag or f"--{self.name.replace('_', '-')}"


SEARCHED = (  # the settings of a search
    *("tables.*", "search.*", "latency.*", "label.*", "predicted.*"),
    *("strategy.*", "supernet.*", "scoring.*", "proxies.*"),
)
CONFIG = Argument("config", "A recipe (see `nas list configs`) or a path to a .yaml file.", "CONFIG")
OVERRIDES = Argument("overrides", "Settings that differ.", "[KEY=VALUE]...", list[str], None)
