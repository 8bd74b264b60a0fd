"""The build benchmark measures what it says; on NAS-Bench-201 building costs at most 6 % of one F+B."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from nas.bench import BENCHES, build
from nas.search_spaces import SPACES, NASBench201, Network


@pytest.fixture(autouse=True)
def _same_threads_after() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


class Tiny(NASBench201):
    """Networks of a few thousand weights, whatever size is asked for; notes what is built."""

    built: list[str]

    def build(self, arch: Any, num_classes: int = 10, **settings: Any) -> Network:  # type: ignore[override]
        self.built.append(str(arch))
        return super().build(arch, num_classes, channels=2, cells_per_stage=1)


class Slow(Tiny):
    """Takes 50 ms longer to build."""

    def build(self, arch: Any, num_classes: int = 10, **settings: Any) -> Network:  # type: ignore[override]
        time.sleep(0.05)
        return super().build(arch, num_classes)


def test_it_is_registered_and_describes_itself() -> None:
    bench = BENCHES.get("build")
    assert (bench.__doc__ or "").splitlines()[0].startswith("Time to build a network")


def test_it_gives_a_ratio_for_every_space(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []

    def measure(space: Any, report: Any) -> float:
        measured.append(space.name)
        report("line")
        return 0.5

    monkeypatch.setattr(build, "measure", measure)
    lines: list[str] = []
    assert BENCHES.get("build")().run(lines.append) == {"ratios": dict.fromkeys(SPACES.names(), 0.5)}
    assert measured == SPACES.names()
    assert len(lines) == len(measured)


def test_measure_builds_and_uses_each_of_the_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "BATCH", 4)
    torch.set_num_threads(1)
    lines: list[str] = []
    space = Tiny()
    space.built = []
    ratio = build.measure(space, lines.append, cells=3)
    assert ratio > 0
    assert [line.split(":")[0] for line in lines] == [f"nasbench201 {n}/3" for n in (1, 2, 3)]
    assert float(lines[0].rsplit(" ", 1)[1]) > 0
    assert len(space.built) == 1 + 3 * (2 * build.BUILDS + 1)
    per_cell = [space.built[1 + 7 * n : 8 + 7 * n] for n in range(3)]
    assert all(len(set(cells)) == 1 for cells in per_cell)
    assert len({cells[0] for cells in per_cell}) == 3


def test_time_spent_building_raises_the_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "BATCH", 4)
    monkeypatch.setattr(build, "forward_backward", lambda *arguments: time.sleep(0.05))
    torch.set_num_threads(1)
    space = Slow()
    space.built = []
    assert build.measure(space, lambda line: None, cells=2) >= 0.9  # 50 ms of building, as long as F+B
    with_nothing = Tiny()
    with_nothing.built = []
    assert build.measure(with_nothing, lambda line: None, cells=2) < 0.7


def test_forward_backward_is_one_pass_in_training_mode() -> None:
    torch.manual_seed(0)
    space = NASBench201()
    network = space.build(space.largest(), channels=2, cells_per_stage=1).eval()
    build.forward_backward(network, torch.rand(4, 3, 32, 32), torch.tensor([0, 1, 2, 3]))
    assert network.training
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert {int(value) for name, value in network.named_buffers() if name.endswith("batches_tracked")} == {1}


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES.names())
def test_building_costs_at_most_6_percent_of_a_pass(name: str) -> None:
    assert build.measure(SPACES.get(name)(), print) <= 0.06
