"""Read a genotype from the field's text `Genotype(normal=[...], ...)` or from its JSON form."""

from __future__ import annotations

import json
import re
from typing import Any

from nas.core.errors import InputError
from nas.core.registry import suggest
from nas.search_spaces.darts.genotype import CELLS, NODES, Edges, Genotype, brief

_FORM = "Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=[2, 3, 4, 5], reduce=..., reduce_concat=...)"
_KEYS = ("normal", "normal_concat", "reduce", "reduce_concat")
_LONGEST = 10_000  # characters; a genotype has about 500


def parse_genotype(text: str) -> Genotype:
    """The genotype written as `text`; `InputError` says what is wrong with it.

    Keys may come in any order and the concat keys may be missing. A JSON object may carry other keys, such as
    a name or the space, but none that starts with `normal` or `reduce`: that is taken for a slip.
    """
    if len(text) > _LONGEST:
        raise InputError(f"Expected a DARTS genotype but got {len(text)} characters; give one of the form {_FORM}.")
    text = " ".join(text.split())
    is_json = text.startswith("{")
    try:
        fields = json.loads(text if is_json else _as_json(text), object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError, MemoryError):
        raise _malformed(text) from None
    for key in fields:
        if key not in _KEYS and (not is_json or key.startswith(CELLS)):
            raise InputError(
                f"Expected the keys {', '.join(_KEYS)} in a DARTS genotype but got {brief(key)}"
                f"{suggest(key, list(_KEYS))}; rename or remove it."
            )
    for cell in CELLS:
        concat = fields.get(f"{cell}_concat", list(NODES))
        if concat != list(NODES):
            raise InputError(
                f"Expected {cell}_concat={list(NODES)} but got {brief(concat)}; "
                "only cells that concatenate all four nodes belong to the DARTS space."
            )
    return Genotype(_edges(fields, "normal"), _edges(fields, "reduce"))


def _malformed(text: str) -> InputError:
    return InputError(f"Expected a DARTS genotype but got {brief(text)}; write it as {_FORM} or as a JSON object.")


def _as_json(text: str) -> str:
    """The field's text rewritten as JSON: nothing is evaluated, and what is not of the form stays invalid."""
    match = re.fullmatch(r"Genotype ?\((.*)\)", text)
    if match is None or re.search(r"[:{}]", text):
        raise ValueError(text)
    body = re.sub(r"range ?\( ?(\d) ?, ?(\d) ?\)", _range_as_list, match[1])
    body = re.sub(r"'([^'\"\\]*)'", r'"\1"', body)
    body = re.sub(r"(\w+) ?=", r'"\1":', body)
    body = re.sub(r"\(([^()\[\]]*)\)", r"[\1]", body)  # each edge, a tuple
    body = re.sub(r"\(((?:[^()\[\]]|\[[^()\[\]]*\])*)\)", r"[\1]", body)  # a cell written as a tuple of edges
    return "{" + re.sub(r", ?(?=\]|$)", "", body.strip()) + "}"


def _range_as_list(match: re.Match[str]) -> str:
    return str(list(range(int(match[1]), int(match[2]))))


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(
                f"Expected each key of a DARTS genotype once but got {brief(key)} again; keep one of them."
            )
    return dict(pairs)


def _edges(fields: dict[str, Any], cell: str) -> Edges:
    if cell not in fields:
        raise InputError(f"Expected both cells of a DARTS genotype but got no {cell!r}; write it as {_FORM}.")
    edges = fields[cell]
    if not isinstance(edges, list):
        raise InputError(f"Expected a list of edges as the {cell} cell but got {brief(edges)}; write it as {_FORM}.")
    for edge in edges:
        well_formed = isinstance(edge, list) and [type(part) for part in edge] == [str, int]
        if not well_formed:
            raise InputError(
                f"Expected edges (operation, input node) in the {cell} cell but got {brief(edge)}; "
                "write one as ('sep_conv_3x3', 0)."
            )
    return tuple((operation, source) for operation, source in edges)
