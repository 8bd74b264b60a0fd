"""A multiplier of all widths of a network, for spaces whose architectures give their own widths."""

from __future__ import annotations

from nas.core.errors import InputError

MIN_MULTIPLIER = 0.001


def scaled(width: int, multiplier: float) -> int:
    """A width times the multiplier, at least 1."""
    return max(1, round(width * multiplier))


def check_width_multiplier(multiplier: float) -> None:
    """Raises InputError if the multiplier is not a number from 0.001 to 1."""
    if not isinstance(multiplier, int | float) or not MIN_MULTIPLIER <= multiplier <= 1:
        raise InputError(
            f"Expected width_multiplier between {MIN_MULTIPLIER} and 1 but got {multiplier}; the published networks "
            "have 1."
        )
