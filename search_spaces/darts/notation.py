"""Read a genotype, written as the field's text (alone or in a line of a log), as a dict, or as JSON."""

from __future__ import annotations

import re
from contextlib import suppress

from nas.core.errors import InputError
from nas.core.suggestions import suggest
from nas.search_spaces.darts.genotype import NODES, OPERATIONS, Genotype
from nas.search_spaces.literal import NotationError, Reader, Value, excerpt
from nas.search_spaces.twocells.cell import CELLS
from nas.search_spaces.twocells.family import EdgeError, brief
from nas.search_spaces.twocells.notation import DICT, MAX_CHARACTERS, STRAIGHT, read_dict, read_edges

_FORM = "Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=[2, 3, 4, 5], reduce=..., reduce_concat=...)"
_KEYS = ("normal", "normal_concat", "reduce", "reduce_concat")  # in the order of the field's named tuple
_CALL = re.compile(r"(?<!\w)Genotype\s*\(")
_CALL_IN_ANY_CASE = re.compile(r"(?<!\w)Genotype\s*\((?=\s*(?:(?:normal|reduce)\w*\s*=|[\[(]))", re.IGNORECASE)
_KEY = re.compile(r"""['"](?:normal|reduce)['"]\s*:""")
_CHANGED = re.compile(r"\s*\.\w")  # as in Genotype(...)._replace(...)
_EIGHT = r"((?:\('\w+', \d\)(?:, )?){8})"
_EXACT = re.compile(
    rf"Genotype\(normal=\[{_EIGHT}\], normal_concat=\[2, 3, 4, 5\], "
    rf"reduce=\[{_EIGHT}\], reduce_concat=\[2, 3, 4, 5\]\)",
    re.ASCII,
)
_EXACT_EDGE = re.compile(r"'(\w+)', (\d)", re.ASCII)


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
    plain = text.translate(STRAIGHT)
    if not plain.strip("'\" \t\r\n"):
        raise InputError(f"Expected a DARTS genotype but got an empty text; give one of the form {_FORM}, or a name.")
    try:
        fields = _fields(plain)
        cells = {cell: read_edges(fields[cell], cell, OPERATIONS) for cell in CELLS}
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
    calls, entry, key = list(_CALL.finditer(text)), DICT.search(text), _KEY.search(text)
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
        fields, end = read_dict(text, start)
        for name, value in fields.items():
            if name not in _KEYS and name.startswith(CELLS):
                raise _unknown_key(name, value.place)
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


def _unknown_key(key: str, place: int) -> NotationError:
    return NotationError(f"the unknown key {brief(key, 40)}{suggest(key, list(_KEYS))} with the value", place)
