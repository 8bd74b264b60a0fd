"""Read a residual network of NDS from the `net` of a record, or from the whole record, as JSON or a Python dict."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from typing import Any

from nas.search_spaces.literal import NotationError, Value
from nas.search_spaces.record import MAX_CHARACTERS, RecordReader, plain_text, unreadable
from nas.search_spaces.residual.architecture import BASIC, BOTTLENECK, ResidualArch
from nas.search_spaces.residual.domain import Domain, divides

_LISTS = ("ds", "ws", "ss", "bot_muls", "num_gs")
_KEYS = (*_LISTS, "block_type")
MAX_BLOCKS, MAX_WIDTH, MAX_STRIDE = 1024, 16384, 8  # of one stage; domains have much less


def parse_network(text: str, domain: Domain, name: str) -> ResidualArch:
    """The network written as `text`. Raises InputError, which says what is wrong and where, if there is none.

    The keys may be in any order, and other keys are ignored. `block_type` and lists that are empty may be missing, and
    so may the first entries of `bot_muls` and `num_gs`. Fewer stages than the space draws, and values that it does
    not draw, can be read, such as those of the records for CIFAR-10.
    """
    exact = _exact(text, domain)
    if exact is not None:
        return exact
    what, form = f"a network of {name}", _form(domain)
    plain = plain_text(text, what, form)
    try:
        return _network(RecordReader(plain, _KEYS, within="net"), domain)
    except NotationError as error:
        raise unreadable(error, plain, what, form) from None


def _exact(text: str, domain: Domain) -> ResidualArch | None:
    """The network of the domain whose own string `text` is, ten times faster than by the reader; None otherwise."""
    if len(text) > MAX_CHARACTERS:
        return None
    with suppress(ValueError, RecursionError):
        arch = of_value(json.loads(text), domain)
        return arch if arch is not None and str(arch) == text else None
    return None


def of_value(lists: Any, domain: Domain) -> ResidualArch | None:
    """The network of the domain that has these lists, as its own string has them; None otherwise."""
    with suppress(ValueError, TypeError, LookupError, ArithmeticError):
        ds, ws, ss, ratios, groups = (tuple(lists[key]) for key in _LISTS)
        kinds = {*map(type, ds + ws + ss + groups)}, {float, *map(type, ratios)}
        block = BOTTLENECK if domain.bottlenecks else BASIC
        if kinds == ({int}, {float}) and lists["block_type"] == block and len(lists) == len(_KEYS):
            arch = ResidualArch(ds, ws, ss, ratios, groups)
            return arch if domain.draws(arch) else None
    return None


@cache
def _form(domain: Domain) -> str:
    """An example of the notation: the first network of the space."""
    return str(next(iter(domain)))


def _network(record: RecordReader, domain: Domain) -> ResidualArch:
    lists = {key: record.items(record.field(key), "whole numbers") for key in ("ds", "ws", "ss")}
    count = len(lists["ds"])
    if not 2 <= count <= domain.stages + 1:
        raise NotationError(
            f"{count} entries where one of the stem and 1 to {domain.stages} of stages should be",
            record.field("ds").place,
        )
    _check_block(record, domain)
    for key, entries in lists.items():
        if len(entries) != count:
            raise NotationError(f"{len(entries)} entries of {key!r} and {count} of 'ds'", record.field(key).place)
    ds = tuple(record.integer(one, "a number of blocks", 1, MAX_BLOCKS) for one in lists["ds"])
    ws = tuple(record.integer(one, "a width", 1, MAX_WIDTH) for one in lists["ws"])
    ss = tuple(record.integer(one, "a stride", 1, MAX_STRIDE) for one in lists["ss"])
    if not domain.bottlenecks:
        return ResidualArch(ds, ws, ss)
    bottlenecks = _per_stage(record, "bot_muls", count)
    groups = _per_stage(record, "num_gs", count)
    arch = ResidualArch(
        ds,
        ws,
        ss,
        (1.0, *(record.number(one, "a bottleneck", 1e-6, 64) for one in bottlenecks)),
        (1, *(record.integer(one, "a number of groups", 1, MAX_WIDTH) for one in groups)),
    )
    for stage, place in zip(arch.stages(), groups):
        if not divides(stage):
            raise NotationError(
                f"{stage.groups} groups, which do not divide the inner width "
                f"{round(stage.width * (stage.bottleneck or 1.0))},",
                place.place,
            )
    return arch


def _check_block(record: RecordReader, domain: Domain) -> None:
    """The type of block must be the space's, and only bottlenecks have ratios and groups."""
    expected = BOTTLENECK if domain.bottlenecks else BASIC
    if record.has("block_type") and record.field("block_type").content != expected:
        raise NotationError(
            f"the block {str(record.field('block_type').plain)[:40]!r} instead of {expected!r}",
            record.field("block_type").place,
        )
    for key in ("bot_muls", "num_gs") if not domain.bottlenecks else ():
        if record.has(key):
            raise NotationError(f"{key!r}, which basic blocks do not have,", record.field(key).place)


def _per_stage(record: RecordReader, key: str, count: int) -> list[Value]:
    """The entries of the stages; the first entry, of the stem, has no meaning and may be missing."""
    entries = record.items(record.field(key), "numbers")
    if len(entries) not in (count, count - 1):
        raise NotationError(f"{len(entries)} entries of {key!r} and {count} of 'ds'", record.field(key).place)
    return entries[len(entries) - count + 1 :]
