"""`nas search` on a table opens no images, with a limit on size neither, where the data set's name tells the size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from slowly import slow_but

from nas.cli.main import run_command
from nas.core.data import LOADERS
from nas.search_spaces import NASBench201

SMALL = ("search.budget=4", "search.ask=2", "strategy.population=2", "strategy.tournament=2", "executor.workers=1")
LIMITS = "search.constraints=params<=50%,flops<=40%"


def arguments(data_dir: Path, *more: str) -> list[str]:
    table = f"tables.robustness={data_dir / 'robustness-dataset'}"
    return ["search", "cifar10-nb201", table, "objective=fgsm@1", LIMITS, *SMALL, *more]


@pytest.fixture
def no_images(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def opened(self: Any) -> Any:
        raise AssertionError("a search on a table looks at no images")

    for loader in LOADERS.components.values():
        monkeypatch.setattr(loader, "sources", opened)
        monkeypatch.setattr(loader, "read", opened)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "classes", "size"),
    slow_but(
        [("cifar10", 10, 32), ("cifar100", 100, 32), ("imagenet16-120", 120, 16), ("digits", 10, 16)],
        {("imagenet16-120", 120, 16)},
    ),
)
def test_no_images_are_opened(
    name: str, classes: int, size: int, no_images: None, data_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_command([*arguments(data_dir, f"data.name={name}"), "--json"]) == 0, capfd.readouterr().err
    result = json.loads(capfd.readouterr().out)
    assert result["provenance"]["data_sha256"] is None
    space = NASBench201()
    largest = space.cost(space.largest(), classes, image_size=size)
    for entry in result["best"]:
        cost = space.cost(space.parse(entry["arch"]), classes, image_size=size)
        assert cost.params <= 0.5 * largest.params
        assert cost.macs <= 0.4 * largest.macs


def test_ones_own_data_are_needed_for_it(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(arguments(data_dir, "data.name=npz")) == 2
    assert "data.root" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())
