"""The shipped recipes have the settings of their sources, which are written down here from the sources."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas import configs
from nas.commands import COMMANDS, run_commands
from nas.core.config import shipped
from nas.core.errors import InputError
from nas.eval.plan import attacks_of
from nas.search_spaces import SPACES
from nas.settings import attack_warnings
from nas.settings.schema import load
from nas.train import METHODS

SGD: dict[str, Any] = {"momentum": 0.9, "accumulate": 1, "precision": "fp32", "warmup": 0.0, "lr_min": 0.0, "ema": None}
PLAIN: dict[str, Any] = {"clip": None, "cutout": 0, "drop_path": 0.0, "label_smoothing": 0.0, "crop": 4, "flip": True}
STEPS: dict[str, Any] = {"schedule": "step", "gamma": 0.1}
NB201: dict[str, Any] = {  # Dong and Yang, ICLR 2020, table 1
    "method": "standard", "epochs": 200, "batch_size": 256, "schedule": "cosine", "lr": 0.1, "nesterov": True,
    "weight_decay": 5e-4, **SGD, **PLAIN,
}  # fmt: skip
ROBBENCH_PGD: dict[str, Any] = {"eps": 8 / 255, "step_size": 2 / 255, "steps": 7}  # Wu et al., ICLR 2024
DARTS: dict[str, Any] = {  # Liu et al., ICLR 2019, A.1.2
    "epochs": 600, "batch_size": 96, "schedule": "cosine", "lr": 0.025, "nesterov": False, "weight_decay": 3e-4,
    "clip": 5.0, "cutout": 16, "auxiliary_weight": 0.4, "crop": 4, "flip": True, "label_smoothing": 0.0, **SGD,
}  # fmt: skip
RNAS_PGD: dict[str, Any] = {"eps": 0.031, "step_size": 0.01, "steps": 7}  # Zhu et al., 4.3
CROZE: dict[str, Any] = {
    "epochs": 200, "batch_size": 64, "lr": 0.1, "milestones": [100, 150], "nesterov": False, "weight_decay": 1e-4,
    "steps": 7, **STEPS, **SGD, **PLAIN,
}  # fmt: skip
CROZE_PGD: dict[str, Any] = {"eps": 8 / 255, "step_size": 2 / 255}
SMALL: dict[str, Any] = {**CROZE, **CROZE_PGD, "schedule": "cosine", "clip": 5.0, "method": "standard"}
TRADES: dict[str, Any] = {  # Zhang et al., ICML 2019, and its code
    "method": "trades", "trades_beta": 6.0, "batch_size": 128, "lr": 0.1, "nesterov": False, "steps": 10, **STEPS,
    **SGD, **PLAIN,
}  # fmt: skip
SUPERNETS: dict[str, dict[str, Any]] = {  # searches that RNAS is compared with; more in test_supernet_options.py
    "cifar10-advrush": {"name": "advrush", "epochs": 60, "batch_size": 32, "penalty_after": 50},
    "cifar10-darts-pt": {"name": "darts-pt", "epochs": 50, "batch_size": 64, "tune_epochs": 5},
    "cifar10-drnas": {"name": "drnas", "epochs": 50, "warm_up": 10, "batch_size": 64, "stage_partial": [6, 4]},
    "cifar10-dsrna-jacobian": {"name": "dsrna-jacobian", "epochs": 50, "batch_size": 64, "penalty_after": 10},
    "cifar10-gdas": {"name": "gdas", "epochs": 250, "batch_size": 64, "nesterov": True},
    "cifar10-p-darts": {"name": "p-darts", "epochs": 75, "batch_size": 96, "stage_cells": [5, 11, 17]},
    "cifar10-pc-darts": {"name": "pc-darts", "epochs": 50, "warm_up": 15, "batch_size": 256, "lr": 0.1},
    "cifar10-robnet": {"name": "robnet", "epochs": 50, "eps": 8 / 255, "step_size": 2 / 255, "steps": 7},
    "cifar10-sdarts-adv": {"name": "sdarts-adv", "epochs": 50, "batch_size": 64, "noise_steps": 7},
    "cifar10-sdarts-rs": {"name": "sdarts-rs", "epochs": 50, "batch_size": 64, "mixture_noise": "random"},
}
RECIPES: dict[str, dict[str, Any]] = {
    "cifar10-nb201": {**NB201, **ROBBENCH_PGD},
    "cifar10-nb201-croze": {**NB201, **ROBBENCH_PGD},
    "cifar10-nb201-eproxy": {**NB201, **ROBBENCH_PGD},
    "cifar10-nb201-eproxy-dps": {**NB201, **ROBBENCH_PGD},
    "cifar10-nb201-predictor": {**NB201, **ROBBENCH_PGD},
    "cifar10-nb201-agnet": {**NB201, **ROBBENCH_PGD},
    "cifar10-nb201-tenas": {**NB201, **ROBBENCH_PGD},
    "cifar100-nb201": {**NB201, **ROBBENCH_PGD},
    "imagenet16-120-nb201": {**NB201, **ROBBENCH_PGD, "crop": 2},
    "cifar10-darts": {"method": "standard", "drop_path": 0.2, **DARTS},
    "imagenet-darts": {
        "method": "standard", "epochs": 250, "batch_size": 128, "schedule": "exponential", "lr": 0.1, "gamma": 0.97,
        "nesterov": False, "weight_decay": 3e-5, "label_smoothing": 0.1, "clip": 5.0, "auxiliary_weight": 0.4,
        "crop": 0, "resized_crop": 224, "flip": True, "cutout": 0, "drop_path": 0.0,
        "jitter": [0.4, 0.4, 0.4, 0.2], **SGD,
    },
    "cifar10-rnas-max": {"method": "standard", "drop_path": 0.3, **DARTS, **RNAS_PGD},
    "cifar10-rnas-uniform": {"method": "standard", "drop_path": 0.3, **DARTS, **RNAS_PGD},
    **{name: {"method": "standard", "drop_path": 0.3, **DARTS, **RNAS_PGD} for name in SUPERNETS},
    "cifar10-pgd-rnas": {"method": "pgd", "drop_path": 0.3, **DARTS, **RNAS_PGD},
    "cifar10-pgd-croze": {"method": "pgd", **CROZE, **CROZE_PGD},
    "cifar10-pgd-advrush": {"method": "pgd", "eps": 0.031, "step_size": 0.01, **CROZE},
    "cifar10-darts-croze": {"method": "standard", **CROZE, **CROZE_PGD},
    "cifar10-darts-croze-small": SMALL,
    "cifar10-darts-eproxy": SMALL,
    "cifar10-darts-eproxy-dps": SMALL,
    "imagenet-darts-eproxy": SMALL,  # the training is that of imagenet-darts
    "cifar10-pgd-robbench": {
        "method": "pgd", "epochs": 50, "batch_size": 256, "schedule": "onecycle", "lr": 0.05, "nesterov": False,
        "weight_decay": 5e-4, **SGD, **PLAIN, **ROBBENCH_PGD,
    },
    "cifar10-trades": {
        "epochs": 76, "milestones": [75], "weight_decay": 2e-4, "eps": 0.031, "step_size": 0.007, "awp": 0.0, **TRADES,
    },
    "cifar10-trades-awp": {
        "awp": 0.005, "awp_warmup": 10, "epochs": 200, "milestones": [100, 150], "weight_decay": 5e-4, "eps": 8 / 255,
        "step_size": 2 / 255, **TRADES,
    },
    "cifar10-fgsm-rs": {
        "method": "fgsm", "fgsm_alpha": 1.25, "epochs": 15, "batch_size": 128, "schedule": "onecycle", "lr": 0.2,
        "rise": 0.4, "nesterov": False, "weight_decay": 5e-4, "eps": 8 / 255, **SGD, **PLAIN,
    },
    "cifar10-free": {
        "method": "free", "free_replays": 8, "free_alpha": 1.0, "epochs": 25, "batch_size": 128, "lr": 0.1,
        "milestones": [13, 19], "nesterov": False, "weight_decay": 2e-4, "eps": 8 / 255, **STEPS, **SGD, **PLAIN,
    },
    "quickstart": {  # not a published recipe
        "method": "standard", "epochs": 15, "batch_size": 64, "lr": 0.1, "eps": 0.15, "step_size": 0.0375, "steps": 7,
        "select": "best", "crop": 1, "flip": False,
    },
}  # fmt: skip
EVALUATED: dict[str, tuple[float, float]] = {  # radius and step of PGD-20
    **dict.fromkeys(RECIPES, (8 / 255, 2 / 255)),
    "quickstart": (0.15, 0.0375),
    "cifar10-rnas-max": (0.031, 0.003),
    **dict.fromkeys(SUPERNETS, (0.031, 0.003)),
    "cifar10-rnas-uniform": (0.031, 0.003),
    "cifar10-pgd-rnas": (0.031, 0.003),
    "cifar10-trades": (0.031, 0.003),
    "cifar10-pgd-advrush": (0.031, 0.031 / 4),
    "cifar10-pgd-robbench": (8 / 255, 2.5 * 8 / 255 / 20),
}
LABELLED = ("cifar10-nb201-predictor", "cifar10-nb201-agnet")  # by short trainings
WITHHELD = dict.fromkeys(("quickstart", *LABELLED), 0.1)  # every other recipe trains on all images
PUBLISHED = sorted(set(RECIPES) - set(WITHHELD))
RNAS: dict[str, Any] = {  # section 4.1
    "epochs": 50, "warm_up": 15, "batch_size": 64, "coefficient": 1.0, "regulariser": "correlation", "eps": 0.031,
    "steps": 10, "step_size": 0.003, "lr": 0.025, "lr_min": 0.001, "momentum": 0.9, "weight_decay": 3e-4, "clip": 5.0,
    "alpha_lr": 3e-4, "alpha_beta1": 0.5, "alpha_beta2": 0.999, "alpha_weight_decay": 1e-3,
}  # fmt: skip
EVOLUTION: dict[str, Any] = {"name": "evolution", "population": 100, "tournament": 25}  # Real et al., AAAI 2019
ON_NB201 = (
    *("cifar10-nb201", "cifar10-nb201-croze", "cifar10-nb201-eproxy", "cifar10-nb201-eproxy-dps", "cifar100-nb201"),
    *("imagenet16-120-nb201", "cifar10-pgd-robbench", "cifar10-trades", "cifar10-trades-awp", "cifar10-fgsm-rs"),
    "cifar10-free",
)
SEARCHES: dict[str, dict[str, Any]] = {
    **SUPERNETS,
    "cifar10-rnas-max": {"name": "rnas-max", "perturbation": "pgd", **RNAS},
    "cifar10-rnas-uniform": {"name": "rnas-uniform", "perturbation": "uniform", **RNAS},
    "cifar10-darts-croze": {  # the sizes are the defaults of its release
        "name": "warmup-move", "ranked_by": "objective", "warmup": 50, "pool": 1, "tournament": 1, "probability": 1.0,
        "neighbours": 5,
    },
    "cifar10-darts-croze-small": EVOLUTION,
    "cifar10-darts-eproxy": EVOLUTION,
    "cifar10-darts-eproxy-dps": EVOLUTION,
    "imagenet-darts-eproxy": EVOLUTION,
    **dict.fromkeys(ON_NB201, EVOLUTION),
    "cifar10-nb201-predictor": {
        "name": "guided", "predictor": "forest", "acquisition": "ucb", "kappa": 0.5, "init": 20, "batch": 10,
    },
    "cifar10-nb201-agnet": {"name": "agnet", "init": 16, "batch": 16, "epochs": 30, "alpha": 0.9, "k": 0.01},
    "cifar10-nb201-tenas": {**EVOLUTION, "name": "evolution-ranks"},
    "quickstart": {"name": "evolution", "population": 30, "tournament": 8},  # not a published recipe
}  # fmt: skip
TRAINING_ONLY = ("cifar10-darts", "imagenet-darts", "cifar10-pgd-croze", "cifar10-pgd-advrush", "cifar10-pgd-rnas")
LOOKED_FOR: dict[str, tuple[str, int, int, list[str]]] = {  # objective, budget, proposals at once, constraints
    **dict.fromkeys(ON_NB201, ("croze", 1000, 8, ["params<=85%"])),
    **dict.fromkeys(("cifar10-nb201-eproxy", "cifar10-nb201-eproxy-dps"), ("eproxy", 1000, 8, ["params<=85%"])),
    "cifar10-nb201-predictor": ("trained:pgd20", 60, 10, ["params<=85%"]),
    "cifar10-nb201-agnet": ("trained:hrs:pgd20", 64, 16, ["params<=85%"]),
    "cifar10-nb201-tenas": ("linear_regions+ntk_cond", 1000, 8, ["params<=85%"]),
    "cifar10-darts-croze": ("croze", 5000, 5, ["params<=6e6"]),  # Ha et al. 2023: 5,000 networks, 6 M weights
    "cifar10-darts-croze-small": ("croze", 1000, 8, ["params<=6e6"]),
    **dict.fromkeys(("cifar10-darts-eproxy", "cifar10-darts-eproxy-dps"), ("eproxy", 1000, 8, ["params<=6e6"])),
    "imagenet-darts-eproxy": ("eproxy", 1000, 8, ["flops>=10.2e6", "flops<=12.25e6"]),  # 500 to 600 M, over 49
    "quickstart": ("croze", 120, 8, ["params<=85%"]),
}
LABEL: dict[str, Any] = {  # a tenth of NAS-RobBench-201's 50 epochs, with its batch, peak, radius and step
    "method": "pgd", "epochs": 5, "batch_size": 256, "lr": 0.05, "n_val": 1000, "weight_decay": 5e-4, **ROBBENCH_PGD,
}  # fmt: skip
CROZE_PROXY: dict[str, Any] = {"batch_size": 16, "beta": 4.0, "epsilon": 0.01, "gamma": 0.0}  # docs/studies/croze.md
EPROXY: dict[str, Any] = {  # Li et al., ICCV 2023, and its release
    "batch_size": 16, "iterations": 10, "lr": 1.2, "momentum": 0.9, "weight_decay": 4e-5, "use_barrier": True,
    "init": "default", "barrier_init": "default",
}  # fmt: skip
EPROXY_NB201: dict[str, Any] = {  # config_nb201_mse_12e-1 of the release, with the feature of the paper
    "stages": 3, "transform": [1], "barrier": [3], "c_mid": [128], "c_out": 128, "features": ["net"],
    "coefficient": [1.0], "alpha": 0.0, **EPROXY,
}  # fmt: skip
EPROXY_DPS: dict[str, Any] = {  # docs/studies/eproxy.md, second row of the last table
    "stages": 3, "transform": [1] * 3, "barrier": [3] * 3, "c_mid": [128] * 3, "c_out": 32, "features": ["net"] * 3,
    "coefficient": [1.0] * 3, "alpha": -0.2, **EPROXY,
}  # fmt: skip
EPROXIES: dict[str, dict[str, Any]] = {
    "cifar10-nb201-eproxy": EPROXY_NB201,
    "cifar10-nb201-eproxy-dps": EPROXY_DPS,
    "cifar10-darts-eproxy": {**EPROXY_NB201, "stages": 1, "c_mid": [512], "c_out": 32},  # the release for DARTS
    "cifar10-darts-eproxy-dps": EPROXY_DPS,
    "imagenet-darts-eproxy": EPROXY_NB201,
}
SCORED: dict[str, dict[str, Any]] = {  # the network that a proxy scores
    **{name: {"channels": 16, "cells_per_stage": 5} for name in (*ON_NB201, *LABELLED)},
    "cifar10-nb201-tenas": {"channels": 3, "cells_per_stage": 1},  # the release
    "cifar10-darts-croze": {"channels": 36, "cells": 20, "stem": "cifar"},
    "cifar10-darts-croze-small": {"channels": 16, "cells": 8, "stem": "cifar"},
    "cifar10-darts-eproxy": {"channels": 16, "cells": 8, "stem": "cifar"},
    "cifar10-darts-eproxy-dps": {"channels": 16, "cells": 8, "stem": "cifar"},
    "imagenet-darts-eproxy": {"channels": 48, "cells": 14, "stem": "cifar"},  # Li et al., section 3.5
    "quickstart": {"channels": 8, "cells_per_stage": 1},
}


@cache
def recipe(name: str) -> Any:
    return load(name, [])


def check(section: Any, expected: dict[str, Any]) -> None:
    for key, value in expected.items():
        assert getattr(section, key) == (pytest.approx(value) if isinstance(value, float) else value), key


def test_every_recipe_is_here() -> None:
    assert set(RECIPES) == set(shipped())
    assert set(SEARCHES) | set(TRAINING_ONLY) == set(RECIPES)
    assert set(LOOKED_FOR) == set(SCORED) == {name for name in SEARCHES if "rnas" not in name and name not in SUPERNETS}


@pytest.mark.parametrize("name", RECIPES)
def test_every_setting_is_that_of_the_source(name: str) -> None:
    check(recipe(name).train, RECIPES[name])


@pytest.mark.parametrize("name", SEARCHES)
def test_the_search_is_that_of_the_source(name: str) -> None:
    check(recipe(name).strategy, SEARCHES[name])


@pytest.mark.parametrize("name", LOOKED_FOR)
def test_what_is_looked_for_and_for_how_long(name: str) -> None:
    search = recipe(name).search
    assert (search.objective, search.budget, search.ask, search.constraints) == LOOKED_FOR[name]
    assert (search.cheap, search.features) == (None, ["graph"])


@pytest.mark.parametrize("name", LOOKED_FOR)
def test_the_proxy_and_the_network_that_it_scores_are_those_of_the_source(name: str) -> None:
    settings = recipe(name)
    assert asdict(settings.scoring) == SCORED[name]
    check(settings.proxies.croze, CROZE_PROXY)
    check(settings.proxies.eproxy, EPROXIES.get(name, EPROXY_NB201))


def test_labels_are_short_trainings_like_those_of_robbench() -> None:
    for name in LABELLED:
        check(recipe(name).label, LABEL)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_recipes_train_on_all_images_and_take_the_last_epoch(name: str) -> None:
    settings = recipe(name)
    assert settings.data.validation == 0
    assert settings.train.select == "last"


def test_recipes_that_need_validation_images_withhold_a_tenth_and_say_so() -> None:
    for name, share in WITHHELD.items():
        assert recipe(name).data.validation == share
        assert "withheld" in header(name)


@pytest.mark.parametrize("name", RECIPES)
def test_attacked_at_the_radius_of_the_training_with_the_step_of_the_source(name: str) -> None:
    settings = recipe(name)
    eps, step = EVALUATED[name]
    assert settings.eval.eps == pytest.approx(eps)
    assert settings.eval.eps == settings.train.eps
    attacks = dict(attacks_of(settings.eval))
    assert attacks["pgd20"].eps == pytest.approx(eps)
    assert attacks["pgd20"].step_size == pytest.approx(step)
    if settings.search.objective.startswith("trained:"):
        assert settings.label.eps == settings.eval.eps


SWEPT = [0.125, 0.25, 0.5, 1.5, 2.0]  # multiples of eps, in addition to it: 1, 2, 4, 12 and 16 of 255
SWEEPS: dict[str, list[float]] = {
    **dict.fromkeys((*ON_NB201, *LABELLED, "cifar10-nb201-tenas"), SWEPT),
    **dict.fromkeys([name for name in SEARCHES if "darts" in name and name not in SUPERNETS], SWEPT),
    "cifar10-pgd-robbench": [0.375],
    "quickstart": [0.25, 0.5, 0.75, 1.25, 1.5, 2.0],
}


@pytest.mark.parametrize("name", RECIPES)
def test_all_are_attacked_in_the_same_ways(name: str) -> None:
    evaluation, few = recipe(name).eval, name == "quickstart"
    assert evaluation.attacks == ["fgsm", "pgd20", "autoattack"]
    assert (evaluation.n_test, evaluation.batch_size) == ((100, 100) if few else (1000, 250))
    assert evaluation.sweep == SWEEPS.get(name, [])


def test_robbench_is_attacked_at_both_radii_of_its_source() -> None:
    """PGD-20 at 8/255 and at 3/255, both with steps of an eighth of the radius."""
    attacks = attacks_of(recipe("cifar10-pgd-robbench").eval)
    found = {(round(255 * one.eps, 9), round(one.eps / one.step_size, 9)) for name, one in attacks if "pgd20" in name}
    assert found == {(8.0, 8.0), (3.0, 8.0)}


@pytest.mark.parametrize("name", RECIPES)
def test_what_the_header_says_of_test_images_holds(name: str) -> None:
    if "1,000 test images" in header(name):
        assert recipe(name).eval.n_test == 1000


@pytest.mark.parametrize("name", RECIPES)
def test_no_recipe_is_warned_about(name: str) -> None:
    for command in ("run", "search", "train", "eval"):
        assert attack_warnings.warnings(COMMANDS.get(command)().reader(), recipe(name)) == []


def header(name: str) -> str:
    """The comment above the settings, as one line."""
    lines = (Path(configs.__path__[0]) / f"{name}.yaml").read_text().splitlines()
    above = lines[: next(number for number, line in enumerate(lines) if not line.startswith("#"))]
    return " ".join(line.removeprefix("# ") for line in above)


@pytest.mark.parametrize("name", RECIPES)
def test_the_header_says_what_departs_from_the_source(name: str) -> None:
    said = ("departure", "No published", "all else as there", "whose header has the departures")
    assert any(words.lower() in header(name).lower() for words in said), header(name)


def test_networks_are_those_of_the_sources() -> None:
    darts = recipe("cifar10-darts").model
    assert (darts.channels, darts.cells, darts.auxiliary) == (36, 20, True)
    mobile = recipe("imagenet-darts")
    assert (mobile.model.channels, mobile.model.cells, mobile.model.auxiliary, mobile.data.size) == (48, 14, True, 224)
    space = SPACES.get("darts")()
    cost = space.cost(space.parse("DARTS_V2"), 1000, image_size=224, **{**asdict(mobile.model), "auxiliary": False})
    assert cost.params == pytest.approx(4.7e6, abs=0.05e6), "as published"
    assert cost.macs < 600e6, "the mobile setting: Liu et al., A.2.1"
    for name in ("cifar10-pgd-croze", "cifar10-pgd-advrush", "cifar10-darts-croze", "cifar10-darts-croze-small"):
        croze = recipe(name).model
        assert (croze.channels, croze.cells, croze.auxiliary) == (36, 20, False)
    nb201 = recipe("cifar10-trades").model
    assert (nb201.channels, nb201.cells_per_stage) == (16, 5)
    rnas = recipe("cifar10-rnas-max")
    assert (rnas.supernet.channels, rnas.supernet.cells, rnas.model.auxiliary) == (16, 8, True)
    for name in SUPERNETS:  # that of DARTS, or its own
        size = (recipe(name).supernet.channels, recipe(name).supernet.cells)
        assert size == ((36, 20) if name == "cifar10-drnas" else (16, 8))


def test_croze_scores_5000_networks_of_full_size() -> None:
    settings = recipe("cifar10-darts-croze")
    assert (settings.search.objective, settings.search.budget, settings.search.cheap) == ("croze", 5000, None)
    assert settings.search.constraints == ["params<=6e6"]
    assert settings.search.ask == settings.strategy.neighbours, "a move at a time"
    assert settings.eval.n_test == 1000, "as in cifar10-pgd-croze"
    assert (settings.scoring.channels, settings.scoring.cells) == (36, 20)
    small = recipe("cifar10-darts-croze-small")
    assert (small.search.objective, small.search.budget, small.search.ask) == ("croze", 1000, 8)
    assert (small.scoring.channels, small.scoring.cells) == (16, 8)
    for name in ("cifar10-darts-eproxy", "cifar10-darts-eproxy-dps"):  # an earlier version extended `small`
        kept = {key: value for key, value in asdict(recipe(name).search).items() if key != "objective"}
        assert kept == {key: value for key, value in asdict(small.search).items() if key != "objective"}


def test_its_limit_of_six_million_weights_never_acts_as_its_header_says() -> None:
    settings, space = recipe("cifar10-darts-croze"), SPACES.get("darts")()
    largest = space.cost(space.largest(), 10, **asdict(settings.model)).params
    assert 5.1e6 < largest < 5.2e6


def test_there_is_a_recipe_for_every_method() -> None:
    assert {recipe(name).train.method for name in RECIPES} == set(METHODS.names())


def test_a_run_may_train_by_every_method_and_by_no_other() -> None:
    assert load("quickstart", [f"run.trainings={','.join(METHODS.names())}"]).run.trainings == METHODS.names()
    with pytest.raises(InputError, match="did you mean 'trades'"):
        load("quickstart", ["run.trainings=standard,trade"])
    with pytest.raises(InputError, match=r"run\.trainings"):
        load("quickstart", ["run.trainings=[]"])


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> str:
    """64 images of 10 classes, with a test part."""
    random, path = np.random.default_rng(0), tmp_path_factory.mktemp("images") / "images.npz"
    labels = np.arange(64) % 10
    np.savez(
        path,
        images=random.integers(0, 256, (64, 32, 32, 3), dtype=np.uint8),
        labels=labels,
        test_images=random.integers(0, 256, (64, 32, 32, 3), dtype=np.uint8),
        test_labels=labels,
    )
    return str(path)


@pytest.mark.landing
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_passes_the_checks_before_a_start(name: str, images: str) -> None:
    """The checks of the recipe's command, on little data; its networks are built."""
    size = 32 if name == "imagenet-darts-eproxy" else 8  # its constraints are of networks at 32×32
    data = [] if name == "quickstart" else ["data.name=npz", f"data.root={images}", f"data.size={size}"]
    settings = load(name, [*data, "device=cpu"])
    command = "train" if settings.train.method != "standard" or name in ("cifar10-darts", "imagenet-darts") else "run"
    settings.eval.n_test = 8
    settings.eval.attacks = ["fgsm", "pgd20"]  # the others need more packages
    run_commands()[command]().check(settings, keep=False)
