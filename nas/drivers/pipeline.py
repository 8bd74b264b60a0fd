"""The stages of a run, each of which continues where it was stopped: search, train, evaluate, report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

from nas.core.errors import InputError, NasError
from nas.core.executor import Executor, ExecutorSettings, executor_for
from nas.core.reasons import stopped
from nas.core.seeds import derive
from nas.drivers import connected
from nas.drivers.aims import Aims
from nas.drivers.definitions import check_run
from nas.drivers.differences import differences
from nas.drivers.jobs import Attack, Job, Jobs, Model, Train
from nas.drivers.objectives.names import source_of
from nas.drivers.run import STORE, Run, Stage
from nas.drivers.search import Search
from nas.drivers.standing import standing
from nas.drivers.supernet_stage import is_supernet, search_supernet
from nas.drivers.together import started

SIZE = 0.10  # the random cell's weights differ from the best's by at most this share
DRAWS = 100_000  # random cells tried for one of that size


class Watcher:
    """Shows progress; the command line has one that draws bars. This one is silent."""

    def stage(self, name: str, total: int) -> None:
        """A stage of `total` parts begins."""

    def update(self, done: float, note: str) -> None:
        """`done` parts of the stage are finished."""


class Workshop:
    """A run with its workers and its watcher: what every stage needs."""

    def __init__(self, run: Run, jobs: Jobs, executor: Executor[Job, Any], watcher: Watcher) -> None:
        self.run = run
        self.jobs = jobs
        self.executor = executor
        self.watcher = watcher
        self.aims = Aims(jobs, run.store, executor, run.begun_before(connected.SINCE))

    def all(self, stage: Stage, jobs: dict[str, Job]) -> dict[str, Any]:
        """Results of named jobs; any failure stops the run, after the others' results are kept."""
        names = list(jobs)

        def tick() -> None:
            stage.flush()
            shares = self.run.store.under("progress/")
            done = sum(shares[name][0] / shares[name][1] for name in names if name in shares)
            self.watcher.update(done, noted({name: shares[name] for name in names if name in shares}))

        self.jobs.tick = tick
        for name in names:
            self.run.store.put(f"progress/{name}", [0, 1, ""])
        results: dict[str, Any] = {}
        failures = []
        for done in self.executor.map(list(jobs.values()), tick):
            if done.failure is not None:
                failures.append((names[done.index], done.failure))
            results[names[done.index]] = done.result
            tick()
        if failures:
            raise NasError(
                f"{stopped(failures, self.run.folder)} tries the others again; other settings need a new run."
            )
        return {name: results[name] for name in names}


@contextmanager
def workshop(run: Run, watcher: Watcher) -> Iterator[Workshop]:
    settings = run.settings
    jobs = Jobs(settings, run.folder.resolve())
    how = settings.executor
    if started():
        how = ExecutorSettings(workers=1, threads=how.threads, deterministic=how.deterministic)
    with executor_for(jobs, how, settings.torch_device().type) as executor:
        jobs.open_store = executor.opener(run.folder / STORE)
        if looks_at_images(run):
            run.looks_at(jobs.dataset)
            check_run(run, jobs.dataset)
        yield Workshop(run, jobs, executor, watcher)


def looks_at_images(run: Run) -> bool:
    """Whether the run's numbers depend on its data: all but those of a search by tables, latency or labels alone."""
    settings = run.settings
    if run.command != "search" or is_supernet(settings):
        return True
    return any(source_of(name) in ("proxy", "trained") for name in settings.search.metrics())


def noted(shares: dict[str, tuple[float, float, str]]) -> str:
    """What the jobs under way say of themselves; each is (done, total, note) under its name, the note may be empty."""
    return "; ".join(f"{name} {note}" for name, (done, total, note) in shares.items() if note and done < total)


def search(shop: Workshop) -> dict[str, Any]:
    """Search to the end of the budget (or take the result where that is done already)."""
    run, settings = shop.run, shop.run.settings
    kept = run.store.get("search/result")
    if kept is not None:
        if not is_supernet(settings):
            shop.aims.check_found(kept)
        return kept
    result = search_supernet(shop) if is_supernet(settings) else _ask_and_tell(shop)
    run.store.put("search/result", result)
    return result


def _ask_and_tell(shop: Workshop) -> dict[str, Any]:
    run, settings, aims = shop.run, shop.run.settings, shop.aims
    aims.check_older()
    with run.stage("search") as stage:
        looking = Search(
            aims.space,
            aims.strategy,
            aims,
            settings.search.budget,
            settings.search.ask,
            run.store,
        )
        shop.watcher.stage("search", settings.search.budget)
        while not looking.finished:
            looking.step(lambda keys: aims.evaluate(keys, stage.flush))
            shop.watcher.update(looking.evaluated, "")
            stage.flush()
        result = {
            "objective": settings.search.objective,
            "goals": [asdict(goal) for goal in aims.goals],
            **looking.result(),
        }
        tables = shop.jobs.objectives.tables
        if tables is not None:
            for entry in result["best"]:
                entry["standing"] = standing(tables, entry["arch"])
    return result


def random_peer(shop: Workshop, best: str) -> str:
    """A random cell of another class whose weights differ from the best's by at most 10 %, within the run's limits.

    Drawn uniformly by the run's seed, before any training; one whose logits do not depend on the image is passed over.
    """
    limits = shop.aims.limits
    trained = shop.jobs.trained
    size = trained.cost(limits.space.parse(best)).params
    rng = Random(derive(shop.run.settings.seed, "random cell"))
    for _ in range(DRAWS):
        arch = limits.space.canonical(limits.space.sample(rng))
        if str(arch) == best or abs(trained.cost(arch).params - size) > SIZE * size:
            continue
        alive, older = trained.connected(arch), shop.aims.older
        if not (alive or older) or not limits.allow(arch):  # in this order: the limits may build it to measure it
            continue
        if older is not None and not alive:
            raise connected.refusal(f"{shop.run.folder}, whose random cell it is,", str(arch), older)
        return str(arch)
    raise InputError(
        f"Expected a random cell within {SIZE:.0%} of the {size} weights of the best but {DRAWS} draws had none; train "
        f"the best alone with `nas train {shop.run.folder}`, or start a new run with run.random=false."
    )


def models_of(shop: Workshop, found: dict[str, Any]) -> list[Model]:
    """The networks to train: the best cell and its random peer, under each training."""
    settings = shop.run.settings
    best = found["best"][0]["arch"]
    cells = {"best": best}
    if settings.run.random:
        cells["random"] = random_peer(shop, best)
    return [
        Model(f"{cell}-{method}", arch, method) for cell, arch in cells.items() for method in settings.run.trainings
    ]


def train_all(shop: Workshop, models: list[Model]) -> dict[str, Any]:
    """Train every model; adversarial trainings take longest and start first."""
    order = sorted(models, key=lambda model: model.training == "standard")
    shop.watcher.stage("train", len(models))
    with shop.run.stage("train") as stage:
        return shop.all(stage, {model.name: Train(model) for model in order})


def evaluate_all(shop: Workshop, checkpoints: dict[str, str], importable: str | None = None) -> dict[str, Any]:
    """Attack every checkpoint (or foreign network); robust networks take longest and start first."""
    order = sorted(checkpoints, key=lambda name: name.endswith("standard"))
    shop.watcher.stage("attack", len(order))
    with shop.run.stage("eval") as stage:
        return shop.all(stage, {name: Attack(name, checkpoints[name], importable) for name in order})


def run_pipeline(run: Run, watcher: Watcher, report: Callable[[Path, dict[str, Any]], Any]) -> dict[str, Any]:
    """Search, train, evaluate, report; returns the content of `result.json`."""
    with workshop(run, watcher) as shop:
        found = search(shop)
        models = models_of(shop, found)
        trained = train_all(shop, models)
        run.store.put("training", trained)
        entries = evaluate_all(shop, {model.name: trained[model.name]["checkpoint"] for model in models})
    settings = run.settings
    result = {
        "architecture": found["best"][0]["arch"],
        "random_architecture": next((model.arch for model in models if model.name.startswith("random")), None),
        "space": settings.space,
        "data": settings.data.name,
        "seeds": {"run": settings.seed, **{m.name: derive(settings.seed, "train", m.name) for m in models}},
        "search": found,
        "models": [entries[model.name] for model in models],
        "differences": differences([entries[model.name] for model in models]),
    }
    with run.stage("report"):
        report(run.folder, run.signed({**result, "seconds": run.seconds()}))
    return run.finish({**result, "seconds": run.seconds()})
