"""The contract of an ask–tell search strategy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar, Generic, TypeVar

from nas.search_spaces.base import Points

A = TypeVar("A")


@dataclass(frozen=True)
class Goal:
    """One metric to optimise and its direction."""

    name: str
    higher_is_better: bool = True

    def fitness(self, metrics: dict[str, float]) -> float:
        """The metric turned so that more is better."""
        return metrics[self.name] if self.higher_is_better else -metrics[self.name]


class Strategy(ABC, Generic[A]):
    """Proposes architectures and learns from their metrics.

    Lifetime: the search makes one per run, then alternates `ask(n)` and one `tell` per architecture asked, in the
    order asked. Scores of isomorphic cells and size limits are the search's business: it tells known metrics at once
    and `None` for what it rejected or what failed, so every architecture asked is told. Between `tell`s the search may
    save `state_dict()`; a new strategy of the same options that loads it continues the same run to the same
    proposals. All randomness comes from `self.rng`.

    `Options` is a dataclass of the strategy's settings with their defaults (and an optional `check()`).
    """

    name: ClassVar[str]
    Options: ClassVar[type]

    def __init__(self, space: Points[Any], goals: tuple[Goal, ...], seed: int, options: Any = None) -> None:
        self.space = space
        self.goals = goals
        self.options = options if options is not None else self.Options()
        self.rng = Random(seed)

    @abstractmethod
    def ask(self, n: int) -> list[A]:
        """`n` architectures to evaluate next."""

    @abstractmethod
    def tell(self, arch: A, metrics: dict[str, float] | None) -> None:
        """The metrics of an architecture asked before; `None` where it is infeasible or its evaluation failed."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that later proposals depend on, as plain JSON values. Subclasses extend it."""
        version, state, gauss = self.rng.getstate()
        return {"rng": [version, list(state), gauss]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        version, numbers, gauss = state["rng"]
        self.rng.setstate((version, tuple(numbers), gauss))
