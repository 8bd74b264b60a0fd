"""Which DARTS networks have logits that depend on the image: both cells and the depth have a say."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from jacobian import depends_on_the_image

from nas.core.errors import InputError
from nas.search_spaces import DARTS
from nas.search_spaces.darts import Genotype
from nas.search_spaces.darts.genotype import FAMILY, NODES, OPERATIONS
from nas.search_spaces.twocells.cell import Edges, reductions
from nas.search_spaces.twocells.connection import inputs_used

SPACE = DARTS()


def cell(*alive: int) -> Edges:
    """Edges from the inputs given go by skips and poolings, all others are `none`."""
    return tuple(
        (name if source in alive else "none", source) for name in ("skip_connect",) for _ in NODES for source in (0, 1)
    )


def mostly_none(rng: Random) -> Genotype:
    """Each edge is `none` with a probability that differs from cell to cell."""

    def drawn() -> Edges:
        share = rng.choice([0.4, 0.7, 0.85, 1.0])
        inputs = [source for node in NODES for source in rng.sample(range(node), 2)]
        return tuple(("none" if rng.random() < share else rng.choice(OPERATIONS[1:]), source) for source in inputs)

    return Genotype(drawn(), drawn())


def reached(genotype: Genotype, cells: int) -> bool:
    """The whole network as one graph, searched backwards from the logits; nothing but names of nodes."""
    feeds: dict[str, set[str]] = {"stem0": {"image"}, "stem1": {"stem0"}}
    outputs = ["stem0", "stem1"]
    for layer in range(cells):
        edges = genotype.reduce if layer in (cells // 3, cells * 2 // 3) else genotype.normal
        names = [outputs[-2], outputs[-1], *(f"{layer}.{node}" for node in (2, 3, 4, 5))]
        for number, (operation, source) in enumerate(edges):
            at = feeds.setdefault(names[2 + number // 2], set())
            if operation != "none":
                at.add(names[source])
        outputs.append(f"{layer}")
        feeds[f"{layer}"] = set(names[2:])
    seen, left = set(), [outputs[-1]]
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            left += feeds.get(name, ())
    return "image" in seen


def test_the_whole_network_as_a_graph() -> None:
    rng = Random(1)
    answers = set()
    for _ in range(1500):
        genotype = mostly_none(rng)
        depth = rng.choice([3, 4, 5, 6, 7, 8, 11, 14, 20, 21])
        answers.add((depth, SPACE.connected(genotype, cells=depth)))
        assert SPACE.connected(genotype, cells=depth) is reached(genotype, depth), f"{genotype} of {depth} cells"
    assert len(answers) == 20  # both answers at each depth


@pytest.mark.landing
def test_random_genotypes_by_jacobians() -> None:
    rng = Random(2)
    found = []
    for _ in range(25):
        genotype = mostly_none(rng)
        size: dict[str, Any] = {"channels": rng.choice([2, 3]), "cells": rng.choice([3, 4, 5, 6])}
        size["stem"] = rng.choice(["cifar", "imagenet"])
        size["auxiliary"] = rng.random() < 0.3
        expected = depends_on_the_image(SPACE, genotype, image_size=16 if size["stem"] == "imagenet" else 6, **size)
        assert SPACE.connected(genotype, **size) is expected, f"{genotype} at {size}"
        found.append(expected)
    assert 5 < sum(found) < 20


@pytest.mark.parametrize("alive", [(), (0,), (1,), (0, 1)])
def test_the_inputs_that_a_cell_uses(alive: tuple[int, ...]) -> None:
    assert inputs_used(FAMILY.cell(cell(*alive))) == set(alive)


def test_a_way_by_other_nodes_counts() -> None:
    """Node 5 takes node 4, which takes node 2, which takes input 1: the other edges are `none`."""
    names = ["none", "skip_connect", "none", "none", "max_pool_3x3", "none", "none", "dil_conv_3x3"]
    sources = [0, 1, 0, 1, 2, 0, 1, 4]
    assert inputs_used(FAMILY.cell(tuple(zip(names, sources)))) == {1}
    assert inputs_used(FAMILY.cell(tuple(zip(["none", "none", *names[2:]], sources)))) == set()


@pytest.mark.parametrize(
    ("normal", "reduce", "depths"),
    [  # the depths, of 3 to 20, at which a network is connected
        ((0, 1), (0, 1), set(range(3, 21))),
        ((1,), (1,), set(range(3, 21))),
        ((1,), (), set()),  # the chain meets the reductions
        ((0,), (1,), None),
        ((), (0, 1), {3}),  # three cells end with their two reductions; the stem is an input of the first
        ((), (1,), set()),
        ((0,), (), {5, 6, 11, 12, 17, 18}),  # every second cell back: both reductions are jumped over
        ((0, 1), (), set(range(5, 21))),  # a constant cell is jumped over, two in a row (3 and 4 cells) are not
    ],
)
def test_both_cells_and_the_depth_decide(
    normal: tuple[int, ...], reduce: tuple[int, ...], depths: set[int] | None
) -> None:
    genotype = Genotype(cell(*normal), cell(*reduce))
    found = {depth for depth in range(3, 21) if SPACE.connected(genotype, cells=depth)}
    assert found == ({d for d in range(3, 21) if reached(genotype, d)} if depths is None else depths)
    for depth in (3, 5, 7):
        assert (depth in found) is depends_on_the_image(SPACE, genotype, channels=2, cells=depth)


def test_reductions_stand_where_the_network_has_them() -> None:
    for depth in (3, 4, 5, 8, 14):
        body: Any = SPACE.build(SPACE.largest(), channels=2, cells=depth).body
        places = [number for number, one in enumerate(body.cells) if one.stride == 2]
        assert tuple(places) == reductions(depth) == body.thirds


def test_impossible_depths_are_refused() -> None:
    with pytest.raises(InputError, match="cells"):
        SPACE.connected(SPACE.largest(), cells=2)
