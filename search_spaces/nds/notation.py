"""Read a point of a cell space of NDS: the `net` of a published record, or the whole record, as JSON or Python."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from nas.core.errors import InputError
from nas.search_spaces.literal import NotationError, Value, excerpt
from nas.search_spaces.nds.point import NDSPoint
from nas.search_spaces.twocells.cell import CELLS
from nas.search_spaces.twocells.family import EdgeError, Family, brief
from nas.search_spaces.twocells.notation import DICT, MAX_CHARACTERS, STRAIGHT, PlacedEdges, read_dict, read_edges

_FORM = (
    '{"depth": 20, "genotype": {"normal": [["sep_conv_3x3", 0], ...], "normal_concat": [...], "reduce": ..., '
    '"reduce_concat": ...}, "width": 32}'
)
_OFF = {  # keys of training, and how the project writes them
    "aux": "an auxiliary head is a setting of the network that is trained, model.auxiliary=true",
    "drop_prob": "drop-path is a setting of training, train.drop_path",
}


def parse_point(text: str, family: Family) -> NDSPoint:
    """The point written as `text`. Raises InputError, which says what is wrong and where, if there is none.

    Keys may be in any order. The lists of concatenated nodes may be missing: they follow from the edges. The two edges
    of a node may be in a list of their own. Other keys beside those of `net` are passed over, so that a whole record
    can be given, with the network under `net`. `aux` and `drop_prob` may be missing, and must be off.
    """
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"Expected a network of {family.title} but got {len(text)} characters; write it as {_FORM}.")
    exact = _exact(text, family)
    if exact is not None:
        return exact
    plain = text.translate(STRAIGHT)
    try:
        net = _net(plain)
        genotype = _section(net, "genotype")
        depth, width = (_whole(net, key) for key in ("depth", "width"))
        edges = {cell: read_edges(_field(genotype, cell), cell, family.operations) for cell in CELLS}
    except NotationError as error:
        raise InputError(
            f"Expected a network of {family.title} but got {error.why} {excerpt(plain, error.place)}; write it as "
            f"{_FORM}."
        ) from None
    try:
        normal, reduce = (tuple(edge for edge, _ in edges[cell]) for cell in CELLS)
        point = NDSPoint(family, normal, reduce, depth, width)
    except EdgeError as error:
        raise _located(error, edges, genotype, plain) from None
    for cell in CELLS:
        _check_concat(genotype, cell, family.concat(getattr(point, cell)), plain)
    return point


def _exact(text: str, family: Family) -> NDSPoint | None:
    """The point if the text is exactly what `str` writes, which is read ten times faster; None otherwise."""
    with suppress(ValueError, RecursionError):
        point = of_value(json.loads(text), family)
        return point if point is not None and str(point) == text else None
    return None


def of_value(net: Any, family: Family) -> NDSPoint | None:
    """The point whose own string `json.loads` reads as `net`, apart from the order of the keys; None otherwise."""
    with suppress(ValueError, TypeError, LookupError, InputError):
        genotype = net["genotype"]
        normal, reduce = (tuple(map(tuple, genotype[cell])) for cell in CELLS)
        if {type(source) for _, source in normal + reduce} != {int}:
            return None
        point = NDSPoint(family, normal, reduce, net["depth"], net["width"])
        concats = tuple(tuple(genotype[f"{cell}_concat"]) for cell in CELLS)
        off = net["aux"] is False and net["drop_prob"] == 0
        alone = (len(net), len(genotype)) == (5, 4)  # no other keys
        return point if off and alone and concats == point.concats else None
    return None


def _net(text: str) -> dict[str, Value]:
    """The fields of the network: those of the dict in the text or, if that is a whole record, of its `net`."""
    start = DICT.search(text)
    if start is None:
        raise NotationError("no '{'" if text.strip() else "an empty text", 0)
    fields, _ = read_dict(text, start.start())
    if "net" in fields and "genotype" not in fields:
        fields = _section(fields, "net")
    for key, why in _OFF.items():
        if key in fields and fields[key].content not in (False, 0, None):
            raise NotationError(f"{key}={brief(fields[key].plain, 30)} ({why})", fields[key].place)
    return fields


def _field(fields: dict[str, Value], key: str) -> Value:
    if key not in fields:
        place = min((value.place for value in fields.values()), default=0)
        raise NotationError(f"no {key!r}", place)
    return fields[key]


def _section(fields: dict[str, Value], key: str) -> dict[str, Value]:
    value = _field(fields, key)
    if not isinstance(value.content, dict):
        raise NotationError(f"{brief(value.plain, 30)} instead of a dict as {key!r}", value.place)
    return value.content


def _whole(fields: dict[str, Value], key: str) -> int:
    value = _field(fields, key)
    if type(value.content) is not int:
        raise NotationError(f"{brief(value.plain, 30)} instead of a whole number as {key!r}", value.place)
    return value.content


def _located(error: EdgeError, edges: dict[str, PlacedEdges], genotype: dict[str, Value], text: str) -> InputError:
    """The error with the place of the edge."""
    places = [place for _, place in edges[error.cell]] + [genotype[error.cell].place]
    return InputError(f"{str(error).rstrip('.')}. It is {excerpt(text, places[error.edge])}.")


def _check_concat(genotype: dict[str, Value], cell: str, concat: tuple[int, ...], text: str) -> None:
    """Raises InputError if the text says that other nodes are concatenated than the space concatenates."""
    given = genotype.get(f"{cell}_concat")
    if given is None:
        return
    nodes = list(given.content) if isinstance(given.content, range) and len(given.content) < 10 else given.plain
    if nodes != list(concat):
        raise InputError(
            f"Expected {cell}_concat={list(concat)}, which follows from the edges, but got {brief(given.plain, 30)} "
            f"{excerpt(text, given.place)}; leave it out or change it."
        )
