"""`--dry-run` forecasts what a run will cost, and keeps nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import TINY, TINY_TRAIN, nas_json
from slowly import slow_but

from nas.report.forecast import forecast_text
from nas.runs.stages.forecast import Cost, Forecast

pytestmark = pytest.mark.landing

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"


@pytest.mark.parametrize("command", slow_but(["run", "search", "train"], {"train"}))
def test_a_dry_run_forecasts_and_writes_nothing(command: str, tmp_path: Path, few_digits: str) -> None:
    tiny = [*TINY_TRAIN, f"arch={CELL}"] if command == "train" else TINY
    value = nas_json(command, "quickstart", *tiny, few_digits, "--dry-run", cwd=tmp_path)
    assert value["seconds"]["total"] > 0
    assert not list(tmp_path.iterdir())


def test_a_dry_run_keeps_nothing_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for label in range(10):
        folder = tmp_path / "images" / f"class{label}"
        folder.mkdir(parents=True)
        for number in range(12):
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    cache = tmp_path / "cache"
    monkeypatch.setenv("NAS_CACHE", str(cache))
    data = ["data.name=imagefolder", f"data.root={tmp_path / 'images'}"]
    arguments = ["search", "quickstart", *TINY, *data, "proxies.croze.batch_size=4", "search.budget=2"]
    nas_json(*arguments, "--dry-run", cwd=tmp_path)
    assert not cache.exists()
    nas_json(*arguments, "executor.workers=1", cwd=tmp_path)
    assert list(cache.rglob("*.images"))


def test_a_forecast_names_the_published_cost_of_a_supernet_search() -> None:
    value = Forecast("search", 1, {"search": Cost(60.0, 8.0)}, 1, 100.0, "4 GPU-days (a paper)")
    assert "a search on the DARTS space took, as published: 4 GPU-days (a paper)" in forecast_text(value)
    assert value.to_json()["published_search"] == "4 GPU-days (a paper)"
    assert "published" not in forecast_text(replace(value, published_search=None))


def test_only_a_forecast_with_attacks_says_how_many_images_are_assumed_to_withstand_them() -> None:
    value = Forecast("search", 1, {"search": Cost(60.0, 8.0)}, 1, 100.0)
    assert "assumed" not in forecast_text(value)
    assert "assumed share of images" in forecast_text(replace(value, stages={**value.stages, "eval": Cost(1.0, 8.0)}))
