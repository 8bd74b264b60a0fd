"""Start a run of any command, or go on with one: what `nas run`, `search`, `train`, `eval` and `resume` share."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nas.core import config
from nas.core.data import attacked
from nas.core.errors import InputError
from nas.drivers import pipeline
from nas.drivers.jobs import Jobs, Model
from nas.drivers.pipeline import Watcher
from nas.drivers.run import CONFIG, Run, described, result_of
from nas.drivers.settings import Settings, from_values
from nas.eval.evaluation import plan_of
from nas.search_spaces import SPACES
from nas.train import check_recipe, load_trained


def execute(run: Run, watcher: Watcher) -> dict[str, Any]:
    """Carry out the run's command to its end and write its `result.json`; returns the content."""
    done = result_of(run.folder)
    if done is not None:
        return done
    version = described(run.folder).get("version")
    if version != (current := pipeline.versions()["robust-nas"]):
        logging.getLogger("nas").warning("This run was started by version %s, this is %s.", version, current)
    return _COMMANDS[run.command](run, watcher)


def preflight(command: str, settings: Settings) -> None:
    """`InputError` for what would stop the run later (missing data, ...), before anything is written."""
    dataset = Jobs(settings, None).dataset
    if command in ("run", "eval"):
        plan_of(settings.eval, dataset.num_classes)
        attacked(dataset, settings.eval.n_test)
    if command in ("run", "train"):
        space = SPACES.get(settings.space)()
        check_recipe(settings.train, space.build(space.largest(), dataset.num_classes, **vars(settings.model)))


def _run(run: Run, watcher: Watcher) -> dict[str, Any]:
    from nas.drivers.report import write_report

    return pipeline.run_pipeline(run, watcher, write_report)


def _search(run: Run, watcher: Watcher) -> dict[str, Any]:
    with pipeline.workshop(run, watcher) as shop:
        found = pipeline.search(shop)
    return run.finish({**found, "seconds": run.seconds()})


def _train(run: Run, watcher: Watcher) -> dict[str, Any]:
    settings = run.settings
    model = Model("model", settings.arch, settings.train.method)
    with pipeline.workshop(run, watcher) as shop:
        trained = pipeline.train_all(shop, [model])
    run.store.put("training", trained)
    entry = trained["model"]
    chosen = entry["history"][entry["chosen_epoch"] - 1]
    return run.finish(
        {
            "checkpoint": entry["checkpoint"],
            "arch": entry["arch"],
            "training": settings.train.method,
            "val_accuracy": chosen["val_accuracy"],
            **({"val_robust_accuracy": chosen["val_robust_accuracy"]} if "val_robust_accuracy" in chosen else {}),
            "epochs": entry["epochs"],
            "chosen_epoch": entry["chosen_epoch"],
            "seconds": entry["seconds"],
        }
    )


def _eval(run: Run, watcher: Watcher) -> dict[str, Any]:
    name = run.extra["name"]
    with pipeline.workshop(run, watcher) as shop:
        entries = pipeline.evaluate_all(shop, {name: run.extra["checkpoint"]})
    return run.finish({**entries[name], "seconds": run.seconds()})


_COMMANDS: dict[str, Callable[[Run, Watcher], dict[str, Any]]] = {
    "run": _run,
    "search": _search,
    "train": _train,
    "eval": _eval,
}


def training_settings(source: str, overrides: list[str]) -> Settings:
    """Settings of `nas train`: a configuration with `arch=...`, or the best architecture of a run."""
    folder = Path(source)
    if folder.is_dir():
        values = _values_of(folder)
        values["arch"] = best_of(folder)
        settings = from_values(values, overrides)
    else:
        from nas.drivers.settings import load

        settings = load(source, overrides)
    if settings.arch is None:
        raise InputError(
            "Expected an architecture to train but got none; add arch='...' or give the folder of a finished search."
        )
    return settings


def best_of(folder: Path) -> str:
    """The best architecture of a finished search or run."""
    result = result_of(folder)
    if result is None:
        raise InputError(f"Expected a finished run but {folder} is not; finish it with `nas resume {folder}`.")
    best = result.get("architecture") or (result["best"][0]["arch"] if result.get("best") else result.get("arch"))
    if best is None:
        raise InputError(f"Expected a search in {folder} but it has found no architecture; give a run of `nas search`.")
    return best


def evaluation_settings(source: str, overrides: list[str]) -> tuple[Settings, dict[str, Any]]:
    """Settings of `nas eval` and which checkpoint it is about.

    Data come from the checkpoint; attacks and strengths from the run it belongs to, where there is one.
    """
    path = _checkpoint(Path(source)).resolve()
    _, trained = load_trained(path)
    run = next((parent for parent in list(path.parents)[:4] if (parent / CONFIG).is_file()), None)
    values = _values_of(run) if run is not None else {}
    values = config.merge(values, {"space": trained.space, "model": trained.settings, "data": trained.data})
    values["name"] = f"eval-{trained.name}"
    settings = from_values(values, overrides)
    return settings, {"checkpoint": str(path), "name": trained.name}


def _checkpoint(path: Path) -> Path:
    """The checkpoint that `path` is or, for a run, holds."""
    if not path.is_dir():
        return path
    result = result_of(path)
    if result is None:
        raise InputError(f"Expected a finished run but {path} is not; finish it with `nas resume {path}`.")
    models = [entry["checkpoint"] for entry in result.get("models", [])]
    if "checkpoint" in result:
        return path / result["checkpoint"]
    if len(models) == 1:
        return path / models[0]
    if models:
        raise InputError(
            f"Expected one checkpoint but {path} has {len(models)}; give one of them: "
            f"{', '.join(str(path / model) for model in models)}."
        )
    raise InputError(f"Expected a checkpoint in {path} but this run trained nothing; train with `nas train {path}`.")


def _values_of(folder: Path) -> dict[str, Any]:
    """A run's settings as a base for another run, without its folder."""
    values = described(folder)["settings"]
    return {**values, "run": {**values["run"], "dir": None}}
