"""The stages of a run, each of which continues where it was stopped: search, train, evaluate, report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.objectives import connected
from nas.runs.context import Watcher, Workshop, workshop
from nas.runs.differences import differences
from nas.runs.run_folder import Run
from nas.runs.tasks import Attack, Model, Train
from nas.searches.loop import Search
from nas.searches.problem import Aims
from nas.searches.standing import standing
from nas.searches.supernet_stage import search_supernet
from nas.settings.schema import is_supernet

SIZE = 0.10  # the random cell's weights differ from the best's by at most this share
DRAWS = 100_000  # random cells tried for one of that size


def aims_of(shop: Workshop) -> Aims:
    """What the run searches for."""
    return Aims(shop.jobs, shop.run.store, shop.executor, shop.run.begun_before(connected.SINCE))


def search(shop: Workshop) -> dict[str, Any]:
    """Search to the end of the budget (or take the result where that is done already)."""
    run, settings = shop.run, shop.run.settings
    kept = run.store.get("search/result")
    if kept is not None:
        if not is_supernet(settings):
            aims_of(shop).check_found(kept)
        return kept
    result = search_supernet(shop) if is_supernet(settings) else _ask_and_tell(shop)
    run.store.put("search/result", result)
    return result


def _ask_and_tell(shop: Workshop) -> dict[str, Any]:
    run, settings, aims = shop.run, shop.run.settings, aims_of(shop)
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


def random_peer(aims: Aims, best: str, seed: int, folder: Path) -> str:
    """A random cell of another class whose weights differ from the best's by at most 10 %, within the run's limits.

    Drawn uniformly by the run's seed, before any training; one whose logits do not depend on the image is passed over.
    `folder` is the run's, for messages.
    """
    limits, trained = aims.limits, aims.jobs.trained
    size = trained.cost(limits.space.parse(best)).params
    rng = Random(derive(seed, "random cell"))
    for _ in range(DRAWS):
        arch = limits.space.canonical(limits.space.sample(rng))
        if str(arch) == best or abs(trained.cost(arch).params - size) > SIZE * size:
            continue
        alive, older = trained.connected(arch), aims.older
        if not (alive or older) or not limits.allow(arch):  # in this order: the limits may build it to measure it
            continue
        if older is not None and not alive:
            raise connected.refusal(f"{folder}, whose random cell it is,", str(arch), older)
        return str(arch)
    raise InputError(
        f"Expected a random cell within {SIZE:.0%} of the {size} weights of the best but {DRAWS} draws had none; train "
        f"the best alone with `nas train {folder}`, or start a new run with run.random=false."
    )


def models_of(shop: Workshop, found: dict[str, Any]) -> list[Model]:
    """The networks to train: the best cell and its random peer, under each training."""
    settings = shop.run.settings
    best = found["best"][0]["arch"]
    cells = {"best": best}
    if settings.run.random:
        cells["random"] = random_peer(aims_of(shop), best, settings.seed, shop.run.folder)
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
