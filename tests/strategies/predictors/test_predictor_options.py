"""The defaults of every predictor, typed here from their sources; an option without a row is an error."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from nas.strategies.predictors import PREDICTORS

PREDICTOR_OPTIONS: dict[str, dict[str, Any]] = {
    "forest": {"trees": 100},  # Jung et al.: RandomForestRegressor(n_estimators=100)
    "extra-trees": {"trees": 200, "smallest_leaf": 1, "share": 1 / 3, "bootstrap": False},
    "boosted-trees": {"rounds": 500, "depth": 6, "eta": 0.3, "loss": "squared"},  # the release of AG-Net
    "gp": {"length": 3.0, "noise": 0.01},  # length: naszilla; noise: ours
    "matern": {"length": 1.5, "noise": 0.01, "standardise": True},  # ours: docs/studies/few-queries.md
    "kernel": {"steps": 60, "subset": 600, "lr": 0.1, "spread": 0.5},
    "auto": {"trees": 200},
    "networks": {  # naszilla, params.py, "standard"
        "members": 5, "layers": 10, "width": 20, "epochs": 150, "batch_size": 32, "lr": 0.01,
    },
}  # fmt: skip


def test_the_defaults_are_those_of_the_sources() -> None:
    assert {name: asdict(PREDICTORS.get(name).Options()) for name in PREDICTORS.names()} == PREDICTOR_OPTIONS
