"""Refuse YAML that is a short text but stands for very many values, before anything is made from it."""

from __future__ import annotations

import yaml

MAX_CHARACTERS = 100_000  # in a text; a recipe has a thousand
MAX_VALUES = 20_000  # in a text; the values that an alias repeats count each time
MAX_DEPTH = 40  # of sections within sections


class TooLarge(yaml.YAMLError):
    """YAML that nobody would write by hand."""


def check_size(text: str) -> None:
    """Raises TooLarge if `text` has more characters, values or levels than settings can have.

    Raises another YAMLError if it is not YAML. An alias may repeat a list of aliases of lists of aliases ..., so that
    ten lines can stand for a billion values. The size of an anchored value is known at its end, so one pass over the
    parser's events is enough to add up the values that the whole text stands for.
    """
    if len(text) > MAX_CHARACTERS:
        raise TooLarge(f"it has {len(text):,} characters, more than {MAX_CHARACTERS:,}")
    sizes: dict[str, int] = {}  # number of values that each anchor stands for
    unfinished: list[tuple[str | None, int]] = []  # of each open list or section: anchor, values before it
    total = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in unfinished):
                raise TooLarge(f"{event.anchor!r} is within itself")
            total += sizes.get(event.anchor or "", 1)
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            unfinished.append((event.anchor, total))
            total += 1
            if len(unfinished) > MAX_DEPTH:
                raise TooLarge(f"it has more than {MAX_DEPTH} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = unfinished.pop()
            if anchor is not None:
                sizes[anchor] = total - before
        if total > MAX_VALUES:
            raise TooLarge(f"it stands for more than {MAX_VALUES:,} values")
