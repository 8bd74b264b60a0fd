"""The edges of what options may be: allowed there, refused one step further."""

from __future__ import annotations

from typing import Any

import pytest

from nas.core.errors import InputError
from nas.strategies import STRATEGIES, local_search, model_based, warmup_move
from nas.strategies.predictors import PREDICTORS
from nas.strategies.proxies import PROXIES
from nas.strategies.supernet import BilevelOptions

SUPERNET = [  # key, least, most, how far beyond is refused
    *((key, 1, 1_000_000, 1) for key in ("epochs", "stop_skips")),
    ("warm_up", 0, 1_000_000, 1),
    ("batch_size", 2, 1_000_000, 1),  # one image has no batch statistics
    ("steps", 1, 100_000, 1),
    ("crop", 0, 512, 1),
    ("validation_images", 0, 1_000_000_000, 1),
    *((key, 0, 1, 1e-9) for key in ("eps", "momentum", "noise_radius", "noise_radius_end")),
    ("partial", 1, 1024, 1),
    ("noise_steps", 1, 100_000, 1),
    *((key, 0, 1_000_000, 1) for key in ("penalty_after", "alpha_coefficient_after")),
    *((key, 0, 1e6, 1e-6) for key in ("penalty_coefficient", "alpha_coefficient")),
    ("skip_dropout", 0, 0.999999, 1e-9),
    *((key, 1e-9, None, 1e-9) for key in ("temperature", "temperature_end")),
    *((key, 0, 1e6, 1e-6) for key in ("coefficient", "lr_min", "weight_decay", "alpha_weight_decay")),
    *((key, 0, 0.999999, 1e-9) for key in ("alpha_beta1", "alpha_beta2")),
    *((key, 1e-9, None, 1e-9) for key in ("lr", "clip", "alpha_lr", "step_size", "regulariser_temperature")),
]
ASK_TELL = [
    *(
        (name, key, 1, None, 1)
        for name in ("guided", "bo", "xgb")
        for key in ("init", "batch", "candidates", "parents")
    ),
    *(("xgb", key, 1, None, 1) for key in ("rounds", "depth")),
    ("xgb", "eta", 1e-9, 1, 1e-9),
    ("bo", "length", 1e-9, None, 1e-9),
    ("bo", "noise", 1e-9, None, 1e-9),
    *(
        ("bananas", key, 1, None, 1)
        for key in ("init", "batch", "candidates", "parents", "longest", "members", "epochs")
    ),
    *(("bananas", key, 0, None, 1) for key in ("random", "layers")),
    ("nsga2", "population", 2, None, 1),
    ("evolution", "init", 1, 100, 1),  # up to the population
    ("local", "init", 1, None, 1),
    ("evolution", "tournament", 1, 100, 1),  # up to the population
    ("warmup-move", "tournament", 1, 64, 1),  # up to the pool
    ("warmup-move", "pool", 10, 3000, 1),  # from the tournament to the warm-up
    ("warmup-move", "probability", 0, 1, 1e-9),
    ("warmup-move", "neighbours", 1, None, 1),
]
OF_PROXIES = [
    ("snip", "batch_size", 2, 65_536, 1),
    ("hessian", "iterations", 1, 10_000, 1),
    ("jacob_fro", "projections", 1, 10_000, 1),
    *(("croze", key, 0, None, 1e-9) for key in ("beta", "gamma", "epsilon")),
    ("eproxy", "iterations", 1, 1000, 1),
    ("eproxy", "lr", 1e-6, 100, 1e-7),
    ("eproxy", "momentum", 0, 0.999, 1e-6),
    ("eproxy", "weight_decay", 0, 1, 1e-6),
    ("eproxy", "stages", 1, 3, 1),
    ("eproxy", "c_out", 1, 1024, 1),
    ("eproxy", "alpha", -0.99, 0.99, 1e-6),
    ("eproxy", "c_mid", 1, 4096, 1),
    ("eproxy", "transform", 1, 31, 2),
    ("eproxy", "barrier", 1, 31, 2),
    ("eproxy", "coefficient", 1e-6, 1e6, 1e-7),
]
OF_PREDICTORS = [
    ("forest", "trees", 1, None, 1),
    ("auto", "trees", 1, None, 1),
    ("extra-trees", "trees", 1, None, 1),
    ("extra-trees", "smallest_leaf", 1, None, 1),
    ("extra-trees", "share", 1e-9, 1, 1e-9),
    ("kernel", "steps", 0, None, 1),
    ("kernel", "subset", 2, None, 1),
    *(("kernel", key, 1e-9, None, 1e-9) for key in ("lr", "spread")),
    *(("networks", key, 1, None, 1) for key in ("members", "width", "epochs", "batch_size")),
    ("networks", "layers", 0, None, 1),
    ("networks", "lr", 1e-9, None, 1e-9),
]


def at_its_edges(kind: Any, key: str, low: float, high: float | None, beyond: float) -> None:
    listed = isinstance(getattr(kind(), key), list)
    for value in (low,) if high is None else (low, high):
        kind(**{key: [value] if listed else value}).check()
    for value in (low - beyond,) if high is None else (low - beyond, high * (1 + 1e-9) + beyond):
        with pytest.raises(InputError, match=key):
            kind(**{key: [value] if listed else value}).check()


@pytest.mark.parametrize(("key", "low", "high", "beyond"), SUPERNET)
def test_options_of_a_supernet_search(key: str, low: float, high: float | None, beyond: float) -> None:
    at_its_edges(BilevelOptions, key, low, high, beyond)


@pytest.mark.parametrize(
    ("registry", "name", "key", "low", "high", "beyond"),
    [
        *((STRATEGIES, *row) for row in ASK_TELL),
        *((PROXIES, *row) for row in OF_PROXIES),
        *((PREDICTORS, *row) for row in OF_PREDICTORS),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_options_of_what_has_a_name(
    registry: Any, name: str, key: str, low: float, high: float | None, beyond: float
) -> None:
    at_its_edges(registry.get(name).Options, key, low, high, beyond)


@pytest.mark.parametrize("key", ["lr", "clip", "alpha_lr", "step_size"])
def test_rates_of_a_supernet_search_are_below_a_million(key: str) -> None:
    BilevelOptions(**{key: 999_999.0}).check()
    with pytest.raises(InputError, match=key):
        BilevelOptions(**{key: 1e6}).check()


@pytest.mark.parametrize("key", ["beta", "gamma", "epsilon"])
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_sizes_of_perturbations_are_finite(key: str, value: float) -> None:
    with pytest.raises(InputError, match=key):
        PROXIES.get("croze").Options(**{key: value}).check()


def test_how_many_architectures_are_drawn_for_a_new_one() -> None:
    """The project's own numbers: enough that a space is seldom called exhausted, few enough to be quick."""
    assert (warmup_move.MAX_DRAWS, model_based.MAX_DRAWS, local_search.MAX_DRAWS) == (100, 100, 20)
