"""Refuse YAML that is small to send and large to read, before anything is built from it."""

from __future__ import annotations

import yaml

CHARACTERS = 100_000  # of a text; a recipe has a thousand
VALUES = 20_000  # of a text, what an alias repeats counted each time
DEPTH = 40  # sections within sections


class TooLarge(yaml.YAMLError):
    """YAML that nobody would write by hand."""


def check_size(text: str) -> None:
    """`TooLarge` where `text` has more characters, values or levels than settings can have; other `YAMLError`s where it
    is no YAML.

    An alias may repeat a list of aliases of lists of aliases ...: ten lines can stand for a billion values. The size
    of each anchored value is known when it ends, so one pass over the events adds up what the whole stands for.
    """
    if len(text) > CHARACTERS:
        raise TooLarge(f"it has {len(text):,} characters, more than {CHARACTERS:,}")
    sizes: dict[str, int] = {}  # values behind each anchor
    open_: list[tuple[str | None, int]] = []  # anchor of each list or section under way, values before it
    total = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_):
                raise TooLarge(f"{event.anchor!r} is within itself")
            total += sizes.get(event.anchor or "", 1)
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, total))
            total += 1
            if len(open_) > DEPTH:
                raise TooLarge(f"it has more than {DEPTH} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_.pop()
            if anchor is not None:
                sizes[anchor] = total - before
        if total > VALUES:
            raise TooLarge(f"it stands for more than {VALUES:,} values")
