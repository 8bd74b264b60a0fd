"""The defaults of every strategy, proxy and predictor, typed here from their sources; what each proxy says of itself.

An option that has no row here is an error: whoever adds one says where its default comes from.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from nas.drivers.dps import DPSOptions
from nas.strategies import STRATEGIES
from nas.strategies.predictors import PREDICTORS
from nas.strategies.proxies import PROXIES
from nas.strategies.rnas import SUPERNET_STRATEGIES

ASK_TELL: dict[str, dict[str, Any]] = {
    "random": {},
    "local": {},
    "evolution": {"population": 100, "tournament": 25},  # Real et al., AAAI 2019, section 4.1: P = 100, S = 25
    "nsga2": {"population": 100},  # Deb et al., IEEE TEVC 2002, section IV
    "warmup-move": {  # Abdelfattah et al., ICLR 2021, section 5: their study of NAS-Bench-101
        "warmup": 3000, "pool": 64, "tournament": 10,
        "probability": 0.75, "ranked_by": "cheap", "neighbours": None,
    },
    "bananas": {  # naszilla, params.py: `algo_params` and `meta_neuralnet_params` "standard"
        "init": 10, "batch": 10, "candidates": 100, "members": 5, "layers": 10, "width": 20, "epochs": 150,
        "parents": 5, "random": 0, "longest": 3,
    },
    "guided": {  # chosen on the robustness dataset: no published ones
        "predictor": "forest", "acquisition": "ucb", "kappa": 0.5, "init": 20, "batch": 10, "whole": 20_000,
        "candidates": 500, "parents": 10,
    },
}  # fmt: skip
RNAS_MAX: dict[str, Any] = {
    # Zhu et al., section 4.1
    "epochs": 50, "warm_up": 15, "batch_size": 64, "coefficient": 1.0, "regulariser": "correlation",
    "perturbation": "pgd", "steps": 10, "step_size": 0.003, "eps": 0.031, "lr": 0.025, "momentum": 0.9,
    "weight_decay": 0.0003, "alpha_lr": 0.0003, "alpha_beta1": 0.5, "alpha_beta2": 0.999, "alpha_weight_decay": 0.001,
    # "consistent with DARTS" there: Liu et al., ICLR 2019, and the arguments of its train_search.py
    "lr_min": 0.001, "clip": 5.0, "crop": 4, "flip": True, "second_order": False,
    # ours
    "warm_up_regularised": True, "precision": "fp32", "validation_images": 1000, "stop_skips": None,
    "stop_eigenvalue": False,
}  # fmt: skip
SUPERNETS: dict[str, dict[str, Any]] = {
    "rnas-max": RNAS_MAX,
    "rnas-uniform": {**RNAS_MAX, "perturbation": "uniform"},
    "darts": {**RNAS_MAX, "coefficient": 0.0, "warm_up": 0},
    "darts-second-order": {**RNAS_MAX, "coefficient": 0.0, "warm_up": 0, "second_order": True},
}
TABLES = {"batch_size": 64}  # of the published score tables: zero-cost-nas and NAS-Bench-Suite-Zero
PROXY_OPTIONS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(
        ("grad_norm", "snip", "grasp", "fisher", "synflow", "plain", "l2_norm", "jacov", "epe_nas", "nwot", "zico"),
        TABLES,
    ),
    "zen": TABLES,
    "params": {},
    "flops": {},
    "jacob_fro": {**TABLES, "projections": 1},  # Hoffman et al. 2019, who use one
    "hessian": {"batch_size": 16, "iterations": 10},
    "croze": {  # docs/croze.md: chosen on one half of the classes and reported on the other
        "batch_size": 16, "beta": 4.0, "epsilon": 0.01, "gamma": 0.0, "batch_norm": True, "absolute_weights": False,
        "features": "all", "weights": "all", "gradients": "first", "reduction": "sum", "ascend": True, "clamp": False,
    },
    "croze_official": {"batch_size": 8},  # the release
    "eproxy": {  # the release, config_nb201_mse_12e-1; the feature is that of Li et al., section 2.1
        "batch_size": 16, "iterations": 10, "lr": 1.2, "momentum": 0.9, "weight_decay": 0.00004, "stages": 3,
        "transform": [1], "use_barrier": True, "barrier": [3], "c_mid": [128], "c_out": 128, "features": ["net"],
        "coefficient": [1.0], "init": "default", "barrier_init": "default", "alpha": 0.0, "settings": None,
    },
}  # fmt: skip
PREDICTOR_OPTIONS: dict[str, dict[str, Any]] = {
    "forest": {"trees": 100},  # Jung et al.: RandomForestRegressor(n_estimators=100)
    "extra-trees": {"trees": 200, "smallest_leaf": 1, "share": 1 / 3, "bootstrap": False},
    "kernel": {"steps": 60, "subset": 600, "lr": 0.1, "spread": 0.5},
    "auto": {"trees": 200},
    "networks": {  # naszilla, params.py, "standard"
        "members": 5, "layers": 10, "width": 20, "epochs": 150, "batch_size": 32, "lr": 0.01,
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("registry", "expected"),
    [
        pytest.param(STRATEGIES, ASK_TELL, id="strategies"),
        pytest.param(SUPERNET_STRATEGIES, SUPERNETS, id="supernet-strategies"),
        pytest.param(PROXIES, PROXY_OPTIONS, id="proxies"),
        pytest.param(PREDICTORS, PREDICTOR_OPTIONS, id="predictors"),
    ],
)
def test_the_defaults_are_those_of_the_sources(registry: Any, expected: dict[str, dict[str, Any]]) -> None:
    assert registry.names() == sorted(expected)
    for name, options in expected.items():
        assert asdict(registry.get(name).Options()) == options, name


def test_dps_has_the_numbers_of_its_paper() -> None:
    """Li et al., ICCV 2023, listing 2 (population 40) and the release (tournament 10, 200 evaluations); rest: ours."""
    assert asdict(DPSOptions()) == {
        "population": 40, "tournament": 10, "evaluations": 200, "finalists": 5, "draws": 5, "errors": 1.0,
    }  # fmt: skip


# direction, network mode, domain: the definitions of each proxy
SAYS: dict[str, tuple[bool, str, str]] = {
    "croze": (True, "train", "linear"),
    "croze_official": (True, "train", "linear"),
    "epe_nas": (True, "train", "linear"),
    "eproxy": (False, "train", "linear"),  # a loss
    "fisher": (True, "train", "linear"),
    "flops": (True, "none", "linear"),
    "grad_norm": (True, "train", "linear"),
    "grasp": (True, "train", "linear"),
    "hessian": (False, "eval", "linear"),  # flatter is better
    "jacob_fro": (False, "train", "linear"),  # less sensitive is better
    "jacov": (True, "train", "linear"),
    "l2_norm": (True, "train", "linear"),
    "nwot": (True, "train", "log"),
    "params": (True, "none", "linear"),
    "plain": (True, "train", "linear"),
    "snip": (True, "train", "linear"),
    "synflow": (True, "train", "log"),
    "zen": (True, "train", "log"),
    "zico": (True, "train", "log"),
}
COST = {"params", "flops"}
TWO_BATCHES = {"zico"}  # Li et al., ICLR 2023: two batches


def test_each_proxy_says_its_direction_mode_and_domain() -> None:
    proxies = PROXIES.components.values()
    assert {one.name: (one.higher_is_better, one.mode, one.domain) for one in proxies} == SAYS
    assert {one.name for one in proxies if one.needs == "cost"} == COST
    assert {one.name: one.batches for one in proxies} == {name: 2 if name in TWO_BATCHES else 1 for name in SAYS}


def test_which_strategies_take_several_goals_and_which_hints_they_use() -> None:
    kinds = STRATEGIES.components.values()
    assert {kind.name for kind in kinds if kind.several} == {"nsga2"}
    assert {kind.name: set(kind.uses) for kind in kinds if kind.uses} == {
        "guided": {"features"},
        "warmup-move": {"cheap"},
    }
