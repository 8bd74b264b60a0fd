"""The order of classes that are named by folders, and one spelling of names with accents."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

NUMERIC, TEXT = ORDERS = ("numeric", "text")  # data.order
_WHOLE_NUMBER = re.compile(r"-?\d+")


def composed(name: str) -> str:
    """The name with composed accents (Unicode's NFC), because systems write the same name in two ways."""
    return unicodedata.normalize("NFC", name)


def are_numbers(names: Iterable[str]) -> bool:
    """Whether every name is a whole number, possibly with leading zeros or a minus sign."""
    return all(_WHOLE_NUMBER.fullmatch(name) for name in names)


def ordered(names: Iterable[str], order: str) -> list[str]:
    """The names in the order of their labels.

    `numeric`: by value if all are whole numbers (equal values as text), otherwise as composed text. `text`: character
    by character as the system writes them, as in versions before 0.3.0: 10 comes before 2.
    """
    if order == TEXT:
        return sorted(names)
    as_text = sorted(names, key=lambda name: (composed(name), name))
    return sorted(as_text, key=int) if are_numbers(as_text) else as_text


def other_order(classes: Sequence[str]) -> tuple[str, list[int]] | None:
    """The order that could be meant instead of that of `classes`; `None` if there is none.

    Returns its value of `data.order` and, for each label, the label of the same class in the other order. There is
    another order if all names are whole numbers and the two orders differ.
    """
    if not classes or not are_numbers(classes):
        return None
    names = {order: ordered(classes, order) for order in ORDERS}
    if names[NUMERIC] == names[TEXT]:
        return None
    order = TEXT if list(classes) == names[NUMERIC] else NUMERIC
    position = {name: label for label, name in enumerate(names[order])}
    return order, [position[name] for name in classes]
