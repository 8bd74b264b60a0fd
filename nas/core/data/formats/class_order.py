"""The order of classes that are named by folders, and one name for the two ways to write an accent."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

NUMERIC, TEXT = ORDERS = ("numeric", "text")  # data.order
_WHOLE = re.compile(r"-?\d+")


def composed(name: str) -> str:
    """The name with its accents composed (Unicode's NFC): systems write the same name in two ways."""
    return unicodedata.normalize("NFC", name)


def are_numbers(names: Iterable[str]) -> bool:
    """Whether every name is a whole number; leading zeros and a minus sign may be there."""
    return all(_WHOLE.fullmatch(name) for name in names)


def ordered(names: Iterable[str], order: str) -> list[str]:
    """The names in the order of their labels.

    `numeric`: by value where all are whole numbers (equal ones as text), else as composed text. `text`: as the system
    writes them, character by character, which is what versions before 0.3.0 did: 10 comes before 2.
    """
    if order == TEXT:
        return sorted(names)
    as_text = sorted(names, key=lambda name: (composed(name), name))
    return sorted(as_text, key=int) if are_numbers(as_text) else as_text


def other_order(classes: Sequence[str]) -> tuple[str, list[int]] | None:
    """The other order that classes of these names, in their order, may be meant in; None where there is none.

    Returns the value of `data.order` that gives it and, for each label, the label of the same class in that order.
    There is one where all names are whole numbers and both orders differ.
    """
    if not classes or not are_numbers(classes):
        return None
    names = {order: ordered(classes, order) for order in ORDERS}
    if names[NUMERIC] == names[TEXT]:
        return None
    order = TEXT if list(classes) == names[NUMERIC] else NUMERIC
    position = {name: label for label, name in enumerate(names[order])}
    return order, [position[name] for name in classes]
