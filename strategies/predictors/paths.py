"""The path encoding of a cell: which sequences of operations lead from an input to the output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import product
from random import Random
from typing import Any, NamedTuple

import numpy as np

from nas.core.errors import InputError
from nas.search_spaces.base import JOINS, SearchSpace

LONGEST = 3  # operations of the longest path that has a column
SAMPLES = 500  # architectures drawn to learn what cells of a space have in common


class Path(NamedTuple):
    """A path through a cell, from an input to an output."""

    cell: str
    start: str  # the input node
    operations: tuple[str, ...]


class Frame(NamedTuple):
    """What all cells of one name have in common: their input and output nodes, and the operations between these."""

    inputs: tuple[str, ...]
    outputs: frozenset[str]
    operations: tuple[str, ...]  # of edges that have a choice
    fixed: frozenset[tuple[str, str]]  # edges that every cell has with the same operation (a concat)


def encode(space: SearchSpace[Any], archs: Sequence[Any], longest: int = LONGEST) -> np.ndarray:
    """(n, columns) of 0 and 1: whether a path is in the architecture; the columns are those of `vocabulary`.

    Source: White et al., AAAI 2021 (arXiv:1910.11858). As in the paper, paths of more than `longest`
    operations have no column. NAS-Bench-201 has no path longer than 3 and 4 + 16 + 64 = 84 columns (the release has
    155, because `none` counts as an operation there; here a path through `none` is no path). DARTS has 4·(7 + 49 + 343)
    = 1,596 columns, a quarter for each input of each cell; only its paths of four operations are left out.
    Isomorphic cells can differ in their paths, as skip connections count: encode the representatives of classes.

    Raises InputError if `longest` is less than 1.
    """
    encoded = np.zeros((len(archs), len(vocabulary(space, longest))), dtype=np.float32)
    for row, arch in enumerate(archs):
        encoded[row, list(_columns(type(space), arch, longest))] = 1.0
    return encoded


def vocabulary(space: SearchSpace[Any], longest: int = LONGEST) -> dict[Path, int]:
    """The column of each path of at most `longest` operations; they are sorted by cell, input node and length.

    Raises InputError if `longest` is less than 1.
    """
    return _vocabulary(type(space), longest)


def paths(space: SearchSpace[Any], arch: Any) -> set[Path]:
    """All paths of an architecture, however long, from inputs to outputs; fixed edges and joins add no operation."""
    return {
        Path(cell, start, operations)
        for cell, edges in space.edges(arch).items()
        for start in _frames(type(space))[cell].inputs
        for operations in _from(start, edges, _frames(type(space))[cell])
    }


def _from(node: str, edges: list[tuple[str, str, str]], frame: Frame) -> Iterator[tuple[str, ...]]:
    """The operations of every path from a node to an output."""
    if node in frame.outputs:
        yield ()
    for source, target, operation in edges:
        if source == node:
            here = () if (source, target) in frame.fixed or operation in JOINS else (operation,)
            yield from (here + rest for rest in _from(target, edges, frame))


# computed once per space: instances of a space hold no state, so all give the same


@cache
def _frames(kind: type[SearchSpace[Any]]) -> dict[str, Frame]:
    """The frame of each cell, found from `SAMPLES` random architectures: in a single one, `none` hides some edges."""
    space, rng = kind(), Random(0)
    drawn = [space.edges(space.sample(rng)) for _ in range(SAMPLES)]
    frames = {}
    for cell in drawn[0]:
        cells = [set(edges[cell]) for edges in drawn]
        union = set().union(*cells)
        sources, targets = {edge[0] for edge in union}, {edge[1] for edge in union}
        fixed = {edge for edge in union if all(edge in edges for edges in cells)}
        frames[cell] = Frame(
            tuple(sorted(sources - targets)),
            frozenset(targets - sources),
            tuple(sorted({edge[2] for edge in union - fixed} - JOINS)),
            frozenset(edge[:2] for edge in fixed),
        )
    return frames


@cache
def _vocabulary(kind: type[SearchSpace[Any]], longest: int) -> dict[Path, int]:
    if longest < 1:
        raise InputError(f"Expected paths of at least one operation but got longest={longest}.")
    every = (
        Path(cell, start, operations)
        for cell, frame in _frames(kind).items()
        for start in frame.inputs
        for length in range(1, longest + 1)
        for operations in product(frame.operations, repeat=length)
    )
    return {path: column for column, path in enumerate(every)}


@lru_cache(maxsize=50_000)
def _columns(kind: type[SearchSpace[Any]], arch: Any, longest: int) -> tuple[int, ...]:
    """The columns of an architecture's paths, sorted; paths that are too long have none."""
    known = _vocabulary(kind, longest)
    return tuple(sorted(known[path] for path in paths(kind(), arch) if path in known))
