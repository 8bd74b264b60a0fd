"""Constraints on the size, the latency or any table column of architectures, checked before anything expensive."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nas.core.errors import InputError, NasError
from nas.core.limit import COMPARE
from nas.core.suggestions import suggest
from nas.objectives.network_spec import NetworkSpec
from nas.objectives.notation import LATENCY

SIZES = {"params": lambda cost: cost.params, "flops": lambda cost: cost.macs}  # of a `Cost`, known without a table
_FORM = re.compile(r"\s*([\w.:@-]+?)\s*(<=|>=|<|>)\s*([0-9.eE+-]+)\s*(%?)\s*")


@dataclass(frozen=True)
class Constraint:
    """A bound such as `params<=1e6` or `flops<=85%` (of the largest), counted on the network that would be trained.

    Any quantity besides weights and MACs is a metric: `latency<=5` (milliseconds on this machine) or a column of the
    given tables, in its unit (`edgegpu_latency<=5`).
    """

    quantity: str
    comparison: str
    limit: float
    percent: bool

    @classmethod
    def parse(cls, text: str, others: bool = False) -> Constraint:
        """The constraint written as `text`; if `others`, its quantity may also be a column of tables.

        Raises InputError for any other text.
        """
        match = _FORM.fullmatch(text)
        if match is None or not (others or match[1] in (*SIZES, LATENCY)):
            raise InputError(
                f"Expected a constraint such as params<=1e6, flops<=50% or latency<=5 in search.constraints but got "
                f"{text!r}{suggest(match[1], [*SIZES, LATENCY]) if match else ''}; quantities are params, flops, "
                "latency and the columns of given tables."
            )
        if match[4] and match[1] not in SIZES:
            raise InputError(f"Expected percent for params and flops only but got {text!r} in search.constraints.")
        try:
            limit = float(match[3])
        except ValueError as error:
            raise InputError(f"Expected a number in the constraint {text!r} but got {match[3]!r}.") from error
        return cls(match[1], match[2], limit, match[4] == "%")

    def holds(self, value: float, largest: float = math.nan) -> bool:
        """Whether a value satisfies the constraint; `largest` is the value of the largest architecture."""
        limit = self.limit / 100 * largest if self.percent else self.limit
        return COMPARE[self.comparison](value, limit)

    def __str__(self) -> str:
        return f"{self.quantity}{self.comparison}{self.limit:g}{'%' if self.percent else ''}"


class Constraints:
    """All constraints of a search. Weights and MACs are those of the network that would be trained.

    `quantity(name)` returns the function from an architecture's string to any other quantity. Size is checked first,
    measured latency last. Raises InputError if a quantity is not available or a text is no constraint.
    """

    def __init__(
        self,
        texts: list[str],
        trained: Callable[[], NetworkSpec],
        quantity: Callable[[str], Callable[[str], float]] | None = None,
    ) -> None:
        self._trained = trained
        parts = [Constraint.parse(text, others=True) for text in texts]
        self.parts = sorted(parts, key=lambda one: (one.quantity not in SIZES, one.quantity == LATENCY))
        self._others: dict[str, Callable[[str], float]] = {}
        for one in self.parts:
            if one.quantity not in SIZES:
                if quantity is None:
                    raise InputError(f"Expected a constraint on params or flops but got {one}.")
                self._others[one.quantity] = quantity(one.quantity)

    def allow(self, arch: Any) -> bool:
        """Whether all constraints hold. A constraint does not hold if the architecture has no value of its quantity."""
        return all(self._holds(one, arch) for one in self.parts)

    def allow_unmeasured(self, arch: Any) -> bool:
        """Whether all constraints hold except those on latency, which has to be measured on this machine."""
        return all(self._holds(one, arch) for one in self.parts if one.quantity != LATENCY)

    @property
    def measured(self) -> bool:
        """Whether a constraint is on latency, which has to be measured."""
        return any(one.quantity == LATENCY for one in self.parts)

    def _holds(self, one: Constraint, arch: Any) -> bool:
        if one.quantity in SIZES:
            trained, read = self._trained(), SIZES[one.quantity]
            return one.holds(read(trained.cost(arch)), read(trained.largest))
        try:
            return one.holds(self._others[one.quantity](str(arch)))
        except NasError:
            return False

    def __str__(self) -> str:
        return ", ".join(map(str, self.parts)) or "no constraints"

    def unsatisfied(self, draws: int) -> InputError:
        return InputError(
            f"Expected an architecture that satisfies {self} but none of {draws} proposals did; loosen "
            "search.constraints."
        )
