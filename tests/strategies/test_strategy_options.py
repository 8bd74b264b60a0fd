"""The defaults of every ask-tell strategy and of DPS, typed here from their sources.

An option that has no row here is an error: whoever adds one says where its default comes from.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from nas.core.errors import InputError
from nas.searches.dps import DPSOptions
from nas.strategies import STRATEGIES
from nas.strategies.option_error import OptionError

BOOSTED = {  # Lukasik et al., ECCV 2022, and its release: the trees, 16 random first, 16 per round; rest: as guided
    "rounds": 500, "depth": 6, "eta": 0.3, "init": 16, "batch": 16, "whole": 20_000, "candidates": 500, "parents": 10,
}  # fmt: skip
ASK_TELL: dict[str, dict[str, Any]] = {
    "agnet": {  # Lukasik et al., ECCV 2022, and its release, which pretrains on 2.5 million graphs
        "init": 16, "batch": 16, "candidates": 100, "draws": 9, "epochs": 30, "lr": 1e-3, "alpha": 0.9, "k": 0.01,
        "pretraining": 100_000, "queries": 192, "generator": "network", "weighted": True, "gradient": True,
        "pick": "surrogate", "limited_alpha": 0.95, "limited_lr": 2e-4, "limited_decay": 1e-4,
    },
    "agnet-posterior": {  # agnet with another generator
        "init": 16, "batch": 16, "candidates": 100, "draws": 9, "epochs": 30, "lr": 1e-3, "alpha": 0.9, "k": 0.01,
        "pretraining": 32_000, "queries": 192, "generator": "posterior", "weighted": True, "gradient": True,
        "pick": "surrogate", "limited_alpha": 0.95, "limited_lr": 2e-4, "limited_decay": 1e-4,
    },
    "random": {},
    "local": {"improvement": "best", "init": 1},  # White et al., UAI 2021, algorithm 1
    "local-naszilla": {"improvement": "first", "init": 10},  # naszilla
    "evolution-naszilla": {"population": 30, "tournament": 10, "init": 10},  # naszilla
    "bo-graph": {  # chosen on NAS-Bench-201: docs/studies/few-queries.md
        "acquisition": "ei", "kappa": 3.0, "explore": 2, "length": 1.5, "noise": 0.01, "log": True, "init": 10,
        "batch": 1, "whole": 20_000, "candidates": 500, "parents": 10,
    },
    "evolution-ranks": {"population": 100, "tournament": 25, "init": None},  # as evolution
    "evolution": {"population": 100, "tournament": 25, "init": None},  # Real et al., AAAI 2019, 4.1: P = 100, S = 25
    "nsga2": {"population": 100},  # Deb et al., IEEE TEVC 2002, section IV
    "warmup-move": {  # Abdelfattah et al., ICLR 2021, section 5: their study of NAS-Bench-101
        "warmup": 3000, "pool": 64, "tournament": 10,
        "probability": 0.75, "ranked_by": "cheap", "neighbours": None,
    },
    "bananas": {  # naszilla, params.py: `algo_params` and `meta_neuralnet_params` "standard"
        "init": 10, "batch": 10, "candidates": 100, "members": 5, "layers": 10, "width": 20, "epochs": 150,
        "parents": 5, "random": 0, "longest": 3,
    },
    "bo": {  # naszilla: distance, length scale, 10 first and 10 per round; acquisition and noise: ours
        "acquisition": "ei", "kappa": 0.5, "length": 3.0, "noise": 0.01, "init": 10, "batch": 10,
        "whole": 20_000, "candidates": 500, "parents": 10,
    },
    "xgb": BOOSTED,
    "xgb-rank": BOOSTED,
    "guided": {  # chosen on the robustness dataset: no published ones
        "predictor": "forest", "acquisition": "ucb", "kappa": 0.5, "init": 20, "batch": 10, "whole": 20_000,
        "candidates": 500, "parents": 10,
    },
}  # fmt: skip


def test_the_defaults_are_those_of_the_sources() -> None:
    assert {name: asdict(STRATEGIES.get(name).Options()) for name in STRATEGIES.names()} == ASK_TELL


def test_the_error_for_an_impossible_number_names_its_option() -> None:
    named: dict[tuple[str, str], tuple[str, ...]] = {}
    for strategy, defaults in ASK_TELL.items():
        for key in [key for key, value in defaults.items() if not isinstance(value, (bool, str))]:
            options = STRATEGIES.get(strategy).Options(**{key: -1})
            try:
                options.check()
            except OptionError as error:
                named[strategy, key] = error.keys
            except InputError:  # of a part of the options, such as those of a model
                continue
    assert {place: keys for place, keys in named.items() if place[1] not in keys} == {}
    assert {("bo-graph", "explore"), ("warmup-move", "neighbours"), ("agnet", "limited_decay")} <= set(named)


def test_several_options_are_named_in_words() -> None:
    assert str(OptionError("Expected x", "a", "b", "c")) == "Expected x; set strategy.a, strategy.b and strategy.c."


def test_dps_has_the_numbers_of_its_paper() -> None:
    """Li et al., ICCV 2023, listing 2 (population 40) and the release (tournament 10, 200 evaluations); rest: ours."""
    assert asdict(DPSOptions()) == {
        "population": 40, "tournament": 10, "evaluations": 200, "finalists": 5, "draws": 5, "errors": 1.0,
    }  # fmt: skip


def test_which_strategies_take_several_goals_and_which_hints_they_use() -> None:
    kinds = STRATEGIES.components.values()
    assert {kind.name for kind in kinds if kind.several} == {"evolution-ranks", "nsga2", "random"}
    assert {kind.name: set(kind.uses) for kind in kinds if kind.uses} == {
        "bo-graph": {"features"},
        "guided": {"features"},
        "warmup-move": {"cheap"},
    }
