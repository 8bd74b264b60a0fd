"""The defaults of an evaluation and of a training, and the constants that no setting changes."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest
from typed_again import found

from nas.core.optimisation.attack_steps import SMALLEST_NORM

FUNCTIONS: dict[str, dict[str, Any]] = {
    "eval.attacks.base:Attack.__init__": {"step_size": None, "steps": None, "norm": "Linf", "restarts": 1},
    "eval.corruptions:evaluate_corruptions": {
        "corruptions": ("all",), "severities": (1, 2, 3, 4, 5), "batch_size": 250, "seed": 0, "frost": None,
        "baseline": None,
    },
    "eval.corruptions:Computed": {"severities": (1, 2, 3, 4, 5), "size": 250, "seed": 0, "frost": None},
    "eval.corruptions:Published": {"severities": (1, 2, 3, 4, 5), "n": None, "size": 250, "test": None, "other": None},
    "eval.corruptions.filters:smooth": {"border": "nearest", "truncate": 4.0},  # as SciPy's gaussian_filter
    "eval:evaluate": {"outputs": True},
    "eval.measures.landscape:surfaces": {"norm": "Linf"},
    "eval.measures.landscape:batch_sums": {"norm": "Linf"},
    "eval.metrics:calibration": {"bins": 15},  # Guo et al., ICML 2017
    "core.statistics.paired:paired_bootstrap": {"seed": 0, "resamples": 100_000},
    "eval.outputs:check_outputs": {"norm": "Linf"},
    "eval.plan:Curve": {"step": None},
    "eval.networks.wrapped:Normalisation": {"by": None, "mean": (), "std": ()},
    "train:check_parts": {"processes": 1},
    "train.exported:load": {"device": "cpu"},
    "train.conditions:method_uses": {"validated": True},
}  # fmt: skip
LIMITS: dict[str, dict[str, Any]] = {
    "eval.attacks.auto": {"TARGETS": 9, "FORWARD": 1 / 3, "TILES": 5},
    "eval.attacks.base": {"ROUNDING": 1e-5},
    "eval.attacks.library": {"OLDEST": (3, 5, 1)},
    "eval.attacks.from_torchattacks": {"MIN_CLASSES": {"APGDT": 4, "AutoAttack": 4, "JSMA": 10}, "MAX_COST": 10},
    "eval.corruptions.base": {"SMALL": 32, "LARGE": 224, "SMALL_UP_TO": 64, "LEVEL_TOLERANCE": 1e-3},
    "eval.corruptions.filters": {"NEGLIGIBLE": 1e-8},
    "eval.corruptions.photographs": {"USED": 5},  # the generator draws from the first five of six
    "eval.corruptions.water": {"WEAK": 50, "STRONG": 150, "FARTHEST": 20},  # the generator's Canny and threshold
    "eval.corruptions.weather": {"MUD_FROM": 0.8},
    "eval.measures.landscape": {"EXAMPLE_SURFACES": 3},
    "eval.networks.orders": {"FACTOR": 2},
    "eval.outputs": {
        "CHECKED_IMAGES": 50,
        "MAX_DISTANCE": 0.01,
        "SHORT_GRADIENT": 100 * SMALLEST_NORM,
        "ROUNDING": 1e-5,
    },
    "eval.networks.wrapped": {"CHANNELS": 3},
    "eval.plan": {"MAX_L2_EPS": 1000.0},
    "eval.attack_runner": {"OTHER_ORDER": 3, "OUTSIDE": 2},  # flags that are stored in runs
    "train.awp": {"MIN_GRADIENT_NORM": 1e-20},
    "train.batches": {"PREFETCHED_BATCHES": 3, "MAX_MEMORY_SHARE": 0.5},
    "train.exported": {"FORMAT": 1},
    "train.methods.base": {"FLOAT16_GAIN": 1024.0},
    "train.training": {"VALIDATION_BATCH_SIZE": 500},
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_defaults(name: str) -> None:
    parameters = inspect.signature(found(name)).parameters
    assert {key: parameters[key].default for key in FUNCTIONS[name]} == FUNCTIONS[name]


@pytest.mark.parametrize("name", LIMITS)
def test_limits_are_changed_on_purpose_only(name: str) -> None:
    module = import_module(f"nas.{name}")
    assert {key: getattr(module, key) for key in LIMITS[name]} == LIMITS[name]
