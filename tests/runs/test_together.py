"""In a training with several processes, all use the settings of the first one."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from nas.core.errors import InputError
from nas.core.execution.worker_pool import DATA_NOTES
from nas.core.reproducibility import WORKSPACE_VARIABLE
from nas.runs import torchrun
from nas.settings.schema import load


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(WORKSPACE_VARIABLE, raising=False)
    notes = logging.getLogger(DATA_NOTES)
    level = notes.level
    yield
    notes.setLevel(level)
    os.environ.pop(WORKSPACE_VARIABLE, None)
    torch.use_deterministic_algorithms(False)


class Leader:
    """Gives the followers one training and then no more work."""

    def __init__(self, *overrides: str) -> None:
        self.work = [None, (load("quickstart", ["device=cpu", *overrides]), None, None, None, 0)]

    def broadcast(self, value: object) -> Any:
        return self.work.pop()


@pytest.mark.parametrize("asked", [True, False])
def test_followers_use_deterministic_kernels_where_asked(monkeypatch: pytest.MonkeyPatch, asked: bool) -> None:
    leader = Leader(f"executor.deterministic={str(asked).lower()}")
    seen = []
    monkeypatch.setattr(torchrun.distributed, "current", lambda: leader)
    monkeypatch.setattr(torchrun, "load", lambda data: None)
    monkeypatch.setattr(torchrun, "train", lambda *_: seen.append(torch.are_deterministic_algorithms_enabled()))
    torchrun.run_follower()
    assert seen == [asked]
    assert (WORKSPACE_VARIABLE in os.environ) == asked


def test_an_operation_without_such_a_kernel_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    leader = Leader("executor.deterministic=true")
    monkeypatch.setattr(torchrun.distributed, "current", lambda: leader)
    monkeypatch.setattr(torchrun, "load", lambda data: None)

    def train(*_: object) -> None:
        torch.zeros(3).put_(torch.tensor([1]), torch.ones(1), accumulate=False)

    monkeypatch.setattr(torchrun, "train", train)
    with pytest.raises(InputError, match="put_ has none"):
        torchrun.run_follower()
