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


def test_the_strategies_by_name() -> None:
    assert SUPERNET_STRATEGIES.names() == ["darts", "darts-second-order", "rnas-max", "rnas-uniform"]
    published = BilevelOptions()
    for name in SUPERNET_STRATEGIES.names():
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
    ],
)
def test_bad_options_are_told(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        BilevelOptions(**options).check()
