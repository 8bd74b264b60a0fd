"""The recipes of the searches that RNAS is compared with, from the search to the attack, on tiny networks."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import nas_json

from nas.search_spaces import DARTS

TINY = (
    *("device=cpu", "executor.workers=1", "data.name=npz", "supernet.channels=2", "supernet.cells=3"),
    "strategy.batch_size=64",
)
RUN = (
    *("model.channels=2", "model.cells=3", "model.auxiliary=false", "train.epochs=1", "train.batch_size=64"),
    *("train.drop_path=0", "train.steps=1", "eval.attacks=fgsm", "eval.n_test=4"),
    "run.random=false",
)
OWN = {
    "cifar10-advrush": ("strategy.epochs=1", "strategy.penalty_after=0"),
    "cifar10-drnas": ("strategy.epochs=2", "strategy.warm_up=0", "strategy.stage_partial=[2,1]"),
    "cifar10-pc-darts": ("strategy.epochs=1", "strategy.warm_up=0", "strategy.partial=2"),
}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", OWN)
def test_a_recipe_searches_trains_and_attacks(recipe: str, tmp_path: Path, few_digits: str) -> None:
    result = nas_json("run", recipe, *TINY, *RUN, *OWN[recipe], few_digits, "run.dir=run", cwd=tmp_path)
    arch = result["search"]["best"][0]["arch"]
    assert str(DARTS().parse(arch)) == arch == result["architecture"]
    assert {model["training"] for model in result["models"]} == {"standard", "pgd"}
    assert all("fgsm" in model["attacks"] for model in result["models"])


@pytest.mark.slow
@pytest.mark.parametrize("recipe", OWN)
def test_a_forecast_stands_beside_the_published_cost(recipe: str, tmp_path: Path, few_digits: str) -> None:
    value = nas_json("search", recipe, *TINY, *OWN[recipe], few_digits, "--dry-run", cwd=tmp_path)
    assert value["seconds"]["search"] > 0
    assert "s on an RTX 3090 (Ha et al. 2023, table 3)" in value["published_search"]
