"""The forecast of a supernet search, in convolutions instead of seconds, against the whole search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_supernet_contract import new
from torch.utils._python_dispatch import TorchDispatchMode

from nas.searches import search_cost
from nas.strategies.supernet import SupernetStrategy


class Convolutions(TorchDispatchMode):
    """Counts the convolutions of a block, forward and backward; a gradient of a gradient has more of them."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func in (torch.ops.aten.convolution.default, torch.ops.aten.convolution_backward.default)
        return func(*args, **(kwargs or {}))


def convolutions(work: Callable[[], Any], repeats: int = 1) -> float:
    with Convolutions() as seen:
        work()
    return float(seen.count)


def whole(search: SupernetStrategy) -> None:
    while not search.done:
        search.step()


def forecast(search: SupernetStrategy, seconds: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(search_cost, "median_seconds", seconds)
    monkeypatch.setattr(search_cost.supernet_stage, "new_strategy", lambda worker: search)
    return search_cost._of_supernet(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["darts", "advrush"])
def test_a_forecast_counts_gradients_of_gradients(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    searches = [new(name) for _ in range(2)]
    for search in searches:
        options = search.options
        options.validation_images, options.warm_up, options.penalty_after, options.epochs = 0, 0, 1, 2
    cost = forecast(searches[0], convolutions, monkeypatch)
    found = convolutions(lambda: whole(searches[1]))
    assert found <= cost.seconds <= 1.15 * found  # α needs no gradient of the first convolution
    assert cost.passes == searches[1].passes() * searches[1].batch_size


def test_a_forecast_counts_deeper_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    search = new("p-darts")
    search.options.stage_cells = [3, 5]  # type: ignore[attr-defined]
    cost = forecast(search, lambda work, repeats=1: len(search.supernet.cells), monkeypatch)  # type: ignore[arg-type]
    each = search.steps_per_epoch * 2  # passes of an epoch, of which each stage has one
    assert cost.seconds == each * 3 + each * 5
    assert cost.passes == 2 * each * search.batch_size
    assert search.supernet.kept["normal"].sum(1).tolist() == [3] * 14  # type: ignore[index]
