"""A finished network comes back from its checkpoint, or it is told why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.core.errors import InputError
from nas.core.io import checkpoint
from nas.search_spaces import Network
from nas.train import TrainedNetwork, load_trained

Describe = Callable[..., TrainedNetwork]


def saved(path: Path, trained: TrainedNetwork, **changes: Any) -> Network:
    torch.manual_seed(0)
    network = trained.build()
    network(torch.rand(8, 3, 8, 8))  # moves the running statistics
    payload = {"kind": "network", "epoch": 3, **trained.export(network.state_dict())}
    checkpoint.save(path, {**payload, **changes})
    return network


@pytest.mark.parametrize(("space", "size"), [("nasbench201", {}), ("darts", {}), ("darts", {"auxiliary": True})])
def test_round_trip(tmp_path: Path, describe: Describe, space: str, size: dict[str, Any]) -> None:
    trained = describe(space, training="pgd", **size)
    network = saved(tmp_path / "a.pt", trained)
    loaded, again = load_trained(tmp_path / "a.pt")
    assert again == trained
    assert not any(module.training for module in loaded.modules())
    x = torch.rand(4, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(loaded(x), network.eval()(x))


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_trained(path)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    "settings",
    [
        {"channels": 5, "cells_per_stage": 1},  # weights of another shape
        {"channels": 4, "cells_per_stage": 2},  # weights that are not there
        {"channels": 4, "cells": 1},  # a key the space does not have
        {"channels": "four", "cells_per_stage": 1},
    ],
)
def test_settings_that_no_longer_fit_are_told(tmp_path: Path, describe: Describe, settings: dict[str, Any]) -> None:
    trained = describe()
    network = vars(trained) | {"settings": settings}
    saved(tmp_path / "a.pt", trained, network=network)
    assert str(tmp_path / "a.pt") in refused(tmp_path / "a.pt")


@pytest.mark.parametrize(
    "changes",
    [
        {"network": {"name": "a"}},
        {"network": 5},
        {"network": None},
        {"weights": {}},
        {"weights": 5},
    ],
)
def test_a_checkpoint_of_other_content_is_told(tmp_path: Path, describe: Describe, changes: dict[str, Any]) -> None:
    saved(tmp_path / "a.pt", describe(), **changes)
    assert "this version" in refused(tmp_path / "a.pt")


@pytest.mark.parametrize(("key", "value"), [("space", "nasbench2001"), ("arch", "|none~0|"), ("arch", 5)])
def test_a_network_that_does_not_exist_is_told(tmp_path: Path, describe: Describe, key: str, value: Any) -> None:
    trained = describe()
    saved(tmp_path / "a.pt", trained, network={**vars(trained), key: value})
    refused(tmp_path / "a.pt")


def test_a_missing_entry_is_told(tmp_path: Path, describe: Describe) -> None:
    checkpoint.save(tmp_path / "a.pt", {"kind": "network"})
    assert "network" in refused(tmp_path / "a.pt")
    checkpoint.save(tmp_path / "b.pt", {"kind": "training"})
    assert "something else" in refused(tmp_path / "b.pt")
