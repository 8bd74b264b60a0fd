"""What a supernet derives is the best architecture by its rule, compared with every other."""

from __future__ import annotations

import math
from itertools import combinations, product

import pytest
import torch
from tiny_supernets import supernet

from nas.search_spaces import DARTS, NASBench201
from nas.search_spaces.darts.genotype import NODES
from nas.search_spaces.darts.supernet import EDGES as DARTS_EDGES
from nas.search_spaces.twocells.cell import pair


@pytest.mark.parametrize("seed", range(20))
def test_darts_derives_the_best_pair_of_edges(seed: int) -> None:
    network = supernet(DARTS(), seed)
    derived = network.derive()
    for cell, probabilities in network.probabilities().items():
        weights = probabilities.tolist()
        for node in NODES:
            rows = {source: weights[row] for row, (source, target) in enumerate(DARTS_EDGES) if target == node}
            choices = {  # all pairs of inputs with any operations but `none` → the sum of their weights
                ((network.operations[i], a), (network.operations[j], b)): rows[a][i] + rows[b][j]
                for a, b in combinations(range(node), 2)
                for i, j in product(range(1, 8), repeat=2)
            }
            assert pair(getattr(derived, cell), node) == max(choices, key=choices.__getitem__)
    counted = {cell: [op for op, _ in getattr(derived, cell)].count("skip_connect") for cell in ("normal", "reduce")}
    assert network.skips() == counted


def test_none_is_not_derived_but_lowers_the_others_of_its_edge() -> None:
    network = supernet(DARTS())
    with torch.no_grad():
        for alpha in network.architecture_parameters():
            alpha.zero_()
            alpha[:, 4] = 1.0  # sep_conv_3x3 everywhere
            alpha[2:5, 0] = torch.tensor([0.0, 5.0, 0.0])  # into node 3: from 0, 1 and 2
    derived = network.derive()
    assert pair(derived.normal, 3) == (("sep_conv_3x3", 0), ("sep_conv_3x3", 2))
    assert pair(derived.normal, 5) == (("sep_conv_3x3", 0), ("sep_conv_3x3", 1))  # of equal ones the first


@pytest.mark.parametrize("allow_none", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_nasbench201_derives_the_most_probable_cell(seed: int, allow_none: bool) -> None:
    space = NASBench201()
    network = supernet(space, seed, allow_none=allow_none)
    probabilities = network.probabilities()["cell"].tolist()
    column = {name: number for number, name in enumerate(network.operations)}
    cells = [cell for cell in space if allow_none or "none" not in cell.operations]
    best = max(cells, key=lambda cell: math.prod(row[column[op]] for row, op in zip(probabilities, cell.operations)))
    assert network.derive() == best
    assert network.skips() == {"cell": best.operations.count("skip_connect")}


def test_nasbench201_takes_none_only_where_it_may() -> None:
    for allow_none in (False, True):
        network = supernet(NASBench201(), allow_none=allow_none)
        with torch.no_grad():
            network.alphas["cell"].zero_()
            network.alphas["cell"][:, 0] = 9.0
        assert set(network.derive().operations) == {"none" if allow_none else "skip_connect"}


def test_the_weight_of_an_edge_counts_when_an_architecture_is_derived() -> None:
    network = supernet(DARTS(), edge_weights=True)
    with torch.no_grad():
        for edge, beta in zip(DARTS_EDGES, network.betas["normal"]):
            beta.fill_(5.0 if edge[0] in (0, 2) else 0.0)
    derived = network.derive()
    assert [source for _, source in pair(derived.normal, 5)] == [0, 2]
