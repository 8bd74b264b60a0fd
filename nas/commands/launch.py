"""Start a run of any command, or go on with one: what run, search, train, eval, dps and resume share."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from nas.commands import pipeline, study
from nas.core.data import attacked
from nas.core.errors import InputError
from nas.core.optimisation import distributed
from nas.core.provenance import versions
from nas.core.storage.memory import Memory
from nas.eval.corruptions import Asked
from nas.eval.evaluation import plan_of
from nas.eval.measures import check_measures
from nas.eval.sources import check_fits, unlike
from nas.objectives import connected
from nas.objectives.short_training import check_judged
from nas.runs import transfer
from nas.runs.context import Watcher, workshop
from nas.runs.differences import uncorrected
from nas.runs.evaluation import subject_of
from nas.runs.run_folder import RESULT, Run, described
from nas.runs.sources import best_of, settings_of
from nas.runs.tasks import Jobs, Model
from nas.search_spaces import SPACES
from nas.searches import dps, supernet_stage
from nas.searches.problem import Aims
from nas.settings import reach, typed
from nas.settings.effects import Reader, Use
from nas.settings.schema import Settings, is_supernet
from nas.train import check_parts, check_recipe, check_selection, larger_batch
from nas.train.methods import METHODS

DRAWS = 50_000  # random cells looked at for one that the limits allow


def execute(run: Run, watcher: Watcher) -> dict[str, Any]:
    """Carry out the run's command to its end and write its `result.json`; returns the content."""
    done = run.result()
    if done is not None:
        if uncorrected(done):
            logging.getLogger("nas").warning(
                "%s was written by an earlier version: `shown` there is the verdict of an uncorrected interval. "
                "`nas report %s` corrects it for the number of differences.",
                run.folder / RESULT,
                run.folder,
            )
        return done
    version = described(run.folder).get("version")
    if version != (current := versions()["robust-nas"]):
        logging.getLogger("nas").warning("This run was started by version %s, this is %s.", version, current)
    if run.command not in _COMMANDS:
        raise InputError(
            f"Expected a run of {', '.join(_COMMANDS)} but {run.folder} says {run.command!r}; restore its config.json."
        )
    run.begin()
    return _COMMANDS[run.command](run, watcher)


def preflight(command: str, settings: Settings, keep: bool = True, extra: dict[str, Any] | None = None) -> None:
    """`InputError` for what would stop the run later (missing data, ...), before anything is written.

    Logs a warning for what does not stop it but makes a number mean less than it says.

    Decoded images go to the user's cache unless `keep` is false. `extra` is what the command was given besides.
    """
    if command == "study":
        command = "run"
    else:
        settings.once(command)
    if command != "eval":
        for key in ("model_options", "normalise", "mean", "std"):
            if getattr(settings.eval, key):
                raise InputError(
                    f"Expected no eval.{key} for nas {command}, which attacks networks of its own; leave it out."
                )
    if command in ("run", "search") and settings.arch is not None:
        raise InputError(
            f"Expected no arch= for nas {command}, which searches for one; train this one with `nas train`."
        )
    if command == "run" and settings.train.method != "standard":
        raise InputError(
            "Expected run.trainings=standard,pgd (or others) to say how `nas run` trains, not train.method."
        )
    if command in ("run", "search") and not is_supernet(settings):
        check_judged(settings.search.metrics(), settings.data.validation)
    if command in ("run", "train"):
        check_selection(settings.train, settings.data.validation)
    jobs = Jobs(settings, None, keep)
    if command in ("run", "search") and is_supernet(settings):
        supernet_stage.check(settings)
        supernet = supernet_stage.made(jobs)  # has data to halve
        _say(larger_batch("strategy", settings.strategy.batch_size, supernet.batch_size))
        _ = jobs.objectives.tables  # which may be missing
    elif command in ("run", "search"):
        aims = Aims(jobs, Memory())
        aims.ready()
        if next(aims.sample(Random(0), DRAWS), None) is None:
            raise aims.unsatisfied(DRAWS)
        _say(aims.strategy.remark(settings.search.budget))
    if Use(Reader(command), settings).labels:
        check_parts(settings.label, len(jobs.dataset.train))
        _say(larger_batch("label", settings.label.batch_size, len(jobs.dataset.train)))
    _say(one_image(command, settings))
    reach.warn(command, settings)
    if command == "search":  # on a table it needs no images
        return
    dataset = jobs.dataset
    if command in ("run", "eval"):
        plan_of(settings.eval, dataset.num_classes, dataset.image_size)
        check_measures(settings.eval, dataset.num_classes, dataset.image_size)
        Asked(settings.eval, dataset, attacked(dataset, settings.eval.n_test), settings.seed)
    if command == "eval" and extra is not None:
        subject = subject_of(settings, extra)
        check_fits(subject, dataset, extra["checkpoint"], settings.eval)
        _say(unlike(subject, dataset, extra["checkpoint"]))
    if command in ("run", "train"):
        space = SPACES.get(settings.space)()
        check_parts(settings.train, len(dataset.train), distributed.current().count)
        check_recipe(settings.train, space.build(space.largest(), dataset.num_classes, **vars(settings.model)))
        _say(larger_batch("train", settings.train.batch_size, len(dataset.train)))


def _say(sentence: str | None) -> None:
    """A warning, where there is something to say."""
    if sentence is not None:
        logging.getLogger("nas").warning("%s", sentence)


def _run(run: Run, watcher: Watcher) -> dict[str, Any]:
    from nas.report import write_report

    return pipeline.run_pipeline(run, watcher, write_report)


def _search(run: Run, watcher: Watcher) -> dict[str, Any]:
    with workshop(run, watcher) as shop:
        found = pipeline.search(shop)
    return run.finish({**found, "seconds": run.seconds()})


def _train(run: Run, watcher: Watcher) -> dict[str, Any]:
    settings = run.settings
    model = Model("model", settings.arch, settings.train.method)
    with workshop(run, watcher) as shop:
        trained = pipeline.train_all(shop, [model])
    run.store.put("training", trained)
    entry = trained["model"]
    chosen, last = entry["history"][entry["chosen_epoch"] - 1], entry["history"][-1]
    return run.finish(
        {
            "checkpoint": entry["checkpoint"],
            "arch": entry["arch"],
            "training": settings.train.method,
            **_validated(chosen),
            "epochs": entry["epochs"],
            "chosen_epoch": entry["chosen_epoch"],
            "final": {"checkpoint": entry["final_checkpoint"], **_validated(last)},
            "seconds": entry["seconds"],
        }
    )


def _validated(epoch: dict[str, float]) -> dict[str, float]:
    """The validation accuracies of an epoch."""
    return {key: value for key, value in epoch.items() if key.startswith("val_")}


def _eval(run: Run, watcher: Watcher) -> dict[str, Any]:
    from nas.report import write_report

    name = run.extra["name"]
    with workshop(run, watcher) as shop:
        entries = pipeline.evaluate_all(shop, {name: run.extra["checkpoint"]}, run.extra.get("importable"))
    with run.stage("report"):
        write_report(run.folder, run.signed({**entries[name], "seconds": run.seconds()}))
    return run.finish({**entries[name], "seconds": run.seconds()})


_COMMANDS: dict[str, Callable[[Run, Watcher], dict[str, Any]]] = {
    "run": _run,
    "search": _search,
    "train": _train,
    "eval": _eval,
    "dps": dps.carry_out,
    "transfer": transfer.carry_out,
    "study": lambda run, watcher: study.carry_out(run, watcher, execute),
}


def training_settings(source: str, overrides: list[str]) -> Settings:
    """Settings of `nas train`: a configuration with `arch=...`, or the best architecture of a run."""
    folder = Path(source)
    if folder.is_dir():
        values = settings_of(folder)
        values["arch"] = best_of(folder)
        settings = typed.from_values(Reader("train"), values, overrides)
    else:
        settings = typed.load(Reader("train"), source, overrides)
    if settings.arch is None:
        raise InputError(
            "Expected an architecture to train but got none; add arch='...' or give the folder of a finished search."
        )
    _check_connected(settings)
    return settings


def _check_connected(settings: Settings) -> None:
    """Of the architecture to train: `InputError` where an attack would look for a gradient that there is not."""
    space = SPACES.get(settings.space)()
    if space.connected(space.parse(settings.arch), **vars(settings.model)):
        return
    if METHODS.get(settings.train.method).adversarial:
        raise InputError(
            f"Expected an architecture that can be attacked but got {settings.arch}. {connected.REASON} Train another, "
            "or this one with train.method=standard."
        )
    logging.getLogger("nas").warning("%s: %s Its training can only end at chance.", settings.arch, connected.REASON)


def one_image(command: str, settings: Settings) -> str | None:
    """What is decided by a single validation image, which is hardly ever meant; None where nothing is."""
    if settings.data.validation != 1:
        return None
    labels = Use(Reader(command), settings).labels
    if command in ("run", "train") and settings.train.select == "best":
        use = "the best epoch is chosen by it"
    elif labels:
        use = f"{labels[0]} is judged on it"
    else:
        return None
    return f"data.validation=1 withholds one image, not all of them, and {use}; write .1 to withhold 10 %."
