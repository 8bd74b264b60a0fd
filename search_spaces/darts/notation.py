"""Read a genotype, written as the field's text (alone or in a line of a log), as a dict, or as JSON."""

from __future__ import annotations

import re
from contextlib import suppress

from nas.core.errors import InputError
from nas.core.suggestions import suggest
from nas.search_spaces.darts.genotype import CELLS, NODES, OPERATIONS, Edge, EdgeError, Genotype, brief
from nas.search_spaces.literal import NotationError, Reader, Value, excerpt, known_spelling

_FORM = "Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=[2, 3, 4, 5], reduce=..., reduce_concat=...)"
_KEYS = ("normal", "normal_concat", "reduce", "reduce_concat")  # in the order of the field's named tuple
MAX_CHARACTERS = 10_000  # a genotype has about 500
_CALL = re.compile(r"(?<!\w)Genotype\s*\(")
_CALL_IN_ANY_CASE = re.compile(r"(?<!\w)Genotype\s*\((?=\s*(?:(?:normal|reduce)\w*\s*=|[\[(]))", re.IGNORECASE)
_DICT = re.compile(r"\{|(?<!\w)(?:OrderedDict|dict)\s*\(")
_KEY = re.compile(r"""['"](?:normal|reduce)['"]\s*:""")
_CHANGED = re.compile(r"\s*\.\w")  # as in Genotype(...)._replace(...)
_STRAIGHT = str.maketrans("\u2018\u2019\u201c\u201d\ufeff", "''\"\" ")  # the quotes of a printed page, a BOM
_EIGHT = r"((?:\('\w+', \d\)(?:, )?){8})"
_EXACT = re.compile(
    rf"Genotype\(normal=\[{_EIGHT}\], normal_concat=\[2, 3, 4, 5\], "
    rf"reduce=\[{_EIGHT}\], reduce_concat=\[2, 3, 4, 5\]\)",
    re.ASCII,
)
_EXACT_EDGE = re.compile(r"'(\w+)', (\d)", re.ASCII)

Cell = list[tuple[Edge, int]]  # each edge, and its place in the text


def parse_genotype(text: str) -> Genotype:
    """The genotype written as `text`. Raises InputError, which says what is wrong and where, if there is none.

    The keys may be in any order, or left out if the values are in the order of the field's named tuple. The concat keys
    may be missing. The two edges of a node may be in a list of their own. Other text may stand beside a call
    Genotype(...) or a dict, such as the time in a line of a log, but no second genotype. A dict may have other keys,
    such as a name or the space, but none that starts with `normal` or `reduce`: that would be a spelling mistake.
    """
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"Expected a DARTS genotype but got {len(text)} characters; give one of the form {_FORM}.")
    exact = _EXACT.fullmatch(text)
    if exact is not None:  # exactly what `str` writes: ten times faster than the reader below
        with suppress(EdgeError):
            return Genotype(
                *(tuple((name, int(source)) for name, source in _EXACT_EDGE.findall(it)) for it in exact.groups())
            )
    plain = text.translate(_STRAIGHT)
    if not plain.strip("'\" \t\r\n"):
        raise InputError(f"Expected a DARTS genotype but got an empty text; give one of the form {_FORM}, or a name.")
    try:
        fields = _fields(plain)
        cells = {cell: _edges(fields[cell], cell) for cell in CELLS}
    except NotationError as error:
        raise InputError(
            f"Expected a DARTS genotype but got {error.why} {excerpt(plain, error.place)}; write it as {_FORM} or as a "
            "JSON object."
        ) from None
    try:
        return Genotype(*(tuple(edge for edge, _ in cells[cell]) for cell in CELLS))
    except EdgeError as error:
        places = [place for _, place in cells[error.cell]] + [fields[error.cell].place]
        raise InputError(f"{str(error).rstrip('.')}. It is {excerpt(plain, places[error.edge])}.") from None


def _fields(text: str) -> dict[str, Value]:
    """The fields of the genotype. Both cells must be there, and all four nodes must be concatenated."""
    calls, entry, key = list(_CALL.finditer(text)), _DICT.search(text), _KEY.search(text)
    if not calls and key is None:
        calls = list(_CALL_IN_ANY_CASE.finditer(text))
    if len(calls) > 1:
        raise NotationError(f"{len(calls)} genotypes, the second", calls[1].start())
    if calls:
        start = calls[0].start()
        if key is not None:
            raise NotationError("a call Genotype(...) and the key of another genotype", key.start())
        fields, end = _of_call(text, start)
    elif entry is not None:
        start = entry.start()
        fields, end = _of_dict(text, start)
    else:
        raise NotationError("neither 'Genotype(' nor '{'", 0)
    if _CHANGED.match(text, end):
        raise NotationError("a call that changes the genotype", end)
    for cell in CELLS:
        if cell not in fields:
            raise NotationError(f"no {cell!r}", start)
        concat = fields.get(f"{cell}_concat")
        if concat is not None and concat.plain not in (list(NODES), range(2, 6)):
            raise NotationError(
                f"{cell}_concat={brief(concat.plain, 30)} instead of {cell}_concat={list(NODES)}", concat.place
            )
    return fields


def _of_call(text: str, start: int) -> tuple[dict[str, Value], int]:
    """The fields of the call that begins at `start`, and where it ends."""
    text = re.sub(r"\\(['\"])", r" \1", text)  # quotes escaped within a text; positions stay the same
    reader = Reader(text, text.index("(", start))
    positional, named = reader.arguments()
    if len(positional) > len(_KEYS):
        raise NotationError(f"{len(positional)} values without a name", positional[len(_KEYS)].place)
    fields = dict(zip(_KEYS, positional))
    for key, value in named.items():
        if key in fields:
            raise NotationError(f"{key!r} a second time", value.place)
        if key not in _KEYS and (value.content is not None or key.startswith(CELLS)):
            raise _unknown_key(key, value.place)
        fields[key] = value
    return fields, reader.end


def _of_dict(text: str, start: int) -> tuple[dict[str, Value], int]:
    """The fields of the dict that begins at `start`, and its end: `{...}`, `dict(...)` or `OrderedDict([...])`."""
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
    for key, value in fields.items():
        if key not in _KEYS and key.startswith(CELLS):
            raise _unknown_key(key, value.place)
    return fields, reader.end


def _unknown_key(key: str, place: int) -> NotationError:
    return NotationError(f"the unknown key {brief(key, 40)}{suggest(key, list(_KEYS))} with the value", place)


def _edges(field: Value, cell: str) -> Cell:
    """The edges of a cell from a list of eight, or from a list of two for each node."""
    items = field.content
    if not isinstance(items, list):
        raise NotationError(f"{brief(field.plain, 30)} instead of a list of edges as the {cell} cell", field.place)
    if not (items and _is_list(items[0]) and items[0].content and _is_list(items[0].content[0])):
        return [_edge(item, cell) for item in items]
    edges: Cell = []
    for item in items:
        two = item.content if _is_list(item) else []
        if len(two) != 2:
            raise NotationError(f"{len(two)} instead of 2 edges of a node of the {cell} cell", item.place)
        edges += [_edge(one, cell) for one in two]
    return edges


def _edge(value: Value, cell: str) -> tuple[Edge, int]:
    """(operation, input node) and its place; a third item, the weight of the edge, must be a number with a point."""
    parts = [part.content for part in value.content] if _is_list(value) else []
    if [type(part) for part in parts] not in ([str, int], [str, int, float]):
        raise NotationError(f"something other than an edge (operation, input node) in the {cell} cell", value.place)
    return (known_spelling(parts[0].strip(), OPERATIONS), parts[1]), value.place


def _is_list(value: Value) -> bool:
    return isinstance(value.content, list)
