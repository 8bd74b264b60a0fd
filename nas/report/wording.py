"""How numbers and names are written: the same in every page, picture and text."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from nas.core.radius import radius
from nas.core.statistics.repetitions import TTest
from nas.results import (
    WORST_CASE,
    Difference,
    Interval,
    Repeated,
    RepeatedDifference,
)
from nas.runs.difference_wording import in_points
from nas.runs.repetitions import SCORE

ATTACKS = {
    "fgsm": "FGSM",
    "pgd": "PGD",
    "mifgsm": "MI-FGSM",
    "cw": "CW",
    "apgd": "APGD",
    "apgd-ce": "APGD-CE",
    "apgd-dlr": "APGD-DLR",
    "fab": "FAB",
    "square": "Square",
    "autoattack": "AutoAttack",
    "autoattack-rand": "AutoAttack (rand)",
}
_NORMS = {"Linf": "L\u221e", "L2": "L2"}


def percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}%"


def interval(bounds: Interval) -> str:
    """A 95 % interval of a fraction, in percent."""
    return f"[{100 * bounds.low:.1f}, {100 * bounds.high:.1f}]"


def with_interval(accuracy: float, bounds: Interval) -> str:
    """An accuracy and its interval."""
    return f"{percent(accuracy)} {interval(bounds)}"


def points(row: Difference) -> str:
    """A paired difference in points with its uncorrected interval, without the verdict."""
    return minus(in_points(row))


def probability(p: float | None) -> str:
    """A p-value on a page; empty for None."""
    if p is None:
        return ""
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}" if p < 0.01 else f"{p:.3f}"


def compared_probability(p: float) -> str:
    """A p-value within a sentence: `= 0.012`, `< 0.0001`."""
    text = probability(p)
    return text if text.startswith("<") else f"= {text}"


def probability_of_few(p: float | None) -> str:
    """A p-value of a test on a few seeds, in three decimals; a dash for None (all differences are the same)."""
    if p is None:
        return "–"
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def spread(row: Repeated | RepeatedDifference) -> str:
    """Mean ± standard deviation of fractions, in percent."""
    return minus(f"{100 * row.mean:.1f}" + (f" ± {100 * row.sd:.1f}" if row.sd is not None else ""))


def signed_points(fraction: float | None) -> str:
    """A difference of fractions in points; a dash for None."""
    return "–" if fraction is None else minus(f"{100 * fraction:+.1f}")


def interval_of(test: TTest) -> str:
    """The 95 % interval of a test, in points; empty if it has none."""
    return "" if test.low is None else f"[{signed_points(test.low)}, {signed_points(test.high)}]"


def signed_interval(bounds: Interval) -> str:
    """The 95 % interval of a difference, in points."""
    return f"[{signed_points(bounds.low)}, {signed_points(bounds.high)}]"


def minus(text: str) -> str:
    """`text` with the typographic minus sign."""
    return text.replace("-", "\u2212")


def norm(name: str) -> str:
    """`Linf` → `L∞`."""
    return _NORMS.get(name, name)


def ball(name: str, eps: float) -> str:
    """The ball of an attack: its norm and its radius."""
    return f"{norm(name)} ε = {radius(eps)}"


def attack(name: str) -> str:
    """`pgd20` → `PGD-20`; an unknown name stays as it is, but without the name of its library."""
    if name == WORST_CASE:
        return "worst case"
    match = re.fullmatch(r"([a-z-]+)(\d*)", name)
    if match is None or match[1] not in ATTACKS:
        return name.removeprefix("torchattacks:")
    return ATTACKS[match[1]] + (f"-{match[2]}" if match[2] else "")


def metric(name: str) -> str:
    """`clean`, `PGD-20`, `HRS PGD-20`."""
    return f"HRS {attack(name.removeprefix(SCORE))}" if name.startswith(SCORE) else attack(name)


def value(number: float) -> str:
    """A score of a search, in about five digits."""
    return minus(f"{number:,.0f}" if 1e4 <= abs(number) < 1e15 else f"{number:.5g}")


def value_in_column(number: float, column: Sequence[float]) -> str:
    """A score of a search with as many decimals as the others of its column, if these are of similar size."""
    sizes = [abs(one) for one in column if one]
    if not sizes or not 1e-3 <= max(sizes) < min(1e15, 1000 * min(sizes)):
        return value(number)
    whole = all(float(one).is_integer() for one in column)
    decimals = 0 if whole else max(0, 4 - math.floor(math.log10(max(sizes))))
    return minus(f"{number:,.{decimals}f}" if max(sizes) >= 1e4 else f"{number:.{decimals}f}")


def three_digits(number: float) -> str:
    return value(float(f"{number:.3g}"))


def one_decimal(number: float | None) -> str:
    """A number with one decimal; empty for None."""
    return "" if number is None else f"{number:.1f}"


def thousands(number: int) -> str:
    """A count, its digits in groups of three."""
    return f"{number:,}"


def duration(seconds: float) -> str:
    """Seconds as h, min and s."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def rough_duration(seconds: float) -> str:
    """An estimate of seconds in one unit: s, min or h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def picture_name(model: str) -> str:
    """The name of the file of a network's loss landscape, in the folder of its run."""
    plain = re.sub(r"[^\w.-]", "_", model)
    return f"landscape-{plain}.png"
