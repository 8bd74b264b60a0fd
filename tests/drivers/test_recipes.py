"""The shipped training recipes have the settings of their sources, line by line."""

from __future__ import annotations

from typing import Any

import pytest

from nas.core.errors import InputError
from nas.drivers.settings import load
from nas.train import METHODS

SGD: dict[str, Any] = {"momentum": 0.9, "accumulate": 1, "precision": "fp32", "warmup": 0.0, "lr_min": 0.0}
PLAIN: dict[str, Any] = {"clip": None, "cutout": 0, "drop_path": 0.0, "label_smoothing": 0.0, "crop": 4, "flip": True}
STEPS: dict[str, Any] = {"schedule": "step", "gamma": 0.1}
DARTS: dict[str, Any] = {
    "epochs": 600, "batch_size": 96, "schedule": "cosine", "lr": 0.025, "nesterov": False, "weight_decay": 3e-4,
    "clip": 5.0, "cutout": 16, "auxiliary_weight": 0.4, "crop": 4, "flip": True, "label_smoothing": 0.0, **SGD,
}  # fmt: skip
CROZE: dict[str, Any] = {
    "method": "pgd", "epochs": 200, "batch_size": 64, "lr": 0.1, "milestones": [100, 150], "nesterov": False,
    "weight_decay": 1e-4, "steps": 7, **STEPS, **SGD, **PLAIN,
}  # fmt: skip
TRADES: dict[str, Any] = {
    "method": "trades", "trades_beta": 6.0, "epochs": 76, "batch_size": 128, "lr": 0.1, "milestones": [75],
    "nesterov": False, "weight_decay": 2e-4, "eps": 0.031, "step_size": 0.007, "steps": 10, **STEPS, **SGD, **PLAIN,
}  # fmt: skip
RECIPES: dict[str, dict[str, Any]] = {
    # Dong and Yang, ICLR 2020, table 1
    "cifar10-nb201": {
        "method": "standard", "epochs": 200, "batch_size": 256, "schedule": "cosine", "lr": 0.1, "nesterov": True,
        "weight_decay": 5e-4, **SGD, **PLAIN,
    },
    "cifar10-darts": {"method": "standard", "drop_path": 0.2, **DARTS},
    "imagenet-darts": {
        "method": "standard", "epochs": 250, "batch_size": 128, "schedule": "exponential", "lr": 0.1, "gamma": 0.97,
        "nesterov": False, "weight_decay": 3e-5, "label_smoothing": 0.1, "clip": 5.0, "auxiliary_weight": 0.4,
        "crop": 0, "resized_crop": 224, "flip": True, "cutout": 0, "drop_path": 0.0,
        "jitter": [0.4, 0.4, 0.4, 0.2], **SGD,
    },
    "cifar10-pgd-rnas": {
        "method": "pgd", "eps": 0.031, "step_size": 0.01, "steps": 7, "drop_path": 0.3, **DARTS,
    },
    "cifar10-pgd-croze": {"eps": 8 / 255, "step_size": 2 / 255, **CROZE},
    "cifar10-pgd-advrush": {"eps": 0.031, "step_size": 0.01, **CROZE},
    "cifar10-pgd-robbench": {
        "method": "pgd", "epochs": 50, "batch_size": 256, "schedule": "onecycle", "lr": 0.05, "weight_decay": 5e-4,
        "eps": 8 / 255, "step_size": 2 / 255, "steps": 7, **SGD, **PLAIN,
    },
    "cifar10-trades": {"awp": 0.0, "ema": None, **TRADES},
    "cifar10-trades-awp": {"awp": 0.005, "awp_warmup": 10, "ema": 0.995, **TRADES},
    "cifar10-fgsm-rs": {
        "method": "fgsm", "fgsm_alpha": 1.25, "epochs": 15, "batch_size": 128, "schedule": "onecycle", "lr": 0.2,
        "rise": 0.4, "nesterov": False, "weight_decay": 5e-4, "eps": 8 / 255, "select": "last", **SGD, **PLAIN,
    },
    "cifar10-free": {
        "method": "free", "free_replays": 8, "free_alpha": 1.0, "epochs": 25, "batch_size": 128, "lr": 0.1,
        "milestones": [13, 19], "nesterov": False, "weight_decay": 2e-4, "eps": 8 / 255, **STEPS, **SGD, **PLAIN,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
def test_every_setting_is_that_of_the_source(name: str) -> None:
    settings = vars(load(name, []).train)
    for key, expected in RECIPES[name].items():
        assert settings[key] == (pytest.approx(expected) if isinstance(expected, float) else expected), key


def test_networks_are_those_of_the_sources() -> None:
    darts = load("cifar10-darts", []).model
    assert (darts.channels, darts.cells, darts.auxiliary) == (36, 20, True)
    mobile = load("imagenet-darts", [])
    assert (mobile.model.channels, mobile.model.cells, mobile.model.auxiliary, mobile.data.size) == (48, 14, True, 224)
    assert not load("cifar10-pgd-croze", []).model.auxiliary
    nb201 = load("cifar10-trades", []).model
    assert (nb201.channels, nb201.cells_per_stage) == (16, 5)


def test_there_is_a_recipe_for_every_method() -> None:
    assert {load(name, []).train.method for name in RECIPES} == set(METHODS.names())


def test_a_run_may_train_by_every_method_and_by_no_other() -> None:
    assert load("quickstart", [f"run.trainings={','.join(METHODS.names())}"]).run.trainings == METHODS.names()
    with pytest.raises(InputError, match="did you mean 'trades'"):
        load("quickstart", ["run.trainings=standard,trade"])
    with pytest.raises(InputError, match=r"run\.trainings"):
        load("quickstart", ["run.trainings=[]"])
