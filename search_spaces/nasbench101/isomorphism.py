"""Isomorphic cells: the benchmark's hash, the representative of a class, and the matrix that the benchmark trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from hashlib import md5
from itertools import combinations
from typing import Any

from nas.search_spaces.nasbench101.cell import OPERATIONS, Cell
from nas.search_spaces.nasbench101.cost import network_cost

_LABELS = {name: number for number, name in enumerate(OPERATIONS)}
_INPUT_LABEL, _OUTPUT_LABEL = -1, -2
CHANNELS = 128  # of the network by whose weights the representative is chosen: the benchmark's own
CELLS_PER_STACK = 3


@cache
def _digest(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def graph_hash(cell: Cell) -> str:
    """The benchmark's hash of a cell, 32 hexadecimal digits, the same for isomorphic cells (Ying et al., section 2.2).

    Each node starts with the digest of its out-degree, its in-degree and its label. In each of n rounds it takes the
    digest of its predecessors' digests, sorted and joined, a bar, those of its successors, a bar, and its own.
    """
    nodes = range(cell.output + 1)
    before: list[list[int]] = [[] for _ in nodes]
    after: list[list[int]] = [[] for _ in nodes]
    for source, target in cell.edges:
        before[target].append(source)
        after[source].append(target)
    labels = [_INPUT_LABEL, *(_LABELS[name] for name in cell.operations), _OUTPUT_LABEL]
    hashes = [_digest(str((len(after[node]), len(before[node]), labels[node]))) for node in nodes]
    for _ in nodes:
        joined = [
            "|".join(["".join(sorted(hashes[one] for one in ones)) for ones in (before[node], after[node])])
            for node in nodes
        ]
        hashes = [
            md5(f"{around}|{own}".encode(), usedforsecurity=False).hexdigest() for around, own in zip(joined, hashes)
        ]
    return md5(str(sorted(hashes)).encode(), usedforsecurity=False).hexdigest()


def orders(cell: Cell) -> Iterator[tuple[int, ...]]:
    """All topological orders of the inner nodes: one for each way to write the cell as an upper triangle."""
    needed = [0] * (cell.output + 1)  # node → the inner nodes before it, as bits
    for source, target in cell.edges:
        if source > 0:
            needed[target] |= 1 << source

    def extended(order: tuple[int, ...], placed: int) -> Iterator[tuple[int, ...]]:
        if len(order) == cell.output - 1:
            yield order
        for node in range(1, cell.output):
            if not placed >> node & 1 and needed[node] & ~placed == 0:
                yield from extended((*order, node), placed | 1 << node)

    return extended((), 0)


def _first(cell: Cell, weight_of: Callable[[tuple[int, ...]], int], bit_of: list[list[int]], names: Any) -> Cell:
    """The cell in the order of nodes with the smallest (weight, number of the matrix, operations).

    `bit_of[a][b]` is the value of the edge a → b in the number of a matrix, `names[v]` ranks the operation of node v.
    """
    place = [0] * (cell.output + 1)
    place[cell.output] = cell.output
    best: Any = None
    for order in orders(cell):
        for number, node in enumerate(order, start=1):
            place[node] = number
        matrix = sum(bit_of[place[source]][place[target]] for source, target in cell.edges)
        weight = weight_of(order)
        if best is None or (weight, matrix) <= best[0][:2]:
            candidate = (weight, matrix, [names[node] for node in order])
            if best is None or candidate < best[0]:
                best = candidate, order
    return cell.renumbered(best[1])


@cache
def _bits(nodes: int) -> tuple[list[list[int]], list[list[int]]]:
    """The values of edges in the order of strings, the first the largest, and in that of the benchmark's numbers."""
    length = nodes * (nodes - 1) // 2
    of_text = [[0] * nodes for _ in range(nodes)]
    of_number = [[0] * nodes for _ in range(nodes)]
    for place, (a, b) in enumerate(combinations(range(nodes), 2)):
        of_text[a][b] = 1 << length - 1 - place
        of_number[a][b] = 1 << a + b * (b - 1) // 2
    return of_text, of_number


def representative(cell: Cell) -> Cell:
    """The isomorphic cell with the fewest weights at stem 128; of several, the first in the order of their strings.

    The order of nodes only matters to weights if three nodes feed the output: 128, 256 and 512 channels are divisible
    by one, two and four, and a cell of nine edges cannot have five such nodes.
    """
    feeding = [source for source, target in cell.edges if target == cell.output and source > 0]
    found: dict[tuple[int, ...], int] = {}

    def weight_of(order: tuple[int, ...]) -> int:
        if len(feeding) != 3:
            return 0
        key = tuple(node for node in order if node in feeding)
        if key not in found:
            found[key] = network_cost(cell.renumbered(order), 10, CHANNELS, CELLS_PER_STACK, 32).params
        return found[key]

    return _first(cell, weight_of, _bits(cell.output + 1)[0], ["", *cell.operations])


def benchmark_cell(cell: Cell) -> Cell:
    """The isomorphic cell that the benchmark trained and whose weights it gives: the first in the benchmark's order.

    A matrix with the edge a → b as bit a + b(b-1)/2 counts before its operations, which count in the order of
    `OPERATIONS`.
    """
    labels = [0, *(_LABELS[name] for name in cell.operations)]
    return _first(cell, lambda order: 0, _bits(cell.output + 1)[1], labels)
