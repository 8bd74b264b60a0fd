"""The proxies benchmark scores what it says, beside F+B of the same network; its limits are a slow test."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from clock import Clock

from nas.bench import BENCHES, proxies, space_costs
from nas.bench.measuring.timing import peak_megabytes, seconds
from nas.cli.main import run_command
from nas.search_spaces import NASBench201, Network
from nas.strategies.proxies import PROXIES

FEW = {"croze": ("croze",), "suite13": ("snip", "nwot")}


class Tiny(NASBench201):
    """Networks of a few thousand weights, whatever size is asked for; notes what is built."""

    def __init__(self) -> None:
        self.built: list[str] = []

    def build(self, arch: Any, num_classes: int = 10, **settings: Any) -> Network:  # type: ignore[override]
        self.built.append(str(arch))
        return super().build(arch, num_classes, channels=2, cells_per_stage=1)


def test_the_suite_is_that_of_the_published_tables() -> None:
    assert len({*proxies.SUITE, "params", "flops"}) == 13
    assert set(proxies.SUITE) < set(PROXIES.names())
    assert "grasp" not in proxies.MEMORY_GROUPS
    assert "hessian" not in proxies.MEMORY_GROUPS


def test_every_proxy_that_looks_at_a_network_is_measured() -> None:
    measured = {name for names in proxies.GROUPS.values() for name in names}
    assert measured == {name for name, proxy in PROXIES.components.items() if proxy.needs == "network"}


def test_it_gives_ratios_memory_and_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies, "ratios", lambda space, report: {"croze": 3.0})
    monkeypatch.setattr(proxies, "memory", lambda space, report: {"croze": 1.0})
    monkeypatch.setattr(proxies, "rate", lambda space: 2.0)
    result = BENCHES.get("proxies")().run(print)
    assert result["ratios"] == {"croze": 3.0}
    assert result["memory"] == {"croze": 1.0}
    assert result["croze_per_second"] == 2.0
    assert result["device"]
    assert result["threads"] >= 1


@pytest.mark.landing
def test_ratios_score_each_cell_in_turn_with_its_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies, "GROUPS", FEW)
    space, lines = Tiny(), []
    passes: list[int] = []
    whole = proxies.forward_backward

    def counted(network: Any, images: Any, labels: Any) -> None:
        passes.append(len(images))
        whole(network, images, labels)

    monkeypatch.setattr(proxies, "forward_backward", counted)
    found = proxies.ratios(space, lines.append, cells=2)
    assert set(found) == set(FEW)
    assert all(value > 0 for value in found.values())
    assert len(lines) == 2
    assert passes == [*[16] * 3, *[64] * 3] * 2  # each on the proxies' own batch
    assert len(space.built) == len(FEW) + 2 * (1 + 3 * len(FEW))


def test_a_ratio_is_the_time_of_the_proxies_over_that_of_a_pass(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(proxies, "GROUPS", {"snip": ("snip",)})
    monkeypatch.setattr(proxies, "forward_backward", lambda *arguments: clock.go_on(0.02))
    monkeypatch.setattr(proxies, "score", lambda *arguments: clock.go_on(0.06))
    assert proxies.ratios(Tiny(), lambda line: None, cells=1)["snip"] == 3


def test_the_rate_counts_architectures(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(proxies, "score", lambda *arguments: clock.go_on(0.01))
    assert proxies.rate(Tiny()) == pytest.approx(100)


@pytest.mark.landing
def test_a_space_is_measured_beside_nasbench201(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space_costs, "NASBench201", Tiny)
    monkeypatch.setattr(space_costs, "POINTS", 3)
    lines: list[str] = []
    found = space_costs.space_costs(Tiny(), lines.append, count=1)
    assert found["floor"] == pytest.approx(8 / 3, abs=1e-3)
    assert set(found) >= {"croze", "pass_seconds", "build_seconds"}
    assert min(found.values()) > 0
    assert {limit.figure for limit in space_costs.LIMITS} <= {f"space.{name}" for name in found}
    assert len(lines) == 2


@pytest.mark.parametrize(("one_pass", "building"), [(2.0, 0.1 / (0.06 * 2)), (0.5, 0.1 / 0.05)])
def test_building_is_compared_with_a_long_pass_or_with_drawing(
    one_pass: float, building: float, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    class Slow(Tiny):
        def build(self, arch: Any, num_classes: int = 10, **settings: Any) -> Network:  # type: ignore[override]
            clock.go_on(0.1)
            return super().build(arch, num_classes)

    monkeypatch.setattr(space_costs, "POINTS", 1)
    monkeypatch.setattr(space_costs, "score_built", lambda *arguments: clock.go_on(3 * one_pass))
    monkeypatch.setattr(space_costs, "forward_backward", lambda *arguments: clock.go_on(one_pass))
    monkeypatch.setattr(space_costs, "_draw_weights", lambda network: clock.go_on(0.05))
    found = space_costs.space_costs(Slow(), lambda line: None, count=1)
    assert (found["croze"], found["croze_to_nasbench201"]) == (3, 1)
    assert found["building"] == pytest.approx(building, rel=1e-2)


def test_the_space_is_an_option_of_this_benchmark_only(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command(["bench", "start", "--space", "darts"]) == 2
    assert "Expected --space with the benchmarks build and proxies only" in capfd.readouterr().err
    assert run_command(["bench", "proxies", "--space", "dart"]) == 2
    assert "did you mean 'darts'" in capfd.readouterr().err


def _allocate(megabytes: int) -> Any:
    return lambda: torch.ones(megabytes * 2**18)


@pytest.mark.slow
def test_peak_memory_is_what_the_action_adds() -> None:
    assert 180 <= peak_megabytes(_allocate, 200) <= 260


def test_seconds_are_those_of_the_action(clock: Clock) -> None:
    assert seconds(clock.go_on, 0.05) == pytest.approx(0.05)
    assert clock.time > 0


@pytest.mark.slow
def test_proxies_cost_no_more_than_they_should() -> None:
    """Eproxy misses its target of 11.5 passes, croze and croze_official that of 1.5 F+B of memory."""
    bench = proxies.ProxiesBench()
    found = {"ratios": proxies.ratios(NASBench201(), print), "memory": proxies.memory(NASBench201(), print)}
    assert len(bench.judged(found)) == 3 + len(proxies.MEMORY_GROUPS)
    assert bench.missed(found) == []
