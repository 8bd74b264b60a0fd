"""NAS-Bench-201 against its published partition, sizes and costs."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from pathlib import Path
from random import Random

import pytest
import torch
from jacobian import depends_on_the_image
from torch import nn
from torch.nn import functional as F

from nas.core.errors import InputError
from nas.search_spaces import NASBench201
from nas.search_spaces.nasbench201 import Cell
from nas.search_spaces.nasbench201.cell import OPERATIONS
from nas.search_spaces.nasbench201.operations import AveragePool, _known_inverse_counts

SPACE = NASBench201()
GOOD = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|"


def test_the_space_is_all_strings_once() -> None:
    cells = list(SPACE)
    assert len(SPACE) == 15_625 == len(cells) == len({str(cell) for cell in cells})


def test_canonical_is_the_published_partition(data_dir: Path) -> None:
    rows = json.loads((data_dir / "robustness-dataset" / "meta.json").read_text())["ids"].values()
    assert len(rows) == 15_625
    classes: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        classes[row["isomorph"]].add(row["nb201-string"])
    assert len(classes) == 6_466

    def weights(
        text: str,
    ) -> int:  # those that differ between members, independently of the module under test
        squares, channels = (sum(width**k * 5 for width in (16, 32, 64)) for k in (2, 1))
        one, three = text.count("nor_conv_1x1"), text.count("nor_conv_3x3")
        return (one + 9 * three) * squares + 2 * (one + three) * channels

    for members in classes.values():
        best = min(members, key=lambda text: (weights(text), text))
        assert {str(SPACE.canonical(SPACE.parse(text))) for text in members} == {best}


def test_341_strings_have_no_path_from_the_image() -> None:
    """A cell has four ways from node 0 to node 3; each is a set of edges in the order of the string."""
    ways = [(3,), (0, 4), (1, 5), (0, 2, 5)]  # 0-3, 0-1-3, 0-2-3, 0-1-2-3
    connected = {cell: any(all(cell.operations[edge] != "none" for edge in way) for way in ways) for cell in SPACE}
    assert list(connected.values()).count(False) == 341
    assert {cell: SPACE.connected(cell) for cell in SPACE} == connected
    classes = {SPACE.canonical(cell) for cell, found in connected.items() if not found}
    assert not any(SPACE.connected(cell) for cell in classes)


@pytest.mark.landing
def test_connected_by_jacobians_of_a_sample() -> None:
    rng = Random(5)
    dead = [cell for cell in SPACE if not SPACE.connected(cell)]
    without_weights = [
        Cell(tuple(rng.choice(("none", "skip_connect", "avg_pool_3x3")) for _ in range(6))) for _ in range(15)
    ]  # type: ignore[arg-type]
    for cell in [*rng.sample(dead, 12), *without_weights, *(SPACE.sample(rng) for _ in range(10))]:
        size = rng.choice([{"channels": 2, "cells_per_stage": 1}, {"channels": 3, "cells_per_stage": 2}])
        assert SPACE.connected(cell, **size) is depends_on_the_image(SPACE, cell, **size), cell


def test_largest_cell_costs_what_is_published() -> None:
    assert str(SPACE.largest()).count("nor_conv_3x3") == 6
    assert SPACE.cost(SPACE.largest()).macs == pytest.approx(220.12e6, abs=0.005e6)


def test_weights_equal_the_published_column(data_dir: Path) -> None:
    with open(data_dir / "nasbench201" / "zc_proxies_cifar10.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9_445
    for row in rows:
        assert SPACE.cost(SPACE.parse(row["arch_str"])).params == round(float(row["params"]) * 1e6)


def test_an_operation_fed_only_by_none_is_kept() -> None:
    fed = SPACE.parse("|none~0|+|none~0|nor_conv_3x3~1|+|nor_conv_1x1~0|none~1|none~2|")
    bare = SPACE.parse("|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|")
    assert SPACE.canonical(fed) == SPACE.canonical(bare)
    extra = SPACE.cost(fed).params - SPACE.cost(bare).params
    assert extra == sum(5 * (9 * width * width + 2 * width) for width in (16, 32, 64))
    assert sum(p.numel() for p in SPACE.build(fed).parameters()) == SPACE.cost(fed).params
    assert SPACE.build(fed, channels=2)(torch.rand(2, 3, 8, 8)).isfinite().all()


@pytest.mark.parametrize("size", [{"channels": 0}, {"channels": -3}, {"cells_per_stage": 0}, {"cells_per_stage": 2000}])
@pytest.mark.parametrize("method", ["build", "cost"])
def test_an_impossible_size_is_refused(method: str, size: dict[str, int]) -> None:
    (key,) = size
    with pytest.raises(InputError, match=f"Expected {key} between 1 and 1024 but got {size[key]};"):
        getattr(SPACE, method)(SPACE.largest(), **size)


@pytest.mark.parametrize("seed", range(5))
def test_only_the_modules_of_the_string_are_built(seed: int) -> None:
    cell = SPACE.sample(Random(seed))
    kinds = Counter(type(module) for module in SPACE.build(cell, channels=4, cells_per_stage=2).modules())
    copies = 3 * 2
    convs = sum(name.startswith("nor_conv") for name in cell.operations)
    assert kinds[nn.Conv2d] == 1 + 2 * 3 + convs * copies  # the stem, two residual blocks of three
    assert kinds[nn.BatchNorm2d] == 2 + 2 * 2 + convs * copies
    assert kinds[nn.AvgPool2d] == 2
    assert kinds[AveragePool] == cell.operations.count("avg_pool_3x3") * copies
    assert kinds[nn.Identity] == cell.operations.count("skip_connect") * copies


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (8, 8), (16, 9)])
def test_average_pooling_is_torchs_own(size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    ours = AveragePool(3).double()(x)
    theirs = nn.functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    torch.testing.assert_close(ours, theirs)
    weights = torch.randn_like(ours)
    for mine, expected in zip(torch.autograd.grad(ours, x, weights), torch.autograd.grad(theirs, x, weights)):
        torch.testing.assert_close(mine, expected)


def test_a_cell_computes_the_sum_of_its_edges() -> None:
    cell = SPACE.parse("|skip_connect~0|+|skip_connect~0|avg_pool_3x3~1|+|none~0|skip_connect~1|skip_connect~2|")
    network = SPACE.build(cell, channels=2, cells_per_stage=1)
    block = network.body.get_submodule("blocks.0.0")
    x = torch.rand(1, 2, 6, 6)
    pooled = nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    torch.testing.assert_close(block(x), x + (x + pooled))


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (GOOD.replace("nor_conv_3x3", "nor_conv_3x4"), "did you mean 'nor_conv_3x3'"),
        (GOOD.replace("none", "sep_conv_5x5", 1), "sep_conv_5x5"),
        (GOOD[:-1], "of the form"),
        (GOOD.replace("~2", "~1"), "of the form"),
        (GOOD + GOOD, "of the form"),
        (GOOD.replace("none", "", 1), "''"),
    ],
)
def test_bad_strings_are_explained(bad: str, told: str) -> None:
    assert str(SPACE.parse(GOOD)) == GOOD
    with pytest.raises(InputError) as caught:
        SPACE.parse(bad)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_neighbors_change_one_edge() -> None:
    cell = SPACE.parse(GOOD)
    neighbors = SPACE.neighbors(cell)
    assert len(neighbors) == 6 * (len(OPERATIONS) - 1)
    for neighbor in neighbors:
        assert sum(a != b for a, b in zip(cell.operations, neighbor.operations)) == 1


def test_path_features_of_a_known_cell() -> None:
    cell = Cell(("nor_conv_3x3", "none", "skip_connect", "nor_conv_1x1", "none", "nor_conv_3x3"))
    values = dict(zip(SPACE.feature_names(), SPACE.features(cell)))
    every = "skip_connect+nor_conv_1x1+nor_conv_3x3+avg_pool_3x3"
    assert values[f"paths {every}"] == 2  # 0-3 directly and 0-1-2-3
    assert values[f"shortest path {every}"] == 1
    assert values[f"longest path {every}"] == 3
    assert values["paths nor_conv_3x3"] == 0
    assert values["paths skip_connect+nor_conv_3x3"] == 1
    assert values["count nor_conv_3x3"] == 2


def test_a_pass_without_gradients_does_not_spoil_later_ones() -> None:
    _known_inverse_counts.cache_clear()
    pool = AveragePool(2)
    x = torch.rand(1, 2, 11, 11)
    with torch.inference_mode():
        pool(x)
    pool(x.clone().requires_grad_(True)).sum().backward()


@pytest.mark.parametrize(("height", "width", "depthwise"), [(7, 7, 0), (8, 8, 1), (7, 9, 0), (9, 8, 1)])
def test_maps_of_8_by_8_and_more_are_pooled_by_a_convolution_on_a_cpu(
    height: int, width: int, depthwise: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[None] = []
    total = AveragePool.total
    monkeypatch.setattr(AveragePool, "total", lambda self, x: (calls.append(None), total(self, x))[1])
    x = torch.rand(1, 2, height, width)
    torch.testing.assert_close(AveragePool(2)(x), F.avg_pool2d(x, 3, 1, 1, count_include_pad=False))
    assert len(calls) == depthwise


def test_edges_for_drawing() -> None:
    """Nodes 0 to 3 are called in, 1, 2 and out; edges in the order of the string, `none` left out."""
    cell = SPACE.parse("|nor_conv_1x1~0|+|nor_conv_3x3~0|skip_connect~1|+|none~0|avg_pool_3x3~1|nor_conv_1x1~2|")
    assert SPACE.edges(cell) == {
        "cell": [
            ("in", "1", "nor_conv_1x1"),
            ("in", "2", "nor_conv_3x3"),
            ("1", "2", "skip_connect"),
            ("1", "out", "avg_pool_3x3"),
            ("2", "out", "nor_conv_1x1"),
        ]
    }
