"""The adjacency encoding: its distance is the number of edges in which two cells differ."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from nas.search_spaces import SPACES, NASBench201
from nas.strategies.predictors.adjacency import distances, encode


def test_it_has_a_column_for_each_edge_and_operation() -> None:
    space = NASBench201()
    cell = space.parse("|skip_connect~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x3~2|")
    (row,) = encode(space, [cell])
    assert row.shape == (6 * (1 + 4),)
    assert row.sum() == 4  # two edges, each there and with its operation


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101", "darts", "nds-pnas"])
def test_the_distance_counts_the_edges_that_differ(name: str) -> None:
    space, rng = SPACES.get(name)(), Random(0)
    archs = [space.sample(rng) for _ in range(5)]
    x = encode(space, archs)
    assert set(np.unique(x)) <= {0, 1}
    found = distances(x, x)
    for row, one in enumerate(archs):
        for column, other in enumerate(archs):
            assert found[row, column] == slow_distance(space, one, other)


def slow_distance(space: Any, one: Any, other: Any) -> int:
    """The sum over pairs of nodes: edges that the one cell has and the other lacks, the larger of both ways."""
    pairs: dict[tuple[str, str, str], tuple[list[str], list[str]]] = {}
    for side, arch in enumerate((one, other)):
        for cell, edges in space.edges(arch).items():
            for source, target, operation in edges:
                pairs.setdefault((cell, source, target), ([], []))[side].append(operation)
    total = 0
    for ours, theirs in pairs.values():
        left = list(theirs)
        for operation in ours:
            if operation in left:
                left.remove(operation)
        same = len(theirs) - len(left)
        total += max(len(ours), len(theirs)) - same
    return total


def test_without_cells_it_is_the_features() -> None:
    space = SPACES.get("nasbench-mr")()
    archs = [space.sample(Random(0))]
    np.testing.assert_array_equal(encode(space, archs), [space.features(archs[0])])
