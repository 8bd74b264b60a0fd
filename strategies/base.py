"""The contract of an ask–tell search strategy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from nas.core.config.conditions import Condition
from nas.core.errors import InputError
from nas.core.goal import Goal
from nas.core.io.checkpoint import State
from nas.core.limit import Limits
from nas.search_spaces.base import Points

A = TypeVar("A")


@dataclass(frozen=True)
class Hints:
    """What a strategy may ask about any architecture without an evaluation; all are pure functions.

    `features`: architectures -> (n, d) numbers. `cheap`: architectures -> the fitness of each (more is better) by a
    cheap objective, `None` for one without a value. `allowed`: whether each satisfies the constraints that cost
    nothing to check. A hint that is `None` is not available.
    """

    features: Callable[[Sequence[Any]], np.ndarray] | None = None
    cheap: Callable[[Sequence[Any]], list[float | None]] | None = None
    allowed: Callable[[Sequence[Any]], list[bool]] | None = None


def all_random(name: str, draws: int, budget: int, key: str) -> str | None:
    """What a user should know of a search that ends within its first, random draws; None if it goes on after them."""
    if draws < budget:
        return None
    return (
        f"All {budget:,} architectures of {name} are random draws, since it first draws {draws:,}; give it a smaller "
        f"{key}."
    )


class Strategy(ABC, Generic[A]):
    """Proposes architectures and learns from their metrics.

    Lifetime: the search makes one per run, then alternates `ask(n)` and one `tell` for each proposed architecture, in
    the same order. The search itself takes care of isomorphic cells and of constraints: it tells known metrics without
    a new evaluation, `None` for an architecture that is not allowed or whose evaluation failed, and with
    `tell_infeasible` one that is evaluated but outside a limit. Between
    two `tell`s the search may save `state_dict()`; a new strategy with the same options that loads it makes the same
    proposals. All randomness comes from `self.rng`.

    `Options` is a dataclass of the strategy's settings with their defaults (and an optional `check()`, which raises
    InputError); `conditions` lists the settings that act only with certain values of other settings. `uses` names the
    hints that the strategy can use, `needs` the hints that it must have; `several` says whether it takes more than one
    goal; `moves` says whether it goes from architectures to their neighbours, so that it cannot search the rows of a
    partial table. Raises InputError if there are too many goals or a needed hint is missing.
    """

    name: ClassVar[str]
    references: ClassVar[tuple[str, ...]] = ()  # keys of the bibliography, or BibTeX entries
    Options: ClassVar[type]
    conditions: ClassVar[Mapping[str, Condition]] = {}
    uses: ClassVar[frozenset[str]] = frozenset()
    several: ClassVar[bool] = False
    sums_ranks: ClassVar[bool] = False  # whether the first of the Pareto front has the least sum of ranks of the goals
    moves: ClassVar[bool] = True
    library: str | None = None  # the one that fits its model, where the proposals depend on which is installed

    def __init__(
        self,
        space: Points[Any],
        goals: tuple[Goal, ...],
        seed: int,
        options: Any = None,
        hints: Hints | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.hints = hints if hints is not None else Hints()
        if len(goals) != 1 and not self.several:
            raise InputError(
                f"Expected one objective for strategy.name={self.name} but got {len(goals)}; name one in "
                "search.objective, or take a strategy for several, such as nsga2 or random."
            )
        self.options = options if options is not None else self.Options()
        needed = self.needs(self.options)
        if "features" in needed and self.hints.features is None:
            raise InputError(f"Expected features of architectures for strategy.name={self.name} but there are none.")
        if "cheap" in needed and self.hints.cheap is None:
            raise InputError(
                f"Expected a cheap objective for strategy.name={self.name} but there is none; set search.cheap, for "
                "example search.cheap=croze."
            )
        self.space = space
        self.goals = goals
        self.limits = limits if limits is not None else Limits()
        self.rng = Random(seed)
        self.begin()

    def begin(self) -> None:
        """Set up the state of a new search; called once, at the end of the constructor."""

    @classmethod
    def needs(cls, options: Any) -> frozenset[str]:
        """The hints that the strategy cannot do without, given these options."""
        return cls.uses

    def remark(self, budget: int) -> str | None:
        """What a user should know before a search of `budget` evaluations begins; `None` if there is nothing."""
        return None

    @abstractmethod
    def ask(self, n: int) -> list[A]:
        """`n` architectures to evaluate next."""

    @abstractmethod
    def tell(self, arch: A, metrics: dict[str, float] | None) -> None:
        """The metrics of an architecture that was proposed; `None` if it is not allowed or its evaluation failed."""

    def tell_infeasible(self, arch: A, metrics: dict[str, float]) -> None:
        """The metrics of an architecture that was evaluated and is outside a limit.

        A strategy that cannot learn from it treats it as one that failed.
        """
        self.tell(arch, None)

    def state_dict(self) -> State:
        """Everything that later proposals depend on, as plain JSON values. Subclasses extend it."""
        version, state, gauss = self.rng.getstate()
        return {"rng": [version, list(state), gauss]}

    def load_state_dict(self, state: State) -> None:
        version, numbers, gauss = state["rng"]
        self.rng.setstate((version, tuple(numbers), gauss))
