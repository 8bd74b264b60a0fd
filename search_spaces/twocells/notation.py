"""Read a dict with two cells in the notation of Python or JSON: what all spaces of two cells have in common."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nas.search_spaces.literal import NotationError, Reader, Value, known_spelling
from nas.search_spaces.twocells.cell import Edge
from nas.search_spaces.twocells.family import brief

MAX_CHARACTERS = 10_000  # an architecture has 500 to 1,000
STRAIGHT = str.maketrans("\u2018\u2019\u201c\u201d\ufeff", "''\"\" ")  # the quotes of a printed page, a BOM
DICT = re.compile(r"\{|(?<!\w)(?:OrderedDict|dict)\s*\(")

PlacedEdges = list[tuple[Edge, int]]  # each edge, and its place in the text


def read_dict(text: str, start: int) -> tuple[dict[str, Value], int]:
    """The fields of the dict that begins at `start`, and its end: `{...}`, `dict(...)` or `OrderedDict([...])`.

    Raises NotationError if it is not readable, or another dict follows.
    """
    if text[start] == "{":
        reader = Reader(text, start)
        fields = reader.value().content
    else:
        reader = Reader(text, text.index("(", start))
        positional, fields = reader.arguments()
        for pair in positional[0].content if len(positional) == 1 and isinstance(positional[0].content, list) else []:
            key, value = pair.content if isinstance(pair.content, list) and len(pair.content) == 2 else (pair, pair)
            if not isinstance(key.content, str) or key.content in fields:
                raise NotationError("something other than a pair of a key, not used before, and a value", pair.place)
            fields[key.content] = value
    another = text.find("{", reader.end)
    if another >= 0:
        raise NotationError("two dicts, the second", another)
    return fields, reader.end


def read_edges(field: Value, cell: str, operations: Sequence[str]) -> PlacedEdges:
    """The edges of a cell from one list, or from a list of two for each node."""
    items = field.content
    if not isinstance(items, list):
        raise NotationError(f"{brief(field.plain, 30)} instead of a list of edges as the {cell} cell", field.place)
    if not (items and _is_list(items[0]) and items[0].content and _is_list(items[0].content[0])):
        return [_edge(item, cell, operations) for item in items]
    edges: PlacedEdges = []
    for item in items:
        two = item.content if _is_list(item) else []
        if len(two) != 2:
            raise NotationError(f"{len(two)} instead of 2 edges of a node of the {cell} cell", item.place)
        edges += [_edge(one, cell, operations) for one in two]
    return edges


def _edge(value: Value, cell: str, operations: Sequence[str]) -> tuple[Edge, int]:
    """(operation, input node) and its place; a third item, the weight of the edge, must be a number with a point."""
    parts = [part.content for part in value.content] if _is_list(value) else []
    if [type(part) for part in parts] not in ([str, int], [str, int, float]):
        raise NotationError(f"something other than an edge (operation, input node) in the {cell} cell", value.place)
    return (known_spelling(parts[0].strip(), operations), parts[1]), value.place


def _is_list(value: Value) -> bool:
    return isinstance(value.content, list)
