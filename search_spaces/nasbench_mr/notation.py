"""Read a configuration of NAS-Bench-MR, as its files have it: JSON or a Python dict, alone or in a record."""

from __future__ import annotations

import json
import operator
from contextlib import suppress
from typing import Any

from nas.search_spaces.literal import NotationError, Value
from nas.search_spaces.nasbench_mr.configuration import BRANCHES, SIZE, Configuration, Part
from nas.search_spaces.nasbench_mr.domain import VALUES, every
from nas.search_spaces.record import MAX_CHARACTERS, RecordReader, plain_text, unreadable

WHAT = "a configuration of nasbench-mr"
FORM = str(next(every()))
_KEYS = ("input_channel", "inverted_residual_setting", "last_channel")
MAX_MODULES, MAX_BLOCKS, MAX_WIDTH = 64, 64, 4096  # the domain has much less


def parse_configuration(text: str) -> Configuration:
    """The configuration written as `text`. Raises InputError, which says what is wrong and where, if there is none.

    The keys may be in any order, other keys such as `params` are ignored, and other text may stand beside the object,
    such as the accuracy in the pairs of the benchmark's files. Values that the space does not draw can be read: the
    benchmark itself has stems of 128 channels.
    """
    exact = _exact(text)
    if exact is not None:
        return exact
    plain = plain_text(text, WHAT, FORM)
    try:
        return _configuration(RecordReader(plain, _KEYS))
    except NotationError as error:
        raise unreadable(error, plain, WHAT, FORM) from None


def _exact(text: str) -> Configuration | None:
    """The configuration of the domain whose own string `text` is, ten times faster than by the reader."""
    if len(text) > MAX_CHARACTERS:
        return None
    with suppress(ValueError, RecursionError):
        found = of_value(json.loads(text))
        return found if found is not None and str(found) == text else None
    return None


def of_value(fields: Any) -> Configuration | None:
    """The configuration of the domain that has these fields and no others; None otherwise."""
    with suppress(ValueError, TypeError, LookupError):
        embedding = list(fields["input_channel"])
        before, branches, modules = None, 0, 0  # `modules` is the place of their number
        kinds: set[type] = set()
        for row in fields["inverted_residual_setting"]:
            count, blocks, widths = row
            kinds.update((type(count),), map(type, blocks), map(type, widths))
            if row == before:
                embedding[modules] += 1
                continue
            before, branches, modules = row, branches + 1, len(embedding)
            if not count == branches == len(blocks) == len(widths):
                return None
            embedding += (1, *blocks, *widths)
        embedding.append(fields["last_channel"])
        kinds.update(map(type, embedding))
        inside = len(embedding) == SIZE and all(map(operator.contains, VALUES, embedding))
        return Configuration(tuple(embedding)) if inside and kinds == {int} and len(fields) == len(_KEYS) else None
    return None


def _configuration(record: RecordReader) -> Configuration:
    stem = record.items(record.field("input_channel"), "two widths")
    if len(stem) != 2:
        raise NotationError(f"{len(stem)} widths of the stem instead of 2", record.field("input_channel").place)
    first, second = (record.integer(one, "a width", 1, MAX_WIDTH) for one in stem)
    rows = record.items(record.field("inverted_residual_setting"), "rows")
    parts: list[Part] = []
    for row in rows:
        part = _row(record, row)
        now = len(part.blocks)
        if parts and now == len(parts):
            if part[1:] != parts[-1][1:]:
                raise NotationError(f"a row that differs from the row of {_branches(now)} before it", row.place)
            parts[-1] = parts[-1]._replace(modules=parts[-1].modules + 1)
        elif now == len(parts) + 1:
            parts.append(part)
        elif now > len(parts):
            raise NotationError(f"a row of {_branches(now)} before those of {_branches(len(parts) + 1)}", row.place)
        else:
            raise NotationError(f"a row of {_branches(now)} after those of {_branches(len(parts))}", row.place)
        if parts[-1].modules > MAX_MODULES:
            raise NotationError(f"more than {MAX_MODULES} rows of {_branches(now)}", row.place)
    if len(parts) != BRANCHES:
        raise NotationError(
            f"rows of 1 to {len(parts)} instead of 1 to {BRANCHES} branches",
            record.field("inverted_residual_setting").place,
        )
    last = record.integer(record.field("last_channel"), "a width", 1, MAX_WIDTH)
    return Configuration.of((first, second), parts, last)


def _row(record: RecordReader, row: Value) -> Part:
    """One row [branches, [blocks of each], [widths of each]]."""
    entries = record.items(row, "[branches, blocks, widths]")
    if len(entries) != 3:
        raise NotationError(f"{len(entries)} entries instead of [branches, blocks, widths]", row.place)
    count = record.integer(entries[0], "a number of branches", 1, BRANCHES)
    lists = [record.items(entries[1], "blocks"), record.items(entries[2], "widths")]
    for entry, found, what in zip(entries[1:], lists, ("blocks", "widths")):
        if len(found) != count:
            raise NotationError(f"{what} of {len(found)} instead of {_branches(count)}", entry.place)
    return Part(
        1,
        tuple(record.integer(one, "a number of blocks", 1, MAX_BLOCKS) for one in lists[0]),
        tuple(record.integer(one, "a width", 1, MAX_WIDTH) for one in lists[1]),
    )


def _branches(count: int) -> str:
    return f"{count} branch{'es' * (count != 1)}"
