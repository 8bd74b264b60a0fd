"""The graphs with one node per operation: what every space that has them must do, and the forms of the known ones."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from nas.core.errors import InputError
from nas.search_spaces import DARTS, SPACES, NASBench101, NASBench201, SearchSpace
from nas.search_spaces.node_graph import NodeGraph, edge_index

WITH_GRAPHS = (
    *("darts", "nasbench101", "nasbench201", "nds-amoeba", "nds-darts", "nds-enas", "nds-nasnet", "nds-pnas"),
    "transnas-micro",
)


def corrupted(space: SearchSpace, graphs: dict[str, NodeGraph], rng: Random) -> dict[str, NodeGraph]:
    """The graphs with another type at one node, or an edge more or less."""
    name = rng.choice(list(graphs))
    graph, form = graphs[name], space.graph_forms()[name]
    types, edges = list(graph.types), list(graph.edges)
    if rng.random() < 0.5:
        types[rng.randrange(form.nodes)] = rng.randrange(len(form.types))
    else:
        edges[rng.randrange(form.edges)] ^= True
    return {**graphs, name: NodeGraph(tuple(types), tuple(edges))}


def test_the_spaces_with_graphs() -> None:
    assert {name for name in SPACES.names() if SPACES.get(name)().graph_forms()} == set(WITH_GRAPHS)


def test_from_graph_is_the_inverse_and_fixed_entries_are_fixed(space: SearchSpace, archs: list[Any]) -> None:
    forms = space.graph_forms()
    if not forms:
        with pytest.raises(InputError, match=r"Expected a space whose architectures are graphs"):
            space.to_graph(archs[0])
        with pytest.raises(InputError, match=r"take another space"):
            space.from_graph({})
        return
    for arch in [*archs, *(space.mutate(arch, Random(1)) for arch in archs)]:
        graphs = space.to_graph(arch)
        assert list(graphs) == list(forms)
        assert all(forms[name].matches(graph) for name, graph in graphs.items())
        assert space.from_graph(graphs) == arch


def test_a_corrupted_graph_is_none_or_a_point(space: SearchSpace, archs: list[Any]) -> None:
    rng = Random(2)
    found = []
    for arch in archs if space.graph_forms() else ():
        graphs = space.to_graph(arch)
        for _ in range(4):
            graphs = corrupted(space, graphs, rng)
            point = space.from_graph(graphs)
            found.append(point)
            assert point is None or space.parse(str(point)) == point
            for name, graph in graphs.items():
                if not space.graph_forms()[name].matches(graph):
                    assert point is None
    assert not found or None in found


def test_a_graph_of_another_size_is_none(space: SearchSpace, archs: list[Any]) -> None:
    for name, form in space.graph_forms().items():
        graphs = space.to_graph(archs[0])
        graph = graphs[name]
        unknown = (*graph.types[:1], len(form.types), *graph.types[2:])
        for types, edges in ((graph.types[:-1], graph.edges), (graph.types, graph.edges[:-1]), (unknown, graph.edges)):
            assert space.from_graph({**graphs, name: NodeGraph(types, edges)}) is None


@pytest.mark.parametrize(
    ("space", "part", "nodes", "types", "edges"),
    [("nasbench201", "cell", 8, 7, 28), ("nasbench101", "cell", 7, 5, 21), ("darts", "normal", 11, 11, 55)],
    indirect=["space"],
)  # Lukasik, Jung and Keuper, ECCV 2022: the sizes of the release
def test_the_published_sizes(space: SearchSpace, part: str, nodes: int, types: int, edges: int) -> None:
    form = space.graph_forms()[part]
    assert (form.nodes, len(form.types), form.edges) == (nodes, types, edges)
    assert form.types[:2] == ("output", "input" if part == "cell" else "input c_{k-2}")


def test_edges_are_numbered_by_their_target() -> None:
    assert [edge_index(source, target) for target in range(1, 4) for source in range(target)] == list(range(6))


def test_nasbench201_has_a_node_per_edge() -> None:
    """The adjacency written out by hand: a→b leads to every b→c, and what ends in node 3 leads to the output."""
    space = NASBench201()
    arch = space.parse("|none~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|none~2|")
    (graph,) = space.to_graph(arch).values()
    assert graph.types == (1, 2, 3, 4, 5, 6, 2, 0)
    pairs = {(s, t) for t in range(1, 8) for s in range(t) if graph.has(s, t)}
    assert pairs == {(0, 1), (0, 2), (0, 4), (1, 3), (1, 5), (2, 6), (3, 6), (4, 7), (5, 7), (6, 7)}


def test_nasbench101_is_cut_and_pruned() -> None:
    space = NASBench101()
    arch = space.parse("111 conv3x3-bn-relu")
    (graph,) = space.to_graph(arch).values()
    assert graph.types == (1, 2, 0, 0, 0, 0, 0)
    edges = list(graph.edges)
    edges[edge_index(2, 5)] = True  # behind the output
    assert space.from_graph({"cell": replace(graph, edges=tuple(edges))}) == arch
    more = replace(graph, types=(1, 2, 3, 0, 0, 0, 0))  # node 2 is no output any more, and the next one has no input
    assert space.from_graph({"cell": more}) is None


def test_darts_takes_the_likeliest_inputs() -> None:
    space = DARTS()
    arch = space.sample(Random(0))
    graphs = space.to_graph(arch)
    graph = graphs["normal"]
    _, source = arch.normal[7]  # of the last operation, node 9 of the graph
    other = next(node for node in range(2) if node not in (source, arch.normal[6][1]))
    edges = list(graph.edges)
    edges[edge_index(other, 9)] = True
    weights = [0.9 * there for there in edges]
    unlikely, likely = list(weights), list(weights)
    unlikely[edge_index(other, 9)], likely[edge_index(other, 9)] = 0.1, 0.99

    def read(probabilities: list[float]) -> Any:
        drawn = NodeGraph(graph.types, tuple(edges), tuple(probabilities))
        point = space.from_graph({**graphs, "normal": drawn})
        return point and point.normal[7][1]

    assert (read(unlikely), read(likely)) == (source, other)


def test_darts_proposes_no_none_and_no_input_twice() -> None:
    space = DARTS()
    arch = space.sample(Random(0))
    for edge in (("none", arch.normal[1][1]), (arch.normal[1][0], arch.normal[0][1])):
        assert space.from_graph(space.to_graph(arch.replace("normal", 1, edge))) is None
