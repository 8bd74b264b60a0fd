"""Points of NASBench-101: its size, classes of isomorphic cells, the benchmark's hash, weights of its records."""

from __future__ import annotations

import csv
from collections import Counter
from itertools import combinations, islice, permutations, product
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from nas.core.errors import InputError
from nas.search_spaces import NASBench101
from nas.search_spaces.nasbench101 import Cell, enumeration
from nas.search_spaces.nasbench101.cell import OPERATIONS, pruned

SPACE = NASBench101()
C3, C1, POOL = OPERATIONS
SMALL = 3364  # cells of at most five nodes


@pytest.fixture(scope="module")
def records(data_dir: Path) -> list[dict[str, str]]:
    with (data_dir / "benchmarks/nasbench101_validation.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def cells(records: list[dict[str, str]]) -> list[Cell]:
    return [SPACE.parse(f"{row['upper_triangle']} {row['operations']}") for row in records]


def isomorphic(cell: Cell) -> set[Cell]:
    """Every cell that a permutation of the inner nodes makes of one, by its matrix as the definition says."""
    found = set()
    nodes = range(cell.output + 1)
    for order in permutations(range(1, cell.output)):
        at = [0, *order, cell.output]
        edges = [(a, b) for a in nodes for b in nodes if (at[a], at[b]) in cell.edges]
        if all(a < b for a, b in edges):
            found.add(Cell(tuple(edges), tuple(cell.operations[node - 1] for node in order)))
    return found


# counts: Ying et al., section 2.1, and what follows from its limits


def test_the_number_of_cells_by_their_nodes() -> None:
    counts = [len(enumeration.full_graphs(nodes)) * 3 ** (nodes - 2) for nodes in range(2, 8)]
    assert counts == [1, 6, 90, 3267, 125_145, 1_164_699]
    assert len(SPACE) == sum(counts) == 1_293_208


def test_the_graphs_are_those_of_a_plain_enumeration() -> None:
    """Every matrix of five nodes, whose edges are counted as bits and pruned as in the definition."""
    pairs = [(a, b) for b in range(5) for a in range(b)]  # the edge a → b is bit a + b(b - 1)/2
    expected = []
    for number in range(2 ** len(pairs)):
        edges = tuple(sorted(pair for bit, pair in enumerate(pairs) if number >> bit & 1))
        matrix = np.zeros((5, 5), int)
        for edge in edges:
            matrix[edge] = 1
        reach = np.linalg.matrix_power(np.eye(5, dtype=int) + matrix, 5) > 0
        if len(edges) <= 9 and (reach[0] & reach[:, 4]).all():
            expected.append(edges)
    assert enumeration.full_graphs(5) == expected


def test_cells_at_places_are_those_of_the_iteration() -> None:
    first = list(islice(SPACE, 4000))
    assert [enumeration.cell_at(index) for index in range(4000)] == first
    assert len(set(first)) == 4000
    last = enumeration.cell_at(len(SPACE) - 1)
    assert (last.output, last.operations) == (6, (POOL,) * 5)
    with pytest.raises(IndexError):
        enumeration.cell_at(len(SPACE))


def test_samples_are_uniform() -> None:
    rng = Random(0)
    drawn = [SPACE.sample(rng) for _ in range(20_000)]
    nodes = Counter(cell.output + 1 for cell in drawn)
    assert nodes[7] / 20_000 == pytest.approx(1_164_699 / 1_293_208, abs=0.01)
    assert nodes[6] / 20_000 == pytest.approx(125_145 / 1_293_208, abs=0.01)
    operations = Counter(name for cell in drawn for name in cell.operations)
    assert all(count / operations.total() == pytest.approx(1 / 3, abs=0.01) for count in operations.values())
    edges = Counter(len(cell.edges) for cell in drawn if cell.output == 6)
    graphs = Counter(len(edges) for edges in enumeration.full_graphs(7))
    for number, count in graphs.items():
        assert edges[number] / nodes[7] == pytest.approx(count / graphs.total(), abs=0.01)


# isomorphism


@pytest.mark.landing
def test_canonical_cells_and_hashes_are_equal_exactly_for_isomorphic_cells() -> None:
    """Among all cells of at most five nodes, by every permutation of their nodes."""
    small = list(islice(SPACE, SMALL))
    classes = {cell: frozenset(isomorphic(cell)) for cell in small}
    forms = {cell: SPACE.canonical(cell) for cell in small}
    assert all(forms[cell] in classes[cell] for cell in small)
    assert len(set(forms.values())) == len(set(classes.values())) == len({SPACE.hash(cell) for cell in small})
    assert all(len({forms[one] for one in members}) == 1 for members in set(classes.values()))
    assert all(len({SPACE.hash(one) for one in members}) == 1 for members in set(classes.values()))


def test_the_representative_has_the_fewest_weights_and_is_the_first_of_those() -> None:
    rng, different = Random(1), 0
    for _ in range(60):
        cell = SPACE.sample(rng)
        members = sorted(isomorphic(cell), key=lambda one: (SPACE.cost(one).params, str(one)))
        assert SPACE.canonical(cell) == members[0]
        different += SPACE.cost(members[0]).params < SPACE.cost(members[-1]).params
    assert different > 3, "isomorphic matrices can differ in weights"


@pytest.mark.landing
def test_the_classes_are_as_many_as_the_benchmark_has() -> None:
    """423,624 (Ying et al., section 2.2), by Burnside's lemma: labellings of each graph up to its automorphisms."""
    total = 0
    for nodes in range(2, 8):
        plain = {SPACE.canonical(Cell(edges, (C3,) * (nodes - 2))) for edges in enumeration.full_graphs(nodes)}
        for graph in plain:
            edges, fixed, group = set(graph.edges), 0, 0
            for order in permutations(range(1, nodes - 1)):
                at = [0, *order, nodes - 1]
                if all((at[a], at[b]) in edges for a, b in graph.edges):
                    group += 1
                    fixed += 3 ** cycles(order)
            total += fixed // group
    assert total == 423_624


def cycles(order: tuple[int, ...]) -> int:
    """The number of cycles of a permutation of 1, 2, ..."""
    left, found = set(order), 0
    while left:
        found, node = found + 1, min(left)
        while node in left:
            left.remove(node)
            node = order[node - 1]
    return found


# records


@pytest.mark.landing
def test_the_hash_is_that_of_every_record(records: list[dict[str, str]], cells: list[Cell]) -> None:
    assert [SPACE.hash(cell) for cell in cells] == [row["hash"] for row in records]
    some = [(str(row["hash"]), cell) for row, cell in zip(records[::50], cells[::50])]
    assert all(SPACE.hash(SPACE.canonical(cell)) == value for value, cell in some)


@pytest.mark.landing
def test_the_weights_are_those_of_every_record(records: list[dict[str, str]], cells: list[Cell]) -> None:
    costs = [SPACE.cost(cell).params for cell in cells]
    assert costs == [int(row["params"]) for row in records]
    assert max(costs) == SPACE.cost(SPACE.largest()).params == 49_979_274


@pytest.mark.landing
def test_the_cells_of_the_records_are_the_benchmarks_own(cells: list[Cell]) -> None:
    assert [SPACE.benchmark_cell(cell) for cell in cells] == cells
    rng = Random(2)
    for cell in rng.sample(cells, 50):
        other = rng.choice(sorted(isomorphic(cell), key=str))
        assert SPACE.benchmark_cell(other) == cell


def test_the_test_records_are_cells_too(data_dir: Path) -> None:
    with (data_dir / "benchmarks/nasbench101_test.csv").open(newline="") as file:
        texts = [f"{row['upper_triangle']} {row['operations']}" for row in csv.DictReader(file)]
    assert [str(SPACE.parse(text)) for text in texts] == texts


# neighbours


def literal_neighbors(cell: Cell) -> set[Cell]:
    """Operations changed, entries of the matrix flipped, nodes with one edge in and out put in or taken out."""
    found: list[tuple[list[tuple[int, int]], list[str]]] = []
    n, names = cell.output, list(cell.operations)
    for node, name in product(range(1, n), OPERATIONS):
        found.append((list(cell.edges), [*names[: node - 1], name, *names[node:]]))
    for edge in combinations(range(n + 1), 2):
        found.append((sorted(set(cell.edges) ^ {edge}), names))
    for node in range(1, n):
        ins, outs = ([e for e in cell.edges if e[side] == node] for side in (1, 0))
        if len(ins) == len(outs) == 1:
            left = [e for e in cell.edges if node not in e]
            found.append(([(a - (a > node), b - (b > node)) for a, b in left], [*names[: node - 1], *names[node:]]))
    for node in range(1, n + 1):
        moved = [(a + (a >= node), b + (b >= node)) for a, b in cell.edges]
        for a, b, name in product(range(node), range(node + 1, n + 2), OPERATIONS):
            found.append((sorted([*moved, (a, node), (node, b)]), [*names[: node - 1], name, *names[node - 1 :]]))
    valid = set()
    for edges, operations in found:
        try:
            valid.add(Cell(tuple(edges), tuple(operations)))
        except InputError:
            continue
    return valid - {cell}


def test_neighbors_are_all_elementary_changes() -> None:
    rng = Random(3)
    some = [SPACE.sample(rng) for _ in range(20)] + rng.sample(list(islice(SPACE, SMALL)), 20)
    for cell in [SPACE.parse("1"), *some]:
        assert set(SPACE.neighbors(cell)) == literal_neighbors(cell)


@pytest.mark.landing
def test_every_small_cell_can_be_reached_from_every_other() -> None:
    """Over cells of at most five nodes alone, changes lead from the smallest cell to all."""
    reached = {SPACE.parse("1")}
    new = list(reached)
    while new:
        around = {other for cell in new for other in SPACE.neighbors(cell) if other.output < 5}
        new = list(around - reached)
        reached |= around
    assert len(reached) == SMALL


# cells


@pytest.mark.parametrize(
    ("edges", "operations", "words"),
    [
        (((0, 1), (1, 2)), ("conv5x5",), "an operation of NASBench-101 but got 'conv5x5'"),
        (((1, 2), (0, 1)), (C3,), r"each once and in the order of rows, but got \(0, 1\)"),
        (((0, 1), (0, 1), (1, 2)), (C3,), r"each once .* got \(0, 1\)"),
        (((0, 1), (1, 3)), (C3,), r"nodes 0 to 2, .* got \(1, 3\)"),
        (((0, 2),), (C3,), "prune it first"),
        (((0, 1), (0, 2)), (C3,), "prune it first"),
        (tuple((node, node + 1) for node in range(7)), (C3,) * 6, "at most 7 nodes and 9 edges .* got 8 and 7"),
        (tuple(combinations(range(5), 2)), (C3,) * 3, "at most 7 nodes and 9 edges .* got 5 and 10"),
    ],
)
def test_a_cell_that_is_none_is_refused(edges: Any, operations: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Cell(edges, operations)


def test_nodes_on_no_path_are_pruned() -> None:
    """1 leads nowhere, 2 comes from nowhere, 4 comes from 2 alone."""
    cell = pruned([(0, 1), (0, 3), (2, 3), (2, 4), (4, 5), (3, 5)], (C3, C1, POOL, C1))
    assert str(cell) == f"101 {POOL}"
    with pytest.raises(InputError, match=r"a path from the input to the output .* got none; add edges"):
        pruned([(0, 1), (2, 3)], (C3, C1))


def test_the_matrix_gives_the_cell() -> None:
    cell = SPACE.sample(Random(4))
    assert SPACE.of_matrix(cell.matrix, cell.operations) == cell
