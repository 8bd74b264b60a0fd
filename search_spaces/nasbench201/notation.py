"""Read a NAS-Bench-201 cell: from its string, its index, its operations in order, or NASLib's numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import product
from random import Random

from nas.core.errors import InputError
from nas.core.suggestions import suggest
from nas.search_spaces.literal import SCALAR_TYPE, NotationError, Reader, Value, excerpt, known_spelling
from nas.search_spaces.nasbench201.cell import EDGES, OPERATIONS, Cell

SIZE = len(OPERATIONS) ** len(EDGES)  # 15,625 cells
NASLIB_OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")  # by NASLib's number
NODES = tuple(dict.fromkeys(node for _, node in EDGES))  # the nodes that have inputs
NASLIB_EDGES = tuple(sorted(EDGES))  # by their source: 0→1, 0→2, 0→3, 1→2, 1→3, 2→3

_FORM = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"
MAX_CHARACTERS = 10_000  # a cell has about 100, a line of a log some more
_OPERATION = r"[^|~+ ]*"
_SIGNS = _FORM.replace("op", " op ").replace("~", "~ ").replace("|", " | ").replace("+", " + ").split()
_STRING = re.compile(" ?".join(f"({_OPERATION})" if sign == "op" else re.escape(sign) for sign in _SIGNS))
_EXACT = re.compile(re.escape(_FORM).replace("op", f"({'|'.join(OPERATIONS)})"))
_INPUT = re.compile(r"~ ?[0-9]")
_CALL = re.compile(rf"(?:[A-Za-z]\w*\.)*(?:{SCALAR_TYPE.pattern}) ?\(")
_NUMBERS = re.compile(r"[0-9]+(?: ?[, ] ?[0-9]+){5}")


def parse_cell(text: str) -> Cell:
    """The cell written as `text`. Raises InputError, which says what is wrong and where, if there is none.

    The field's string may have spaces around its signs. Other text may stand beside it, as in a line of a log, but no
    second cell. Otherwise the whole text must be one of

    * an index, also in a call such as np.int64(5);
    * NASLib's numbers, as `naslib:(4, 0, 3, 1, 4, 3)`;
    * a list of the names of the operations, in the order of the string;
    * a list of the pairs (operation, input), all six in that order or in a list for each node.

    Operations may be in upper or lower case.
    """
    exact = _EXACT.fullmatch(text)
    if exact is not None:
        return _cell(exact.groups())
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"Expected a NAS-Bench-201 cell but got {len(text)} characters; give one of the form {_FORM}.")
    plain = " ".join(text.replace("\ufeff", " ").split())
    if not plain.strip("'\" "):
        raise InputError(f"Expected a NAS-Bench-201 cell but got an empty text; give one of the form {_FORM}.")
    try:
        return _read(plain)
    except NotationError as error:
        raise InputError(
            f"Expected a NAS-Bench-201 cell of the form {_FORM} but got {error.why} {excerpt(plain, error.place)}; put "
            f"one of {', '.join(OPERATIONS)} for each op, or give an index or naslib:(4, 0, 3, 1, 4, 3)."
        ) from None


def of_index(index: int) -> Cell:
    """The cell of an index of NAS-Bench-201 and NATS-Bench, 0 to 15,624. Raises IndexError above that."""
    return _cell(_by_index()[index])


def of_naslib(numbers: Sequence[int]) -> Cell:
    """The cell of NASLib's six numbers: one for the operation of each edge, edges in the order of their sources."""
    names = {edge: NASLIB_OPERATIONS[number] for edge, number in zip(NASLIB_EDGES, numbers, strict=True)}
    return _cell([names[edge] for edge in EDGES])


@cache
def _by_index() -> list[tuple[str, ...]]:
    """The benchmark's order: the product in the order of the string, shuffled once by Python's generator, seed 88."""
    cells = list(product(OPERATIONS, repeat=len(EDGES)))
    Random(88).shuffle(cells)
    return cells


def _cell(operations: Sequence[str]) -> Cell:
    return Cell(tuple(operations))  # type: ignore[arg-type]


def _read(text: str) -> Cell:
    if "|" in text or "~" in text:
        return _of_string(text)
    quoted = re.fullmatch(r"(['\"])(.*)\1,?", text)  # an item of a list
    text = text if quoted is None else quoted[2]
    if re.fullmatch(r"[0-9]+", text):
        if len(text) > 1 and text[0] == "0":
            raise NotationError("an index that begins with 0", 0)
        return _indexed(int(text[: len(str(SIZE)) + 1]), 0)
    if _NUMBERS.fullmatch(text):
        raise _bare_numbers(text, 0)
    name = re.match(r"naslib ?: ?", text, re.IGNORECASE)
    if name is not None:
        return _of_naslib(_list(text, name.end()))
    if text[:1] in ("(", "["):
        return _of_list(_list(text, 0))
    if _CALL.match(text):
        value = _whole(text, 0)
        if type(value.content) is not int:
            raise NotationError("a call that is not an index", 0)
        return _indexed(value.content, 0)
    raise NotationError("neither '|' nor an index nor a list", 0)


def _indexed(index: int, place: int) -> Cell:
    if not 0 <= index < SIZE:
        raise NotationError(f"an index that is not between 0 and {SIZE - 1}", place)
    return of_index(index)


def _of_string(text: str) -> Cell:
    cells = list(_STRING.finditer(text))
    if not cells:
        raise _form_error(text)
    if len(cells) > 1:
        raise NotationError(f"{len(cells)} cells, the second", cells[1].start())
    (match,) = cells
    for outside, start in ((text[: match.start()], 0), (text[match.end() :], match.end())):
        more = _INPUT.search(outside)
        if more is not None:
            raise NotationError(f"{more[0]!r} beside the six operations", start + more.start())
    return _cell([_operation(name, match.start(number)) for number, name in enumerate(match.groups(), start=1)])


def _form_error(text: str) -> NotationError:
    """The error for a text that departs from the form, at the place where it does."""
    first = text.find("~")
    place = max(text.rfind("|", 0, first) if first >= 0 else text.find("|"), 0)
    for sign in _SIGNS:
        place += text.startswith(" ", place)
        match = re.compile(_OPERATION if sign == "op" else re.escape(sign)).match(text, place)
        if match is None:
            break
        place = match.end()
    found = repr(text[place]) if place < len(text) else "the end"
    return NotationError(f"{found} where {sign!r} should be", place)


def _operation(name: object, place: int) -> str:
    """The operation of that name, which may be in another case."""
    operation = known_spelling(str(name), OPERATIONS)
    if operation not in OPERATIONS:
        raise NotationError(f"the operation {operation[:40]!r}{suggest(operation, list(OPERATIONS))}", place)
    return operation


def _list(text: str, place: int) -> Value:
    """The rest of the text, which must be a list or tuple."""
    if text[place : place + 1] not in ("(", "["):
        raise NotationError("something other than a list", place)
    return _whole(text, place)


def _whole(text: str, place: int) -> Value:
    """The rest of the text, which must be one value and may end with a comma."""
    reader = Reader(text, place)
    value = reader.value()
    if text[reader.end :].strip(" ,"):
        raise NotationError(f"more than {'a list' if isinstance(value.content, list) else 'an index'}", reader.end)
    return value


def _of_naslib(value: Value) -> Cell:
    numbers = value.plain
    if not isinstance(numbers, list) or len(numbers) != len(EDGES):
        raise NotationError("something other than six numbers", value.place)
    for one in value.content:
        if type(one.content) is not int or not 0 <= one.content < len(OPERATIONS):
            raise NotationError(f"a NASLib number that is not between 0 and {len(OPERATIONS) - 1}", one.place)
    return of_naslib(numbers)


def _of_list(value: Value) -> Cell:
    items = value.content if isinstance(value.content, list) else []
    if len(items) > len(NODES) and all(map(_is_pair, items)):
        items = _of_pairs(items)
    kinds = {type(one.content) for one in items}
    if kinds == {list}:
        items = [edge for node, part in enumerate(items, start=1) for edge in _of_node(part, node)]
        kinds = {str}
    if len(items) != len(EDGES) or kinds not in ({str}, {int}):
        raise NotationError("something other than a list of six operations", value.place)
    if kinds == {int}:
        raise _bare_numbers(", ".join(str(one.content) for one in items), value.place)
    return _cell([_operation(one.content, one.place) for one in items])


def _is_pair(value: Value) -> bool:
    return isinstance(value.content, list) and [type(part.content) for part in value.content] == [str, int]


def _of_pairs(pairs: list[Value]) -> list[Value]:
    """The operations of pairs (operation, input) of all edges, which must be in the order of the string."""
    for pair, (source, _) in zip(pairs, EDGES):
        given = pair.content[1]
        if given.content != source:
            raise NotationError(f"the input {given.content} where {source} should be", given.place)
    if len(pairs) != len(EDGES):
        raise NotationError(f"{len(pairs)} pairs (operation, input) where six should be", pairs[0].place)
    return [pair.content[0] for pair in pairs]


def _of_node(value: Value, node: int) -> list[Value]:
    """The operations of the pairs (operation, input) of one node, in the order of the inputs."""
    operations: dict[object, Value] = {}
    for pair in value.content:
        parts = pair.content if isinstance(pair.content, list) else []
        if len(parts) != 2 or type(parts[1].content) is not int or parts[1].content in operations:
            raise NotationError("something other than a pair of an operation and an input, not used before", pair.place)
        operations[parts[1].content] = parts[0]
    if sorted(map(str, operations)) != [str(source) for source in range(node)]:
        raise NotationError(f"inputs of node {node} other than 0 to {node - 1}", value.place)
    return [operations[source] for source in range(node)]


def _bare_numbers(numbers: str, place: int) -> NotationError:
    return NotationError(f"six numbers (NASLib's must be written as naslib:({numbers}))", place)
