"""Limits on the size of architectures, checked before anything expensive."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from nas.core.errors import InputError
from nas.drivers.scoring import Sized
from nas.search_spaces import SPACES, Cost

_COMPARE = {"<=": operator.le, "<": operator.lt, ">=": operator.ge, ">": operator.gt}
_QUANTITY = {"params": lambda cost: cost.params, "flops": lambda cost: cost.macs}
_FORM = re.compile(r"\s*(\w+)\s*(<=|>=|<|>)\s*([0-9.eE+-]+)\s*(%?)\s*")


@dataclass(frozen=True)
class Constraint:
    """`params<=1e6` or `params<=85%`: weights or MACs of the network that would be trained; percent of the largest."""

    quantity: str
    comparison: str
    limit: float
    percent: bool

    @classmethod
    def parse(cls, text: str) -> Constraint:
        match = _FORM.fullmatch(text)
        if match is None or match[1] not in _QUANTITY:
            raise InputError(
                f"Expected a constraint such as params<=1e6, flops<=50% or params>=2e5 in search.constraints but got "
                f"{text!r}; quantities are params and flops."
            )
        try:
            limit = float(match[3])
        except ValueError as error:
            raise InputError(f"Expected a number in the constraint {text!r} but got {match[3]!r}.") from error
        return cls(match[1], match[2], limit, match[4] == "%")

    def holds(self, cost: Cost, largest: Cost) -> bool:
        limit = self.limit / 100 * _QUANTITY[self.quantity](largest) if self.percent else self.limit
        return _COMPARE[self.comparison](_QUANTITY[self.quantity](cost), limit)

    def __str__(self) -> str:
        return f"{self.quantity}{self.comparison}{self.limit:g}{'%' if self.percent else ''}"


class Limits:
    """All constraints of a search, held against the network that would be trained."""

    def __init__(self, texts: list[str], trained: Sized) -> None:
        self.constraints = [Constraint.parse(text) for text in texts]
        self.trained = trained
        self.space = SPACES.get(trained.space)()
        self.largest = trained.cost(self.space.largest())

    def allow(self, arch: Any) -> bool:
        if not self.constraints:
            return True
        cost = self.trained.cost(arch)
        return all(constraint.holds(cost, self.largest) for constraint in self.constraints)

    def sample(self, rng: Random, draws: int) -> Iterator[Any]:
        """Of so many uniform draws the representatives that the constraints allow."""
        for _ in range(draws):
            arch = self.space.canonical(self.space.sample(rng))
            if self.allow(arch):
                yield arch

    def __str__(self) -> str:
        return ", ".join(map(str, self.constraints)) or "no limits"

    def unsatisfied(self, draws: int) -> InputError:
        return InputError(
            f"Expected an architecture that satisfies {self} but {draws} proposals had none; loosen search.constraints."
        )
