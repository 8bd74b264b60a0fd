"""What the name of a column and its values say of a quantity: its direction and its unit."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

ERRORS = frozenset({"err", "error", "errors"})  # in percent or a fraction, as accuracies are
TIMES = frozenset({"latency", "seconds", "second", "sec", "time", "times", "ms", "hours"})
COUNTS = frozenset({"params", "param", "parameters", "weights", "flops", "macs", "mem", "memory", "size", "epochs"})
COSTS = ERRORS | TIMES | COUNTS | {"loss", "losses", "energy", "perplexity", "ppl"}  # lower is better
_UNITS = {"ms": "ms", "seconds": "seconds", "second": "seconds", "sec": "seconds", "hours": "hours"}
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")  # between the words of testErr


@dataclass(frozen=True)
class Quantity:
    """The direction of a column, and its unit: `fraction`, `percent`, `seconds`, `ms`, `hours`, or empty."""

    higher_is_better: bool
    unit: str

    def __str__(self) -> str:
        direction = f"{'higher' if self.higher_is_better else 'lower'} is better"
        return f"{self.unit}, {direction}" if self.unit else direction


def quantity(name: str, values: np.ndarray) -> Quantity:
    """What a column holds, by its name and its values.

    Lower is better for errors, losses, times, energies, and sizes (`COSTS`); a name that begins with `neg` is of such a
    quantity with the opposite sign. Every other column is an accuracy or the like, for which higher is better.
    Accuracies and errors whose finite values all lie in [0, 1] are fractions, those that all lie in [0, 100] percent.
    """
    words = [word for text in (name, _CAMEL.sub("_", name)) for word in re.findall("[a-z]+", text.lower())]
    costs = COSTS.intersection(words)
    higher = not costs or words[0] in ("neg", "negative")
    if costs and not costs <= ERRORS:
        return Quantity(higher, next((_UNITS[word] for word in words if word in _UNITS), ""))
    known = values[np.isfinite(values)]
    if not len(known) or known.min() < 0 or known.max() > 100:
        return Quantity(higher, "")
    return Quantity(higher, "fraction" if known.max() <= 1 else "percent")
