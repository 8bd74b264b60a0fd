"""The path encoding by hand and by brute force."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

import numpy as np
import pytest

from nas.core.errors import InputError
from nas.search_spaces import DARTS, NASBench201, SearchSpace
from nas.strategies.predictors.paths import Path, encode, paths, vocabulary


def brute_force(space: SearchSpace, arch: Any) -> set[Path]:
    """Every sequence of edges of every length that starts at an input, fits together and ends at the output."""
    found = set()
    genotypes = (("c_{k-2}", "c_{k-1}"), "c_{k}")
    inputs, output = genotypes if "normal" in space.edges(arch) else (("in",), "out")
    longest = {"nasbench201": 3, "darts": 5, "nasbench101": 11, "transnas-micro": 3}.get(
        space.name, 12
    )  # edges on a path
    for cell, edges in space.edges(arch).items():
        for length in range(1, longest + 1):
            grown = [[edge] for edge in edges if edge[0] in inputs]
            for _ in range(length - 1):
                grown = [[*way, edge] for way, edge in product(grown, edges) if way[-1][1] == edge[0]]
            for way in grown:
                if way[-1][1] == output:
                    names = tuple(edge[2] for edge in way if edge[2] not in ("concat", "projection"))
                    found.add(Path(cell, way[0][0], names))
    return found


def test_a_cell_by_hand() -> None:
    space = NASBench201()
    cell = space.parse("|skip_connect~0|+|none~0|nor_conv_3x3~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|")
    expected = {
        Path("cell", "in", ("nor_conv_1x1",)),
        Path("cell", "in", ("skip_connect", "nor_conv_3x3", "avg_pool_3x3")),
    }
    assert paths(space, cell) == expected
    columns = vocabulary(space)
    (row,) = encode(space, [cell])
    assert set(np.flatnonzero(row)) == {columns[path] for path in expected}
    # sorted operations: avg_pool, conv_1x1, conv_3x3, skip; the short paths first
    assert [columns[path] for path in sorted(expected, key=lambda p: len(p.operations))] == [
        1,
        4 + 16 + 3 * 16 + 2 * 4 + 0,
    ]
    assert np.flatnonzero(encode(space, [cell], longest=2)).tolist() == [1]


def test_a_genotype_by_hand() -> None:
    space = DARTS()
    cell = (("skip_connect", 0), ("max_pool_3x3", 1), ("sep_conv_3x3", 0), ("none", 2)) + (
        ("dil_conv_3x3", 1),
        ("sep_conv_5x5", 3),
    ) * 2
    arch = type(space.sample(Random(0)))(cell, cell)
    found = {path for path in paths(space, arch) if path.cell == "reduce"}
    assert found == {
        Path("reduce", start, names)
        for start, names in [
            ("c_{k-2}", ("skip_connect",)),
            ("c_{k-1}", ("max_pool_3x3",)),
            ("c_{k-2}", ("sep_conv_3x3",)),
            ("c_{k-1}", ("dil_conv_3x3",)),
            ("c_{k-2}", ("sep_conv_3x3", "sep_conv_5x5")),
        ]
    }


def test_it_is_brute_force(space: SearchSpace) -> None:
    if not space.cells:
        pytest.skip(f"{space.name} has no cells")
    rng = Random(1)
    for _ in range(60):
        arch = space.sample(rng)
        expected = brute_force(space, arch)
        assert paths(space, arch) == expected
        for longest in (1, 2, 3):
            known = vocabulary(space, longest)
            row = encode(space, [arch], longest)[0]
            short = {path for path in expected if 1 <= len(path.operations) <= longest}
            assert set(np.flatnonzero(row)) == {known[path] for path in short}


def test_the_columns_are_counted() -> None:
    assert [len(vocabulary(NASBench201(), longest)) for longest in (1, 2, 3)] == [4, 20, 84]
    assert [len(vocabulary(DARTS(), longest)) for longest in (1, 2, 3)] == [28, 224, 1596]
    assert list(vocabulary(DARTS()).values()) == list(range(1596))
    with pytest.raises(InputError, match="longest=0"):
        vocabulary(NASBench201(), 0)


def test_an_empty_cell_is_all_zeros() -> None:
    space = NASBench201()
    encoded = encode(space, [space.parse("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"), space.largest()])
    assert encoded.dtype == np.float32
    assert encoded.sum(axis=1).tolist() == [0, 3]  # conv, conv conv (twice the same), conv conv conv
