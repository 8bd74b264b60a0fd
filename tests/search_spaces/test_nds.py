"""The points of the cell spaces of NDS: published records, notation, canonical form, moves, counts."""

from __future__ import annotations

import json
import math
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest

from nas.core.errors import InputError
from nas.search_spaces import SPACES
from nas.search_spaces.nds import NDSDARTS, NDSAmoeba, NDSPoint
from nas.search_spaces.nds.space import NDSCells

NAMES = ("nds-amoeba", "nds-darts", "nds-enas", "nds-nasnet", "nds-pnas")
RECORDS = (("DARTS", "nds-darts", 121), ("DARTS_fix-w-d", "nds-darts", 499), ("Amoeba", "nds-amoeba", 124))
NET: dict[str, Any] = {  # the first record of the Amoeba set
    "aux": False,
    "depth": 10,
    "drop_prob": 0.0,
    "genotype": {
        "normal": [
            ["skip_connect", 0], ["max_pool_3x3", 0], ["sep_conv_5x5", 0], ["sep_conv_3x3", 1], ["sep_conv_5x5", 3],
            ["sep_conv_5x5", 0], ["max_pool_3x3", 2], ["sep_conv_7x7", 3], ["conv_7x1_1x7", 3], ["dil_sep_conv_3x3", 0],
        ],
        "normal_concat": [4, 5, 6],
        "reduce": [
            ["skip_connect", 1], ["sep_conv_7x7", 1], ["max_pool_3x3", 2], ["skip_connect", 1], ["conv_7x1_1x7", 0],
            ["avg_pool_3x3", 3], ["avg_pool_3x3", 1], ["max_pool_3x3", 1], ["sep_conv_7x7", 2], ["skip_connect", 0],
        ],
        "reduce_concat": [4, 5, 6],
    },
    "width": 32,
}  # fmt: skip
TEXT = json.dumps(NET)
SPACE = NDSAmoeba()
POINT = SPACE.parse(TEXT)


def space_of(name: str) -> NDSCells:
    space = SPACES.get(name)()
    assert isinstance(space, NDSCells)
    return space


def changed(**changes: Any) -> str:
    return json.dumps({**NET, **changes})


def genotype(**changes: Any) -> str:
    return changed(genotype={**NET["genotype"], **changes})


@pytest.mark.parametrize(("file", "name", "count"), RECORDS, ids=[file for file, _, _ in RECORDS])
def test_every_record_is_read_written_and_has_its_weights(data_dir: Path, file: str, name: str, count: int) -> None:
    space = space_of(name)
    records = json.loads((data_dir / f"benchmarks/nds_{file}_in.json").read_text())
    assert len(records) == count
    for number, record in enumerate(records):
        text = json.dumps(record["net"])
        point = space.parse(text)
        assert str(point) == text
        assert space.cost(point, 1000, stem="imagenet").params == record["params"]
        assert number % 10 or space.cost(space.canonical(point)) == space.cost(point)
    assert space.parse(json.dumps({"net": records[0]["net"], "params": 1, "test_ep_top1": [50.0]})) == space.parse(
        json.dumps(records[0]["net"])
    )


@pytest.mark.parametrize(
    "same",
    [
        repr(NET),
        json.dumps(NET, indent=2),
        json.dumps(NET, separators=(",", ":")),
        json.dumps(NET, sort_keys=True)[::1].replace('"depth": 10, ', "").replace('"width"', '"depth": 10, "width"'),
        json.dumps({key: NET[key] for key in ("depth", "width", "genotype")}),
        genotype(normal_concat=None).replace('"normal_concat": null, ', ""),
        repr(NET).replace("'depth': 10", "'depth': np.int64(10)").replace("3]", "np.int32(3)]"),
        repr(NET).replace("['skip_connect', 0]", "('skip_connect', 0)").replace("[4, 5, 6]", "range(4, 7)"),
        repr(NET).replace("[4, 5, 6]", "(4, 5, 6)"),
        f"12:30 the best one: {TEXT}",
        json.dumps({"net": NET, "params": 3019768}),
        genotype(normal=[NET["genotype"]["normal"][i : i + 2] for i in range(0, 10, 2)]),
        changed(drop_prob=0),
    ],
)
def test_other_spellings_mean_the_same(same: str) -> None:
    assert same != TEXT
    assert SPACE.parse(same) == POINT
    assert str(SPACE.parse(same)) == TEXT


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (TEXT.replace("dil_sep_conv_3x3", "dil_conv_3x3"), "Expected an operation of NDS-Amoeba in the normal cell"),
        (TEXT.replace("dil_sep_conv_3x3", "none"), "available: skip_connect"),
        (TEXT.replace('["dil_sep_conv_3x3", 0]', '["dil_sep_conv_3x3", 6]'), "node 6 of the normal cell between 0 and"),
        (genotype(normal_concat=[2, 3, 4, 5, 6]), "Expected normal_concat=[4, 5, 6], which follows from the edges"),
        (genotype(reduce=NET["genotype"]["reduce"][:9]), "Expected 10 edges in the reduce cell but got 9"),
        (changed(depth=11), "Expected a depth of NDS-Amoeba but got 11; available: 4, 6, 8"),
        (changed(width=33), "Expected a width of NDS-Amoeba but got 33; available: 32, 48"),
        (changed(depth=10.0), "10.0 instead of a whole number as 'depth'"),
        (changed(depth=True), "True instead of a whole number as 'depth'"),
        (TEXT.replace('"sep_conv_3x3", 1]', '"sep_conv_3x3", 1.0]'), "other than an edge (operation, input node)"),
        (TEXT.replace('"sep_conv_3x3", 1]', '"sep_conv_3x3", true]'), "other than an edge (operation, input node)"),
        (TEXT.replace('"depth": 10, ', ""), "no 'depth'"),
        (changed(genotype=3), "3 instead of a dict as 'genotype'"),
        (changed(aux=True), "model.auxiliary=true"),
        (changed(drop_prob=0.2), "train.drop_path"),
        (json.dumps(NET["genotype"]), "no 'genotype'"),
        (TEXT + TEXT, "two dicts"),
        (TEXT[:-1], "the end where ','"),
        ("Genotype(normal=[])", "no '{'"),
        ("", "an empty text"),
        (TEXT * 20, "characters"),
    ],
)
def test_bad_text_is_explained(bad: str, told: str) -> None:
    assert bad != TEXT
    with pytest.raises(InputError, match=r"Expected .* but got .*; ") as caught:
        SPACE.parse(bad)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_an_impossible_point_cannot_be_made() -> None:
    for depth, width in ((5, 32), (4, 40), (True, 32), (4.0, 32)):
        with pytest.raises(InputError, match="of NDS-Amoeba but got"):
            NDSPoint(SPACE.family, POINT.normal, POINT.reduce, depth, width)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_concatenated_are_the_nodes_that_the_paper_says(name: str) -> None:
    """Table 1 of the paper: all nodes for DARTS and PNAS, else the loose ends; 4 nodes for DARTS, else 5."""
    space, rng = space_of(name), Random(1)
    for _ in range(50):
        point = space.sample(rng)
        for edges, cell in ((point.normal, point.cells.normal), (point.reduce, point.cells.reduce)):
            nodes = list(range(2, 6 if name == "nds-darts" else 7))
            assert len(edges) == 2 * len(nodes)
            loose = [node for node in nodes if all(source != node for _, source in edges)]
            assert list(cell.concat) == (nodes if name in ("nds-darts", "nds-pnas") else loose)


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("nds-nasnet", 71_465_842),
        ("nds-amoeba", 556_628),
        ("nds-pnas", 556_628),
        ("nds-enas", 5_063),
        ("nds-darts", 242),
    ],
)
def test_the_space_has_as_many_points_as_the_paper_says(name: str, billions: int) -> None:
    """Table 1 of the paper counts the cells, in billions; there are two, five depths and five widths."""
    count = space_of(name).__len__()
    assert count % 25 == 0
    assert (math.isqrt(count // 25) + 500_000_000) // 10**9 == billions


@pytest.mark.parametrize("name", NAMES)
def test_the_operations_are_those_of_the_paper(name: str) -> None:
    """Appendix A of the paper, in the names of its records."""
    common = {"skip_connect", "avg_pool_3x3", "max_pool_3x3", "sep_conv_3x3", "sep_conv_5x5"}
    own = {
        "nds-enas": set(),
        "nds-amoeba": {"sep_conv_7x7", "dil_sep_conv_3x3", "conv_7x1_1x7"},
        "nds-pnas": {"sep_conv_7x7", "dil_conv_3x3", "conv_7x1_1x7"},
        "nds-nasnet": {
            "sep_conv_7x7", "dil_conv_3x3", "conv_7x1_1x7", "conv_3x1_1x3", "conv_1x1", "conv_3x3", "max_pool_5x5",
            "max_pool_7x7",
        },
        "nds-darts": {"none", "dil_conv_3x3", "dil_conv_5x5"},
    }  # fmt: skip
    operations = space_of(name).family.operations
    assert len(operations) == len(set(operations))
    assert set(operations) == common | own[name]


@pytest.mark.parametrize("name", NAMES)
def test_sampling_is_uniform(name: str) -> None:
    space, rng = space_of(name), Random(5)
    points = [space.sample(rng) for _ in range(2000)]

    def uniform(values: list[Any], kinds: int) -> bool:
        expected = len(values) / kinds
        far = [value for value in set(values) if abs(values.count(value) - expected) > 5 * expected**0.5]
        return len(set(values)) == kinds and not far

    for edge, node in ((0, 2), (1, 2), (6, 5), (7, 5)):
        for cell in ("normal", "reduce"):
            edges = [getattr(point, cell)[edge] for point in points]
            assert uniform([operation for operation, _ in edges], len(space.family.operations))
            assert uniform([source for _, source in edges], node)
    assert uniform([(point.depth, point.width) for point in points], 25)
    assert {point.depth for point in points} == {4, 8, 12, 16, 20}
    assert {point.width for point in points} == {32, 48, 64, 80, 96}
    assert sum(point.normal[0][1] == point.normal[1][1] for point in points) > 800  # both inputs may be the same


def test_moves_change_one_thing_and_keep_to_the_depths_of_the_data_set() -> None:
    rng = Random(3)
    space = NDSDARTS()
    for depths in ({4, 8, 12, 16, 20}, {6, 10, 14, 18, 22}):
        point = NDSPoint(space.family, *(space.sample(rng).normal,) * 2, max(depths), 64)
        neighbors = space.neighbors(point)
        assert {neighbor.depth for neighbor in neighbors} == depths
        assert {neighbor.width for neighbor in neighbors} == {32, 48, 64, 80, 96}
        assert len(neighbors) == len(set(neighbors)) == 2 * 8 * 7 + 2 * 2 * (1 + 2 + 3 + 4) + 4 + 4
        for neighbor in neighbors:
            before = [*point.normal, *point.reduce, point.depth, point.width]
            after = [*neighbor.normal, *neighbor.reduce, neighbor.depth, neighbor.width]
            (pair,) = [(old, new) for old, new in zip(before, after) if old != new]
            if isinstance(pair[0], tuple):
                assert (pair[0][0] == pair[1][0]) != (pair[0][1] == pair[1][1])


@pytest.mark.parametrize("name", NAMES)
def test_the_canonical_form_is_the_first_of_all_renumberings(name: str) -> None:
    space, rng = space_of(name), Random(0)
    nodes = space.family.nodes
    for _ in range(8):
        point = space.sample(rng)
        texts = []
        for order in permutations(nodes):
            number = {0: 0, 1: 1, **{node: 2 + place for place, node in enumerate(order)}}
            two = {node: sorted((o, number[i]) for o, i in point.normal[2 * node - 4 : 2 * node - 2]) for node in order}
            if all(source < number[node] for node in order for _, source in two[node]):
                edges = tuple(edge for node in order for edge in two[node])
                texts.append(str(NDSPoint(space.family, edges, point.reduce, point.depth, point.width)))
        canonical = space.canonical(point)
        expected = NDSPoint(space.family, canonical.normal, point.reduce, point.depth, point.width)
        assert str(expected) == min(texts)
        assert (canonical.depth, canonical.width) == (point.depth, point.width)
        assert (space.features(canonical) == space.features(point)).all()


def test_features_end_with_depth_and_width() -> None:
    assert dict(zip(SPACE.feature_names(), SPACE.features(POINT).tolist()))["normal count sep_conv_5x5"] == 3
    assert SPACE.features(POINT)[-2:].tolist() == [10, 32]
    assert SPACE.feature_names()[-2:] == ["depth", "width"]


@pytest.mark.parametrize("name", NAMES)
def test_no_operation_is_larger_than_that_of_the_largest(name: str) -> None:
    space = space_of(name)
    largest = space.largest()
    most = space.cost(largest).params
    for operation in space.family.operations:
        for position in (0, 1, 9 if name != "nds-darts" else 7):
            for cell in ("normal", "reduce"):
                _, source = getattr(largest, cell)[position]
                other = largest.with_edge(cell, position, (operation, source))
                assert other == largest or space.cost(other).params < most
