"""Which settings a command reads. Every command imports this file to declare them, so it imports nothing slow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True)
class Reader:
    """One command as a reader of settings."""

    command: str  # its name on the command line
    patterns: Mapping[str, tuple[str, ...]]  # for every command, the keys that act in it, as `train.*`
    later: tuple[str, ...] = ()  # sections that other commands will take from its run
    needs_training_images: bool = True
    instead: Mapping[str, str] = field(default_factory=dict)  # for keys of other commands: what to set here
    proxies: tuple[str, ...] = ()  # proxies that it computes with any settings
    narrowed: Callable[[Any], Any] = lambda settings: settings  # the part of `eval` that it uses

    def takes(self, key: str) -> bool:
        """Whether a dotted key acts in the command; a key that no command declares acts in all."""
        takers = self.takers(key)
        return not takers or self.command in takers

    def trainings(self, settings: Any) -> list[str]:
        """The methods by which networks are trained to the end."""
        return settings.run.trainings if self.takes("run.trainings") else [settings.train.method]

    def takers(self, key: str) -> list[str]:
        """The commands that declare that the key acts in them."""
        return [name for name, patterns in self.patterns.items() if any(fnmatchcase(key, one) for one in patterns)]
