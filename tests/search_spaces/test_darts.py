"""The points of DARTS: published genotypes, notation, canonical form, moves."""

from __future__ import annotations

import json
from itertools import islice, permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest

from nas.core.errors import InputError
from nas.search_spaces import DARTS
from nas.search_spaces.darts import Genotype
from nas.search_spaces.darts.genotype import OPERATIONS
from nas.search_spaces.twocells.cell import Edges

SPACE = DARTS()
NONE_FREE = OPERATIONS[1:]
TEXT = (  # DARTS_V2 as published
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], "
    "normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), "
    "('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), "
    "('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
V2 = SPACE.parse(TEXT)


def random_cell(rng: Random, operations: tuple[str, ...] = OPERATIONS) -> Edges:
    """Any valid cell, `none` included, the two edges of a node in any order."""
    return tuple((rng.choice(operations), source) for node in (2, 3, 4, 5) for source in rng.sample(range(node), 2))


def renumbered(edges: Edges, rng: Random) -> Edges:
    """The same cell with its nodes in another valid order, and the edges of a node swapped at random."""
    number, cell = {0: 0, 1: 1}, []
    left = {node: list(edges[2 * node - 4 : 2 * node - 2]) for node in (2, 3, 4, 5)}
    while left:
        node = rng.choice([node for node, two in left.items() if all(source in number for _, source in two)])
        two = [(operation, number[source]) for operation, source in left.pop(node)]
        rng.shuffle(two)
        cell += two
        number[node] = len(number)
    return tuple(cell)


def isomorphic(a: Edges, b: Edges) -> bool:
    """Whether some bijection of the intermediate nodes carries the labelled graph a into b."""

    def graph(edges: Edges, name: dict[int, int]) -> set[tuple[int, str, int]]:
        return {(name[source], operation, name[2 + i // 2]) for i, (operation, source) in enumerate(edges)}

    target = graph(b, {node: node for node in range(6)})
    return any(graph(a, dict(enumerate((0, 1, *image)))) == target for image in permutations((2, 3, 4, 5)))


# notation


def test_text_of_the_field_is_read_and_written() -> None:
    assert str(V2) == TEXT
    assert V2.normal[7] == ("dil_conv_3x3", 2)
    assert V2.reduce[2] == ("skip_connect", 2)


@pytest.mark.parametrize(
    "same",
    [
        TEXT.replace("[2, 3, 4, 5]", "range(2, 6)"),
        TEXT.replace("[2, 3, 4, 5]", "range( 2,6 )"),
        TEXT.replace("[2, 3, 4, 5]", "(2, 3, 4, 5)"),
        TEXT.replace(", normal_concat=[2, 3, 4, 5]", "").replace(", reduce_concat=[2, 3, 4, 5]", ""),
        TEXT.replace("'", '"'),
        TEXT.replace(", ", ",\n\t").replace("=", " = ").replace("(normal", " ( normal"),
        TEXT.replace(" ", ""),
        TEXT.replace("=[(", "=((").replace(")],", ")),").replace("])", ",])"),
        TEXT.replace("('", "['").replace("),", "],").replace(")]", "]]"),
        "Genotype(" + TEXT[TEXT.index("reduce=") : -1] + ", " + TEXT[9 : TEXT.index(", reduce=")] + ")",
    ],
)
def test_variants_of_the_text_mean_the_same(same: str) -> None:
    assert same != TEXT
    assert SPACE.parse(same) == V2


def test_json_form_is_read() -> None:
    cells = {"normal": V2.normal, "reduce": V2.reduce}
    assert SPACE.parse(json.dumps(cells)) == V2
    assert SPACE.parse(json.dumps(cells | {"normal_concat": [2, 3, 4, 5], "space": "darts"}, indent=2)) == V2


def test_every_published_genotype_is_read_built_and_written(data_dir: Path) -> None:
    published: dict[str, Any] = json.loads((data_dir / "genotypes.json").read_text())["genotypes"]
    assert len(published) >= 10
    for entry in published.values():
        genotype = SPACE.parse(json.dumps(entry))
        assert [list(edge) for edge in genotype.normal] == entry["normal"]
        assert [list(edge) for edge in genotype.reduce] == entry["reduce"]
        assert SPACE.parse(str(genotype)) == genotype
        settings: dict[str, Any] = {"channels": 4, "cells": 6}
        network = SPACE.build(genotype, **settings)
        assert sum(p.numel() for p in network.parameters()) == SPACE.cost(genotype, **settings).params
        assert SPACE.canonical(SPACE.canonical(genotype)) == SPACE.canonical(genotype)
        if "cifar_params_c36_l20_no_aux" in entry:
            assert SPACE.cost(genotype).params == entry["cifar_params_c36_l20_no_aux"]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (TEXT.replace("dil_conv_3x3", "dil_conv_3x4"), "did you mean 'dil_conv_3x3'"),
        (TEXT.replace("dil_conv_3x3", "x" * 5000), "available: none"),
        (TEXT.replace("dil_conv_3x3', 2", "dil_conv_3x3', 5"), "node 5 of the normal cell between 0 and 4"),
        (TEXT.replace("dil_conv_3x3', 2", "dil_conv_3x3', -1"), "between 0 and 4 but got -1"),
        (TEXT.replace("dil_conv_3x3', 2", "dil_conv_3x3', True"), "write it as"),
        (TEXT.replace("dil_conv_3x3', 2", "dil_conv_3x3', 2.0"), "(operation, input node)"),
        (TEXT.replace("dil_conv_3x3', 2", "dil_conv_3x3', " + "9" * 5000), "Expected"),
        (TEXT.replace(", ('dil_conv_3x3', 2)", ""), "8 edges in the normal cell but got 7"),
        (TEXT.replace("('dil_conv_3x3', 2)", "('dil_conv_3x3', 2), ('dil_conv_3x3', 3)"), "but got 9"),
        (TEXT.replace("('dil_conv_3x3', 2)", "'dil_conv_3x3'"), "(operation, input node)"),
        (TEXT.replace("normal_concat=[2, 3, 4, 5]", "normal_concat=range(1, 6)"), "normal_concat=[2, 3,"),
        (TEXT.replace("reduce_concat=[2, 3, 4, 5]", "reduce_concat=[4, 5]"), "reduce_concat=[2, 3, 4, 5]"),
        (TEXT.replace("[2, 3, 4, 5]", "range(2, 999999999999)"), "Expected a DARTS genotype"),
        (TEXT.replace("reduce_concat", "reduce_konkat"), "did you mean 'reduce_concat'"),
        (TEXT.replace("reduce=", "normal="), "a second time"),
        (TEXT.split(", reduce=")[0] + ")", "no 'reduce'"),
        (TEXT[:-1], "Expected a DARTS genotype"),
        (TEXT.replace("2)]", "2])"), "Expected a DARTS genotype"),
        (TEXT.replace("('dil_conv_3x3', 2)", "__import__('os').getcwd()"), "Expected a DARTS genotype"),
        (TEXT + TEXT, "Expected a DARTS genotype"),
        ("Genotype(normal=" + "(" * 9000 + ")", "Expected a DARTS genotype"),
        ('{"normal":' + "[" * 9000, "Expected a DARTS genotype"),
        ('{"normal":' + "[" * 4000 + "]" * 4000 + "}", "Expected"),
        (TEXT * 1000, "characters"),
        ('{"normal": 3, "reduce": []}', "list of edges"),
        ('{"normal": {"a": 1}, "reduce": []}', "list of edges"),
        ('{"normal": [], "reduce": [], "reduced": []}', "'reduced'"),
        ('{"normal": [[["sep_conv_3x3"], 0]], "reduce": []}', "(operation, input node)"),
    ],
)  # fmt: skip
def test_bad_text_is_explained(bad: str, told: str) -> None:
    assert bad != TEXT
    with pytest.raises(InputError) as caught:
        SPACE.parse(bad)
    message = str(caught.value)
    assert told in message
    assert "\n" not in message
    assert len(message) < 400


def test_an_impossible_genotype_cannot_be_made() -> None:
    with pytest.raises(InputError, match="8 edges in the normal cell but got 6"):
        Genotype((("none", 0), ("none", 1)) * 3, V2.reduce)


# canonical form


def test_renumbered_cells_have_one_canonical_form() -> None:
    rng = Random(0)
    for _ in range(60):
        genotype = Genotype(random_cell(rng), random_cell(rng))
        canonical = SPACE.canonical(genotype)
        assert SPACE.canonical(canonical) == canonical
        assert isomorphic(genotype.normal, canonical.normal)
        assert isomorphic(genotype.reduce, canonical.reduce)
        for _ in range(5):
            other = Genotype(renumbered(genotype.normal, rng), renumbered(genotype.reduce, rng))
            assert SPACE.canonical(other) == canonical
            assert str(canonical) <= str(other)
            assert SPACE.cost(other, cells=4) == SPACE.cost(canonical, cells=4)
            assert (SPACE.features(other) == SPACE.features(genotype)).all()


def test_the_canonical_form_is_the_smallest_of_all_renumberings() -> None:
    """By trying all 24 orders; with two operations only, many nodes are alike."""
    rng = Random(0)
    for operations in (OPERATIONS, ("none", "skip_connect")):
        for _ in range(300):
            cell = random_cell(rng, operations)
            texts = []
            for order in permutations((2, 3, 4, 5)):
                number = {0: 0, 1: 1, **{node: 2 + place for place, node in enumerate(order)}}
                two = {node: sorted((o, number[i]) for o, i in cell[2 * node - 4 : 2 * node - 2]) for node in order}
                if all(source < number[node] for node in order for _, source in two[node]):
                    texts.append(tuple(edge for node in order for edge in two[node]))
            assert SPACE.canonical(Genotype(cell, cell)).normal == min(texts)


def test_cells_share_a_canonical_form_exactly_if_isomorphic() -> None:
    rng = Random(1)
    cells = [random_cell(rng, ("skip_connect", "none")) for _ in range(120)]
    cells += [renumbered(cell, rng) for cell in cells[:20]]
    canonical = [SPACE.canonical(Genotype(cell, V2.reduce)).normal for cell in cells]
    pairs = [(i, j) for i in range(len(cells)) for j in range(i)]
    found = [isomorphic(cells[i], cells[j]) for i, j in pairs]
    assert 20 <= sum(found) < len(pairs) / 2  # both answers are tried
    assert found == [canonical[i] == canonical[j] for i, j in pairs]


def test_canonical_is_the_first_in_string_order() -> None:
    rng = Random(2)
    for _ in range(8):
        cell = random_cell(rng)
        members = {str(Genotype(renumbered(cell, rng), V2.reduce)) for _ in range(3000)}
        assert len(members) >= 16  # at least the orders of each node's two edges
        assert (
            str(SPACE.canonical(Genotype(cell, V2.reduce))).split(", reduce=")[0] == min(members).split(", reduce=")[0]
        )


def test_nothing_is_contracted() -> None:
    kept = V2.replace("normal", 5, ("none", 0))
    assert SPACE.canonical(kept) != SPACE.canonical(V2)
    assert sorted(op for op, _ in SPACE.canonical(kept).normal) == sorted(op for op, _ in kept.normal)


# moves


def test_sampling_and_moves_never_place_none_and_keep_the_rest() -> None:
    rng = Random(3)
    parent = Genotype((("none", 0), ("none", 1)) * 4, V2.reduce)
    for child in [*SPACE.neighbors(parent), *(SPACE.mutate(parent, rng) for _ in range(200))]:
        changed = [
            (old, new) for old, new in zip(parent.normal + parent.reduce, child.normal + child.reduce) if old != new
        ]
        assert len(changed) == 1
        (old, new) = changed[0]
        assert (old[0] == new[0]) != (old[1] == new[1])  # the operation or the input, not both
        assert new[0] != "none" or old[0] == "none"
    for _ in range(200):
        sample = SPACE.sample(rng)
        assert {operation for operation, _ in sample.normal + sample.reduce} <= set(NONE_FREE)


def test_number_of_neighbors() -> None:
    unordered = {
        tuple(frozenset(edges[i : i + 2]) for edges in (g.normal, g.reduce) for i in (0, 2, 4, 6))
        for g in [V2, *SPACE.neighbors(V2)]
    }
    assert len(unordered) == 1 + 16 * 6 + 2 * 2 * (0 + 1 + 2 + 3)  # none equals another up to the edges' order


def test_mutation_changes_operations_and_inputs_equally_often() -> None:
    rng = Random(4)
    children = [SPACE.mutate(V2, rng) for _ in range(4000)]
    inputs = sum(
        [s for _, s in child.normal + child.reduce] != [s for _, s in V2.normal + V2.reduce] for child in children
    )
    assert 0.34 < inputs / 4000 < 0.41  # half of the edges that have a choice of inputs: 6 of 8


def test_sampling_is_uniform_over_operations_and_pairs_of_inputs() -> None:
    rng = Random(5)
    samples = [SPACE.sample(rng) for _ in range(6000)]
    pairs = [tuple(source for _, source in sample.reduce[6:]) for sample in samples]
    for pair in set(pairs):
        assert 450 < pairs.count(pair) < 750  # 600 expected, sigma 23
    assert len(set(pairs)) == 10
    operations = [sample.normal[0][0] for sample in samples]
    assert all(700 < operations.count(name) < 1020 for name in NONE_FREE)  # 857 expected


def test_size_and_order_of_the_space() -> None:
    options = [
        len({frozenset([(p, a), (q, b)]) for p in NONE_FREE for q in NONE_FREE for a in range(n) for b in range(a)})
        for n in (2, 3, 4, 5)
    ]
    assert options == [49, 147, 294, 490]
    assert len(SPACE) == (49 * 147 * 294 * 490) ** 2
    first = list(islice(SPACE, 5000))  # nobody lives to see the end of it
    assert len({(frozenset(g.reduce[4:6]), frozenset(g.reduce[6:])) for g in first}) == 5000


def test_features_stand_in_the_order_that_they_are_described_in() -> None:
    """Of each cell: counts of the eight operations, seven of them on each edge, inputs, edges out of nodes."""
    for seed in range(5):
        genotype = SPACE.canonical(SPACE.sample(Random(seed)))
        vector = SPACE.features(genotype)
        for edges, values in ((genotype.normal, vector), (genotype.reduce, vector[len(vector) // 2 :])):
            names = [name for name, _ in edges]
            counts, inputs, out = values[:8], values[64:72], values[72:77]
            assert counts.tolist() == [names.count(name) for name in OPERATIONS]
            assert inputs.tolist() == [source for _, source in edges]
            assert out.tolist() == [sum(s == node and name != "none" for name, s in edges) for node in range(5)]
