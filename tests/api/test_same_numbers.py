"""The Python face and the command line give the same numbers with the same settings."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import nas
from nas.cli.main import run_command
from nas.core.config import flat
from nas.core.io.records import Json
from nas.results import Result
from nas.runs.run_files import finished

SMALL = {"scoring.channels": 4, "scoring.cells_per_stage": 1, "data.size": 8}
CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"


def _without_times(result: Result) -> Json:
    plain = result.to_json()
    del plain["seconds"]
    return plain


def _by_command(command: str, settings: Json, folder: Path) -> Json:
    """The result of the command for the settings as a YAML file."""
    file = folder / "settings.yaml"
    file.write_text(yaml.safe_dump(settings))
    assert run_command([command, str(file), f"run.dir={folder / 'run'}"]) == 0
    return _without_times(finished(folder / "run"))


SEARCHES: dict[str, Json] = {
    "keywords": {
        "objective": "croze+params:min",
        "strategy": "nsga2",
        "budget": 8,
        "seed": 3,
        "constraints": ["params<=1e6"],
        "settings": {**SMALL, "strategy.population": 4, "search": {"ask": 4}},
    },
    "recipe": {
        "recipe": "quickstart",
        "budget": 4,
        "settings": {**SMALL, "strategy.population": 3, "strategy.tournament": 2},
    },
    "content": {"recipe": {"name": "mine", "search": {"objective": "synflow", "budget": 3}}, "settings": SMALL},
}


@pytest.mark.landing
@pytest.mark.parametrize("name", SEARCHES)
def test_search(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = nas.search(**SEARCHES[name])
    assert found.best.metrics
    assert _without_times(found) == _by_command("search", found.settings, tmp_path)


@pytest.mark.landing
@pytest.mark.parametrize("method", ["standard", "pgd"])
def test_train(method: str, tmp_path: Path, few_digits: str) -> None:
    attack = {"eps": "8/255", "step_size": 0.01} if method == "pgd" else {}
    small = {"model.channels": 4, "model.cells_per_stage": 1, "train.batch_size": 64, "data.size": 8}
    more = {"train.steps": 2} if method == "pgd" else {}
    model = nas.train_model(
        CELL,
        data=few_digits.removeprefix("data.root="),
        method=method,
        epochs=2,
        seed=4,
        settings={**small, **more},
        **attack,
    )
    assert _without_times(model) == _by_command("train", model.settings, tmp_path)


def test_score(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """`nas score` takes no file of settings; the same settings are words of its command line."""
    cells = nas.space("nasbench201").draw(3, seed=1)
    scores = nas.score(cells, proxies=["croze", "params"], seed=2, settings=SMALL)
    words = [f"{key}={flat(scores.settings)[key]}" for key in ("seed", *SMALL)]
    sampled = ["score", "--sample", "3", "--seed", "1", "--proxies", "croze,params", *words]
    assert run_command([*sampled, "--json"]) == 0
    assert _rows(json.loads(capfd.readouterr().out)) == _rows(scores.to_json())
    assert run_command([*sampled, "--output", str(tmp_path / "command.csv")]) == 0
    nas.score(cells, proxies=["croze", "params"], seed=2, settings=SMALL, run=tmp_path / "face.csv")
    by_command, by_face = (list(csv.DictReader((tmp_path / f"{name}.csv").open())) for name in ("command", "face"))
    assert _rows(by_command) == _rows(by_face)


def _rows(rows: list[Any]) -> list[Json]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
