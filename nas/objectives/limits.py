"""How limits are written: `edgegpu_latency<=4`, of a column of tables or the measured latency."""

from __future__ import annotations

from collections.abc import Sequence

from nas.core.errors import InputError
from nas.core.limit import Limit
from nas.objectives.constraints import SIZES, Constraint
from nas.objectives.notation import label


def parse_limits(texts: Sequence[str], where: str) -> tuple[Limit, ...]:
    """The limits written as `texts`; `where` is the setting or option that holds them, for messages.

    Raises InputError if one is no limit, or is on a size, which is known without an evaluation.
    """
    limits = []
    for text in texts:
        try:
            one = Constraint.parse(text, others=True)
        except InputError as error:
            raise InputError(f"Expected a limit such as edgegpu_latency<=4 in {where} but got {text!r}.") from error
        if one.quantity in SIZES:
            raise InputError(
                f"Expected limits on what is known only after an evaluation in {where} but got {text!r}: sizes are "
                "constraints of `nas search`, search.constraints."
            )
        limits.append(Limit(label(one.quantity), one.comparison, one.limit))
    if len({one.name for one in limits}) < len(limits):
        raise InputError(f"Expected limits on different quantities in {where} but got {', '.join(map(str, limits))}.")
    return tuple(limits)


def quantities(texts: Sequence[str]) -> list[str]:
    """The quantities of limits, as they are written. Raises InputError for what is no limit."""
    return [Constraint.parse(text, others=True).quantity for text in texts]
