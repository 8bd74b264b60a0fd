"""The build benchmark measures what it says; on NAS-Bench-201 building costs at most 6 % of one F+B."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from clock import Clock

from nas.bench import BENCHES, build
from nas.cli.main import run_command
from nas.search_spaces import NASBench201, Network


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


def test_it_is_registered_and_describes_itself() -> None:
    bench = BENCHES.get("build")
    assert (bench.__doc__ or "").splitlines()[0].startswith("Time to build a network")


@pytest.mark.parametrize(("space", "names"), [(None, ["nasbench201", "darts"]), ("nds-enas", ["nds-enas"])])
def test_it_gives_a_ratio_for_each_of_its_spaces(
    space: str | None, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []

    def measure(space: Any, report: Any) -> float:
        measured.append(space.name)
        report("line")
        return 0.5

    monkeypatch.setattr(build, "measure", measure)
    lines: list[str] = []
    bench: Any = BENCHES.get("build")()
    bench.space = space
    assert bench.run(lines.append) == {"ratios": dict.fromkeys(names, 0.5)}
    assert measured == names
    assert len(lines) == len(measured)


def test_the_command_measures_the_space_that_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "measure", lambda space, report: 0.5)
    assert run_command(["bench", "build", "--space", "nds-enas"]) == 0
    assert '"ratios": {\n    "nds-enas": 0.5\n  }' in capfd.readouterr().out


def test_measure_builds_and_uses_each_of_the_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "BATCH", 4)
    torch.set_num_threads(1)
    lines: list[str] = []
    space = Tiny()
    space.built = []
    ratio = build.measure(space, lines.append, cells=3)
    assert ratio > 0
    assert lines[0] == "nasbench201: 3 networks, each built 6 times and used once at batch 4"
    assert [line.split(":")[0] for line in lines[1:]] == [f"nasbench201 {n}/3" for n in (1, 2, 3)]
    assert float(lines[1].rsplit(" ", 1)[1]) > 0
    assert len(space.built) == 1 + 3 * (2 * build.BUILDS + 1)
    per_cell = [space.built[1 + 7 * n : 8 + 7 * n] for n in range(3)]
    assert all(len(set(cells)) == 1 for cells in per_cell)
    assert len({cells[0] for cells in per_cell}) == 3


def test_the_ratio_is_the_time_of_building_over_that_of_a_pass(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    class Slow(Tiny):
        built: list[str] = []  # noqa: RUF012

        def build(self, arch: Any, num_classes: int = 10, **settings: Any) -> Network:  # type: ignore[override]
            clock.go_on(0.05)
            return super().build(arch, num_classes)

    monkeypatch.setattr(build, "BATCH", 4)
    monkeypatch.setattr(build, "forward_backward", lambda *arguments: clock.go_on(0.2))
    assert build.measure(Slow(), lambda line: None, cells=2) == pytest.approx(0.25)


def test_forward_backward_is_one_pass_in_training_mode() -> None:
    torch.manual_seed(0)
    space = NASBench201()
    network = space.build(space.largest(), channels=2, cells_per_stage=1).eval()
    build.forward_backward(network, torch.rand(4, 3, 32, 32), torch.tensor([0, 1, 2, 3]))
    assert network.training
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert {int(value) for name, value in network.named_buffers() if name.endswith("batches_tracked")} == {1}


@pytest.mark.slow
def test_building_costs_at_most_6_percent_of_a_pass() -> None:
    bench = build.BuildBench()
    found = bench.run(print)
    assert [one["at_most"] for one in bench.judged(found)] == [0.06, 0.06]
    assert bench.missed(found) == []
