"""The sizes that the papers give, as defaults; what a network of default settings has, typed from the papers."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from typing import Any

import pytest

from nas.core.errors import InputError
from nas.search_spaces import DARTS, SPACES, NASBench201, SearchSpace
from nas.search_spaces.base import NoSettings
from nas.search_spaces.darts.genotype import NODES
from nas.search_spaces.darts.genotype import OPERATIONS as DARTS_OPERATIONS
from nas.search_spaces.darts.supernet import EDGES as DARTS_EDGES
from nas.search_spaces.nasbench201.cell import EDGES, OPERATIONS
from nas.search_spaces.twocells.cell import CELLS

# Dong and Yang, ICLR 2020, section 2.1: C = 16, N = 5. Liu et al., ICLR 2019, A.1.1 and A.1.2: C = 16 and 8 cells to
# search, C = 36 and 20 cells to evaluate
RESIDUAL = ("nds-resnet", "nds-resnext-a", "nds-resnext-b")
NDS = ("nds-amoeba", "nds-darts", "nds-enas", "nds-nasnet", "nds-pnas")
NETWORKS: dict[str, dict[str, Any]] = {
    "transnas-macro": {"channels": 64, "blocks_per_layer": 2},
    "transnas-micro": {"channels": 64, "blocks_per_layer": 2},
    "nasbench101": {"channels": 128, "cells_per_stack": 3},
    **{name: {"stem": "cifar", "width_multiplier": 1.0} for name in RESIDUAL},  # the records' own widths
    "nasbench-mr": {"stem_stride": 2, "width_multiplier": 1.0},
    "nasbench201": {"channels": 16, "cells_per_stage": 5},
    "darts": {"channels": 36, "cells": 20, "auxiliary": False, "stem": "cifar"},
    **{name: {"channels": None, "cells": None, "auxiliary": False, "stem": "cifar"} for name in NDS},
}
SCORED: dict[str, dict[str, Any]] = {
    "transnas-macro": {"channels": 64, "blocks_per_layer": 2},
    "transnas-micro": {"channels": 64, "blocks_per_layer": 2},
    "nasbench101": {"channels": 128, "cells_per_stack": 3},
    **{name: {"stem": "cifar", "width_multiplier": 1.0} for name in RESIDUAL},
    "nasbench-mr": {"stem_stride": 2, "width_multiplier": 1.0},
    "nasbench201": {"channels": 16, "cells_per_stage": 5},
    "darts": {"channels": 16, "cells": 8, "stem": "cifar"},
    **{name: {"channels": None, "cells": None, "stem": "cifar"} for name in NDS},  # those of the architecture
}
SEARCHED: dict[str, dict[str, Any]] = {
    "nasbench201": {"channels": 16, "cells_per_stage": 5, "allow_none": False},
    "darts": {"channels": 16, "cells": 8},
}


def keywords(function: Any) -> dict[str, Any]:
    """The defaults of a function's arguments, those that are about data or normalisation left out."""
    given = inspect.signature(function).parameters
    apart = ("num_classes", "image_size", "mean", "std")
    return {
        name: one.default
        for name, one in given.items()
        if one.default is not inspect.Parameter.empty and name not in apart
    }


@pytest.mark.parametrize("name", SPACES.names())
def test_networks_have_the_sizes_of_the_papers(name: str) -> None:
    kind = SPACES.get(name)
    assert asdict(kind.Settings()) == NETWORKS[name]
    assert asdict(kind.ScoringSettings()) == SCORED[name]
    assert asdict(kind.SupernetSettings()) == SEARCHED.get(name, {})


@pytest.mark.parametrize("name", SPACES.names())
def test_the_keywords_of_methods_have_the_same_defaults(name: str) -> None:
    space: SearchSpace[Any] = SPACES.get(name)()
    assert keywords(space.build) == keywords(space.cost) == NETWORKS[name]
    assert keywords(space.supernet) == (
        SEARCHED[name] | {"partial": 1, "edge_weights": False} if name in SEARCHED else {}
    )
    assert keywords(space.connected).items() <= NETWORKS[name].items()
    for method in (space.build, space.cost, space.supernet):
        assert inspect.signature(method).parameters["num_classes"].default == 10
    assert inspect.signature(space.cost).parameters["image_size"].default == 32
    for method in (space.build, space.supernet):  # no normalisation
        assert inspect.signature(method).parameters["mean"].default == (0.0, 0.0, 0.0)
        assert inspect.signature(method).parameters["std"].default == (1.0, 1.0, 1.0)


def test_the_cells_are_those_of_the_papers() -> None:
    """The order of operations is that of their releases: it decides what a saved α means."""
    assert OPERATIONS == ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    assert EDGES == ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
    assert DARTS_OPERATIONS == (
        "none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3",
        "dil_conv_5x5",
    )  # fmt: skip
    assert (CELLS, NODES) == (("normal", "reduce"), (2, 3, 4, 5))
    assert len(DARTS_EDGES) == 14
    assert [target for _, target in DARTS_EDGES] == [2] * 2 + [3] * 3 + [4] * 4 + [5] * 5


def test_default_networks_cost_what_the_papers_say() -> None:
    """All 3×3 at 32 pixels: 220.12 M MACs and 1.532 M weights; DARTS_V2: 3,349,342 weights, the same at any size."""
    nb201, darts = NASBench201(), DARTS()
    cost = nb201.cost(nb201.largest())
    assert (round(cost.macs / 1e6, 2), round(cost.params / 1e6, 3)) == (220.12, 1.532)
    assert darts.cost(darts.parse("DARTS_V2")).params == 3_349_342
    assert darts.cost(darts.parse("DARTS_V2"), image_size=64).params == 3_349_342
    small, large = (darts.cost(darts.parse("DARTS_V2"), image_size=size).macs for size in (32, 64))
    assert large == 4 * small - 3 * 576 * 10, "all but the classifier has four times the pixels"


@pytest.mark.parametrize(
    ("name", "key", "low"),
    [
        ("nasbench101", "channels", 4),
        ("nasbench101", "cells_per_stack", 1),
        ("transnas-micro", "channels", 2),
        ("transnas-macro", "blocks_per_layer", 1),
        ("nasbench201", "channels", 1),
        ("nasbench201", "cells_per_stage", 1),
        ("darts", "channels", 2),
        ("darts", "cells", 3),
    ],
)
def test_limits_of_sizes(name: str, key: str, low: int) -> None:
    """DARTS needs two channels for its halved inputs and three cells for its two reductions."""
    kind = SPACES.get(name)
    for settings in {kind.Settings, kind.ScoringSettings, kind.SupernetSettings} - {NoSettings}:
        for good in (low, 1024):
            settings(**{key: good}).check()
        for bad in (low - 1, 1025):
            with pytest.raises(InputError, match=key):
                settings(**{key: bad}).check()
