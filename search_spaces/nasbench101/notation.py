"""Read a NASBench-101 cell: from its string, from a matrix and operations as values or as their text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from nas.core.errors import InputError
from nas.core.suggestions import suggest
from nas.search_spaces.literal import NotationError, Reader, Value, excerpt, known_spelling
from nas.search_spaces.nasbench101.cell import MAX_EDGES, OPERATIONS, PAIRS, Cell, is_full, pruned

MAX_CHARACTERS = 10_000  # a cell has at most 101, a matrix with operations some hundred
MAX_SIDE = 40  # of a matrix before it is pruned

_EXAMPLE = "'1101 conv3x3-bn-relu ...' (the upper triangle row by row, then the inner operations)"
_BITS = re.compile(r"[01]+(?=[ ,;:]|$)")
_HASH = re.compile(r"[0-9a-fA-F]{32}")
_CALL = re.compile(r"(?:[A-Za-z_]\w*\.)*(?:ModelSpec|dict) ?\(")
_MATRIX_KEYS = ("matrix", "module_adjacency", "adjacency", "adjacency_matrix", "original_matrix")
_OPERATION_KEYS = ("ops", "operations", "module_operations", "original_ops")
_DTYPE = re.compile(r", ?dtype ?= ?[\w.']+")  # as numpy prints it
_OPERATIONS = frozenset(OPERATIONS)
_SHORT_NAMES = {"conv3x3": "conv3x3-bn-relu", "conv1x1": "conv1x1-bn-relu", "maxpool": "maxpool3x3"}


def parse_cell(text: str) -> Cell:
    """The cell written as `text`. Raises InputError, which says what is wrong and where, if there is none.

    The text is one of

    * the upper triangle of the matrix, row by row, and the inner operations; the whole matrix (n² digits) or the names
      `input` and `output` may stand there too;
    * a pair of a matrix and operations in the notation of Python or JSON, as a list, a dict or a call ModelSpec(...).

    Nodes that are on no path from the input to the output are left out, as the benchmark does.
    """
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"Expected a NASBench-101 cell but got {len(text)} characters; write it as {_EXAMPLE}.")
    exact = _exact(text)
    if exact is not None:
        return exact
    plain = " ".join(text.replace("\ufeff", " ").split())
    plain = plain[1:-1].strip() if re.fullmatch(r"'[^']*'|\"[^\"]*\"", plain) else plain
    if not plain:
        raise InputError(f"Expected a NASBench-101 cell but got an empty text; write it as {_EXAMPLE}.")
    if _HASH.fullmatch(plain):
        raise InputError(
            f"Expected a NASBench-101 cell but got {plain}, a hash, which does not tell the cell; write it as "
            f"{_EXAMPLE}."
        )
    try:
        if plain[0] in "([{" or _CALL.match(plain):
            return _of_values(_DTYPE.sub(lambda found: " " * len(found[0]), plain))
        return _of_string(plain)
    except NotationError as error:
        raise InputError(
            f"Expected a NASBench-101 cell but got {error.why} {excerpt(plain, error.place)}; write it as {_EXAMPLE}, "
            f"each operation one of {', '.join(OPERATIONS)}."
        ) from None


def of_matrix(matrix: Any, operations: Sequence[str]) -> Cell:
    """The cell of an adjacency matrix (n × n, lists or an array) and its operations, with or without input and output.

    Nodes that are on no path from the input to the output are left out. Raises InputError if the matrix is not square,
    not upper triangular, has entries other than 0 and 1 or not as many rows as there are operations; if no path leads
    from input to output; or if more than 7 nodes or 9 edges are left.
    """
    rows = [list(row) if hasattr(row, "__iter__") and not isinstance(row, str) else [row] for row in matrix]
    side = len(rows)
    if not 2 <= side <= MAX_SIDE or any(len(row) != side for row in rows):
        raise InputError(
            f"Expected a square matrix of a NASBench-101 cell with 2 to {MAX_SIDE} rows but got "
            f"{side} rows of {sorted({len(row) for row in rows})} entries; give one row for each node."
        )
    for number, row in enumerate(rows):
        for column, entry in enumerate(row):
            if entry not in (0, 1) or (entry and column <= number):
                raise InputError(
                    "Expected an upper-triangular matrix of 0 and 1 for a NASBench-101 cell but got "
                    f"{str(entry)[:20]} in row {number}, column {column}; number the nodes from input to output."
                )
    names = [str(name) for name in operations]
    if len(names) == side:
        if (names[0].lower(), names[-1].lower()) != ("input", "output"):
            raise InputError(
                "Expected the operations of a NASBench-101 cell to begin with input and end with output but got "
                f"{names[0][:40]!r} and {names[-1][:40]!r}; name the inner operations between them."
            )
        names = names[1:-1]
    if len(names) != side - 2:
        raise InputError(
            f"Expected {side - 2} inner operations for a matrix of {side} rows but got {len(names)}; give one for each "
            "node between input and output."
        )
    edges = [(a, b) for a, row in enumerate(rows) for b, entry in enumerate(row) if entry]
    return pruned(edges, [_known(name) for name in names])


def _exact(text: str) -> Cell | None:
    """The cell if the text is exactly what `str` writes, which is read several times faster; None otherwise."""
    bits, *names = text.split(" ")
    pairs = PAIRS.get(len(names) + 1, ())
    if len(bits) != len(pairs) or bits.strip("01") or not set(names) <= _OPERATIONS:
        return None
    edges = tuple(pair for pair, bit in zip(pairs, bits) if bit == "1")
    return Cell(edges, tuple(names)) if len(edges) <= MAX_EDGES and is_full(edges, len(names) + 1) else None


def _known(name: str) -> str:
    spelled = known_spelling(name, OPERATIONS)
    return _SHORT_NAMES.get(spelled.lower(), spelled)


def _of_string(text: str) -> Cell:
    match = _BITS.match(text)
    if match is None:
        raise NotationError("something other than digits 0 and 1", 0)
    bits, names = match[0], []
    for word in re.compile(r"[^ ,;:]+").finditer(text, match.end()):
        name = _known(word[0])
        if name not in OPERATIONS and name.lower() not in ("input", "output"):
            raise NotationError(f"the operation {name[:40]!r}{suggest(name, list(OPERATIONS))}", word.start())
        names.append(name)
    if [name.lower() for name in (*names[:1], *names[-1:])] == ["input", "output"]:
        names = names[1:-1]
    for end in ("input", "output"):
        if end in [name.lower() for name in names]:
            raise NotationError(f"{end!r} among the inner operations", text.lower().index(end))
    side = len(names) + 2
    if side > MAX_SIDE:
        raise NotationError(f"{len(names)} operations", match.end())
    if len(bits) == side * side:
        return of_matrix([[int(bit) for bit in bits[row * side : (row + 1) * side]] for row in range(side)], names)
    if len(bits) != side * (side - 1) // 2:
        raise NotationError(
            f"{len(bits)} digits where {len(names)} operations need {side * (side - 1) // 2} (or {side * side} for the "
            "whole matrix),", 0,
        )  # fmt: skip
    pairs = ((a, b) for a in range(side) for b in range(a + 1, side))
    return pruned([pair for pair, bit in zip(pairs, bits) if bit == "1"], names)


def _of_values(text: str) -> Cell:
    matrix, operations = _fields(text)
    if not isinstance(operations.content, list) or not isinstance(matrix.content, list):
        raise NotationError("something other than a matrix and a list of operations", matrix.place)
    for row in matrix.content:
        if not isinstance(row.content, list) or not all(isinstance(one.content, int | float) for one in row.content):
            raise NotationError("something other than a row of 0 and 1", row.place)
    for one in operations.content:
        if not isinstance(one.content, str):
            raise NotationError("something other than the name of an operation", one.place)
    return of_matrix(matrix.plain, operations.plain)


def _fields(text: str) -> tuple[Value, Value]:
    """The matrix and the operations of a pair, a dict or a call."""
    named: dict[str, Value]
    call = _CALL.match(text)
    if call is not None:
        reader = Reader(text, text.index("("))
        items, named = reader.arguments()
    else:
        reader = Reader(text)
        value = reader.value()
        is_dict = isinstance(value.content, dict)
        items, named = ([], value.content) if is_dict else (value.content, {})
    if text[reader.end :].strip(" ,;"):
        raise NotationError("more than one cell", reader.end)
    if isinstance(items, list) and len(items) == 2 and not named:
        return items[0], items[1]
    fields = [[named[key] for key in keys if key in named] for keys in (_MATRIX_KEYS, _OPERATION_KEYS)]
    if not items and all(fields):
        return fields[0][0], fields[1][0]
    raise NotationError("something other than a matrix and operations", 0)
