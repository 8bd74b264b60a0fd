"""What a command looks at of the settings; light, as the commands say it of themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True)
class Reader:
    """One command as a reader of settings."""

    command: str  # as it is typed
    patterns: Mapping[str, tuple[str, ...]]  # by command, this one and others: the keys that act in it, as `train.*`
    later: tuple[str, ...] = ()  # sections that other commands take from its run
    needs_training_images: bool = True
    instead: Mapping[str, str] = field(default_factory=dict)  # by key: what to do where another command takes it
    proxies: tuple[str, ...] = ()  # that it computes, where they are not the settings' business
    narrowed: Callable[[Any], Any] = lambda settings: settings  # what it uses of the settings of an evaluation

    def takes(self, key: str) -> bool:
        """Whether a dotted key acts in the command; one of which no command says that it does acts in all."""
        takers = self.takers(key)
        return not takers or self.command in takers

    def trainings(self, settings: Any) -> list[str]:
        """The methods of the networks that are trained to the end."""
        return settings.run.trainings if self.takes("run.trainings") else [settings.train.method]

    def takers(self, key: str) -> list[str]:
        """The commands in which the key is said to act."""
        return [name for name, patterns in self.patterns.items() if any(fnmatchcase(key, one) for one in patterns)]
