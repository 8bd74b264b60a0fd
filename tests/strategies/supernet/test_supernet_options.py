"""The defaults of every supernet strategy, typed here from their sources; an option without a row is an error."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from nas.strategies.supernet import SUPERNET_STRATEGIES

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


def test_the_defaults_are_those_of_the_sources() -> None:
    assert {name: asdict(SUPERNET_STRATEGIES.get(name).Options()) for name in SUPERNET_STRATEGIES.names()} == SUPERNETS
