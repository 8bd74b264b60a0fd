"""A training stopped at any step of the optimiser ends bit for bit as one that never stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from slowly import slow_but
from torch import Tensor

from nas.core.data import Dataset
from nas.core.errors import InputError
from nas.core.io import checkpoint
from nas.train import TrainedNetwork, TrainSettings, train
from nas.train.training import Classification

CPU = torch.device("cpu")
Describe = Callable[..., TrainedNetwork]
Recipe = Callable[..., TrainSettings]
PLACES = ("model", "optimizer", "scaler", "average", "processes")


class Stop(Exception):
    """What interrupts the runs below."""


def leaves(value: Any) -> list[Any]:
    """All tensors and plain values of a checkpoint, in order."""
    if isinstance(value, dict):
        return [leaf for key in value for leaf in [key, *leaves(value[key])]]
    return [leaf for each in value for leaf in leaves(each)] if isinstance(value, list | tuple) else [value]


def same(first: Any, second: Any) -> bool:
    a, b = leaves(first), leaves(second)
    return len(a) == len(b) and all(
        torch.equal(x, y) if isinstance(x, Tensor) and isinstance(y, Tensor) else x == y for x, y in zip(a, b)
    )


def stopped_at(step: int, monkeypatch: pytest.MonkeyPatch, run: Callable[[], Any]) -> None:
    """Runs until the optimiser is about to take its step number `step` of this session."""
    gradients, seen = Classification.gradients, []

    def dies(task: Classification, batch: Any, scale: Any) -> Tensor:
        seen.append(1)
        if len(seen) == step:
            raise Stop
        return gradients(task, batch, scale)

    with monkeypatch.context() as patched:
        patched.setattr(Classification, "gradients", dies)
        with pytest.raises(Stop):
            run()


CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "standard": ("nasbench201", {}, {}),
    "pgd": ("nasbench201", {}, {"method": "pgd"}),
    "trades-ema-awp": ("nasbench201", {}, {"method": "trades", "ema": 0.9, "awp": 0.01}),
    "accumulated": ("nasbench201", {}, {"accumulate": 3, "ema": 0.5}),
    "free": ("nasbench201", {}, {"method": "free", "free_replays": 2}),
    "streamed": ("nasbench201", {}, {"resident": False}),
    "fp16": ("nasbench201", {}, {"precision": "fp16"}),
    "darts": ("darts", {"auxiliary": True}, {"drop_path": 0.5}),  # whose drops come from torch's global generator
}


@pytest.mark.landing
@pytest.mark.parametrize("case", slow_but(CASES, {"trades-ema-awp", "streamed", "darts"}))
def test_it_ends_as_if_it_had_never_stopped(
    tmp_path: Path,
    dataset: Dataset,
    describe: Describe,
    recipe: Recipe,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
) -> None:
    space, size, changes = CASES[case]
    trained = describe(space, **size)
    settings = recipe(**{"epochs": 2, "save_steps": 2, "batch_size": 12, **changes})  # 5 batches an epoch

    def run(name: str, settings: TrainSettings = settings) -> Any:
        return train(trained, dataset, settings, tmp_path / name, 5, CPU)[1]

    whole = run("whole", recipe(**{"epochs": 2, "batch_size": 12, **changes}))  # without checkpoints in between
    stopped_at(4, monkeypatch, lambda: run("parts"))
    held = checkpoint.load(tmp_path / "parts/last.pt", "training")
    replays = changes.get("free_replays", 1)
    assert (held["state"]["epoch"], held["state"]["batch"] * replays) == (0, 2)  # the step after it is lost
    stopped_at(5 if replays == 1 else 7, monkeypatch, lambda: run("parts"))
    assert checkpoint.load(tmp_path / "parts/last.pt", "training")["state"]["batch"] in (1, 4)
    torch.manual_seed(99)  # what the process drew before does not matter
    parts = run("parts")
    assert parts.history == whole.history
    for name in ("last", "best", "final"):
        kind = "training" if name == "last" else "network"
        first, second = (checkpoint.load(tmp_path / part / f"{name}.pt", kind) for part in ("whole", "parts"))
        places = PLACES if name == "last" else ("weights", "epoch")
        for place in places:
            assert same(first[place], second[place]), (name, place)


def test_the_test_above_would_notice_a_wrong_generator(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = recipe(epochs=1, save_steps=2, batch_size=12, flip=True)

    def run(name: str) -> Any:
        return train(describe(), dataset, settings, tmp_path / name, 5, CPU)[1]

    whole = run("whole")
    stopped_at(4, monkeypatch, lambda: run("parts"))
    path = tmp_path / "parts/last.pt"
    payload = checkpoint.load(path, "training")
    payload["processes"][0]["generator"] = torch.Generator().manual_seed(1).get_state()
    checkpoint.save(path, payload)
    assert run("parts").history != whole.history


def test_minutes_save_too_and_change_nothing(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, often = recipe(epochs=1), recipe(epochs=1, save_minutes=1e-9, check_steps=1)
    whole = train(describe(), dataset, plain, tmp_path / "whole", 5, CPU)[1]
    stopped_at(3, monkeypatch, lambda: train(describe(), dataset, often, tmp_path / "parts", 5, CPU))
    assert checkpoint.load(tmp_path / "parts/last.pt", "training")["state"]["batch"] == 2
    assert train(describe(), dataset, plain, tmp_path / "parts", 5, CPU)[1].history == whole.history
    stopped_at(3, monkeypatch, lambda: train(describe(), dataset, plain, tmp_path / "none", 5, CPU))
    assert not (tmp_path / "none/last.pt").exists()


def test_a_checkpoint_of_an_older_version_is_told(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe
) -> None:
    train(describe(), dataset, recipe(epochs=1), tmp_path, 0, CPU)
    payload = checkpoint.load(tmp_path / "last.pt", "training")
    del payload["format"]
    checkpoint.save(tmp_path / "last.pt", payload)
    with pytest.raises(InputError, match="start the training again"):
        train(describe(), dataset, recipe(epochs=2), tmp_path, 0, CPU)


def test_another_number_of_processes_is_told(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe
) -> None:
    train(describe(), dataset, recipe(epochs=1), tmp_path, 0, CPU)
    payload = checkpoint.load(tmp_path / "last.pt", "training")
    payload["processes"] *= 2
    checkpoint.save(tmp_path / "last.pt", payload)
    with pytest.raises(InputError, match="nproc-per-node"):
        train(describe(), dataset, recipe(epochs=2), tmp_path, 0, CPU)
