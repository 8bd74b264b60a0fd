"""What a search with many workers, or of many evaluations, costs: `nas bench scale`."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from random import Random
from statistics import median
from typing import Any, ClassVar

import torch

from nas.bench.base import Bench, Limit
from nas.bench.measuring.growth import STORE, Mark, grown
from nas.bench.measuring.spread import nap, overhead, used, used_by_search, warmed
from nas.bench.measuring.timing import available_megabytes, device, seconds
from nas.bench.proxies import batch, batch_size
from nas.core.execution.executor import LOCAL, RAY, Executor, ExecutorSettings, executor_for
from nas.core.io.records import Json
from nas.scoring.loop import WINDOW
from nas.search_spaces import SPACES
from nas.strategies.proxies import PROXIES
from nas.strategies.proxies.passes.probe import Probe

PROXY = "croze"
ATTEMPTS = 3  # measurements of each evaluation; the shortest counts
MEMORY_SHARE = 0.8  # the part of the available memory that workers may take
PROPOSALS = (1, 4)  # proposals per worker in a step of a search
SEARCHES = ("random", "evolution")
AT_MOST = {
    "overhead_local_ms": 2.0,
    "overhead_ray_ms": 10.0,
    **{f"growth_{name}_mb": 10.0 for name in (STORE, *SEARCHES)},  # as good as none: 11 bytes per stored evaluation
}
AT_LEAST = {
    "store_per_second": 1000.0,
    **{f"efficiency_{kind}_{name}": 0.95 for kind in ("steady", "map", "score") for name in (LOCAL, RAY)},
}


class ScaleBench(Bench):
    """Overhead per evaluation, evaluations stored per second, memory of the driver, and how busy many workers are.

    An evaluation that does nothing is handed to two workers; one that sleeps as long as CRoZe of a DARTS cell takes on
    this machine is handed to 64. All of them, and the driver, are processes of this machine.
    """

    name: ClassVar[str] = "scale"
    limits: ClassVar[tuple[Limit, ...]] = (
        *(Limit(f"figures.{figure}", at_most=most) for figure, most in AT_MOST.items()),
        *(Limit(f"figures.{figure}", at_least=least) for figure, least in AT_LEAST.items()),
    )
    items: int = 2000  # evaluations that do nothing, per round
    rounds: int = 5
    workers: int = 64
    each: int = 40  # evaluations that sleep, per worker
    cells: int = 10  # cells on which the time of an evaluation is measured
    recorded: tuple[int, int] = (100_000, 1_000_000)  # stored evaluations: between these numbers memory must not grow
    searched: tuple[int, int] = (10_000, 60_000)  # evaluations of a search, likewise

    def run(self, report: Callable[[str], None]) -> Json:
        self.figures: dict[str, float] = {}
        self.report = report
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        durations = evaluation_seconds(self.cells)
        self.note("evaluation_seconds", median(durations))
        names = [LOCAL, *([RAY] if importlib.util.find_spec("ray") is not None else [])]
        for name in names:
            self.measure_overhead(name)
            self.measure_utilisation(name, durations)
        if RAY not in names:
            report("ray is not installed and is left out; `pip install 'robust-nas[ray]'`")
        self.measure_storage()
        limits = {**AT_MOST, **AT_LEAST}
        return {
            "figures": self.figures,
            "limits": {name: limits[name] for name in self.figures if name in limits},
            "missed": missed(self.figures),
            "load": load,
            "cores": os.cpu_count(),
        }

    def note(self, name: str, value: float) -> None:
        self.figures[name] = float(f"{value:.4g}")
        self.report(f"{name}: {self.figures[name]:g}")

    def measure_overhead(self, name: str) -> None:
        with sleeping_workers(name, 2) as executor:
            self.note(f"worker_{name}_mb", warmed(executor))
            measured = overhead(executor, self.items, self.rounds)
        self.note(f"overhead_{name}_ms", measured.lost)
        self.note(f"handed_{name}_ms", measured.handed)
        self.note(f"driver_{name}_ms", measured.busy)

    def measure_utilisation(self, name: str, durations: list[float]) -> None:
        workers = affordable(self.workers, self.figures[f"worker_{name}_mb"])
        if workers < self.workers:
            self.report(
                f"memory has room for {workers} workers: each sleeps {workers}/{self.workers} of the time, so that the "
                "number of evaluations per second stays the same"
            )
        durations = [workers / self.workers * one for one in durations]
        count = workers * self.each
        with sleeping_workers(name, workers) as executor:
            self.note(f"workers_{name}", workers)
            self.note(f"start_{name}_seconds", seconds(warmed, executor))
            self.note(f"driver_{name}_many_ms", overhead(executor, self.items, self.rounds).busy)
            share = used(executor, durations, count)
            self.note(f"efficiency_steady_{name}", share.steady)
            self.note(f"efficiency_map_{name}", share.whole)
            self.note(f"efficiency_score_{name}", used(executor, durations, count, WINDOW * workers).whole)
            for times in PROPOSALS:
                self.note(
                    f"efficiency_search_{times}_{name}", used_by_search(executor, durations, count, times * workers)
                )

    def measure_storage(self) -> None:
        first, last = grown(STORE, 1, list(self.recorded))
        self.note("store_per_second", rate(first, last))
        self.note("growth_store_mb", last.megabytes - first.megabytes)
        for strategy in SEARCHES:
            first, last = grown(strategy, self.workers, list(self.searched))
            self.note(f"{strategy}_per_second", rate(first, last))
            self.note(f"growth_{strategy}_mb", last.megabytes - first.megabytes)


def sleeping_workers(name: str, workers: int) -> Executor[Any, float]:
    return executor_for(nap, ExecutorSettings(name, workers=workers), "cpu")


def evaluation_seconds(cells: int, seed: int = 0) -> list[float]:
    """Seconds that CRoZe takes, building included, on random DARTS cells at the default size of scored networks.

    On a GPU they are wall time; without a GPU they are processor time, on one thread.
    """
    timed = seconds if torch.cuda.is_available() else processor_seconds
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        space, rng = SPACES.get("darts")(), Random(seed)
        size = asdict(space.ScoringSettings())
        images = batch(batch_size((PROXY,)))
        proxy = PROXIES.get(PROXY)

        def evaluate(arch: Any) -> None:
            network = space.build(arch, **size).to(device()).to(memory_format=torch.channels_last)
            probe = Probe(network, *images)
            probe.want(proxy.uses(proxy.Options()))
            proxy(probe)

        evaluate(space.sample(rng))  # warms up: kernels, caches
        sample = [space.sample(rng) for _ in range(cells)]
        return [min(timed(evaluate, arch) for _ in range(ATTEMPTS)) for arch in sample]
    finally:
        torch.set_num_threads(threads)


def processor_seconds(action: Callable[..., object], *arguments: object) -> float:
    start = time.process_time()
    action(*arguments)
    return time.process_time() - start


def affordable(workers: int, megabytes: float) -> int:
    """For how many workers of that size there is memory: at most the number asked for, and at least two."""
    return max(2, min(workers, int(MEMORY_SHARE * available_megabytes() / megabytes)))


def rate(first: Mark, last: Mark) -> float:
    """Evaluations per second between two marks."""
    return (last.kept - first.kept) / (last.seconds - first.seconds)


def missed(figures: dict[str, float]) -> list[str]:
    """The figures that are beyond their limits."""
    return [name.removeprefix("figures.") for name in ScaleBench().missed({"figures": figures})]
