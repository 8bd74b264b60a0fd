"""Where memory runs out in scoring: the same value from less, or a failure with its reason; no end of a search."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
import torch

from nas.core.data import DataSettings, load
from nas.core.execution.out_of_memory import is_shortage, on_host
from nas.objectives.network_spec import NetworkSpec
from nas.objectives.proxy_scorer import Scorer
from nas.search_spaces import NASBench201
from nas.strategies.proxies import PROXIES
from nas.strategies.proxies.passes.probe import Probe

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
NAMES = ("grad_norm", "params", "fisher", "jacov")
FULL = (
    "[enforce fail at alloc_cpu.cpp:118] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."
)


def _scorer() -> Scorer:
    data = load(DataSettings(size=8))
    options: dict[str, Any] = {name: PROXIES.get(name).Options() for name in NAMES}
    for its in options.values():
        if hasattr(its, "batch_size"):
            its.batch_size = 8
    sized = NetworkSpec("nasbench201", {"channels": 4, "cells_per_stage": 1}, data.num_classes, data.image_size)
    full = NetworkSpec("nasbench201", asdict(NASBench201.Settings()), 10, 32)
    return Scorer(list(NAMES), options, data, sized, full, 0, torch.device("cpu"))


class Short:
    """A pass for more than `limit` quantities finds no memory; with a limit of 0, any pass does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: BaseException, limit: int) -> None:
        self.error = error
        self.limit = limit
        original = Probe._pass

        def starved(probe: Probe, names: set[str]) -> dict[str, Any]:
            if len(names) > self.limit:
                raise self.error
            return original(probe, names)

        monkeypatch.setattr(Probe, "_pass", starved)


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory."), RuntimeError(FULL)])
def test_alone_each_proxy_has_the_value_that_it_has_in_company(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = _scorer()
    whole = scorer(CELL)
    Short(monkeypatch, error, limit=1)
    assert scorer(CELL) == whole


def test_what_does_not_fit_at_all_is_a_failure_of_those_proxies_only(monkeypatch: pytest.MonkeyPatch) -> None:
    Short(monkeypatch, MemoryError(), limit=0)
    scores, failures = _scorer().try_score(CELL)
    assert set(scores) == {"params"}
    assert set(failures) == {"grad_norm", "fisher", "jacov"}
    assert "lower proxies.fisher.batch_size" in failures["fisher"]


def test_a_network_for_which_there_is_no_memory_is_a_failure_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any, **settings: Any) -> Any:
        raise RuntimeError(FULL)

    monkeypatch.setattr(NASBench201, "build", full)
    scores, failures = _scorer().try_score(CELL)
    assert set(scores) == {"params"}
    assert all("Memory ran out" in reason for reason in failures.values())


def test_other_errors_are_no_shortage(monkeypatch: pytest.MonkeyPatch) -> None:
    Short(monkeypatch, RuntimeError("a defect"), limit=0)
    with pytest.raises(RuntimeError, match="a defect"):
        _scorer().try_score(CELL)
    assert not is_shortage(ValueError("can't allocate memory"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_what_waits_on_the_host_gives_the_same_gradients_from_less_memory() -> None:
    device = torch.device("cuda")
    torch.manual_seed(0)
    layers: list[torch.nn.Module] = [torch.nn.Conv2d(8, 8, 3, padding=1), torch.nn.BatchNorm2d(8), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers * 6).to(device).to(memory_format=torch.channels_last)
    x = torch.randn(64, 8, 64, 64, device=device).contiguous(memory_format=torch.channels_last)
    found = []
    torch.backends.cudnn.deterministic = True
    for there in (torch.device("cpu"), device):  # on_host changes nothing for a CPU
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        with on_host(there):
            grads = torch.autograd.grad(network(x).square().mean(), list(network.parameters()))
        found.append((torch.cuda.max_memory_allocated() - before, grads))
    assert found[1][0] < 0.6 * found[0][0]
    assert all(torch.equal(a, b) for a, b in zip(found[0][1], found[1][1]))
