"""The defaults of every supernet strategy, typed here from their sources; an option without a row is an error."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from nas.core.config import checked
from nas.core.errors import InputError
from nas.strategies import STRATEGIES
from nas.strategies.supernet import SUPERNET_STRATEGIES, BilevelOptions

RNAS_MAX: dict[str, Any] = {
    # Zhu et al., section 4.1
    "epochs": 50, "warm_up": 15, "batch_size": 64, "coefficient": 1.0, "regulariser": "correlation",
    "perturbation": "pgd", "steps": 10, "step_size": 0.003, "eps": 0.031, "lr": 0.025, "momentum": 0.9,
    "weight_decay": 0.0003, "alpha_lr": 0.0003, "alpha_beta1": 0.5, "alpha_beta2": 0.999, "alpha_weight_decay": 0.001,
    # "consistent with DARTS" there: Liu et al., ICLR 2019, and the arguments of its train_search.py
    "lr_min": 0.001, "clip": 5.0, "crop": 4, "flip": True, "second_order": False,
    # ours
    "warm_up_regularised": True, "precision": "fp32", "compile": None, "validation_images": 1000, "stop_skips": None,
    "stop_eigenvalue": False, "regulariser_temperature": 1.0,
}  # fmt: skip
MIXING: dict[str, Any] = {  # DARTS
    "mixture": "softmax", "mix_none": True, "partial": 1, "edge_weights": False, "nesterov": False,
    # Dong and Yang, CVPR 2019: the temperatures of the release
    "temperature": 10.0, "temperature_end": 0.1,
    # Chen and Hsieh, ICML 2020: the radius grows from .03 to .3; seven steps in the release
    "mixture_noise": None, "noise_radius": 0.03, "noise_radius_end": 0.3, "noise_steps": 7,
    # Mok et al., ICCV 2021
    "penalty": None, "penalty_coefficient": 0.01, "penalty_after": 0,
    # ours: λ of α is that of both levels, from the first epoch; no dropout
    "alpha_coefficient": None, "alpha_coefficient_after": 0, "skip_dropout": 0.0,
}  # fmt: skip
DARTS: dict[str, Any] = {**RNAS_MAX, **MIXING, "coefficient": 0.0, "warm_up": 0}
SUPERNETS: dict[str, dict[str, Any]] = {
    "rnas-max": {**RNAS_MAX, **MIXING},
    "rnas-uniform": {**RNAS_MAX, **MIXING, "perturbation": "uniform"},
    "darts": DARTS,
    "darts-second-order": {**DARTS, "second_order": True},
    # arguments of the release's GDAS.py for NAS-Bench-201
    "gdas": {**DARTS, "epochs": 250, "mixture": "gumbel", "weight_decay": 5e-4, "nesterov": True},
    # Xu et al., ICLR 2020, section 4.1
    "pc-darts": {
        **DARTS, "warm_up": 15, "batch_size": 256, "partial": 4, "edge_weights": True, "lr": 0.1, "lr_min": 0.0,
        "alpha_lr": 6e-4,
    },
    "sdarts-rs": {**DARTS, "mixture_noise": "random"},
    "sdarts-adv": {**DARTS, "mixture_noise": "adversarial"},
    # Mok et al., ICCV 2021: 60 epochs, the last 10 with the penalty
    "advrush": {**DARTS, "epochs": 60, "batch_size": 32, "penalty": "smoothness", "penalty_after": 50},
    # Chen et al., ICLR 2021: arguments of the release's DARTS-space/train_search.py
    "drnas": {
        **DARTS, "warm_up": 10, "mixture": "dirichlet", "mix_none": False, "stage_operations": [4],
        "stage_partial": [6, 4], "lr": 0.1, "lr_min": 0.0, "alpha_lr": 6e-4,
    },
    # Chen et al., ICCV 2019: arguments of the release's train_search.py, for CIFAR-10
    "p-darts": {
        **DARTS, "epochs": 75, "warm_up": 10, "batch_size": 96, "stage_operations": [5, 3], "lr_min": 0.0,
        "stage_cells": [5, 11, 17], "stage_skip_dropout": [0.1, 0.4, 0.7], "max_skips": 2, "alpha_lr": 6e-4,
    },
    # Wang et al., ICLR 2021, section 4
    "darts-pt": {**DARTS, "tune_epochs": 5},
    # Guo et al., CVPR 2020: PGD-7; epochs, samples and fine-tuning are ours
    "robnet": {
        **DARTS, "eps": 8 / 255, "step_size": 2 / 255, "steps": 7, "samples": 50, "tune_epochs": 1, "rank_images": 1000,
    },
    # an unofficial reimplementation of Hosseini et al., CVPR 2021
    "dsrna-jacobian": {**DARTS, "penalty": "jacobian", "penalty_after": 10},
}  # fmt: skip


def test_the_defaults_are_those_of_the_sources() -> None:
    assert {name: asdict(SUPERNET_STRATEGIES.get(name).Options()) for name in SUPERNET_STRATEGIES.names()} == SUPERNETS


def test_the_strategies_by_name() -> None:
    published = BilevelOptions()
    for name in SUPERNET_STRATEGIES.names():
        SUPERNET_STRATEGIES.get(name).Options().check()
    for name in ("darts", "darts-second-order", "rnas-max", "rnas-uniform"):
        options = SUPERNET_STRATEGIES.get(name).Options()
        options.check()
        assert (options.coefficient == 0) == name.startswith("darts")
        assert options.second_order == (name == "darts-second-order")
        assert (options.lr, options.batch_size, options.epochs) == (0.025, 64, 50) == (
            published.lr, published.batch_size, published.epochs
        )  # fmt: skip
        assert checked({"epochs": 2, "eps": "8/255"}, type(options)).eps == 8 / 255
    assert SUPERNET_STRATEGIES.get("rnas-max").Options().perturbation == "pgd"
    assert SUPERNET_STRATEGIES.get("rnas-uniform").Options().perturbation == "uniform"


def test_ask_tell_strategies_are_not_disturbed() -> None:
    assert not set(STRATEGIES.names()) & set(SUPERNET_STRATEGIES.names())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"coefficient": -1.0}, "strategy.coefficient"),
        ({"batch_size": 1}, "strategy.batch_size"),
        ({"step_size": 0.0}, "strategy.step_size"),
        ({"regulariser": "correlatio"}, "did you mean 'correlation'"),
        ({"perturbation": "pdg"}, "did you mean 'pgd'"),
        ({"stop_skips": 0}, "strategy.stop_skips"),
        ({"precision": "fp8"}, "strategy.precision"),
        ({"mixture": "softmx"}, "did you mean 'softmax'"),
        ({"mixture_noise": "adversaril"}, "did you mean 'adversarial'"),
        ({"penalty": "smothness"}, "did you mean 'smoothness'"),
        ({"partial": 0}, "strategy.partial"),
        ({"noise_radius": 1.5}, "strategy.noise_radius"),
        ({"mixture": "gumbel", "mixture_noise": "random"}, "no strategy.mixture_noise with strategy.mixture=gumbel"),
        ({"nesterov": True, "momentum": 0.0}, "strategy.momentum > 0"),
        ({"temperature": 0.0}, "strategy.temperature"),
        ({"regulariser_temperature": 0.0}, "strategy.regulariser_temperature"),
        ({"mixture": "sigmoid", "mixture_noise": "random"}, "no strategy.mixture_noise with strategy.mixture=sigmoid"),
    ],
)
def test_bad_options_are_told(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        BilevelOptions(**options).check()
