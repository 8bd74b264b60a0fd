"""What a run will cost, from a few seconds of measuring on this machine; writes nothing."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import islice
from random import Random
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.data import Dataset, attacked
from nas.core.images import unit_range
from nas.core.optimisation.perturb import eval_mode, input_gradient
from nas.core.seeds import derive
from nas.core.storage.memory import Memory
from nas.eval.checks import check_passes
from nas.eval.corruptions.asked import Asked
from nas.eval.measures import measure_passes
from nas.eval.plan import made as made_attack
from nas.eval.plan import plan_of
from nas.eval.sources import is_foreign
from nas.objectives.notation import LATENCY, TRAINED, parse, source_of
from nas.report.wording import rough_duration
from nas.runs.evaluation import subject_of
from nas.runs.tasks import Jobs
from nas.search_spaces import SPACES
from nas.searches.problem import Aims
from nas.searches.supernet_stage import made
from nas.settings.schema import Settings, is_supernet
from nas.strategies.proxies import PROXIES
from nas.train import METHODS, adversarial

SURVIVORS = {"standard": 0.05, "adversarial": 0.6}  # assumed share of images that stand an attack to its end
SAMPLES = 24  # random feasible cells looked at
DRAWS = 20_000  # for so many


def forecast(command: str, settings: Settings, extra: dict[str, Any] | None = None) -> dict[str, Any]:
    """Seconds per stage, passes (F+B: forward and backward of one image), and memory of one process.

    Times the objective on three cells, and one training and one attack step on the largest of a sample of feasible
    cells (searches drift towards large cells). Attacks stop at the first success; the share of images that have to be
    attacked to the end is an assumption, which is printed. `seeds` runs take place one after the other. `extra` is
    what `nas eval` was given besides the settings; a network that is not ours is taken for a robust one.
    """
    foreign = extra is not None and is_foreign(extra["checkpoint"])
    command = "run" if command == "study" else command
    torch.set_num_threads(settings.executor.threads)
    jobs = Jobs(settings, None, keep=False)
    workers = settings.executor.processes(settings.torch_device().type)
    passes: dict[str, float] = {}
    stages: dict[str, float] = {}
    if command in ("run", "search"):
        if is_supernet(settings):
            stages["search"], passes["search"] = _supernet(jobs)
        else:
            each, passes_each = _candidate(jobs, settings)
            budget = settings.search.budget
            stages["search"] = budget * each / min(workers, settings.search.ask) + _start(workers)
            passes["search"] = budget * passes_each
    if command in ("run", "train", "eval"):
        trainings = settings.run.trainings if command == "run" else ["pgd" if foreign else settings.train.method]
        models = [method for method in trainings for _ in range(2 if settings.run.random and command == "run" else 1)]
        network = subject_of(settings, extra).network if foreign and extra is not None else None
        step, attack_step, batch = _steps(jobs, settings, command, network)
        if command != "eval":
            images = len(jobs.dataset.train) * settings.train.epochs
            costs = [_training(settings, method, images, step, attack_step, batch) for method in models]
            stages["train"] = _shared([cost[0] for cost in costs], workers)
            passes["train"] = sum(cost[1] for cost in costs)
            if command == "train":
                stages["train"] += _start(workers)
        if command != "train":
            counts = [_attack_passes(settings, method, jobs.dataset) for method in models]
            stages["eval"] = _shared([count * step / batch for count in counts], workers)
            passes["eval"] = sum(counts)
            if command == "eval":
                stages["eval"] += _start(workers)
    for costs_by_stage in (stages, passes):
        for name in costs_by_stage:
            costs_by_stage[name] *= settings.seeds
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    return {
        "command": command,
        "seeds": settings.seeds,
        "seconds": {name: round(value, 1) for name, value in stages.items()}
        | {"total": round(sum(stages.values()), 1)},
        "image_passes": {name: round(value) for name, value in passes.items()},
        "workers": workers,
        "memory_mb_per_process": round(used),
        "assumed_survivors": SURVIVORS,
    }


def text(value: dict[str, Any]) -> str:
    """The forecast for people."""
    repeated = f", {value['seeds']} seeds one after the other" if value["seeds"] > 1 else ""
    lines = [f"forecast of nas {value['command']} with {value['workers']} worker(s){repeated}:"]
    for name, seconds in value["seconds"].items():
        count = value["image_passes"].get(name)
        note = f"  {count:,} forward+backward passes of one image" if count else ""
        lines.append(f"  {name:<7} {rough_duration(seconds):>12}{note}")
    shares = ", ".join(f"{share:.0%} ({name} training)" for name, share in value["assumed_survivors"].items())
    lines.append(f"  memory  {value['memory_mb_per_process']:>9} MB per process")
    lines.append(f"assumed share of images that every attack leaves standing: {shares}")
    return "\n".join(lines)


def _feasible(jobs: Jobs) -> list[str]:
    """Random candidates within the limits, the most expensive first."""
    rng = Random(derive(jobs.settings.seed, "forecast"))
    aims = Aims(jobs, Memory())
    found = list(islice((arch for arch in aims.sample(rng, DRAWS) if aims.is_candidate(str(arch))), SAMPLES))
    if not found:
        raise aims.unsatisfied(DRAWS)
    return [str(arch) for arch in sorted(found, key=lambda arch: -jobs.trained.cost(arch).macs)]


def _steps(jobs: Jobs, settings: Settings, command: str, network: nn.Module | None = None) -> tuple[float, float, int]:
    """Seconds of one training step and of one attack step (input gradient, eval mode), and their batch size.

    The attack's are 0 where none is made, as the network may have no gradient. Of the `network` that is given, or of
    one of the space.
    """
    if network is None:
        space = SPACES.get(settings.space)()
        arch = space.parse(settings.arch if settings.arch is not None and command != "run" else _feasible(jobs)[0])
        network = space.build(arch, jobs.dataset.num_classes, **asdict(settings.model))
    network.to(settings.torch_device()).to(memory_format=torch.channels_last)
    part = jobs.dataset.example
    batch = min(settings.train.batch_size, len(part))
    x = unit_range(part.images[:batch]).to(settings.torch_device())
    y = part.labels[:batch].to(settings.torch_device())
    step = _timed(lambda: _train_step(network, x, y), 3)
    if command == "train" and not METHODS.get(settings.train.method).adversarial:
        return step, 0.0, batch
    with eval_mode(network.requires_grad_(False)):
        attack = _timed(lambda: input_gradient(lambda z: F.cross_entropy(network(z), y), x), 3)
    return step, attack, batch


def _train_step(network: nn.Module, x: Tensor, y: Tensor) -> None:
    network.zero_grad()
    F.cross_entropy(network(x), y).backward()


def _timed(work: Callable[[], Any], repeats: int = 1) -> float:
    """Median seconds of `work` after one call to warm up."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return median(times)


def _training(
    settings: Settings, method: str, images: int, step: float, attack_step: float, batch: int
) -> tuple[float, float]:
    """Seconds and passes of one training."""
    whole, inputs = replace(settings.train, method=method).passes
    return images / batch * (whole * step + inputs * attack_step), images * (whole + inputs)


def _attack_passes(settings: Settings, method: str, dataset: Dataset) -> float:
    """Passes of everything on one network; the libraries' own work makes each about as dear as a training pass."""
    share = SURVIVORS["adversarial" if adversarial(method) else "standard"]
    own = settings.eval
    total = min(own.checks_images, own.n_test) * share * check_passes(own, dataset.image_size)
    total += min(own.measure_images, own.n_test) * measure_passes(own, dataset.num_classes)
    corrupted = Asked(own, dataset, attacked(dataset, own.n_test), 0)
    total += corrupted.ticks * min(own.batch_size, own.n_test) / 3  # forward only
    for label, attack in plan_of(own, dataset.num_classes, dataset.image_size):
        late = own.cascade and label in own.attacks[1:]
        total += own.n_test * attack.passes() * (share if late or len(attack.stages) > 1 else 1)
    return total


def _shared(jobs: list[float], workers: int) -> float:
    """Seconds of independent jobs on so many workers, the longest first."""
    ends = [0.0] * workers
    for job in sorted(jobs, reverse=True):
        ends[ends.index(min(ends))] += job
    return max(ends)


def _start(workers: int) -> float:
    """Seconds until worker processes are up: what it takes a fresh interpreter to import the project."""
    if workers == 1:
        return 0.0
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import nas.runs.tasks"], check=False)
    return time.perf_counter() - start


def _supernet(jobs: Jobs) -> tuple[float, float]:
    """Seconds and F+B of one image of a supernet search, its validation left out.

    Passes that need no gradient of a weight count as whole ones.
    """
    strategy = made(jobs)
    batch = strategy.batch_size
    x = unit_range(strategy.weight_half.images[:batch])
    y = strategy.weight_half.labels[:batch]

    def step() -> None:
        strategy.supernet.zero_grad()
        F.cross_entropy(strategy.supernet(x), y).backward()

    passes = strategy.passes()
    return passes * _timed(step, 3), passes * batch


def _candidate(jobs: Jobs, settings: Settings) -> tuple[float, float]:
    """Seconds and F+B of one image that one candidate of the search costs, its cheap values left out.

    What a short training costs is told from single steps; the rest is measured on three cells.
    """
    seconds = passes = 0.0
    names = [term.name for term in parse(settings.search.objective)]
    trained = [name for name in names if source_of(name) == "trained"]
    others = [name for name in names if source_of(name) in ("proxy", "table", "predicted")]
    cells = _feasible(jobs)[:3]
    if others:
        seconds += median(_timed(lambda text=text: jobs.objectives(others, text)) for text in cells)  # type: ignore[misc]
    if LATENCY in names:
        seconds += median(_timed(lambda text=text: jobs.objectives.latency(text)) for text in cells)  # type: ignore[misc]
    for name in others:
        if source_of(name) == "proxy":
            options = getattr(settings.proxies, name)
            passes += PROXIES.get(name).passes(options) * getattr(options, "batch_size", 0)
    if trained:
        label = settings.label
        step, attack_step, batch = _steps(jobs, settings, "run")
        images = len(jobs.dataset.train) * label.epochs
        whole, inputs = label.passes
        seconds += images / batch * (whole * step + inputs * attack_step)
        passes += images * (whole + inputs)
        attacks = {name.removeprefix(TRAINED).removeprefix("hrs:") for name in trained} - {"clean"}
        for name in attacks:
            count = min(label.n_val, len(jobs.dataset.validation)) * made_attack(name, settings.eval).passes()
            seconds += count * step / batch
            passes += count
    return seconds, passes
