"""Limits on the size of architectures, checked before anything expensive."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass

from nas.core.errors import InputError
from nas.search_spaces import Cost

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
