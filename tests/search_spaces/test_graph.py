"""Features of cell graphs against enumeration of all paths, and what they may not depend on."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product
from random import Random

import numpy as np
import pytest

from nas.search_spaces import NASBench201, graph
from nas.search_spaces.graph import WIRE, Flow, Graph, Kinds
from nas.search_spaces.nasbench201.cell import Cell

KINDS = Kinds(("skip", "a", "b", "c"), identities=frozenset({"skip"}), learned=frozenset({"a", "b"}))
SPACE = NASBench201()


def drawn(seed: int, nodes: int = 6, inputs: int = 1) -> Graph:
    """A random graph of one operation or none between any two nodes."""
    rng = Random(seed)
    choices = [*KINDS.names, WIRE, None, None]
    pairs = [pair for pair in combinations(range(nodes), 2) if pair[1] >= inputs]
    edges = [(*pair, kind) for pair in pairs if (kind := rng.choice(choices)) is not None]
    return Graph(tuple(edges), nodes, inputs)


def all_paths(cell: Graph, start: int) -> list[tuple[str, ...]]:
    """Kinds on the edges of every path to the output, found by walking."""
    found, walks = [], [(start, ())]
    while walks:
        node, way = walks.pop()
        if node == cell.nodes - 1:
            found.append(way)
        walks += [(target, (*way, kind)) for source, target, kind in cell.edges if source == node]
    return found


def of_function(cell: Graph) -> dict[str, float]:
    flow = Flow(cell, KINDS)
    return graph.merged(
        graph.by_sequence(flow, KINDS, cell.inputs), graph.extremes(flow, KINDS), graph.roles(flow, KINDS)
    )


@pytest.mark.parametrize("seed", range(40))
def test_paths_agree_with_enumeration(seed: int) -> None:
    cell = drawn(seed, inputs=1 + seed % 2)
    written, flow = graph.by_subset(cell, KINDS), Flow(cell, KINDS)
    sequences, most = graph.by_sequence(flow, KINDS, cell.inputs), graph.extremes(flow, KINDS)
    active: list[tuple[str, ...]] = []
    for start in range(cell.inputs):
        paths = [tuple(kind for kind in way if kind != WIRE) for way in all_paths(cell, start)]
        tail = "" if cell.inputs == 1 else f" from {start}"
        for size in range(1, 5):
            for subset in combinations(KINDS.names, size):
                lengths = [len(way) for way in paths if set(way) <= set(subset)]
                label = "+".join(subset) + tail
                assert written[f"paths {label}"] == len(lengths)
                assert written[f"shortest path {label}"] == min(lengths, default=0)
                assert written[f"longest path {label}"] == max(lengths, default=0)
        counted = Counter(tuple(kind for kind in way if kind != "skip") for way in paths)
        for size in range(4):
            for way in product("abc", repeat=size):
                assert sequences[f"ways {'>'.join(way) or 'identity'}{tail}"] == counted[way]
        active += counted.elements()
    for label, group in {"a": "a", "a+b": "ab", "a+b+c": "abc"}.items():
        hits = [sum(kind in group for kind in way) for way in active]
        assert most[f"most {label} on a path"] == max(hits, default=-1)
        assert most[f"sum of {label} on paths"] == sum(hits)
        assert most[f"mean {label} on a path"] == pytest.approx(np.mean(hits) if hits else -1)
        assert most[f"ways within {label}"] == sum(set(way) <= set(group) for way in active)


def test_degrees_and_roles_of_a_known_graph() -> None:
    cell = Graph(((0, 1, "a"), (0, 2, "skip"), (1, 2, "b"), (1, 3, "c"), (2, 3, "a"), (0, 3, "skip")), nodes=4)
    degrees = graph.by_subset(cell, KINDS)
    assert [degrees[f"degree of node {node} a+c"] for node in range(4)] == [1, 2, 1, 2]
    found = graph.roles(Flow(cell, KINDS), KINDS)
    assert found["paths into a sum"] == 1 + 2  # the second is fed the input and a>b
    assert found["paths out of a most"] == 2
    assert found["learned before a most"] == 2
    assert found["others behind a most"] == 1
    assert found["cell input into a sum"] == 2
    assert found["cell output from a sum"] == 1
    assert found["learned behind b least"] == 1


@pytest.mark.parametrize("seed", range(30))
def test_what_is_no_part_of_the_function_changes_nothing(seed: int) -> None:
    cell = drawn(seed)
    expected = of_function(cell)
    last = cell.nodes - 1
    moved = [(a + (a == last), b + (b == last), kind) for a, b, kind in cell.edges]
    dead = [(0, last, "a"), (1, last, "c")]  # into a node that leads nowhere
    assert of_function(Graph((*moved, *dead), cell.nodes + 1)) == expected
    longer = [(0, 1, "skip"), *((a + 1, b + 1, kind) for a, b, kind in cell.edges)]
    assert of_function(Graph(tuple(longer), cell.nodes + 1)) == expected


def test_renumbering_changes_nothing() -> None:
    one = Graph(((0, 1, "a"), (0, 2, "b"), (1, 3, "c"), (2, 3, "a"), (1, 4, "skip"), (3, 4, "b")), nodes=5)
    swapped = {0: 0, 1: 2, 2: 1, 3: 3, 4: 4}
    other = Graph(tuple((swapped[a], swapped[b], kind) for a, b, kind in reversed(one.edges)), nodes=5)
    assert of_function(one) == of_function(other)


def test_nothing_reaches_the_output() -> None:
    found = of_function(Graph(((0, 1, "a"),), nodes=3))
    assert found["ways identity"] == 0
    assert found["most a on a path"] == -1
    assert all(np.isfinite(value) for value in found.values())


def test_cells_that_differ_in_numbering_have_the_same_features() -> None:
    used, rng = graph.without_places(SPACE.feature_names()), Random(3)
    for _ in range(200):
        a, b, _, d, e, f = SPACE.sample(rng).operations
        one, other = (Cell((*ops,)) for ops in ((a, b, "none", d, e, f), (b, a, "none", d, f, e)))  # 1 and 2 swapped
        np.testing.assert_array_equal(SPACE.features(one)[used], SPACE.features(other)[used])


def test_cells_that_differ_in_dead_edges_have_the_same_features_of_the_function() -> None:
    begin, rng = SPACE.feature_names().index("ways identity"), Random(4)
    for _ in range(200):
        a, b, c, d, e, _ = SPACE.sample(rng).operations
        one, other = Cell((a, b, c, d, e, "none")), Cell((a, "nor_conv_1x1", "avg_pool_3x3", d, e, "none"))
        np.testing.assert_array_equal(SPACE.features(one)[begin:], SPACE.features(other)[begin:])
