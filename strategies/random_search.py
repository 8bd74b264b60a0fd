"""Random search: the baseline that every other strategy has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nas.strategies.base import Strategy


@dataclass
class RandomSearchOptions:
    """Random search has no settings."""


class RandomSearch(Strategy[Any]):
    """Independent uniform samples (Li and Talwalkar, UAI 2019, arXiv:1902.07638)."""

    name: ClassVar[str] = "random"
    references: ClassVar[tuple[str, ...]] = ("li2019random",)
    Options: ClassVar[type] = RandomSearchOptions
    moves: ClassVar[bool] = False
    several: ClassVar[bool] = True

    def ask(self, n: int) -> list[Any]:
        return [self.space.sample(self.rng) for _ in range(n)]

    def tell(self, arch: Any, metrics: dict[str, float] | None) -> None:
        """Random search does not use metrics."""
