"""DARTS genotypes with two edges from one input: they are read, built and costed, but never drawn."""

from __future__ import annotations

import csv
from itertools import permutations
from pathlib import Path
from random import Random

import pytest
import torch
from jacobian import depends_on_the_image

from nas.search_spaces import DARTS
from nas.search_spaces.darts import Genotype
from nas.search_spaces.darts.genotype import OPERATIONS
from nas.search_spaces.twocells.cell import CELLS, Edges, pair

SPACE = DARTS()


def any_cell(rng: Random, operations: tuple[str, ...] = OPERATIONS) -> Edges:
    return tuple((rng.choice(operations), rng.randrange(node)) for node in (2, 2, 3, 3, 4, 4, 5, 5))


def any_genotype(rng: Random) -> Genotype:
    return Genotype(any_cell(rng), any_cell(rng))


def repeats(genotype: Genotype) -> bool:
    """Whether a node has both its edges from one input."""
    cells = (genotype.normal, genotype.reduce)
    return any(cell[place][1] == cell[place + 1][1] for cell in cells for place in (0, 2, 4, 6))


@pytest.mark.landing
def test_all_trained_genotypes_are_read(data_dir: Path) -> None:
    with (data_dir / "benchmarks/darts_trained.csv").open(newline="") as file:
        texts = [row["arch"] for row in csv.DictReader(file)]
    genotypes = [SPACE.parse(text) for text in texts]
    assert len(texts) == 600
    assert list(map(str, genotypes)) == texts
    assert sum(map(repeats, genotypes)) == 497
    for genotype in genotypes:
        assert SPACE.cost(SPACE.canonical(genotype)) == SPACE.cost(genotype)
        assert SPACE.features(genotype).shape == (len(SPACE.feature_names()),)
    for genotype in genotypes[:3]:
        network = SPACE.build(genotype, channels=4, cells=5)
        assert sum(p.numel() for p in network.parameters()) == SPACE.cost(genotype, channels=4, cells=5).params


def test_both_edges_have_weights_of_their_own() -> None:
    """Node 2 of each cell is the sum of two convolutions of input 0; each has a gradient, and they differ."""
    edges: Edges = (("sep_conv_3x3", 0), ("sep_conv_3x3", 0), *((("skip_connect", 1), ("none", 1)) * 3))
    network = SPACE.build(Genotype(edges, edges), channels=3, cells=3).eval()
    x = torch.rand(2, 3, 12, 12)
    network(x).square().sum().backward()
    cell = network.get_submodule("body.cells.0")
    first, second = (cell.get_submodule(name) for name in ("0_2", "0_2_again"))
    for one, two in zip(first.parameters(), second.parameters()):
        assert one is not two
        assert one.grad is not None
        assert two.grad is not None
        assert one.grad.abs().max() > 0
    again = SPACE.build(Genotype(edges, edges), channels=3, cells=3).eval()
    again.load_state_dict(network.state_dict())
    torch.testing.assert_close(again(x), network(x))
    seen: dict[str, torch.Tensor] = {}
    for name, module in (("first", first), ("second", second), ("input", cell.get_submodule("preprocess0"))):
        module.register_forward_hook(lambda module, inputs, output, name=name: seen.update({name: output}))
    cell.register_forward_hook(lambda module, inputs, output: seen.update(cell=output))
    network(x)
    torch.testing.assert_close(seen["cell"][:, :3], first(seen["input"]) + second(seen["input"]))
    assert not torch.allclose(seen["first"], seen["second"])


def test_the_canonical_form_is_the_smallest_of_all_renumberings() -> None:
    rng = Random(0)
    for operations in (OPERATIONS, ("none", "skip_connect")):
        for _ in range(200):
            cell = any_cell(rng, operations)
            texts = []
            for order in permutations((2, 3, 4, 5)):
                number = {0: 0, 1: 1, **{node: 2 + place for place, node in enumerate(order)}}
                two = {node: sorted((o, number[i]) for o, i in pair(cell, node)) for node in order}
                if all(source < number[node] for node in order for _, source in two[node]):
                    texts.append(tuple(edge for node in order for edge in two[node]))
            assert SPACE.canonical(Genotype(cell, cell)).normal == min(texts)


def test_moves_lead_away_from_them_and_never_to_them() -> None:
    rng = Random(1)
    for _ in range(20):
        genotype = any_genotype(rng)
        neighbors = SPACE.neighbors(genotype)
        assert len(set(neighbors)) == len(neighbors)
        assert genotype not in neighbors
        assert all(SPACE.mutate(genotype, rng) in neighbors for _ in range(30))
        for cell in CELLS:
            edges: Edges = getattr(genotype, cell)
            twice = [place for place in range(8) if edges[place][1] == edges[place ^ 1][1]]
            for neighbor in neighbors:
                changed: Edges = getattr(neighbor, cell)
                assert {place for place in range(8) if changed[place][1] == changed[place ^ 1][1]} <= set(twice)
            away = [
                neighbor for neighbor in neighbors if any(getattr(neighbor, cell)[p][1] != edges[p][1] for p in twice)
            ]
            assert len(away) == sum(1 + place // 2 for place in twice)  # each edge to each other input of its node


def test_they_are_never_drawn() -> None:
    rng = Random(2)
    genotype = SPACE.sample(rng)
    for _ in range(300):
        genotype = SPACE.mutate(genotype, rng)
        assert not repeats(genotype)
        assert not repeats(SPACE.sample(rng))


def test_their_dependence_on_the_image_is_known() -> None:
    rng = Random(3)
    found = []
    for _ in range(12):
        few = ("none", "none", "none", "skip_connect", "max_pool_3x3")
        genotype = Genotype(any_cell(rng, few), any_cell(rng, few))
        expected = depends_on_the_image(SPACE, genotype, channels=2, cells=4)
        assert SPACE.connected(genotype, cells=4) is expected
        found.append(expected)
    assert 0 < sum(found) < 12


@pytest.mark.parametrize("training", [True, False])
def test_cost_is_that_of_the_network(training: bool) -> None:
    rng = Random(4)
    for _ in range(3):
        genotype = any_genotype(rng)
        network = SPACE.build(genotype, 5, channels=3, cells=4).train(training)
        assert sum(p.numel() for p in network.parameters()) == SPACE.cost(genotype, 5, channels=3, cells=4).params
        assert network(torch.rand(2, 3, 9, 13)).shape == (2, 5)


def test_they_can_be_drawn_as_pictures() -> None:
    edges: Edges = (("skip_connect", 0), ("skip_connect", 0), *((("max_pool_3x3", 1), ("none", 1)) * 3))
    drawn = SPACE.edges(Genotype(edges, edges))["normal"]
    assert drawn[:2] == [("c_{k-2}", "0", "skip_connect")] * 2
    assert len(drawn) == 2 + 3 + 4
