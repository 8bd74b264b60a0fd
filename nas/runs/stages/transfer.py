"""The run of `nas transfer`: adversarial examples made against each network, tried on all networks."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from nas.core.config.conditions import may_read
from nas.core.data import attacked, loader_type
from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.eval.fingerprint import fingerprint
from nas.eval.model_source import EvaluatedModel
from nas.eval.networks.fitting import check_fits, class_name_warning
from nas.eval.plan import plan_of
from nas.eval.transfer import TRANSFER_SETTINGS, TransferOutcomes, matrix, reset_unused, transfer, transfer_ticks
from nas.results import TransferNetwork, TransferResult
from nas.runs.given_model import GivenModel
from nas.runs.run_folder import Run
from nas.runs.stages.context import Task, Watcher, Worker, run_context
from nas.runs.stages.train_stage import log_warning
from nas.settings.schema import Settings

DEFAULT_ATTACK = "eval.attacks=pgd20"


def combine(evaluations: list[tuple[Settings, GivenModel]]) -> tuple[Settings, dict[str, GivenModel]]:
    """The settings and networks of a transfer, from those of an evaluation of each network.

    The settings are those of the first. Raises `InputError` if there is only one network, or if their data differ.
    """
    if len(evaluations) < 2:
        raise InputError("Expected two or more checkpoints to transfer between but got one; `nas eval` attacks one.")
    settings = evaluations[0][0]
    data = {(one.data.name, one.data.size) for one, _ in evaluations}
    if len(data) > 1:
        raise InputError(
            f"Expected networks of the same data but got {', '.join(sorted(map(str, data)))}; set data.name and "
            "data.size."
        )
    orders = {one.data.order for one, _ in evaluations}
    if len(orders) > 1 and may_read(loader_type(settings.data.name), "order"):
        raise InputError(
            "Expected networks whose classes are in the same order but some have data.order=text (as all networks of "
            "versions before 0.3.0 have) and some numeric; set data.order (to either, if both orders are the same)."
        )
    ways = {(one.data.resize, one.data.crop_share, one.data.interpolation) for one, _ in evaluations}
    if len(ways) > 1:
        logging.getLogger("nas").warning(
            "The networks want images resized in %d ways (%s); all get images as the first wants them: data.resize=%s, "
            "data.crop_share=%.4g, data.interpolation=%s.",
            len(ways),
            "; ".join(
                ", ".join(f"{part:.4g}" if isinstance(part, float) else part for part in way) for way in sorted(ways)
            ),
            settings.data.resize,
            settings.data.crop_share,
            settings.data.interpolation,
        )
    settings.eval = reset_unused(settings.eval)
    if settings.name.startswith("eval-"):
        settings.name = "transfer"
    networks: dict[str, GivenModel] = {}
    for (_, network), given in zip(evaluations, distinct_names([network for _, network in evaluations])):
        name, number = given, 2
        while name in networks:
            name, number = f"{given}-{number}", number + 1
        networks[name] = network
    return settings, networks


def distinct_names(networks: list[GivenModel]) -> list[str]:
    """The names of the networks; networks that share a name get the last part of their paths in which all differ."""
    names = [one.name for one in networks]
    paths = [Path(one.source.text).with_suffix("").parts for one in networks]
    for name in {name for name in names if names.count(name) > 1}:
        same = [index for index, one in enumerate(networks) if one.name == name]
        for parts in zip(*(reversed(paths[index]) for index in same)):
            if len(set(parts)) == len(parts):
                for index, part in zip(same, parts):
                    names[index] = part
                break
    return names


def check_overrides(overrides: list[str]) -> list[str]:
    """The default attack, then the overrides. Raises `InputError` for a setting that `nas transfer` does not use."""
    for text in overrides:
        section, _, key = text.partition("=")[0].partition(".")
        if section == "eval" and key not in TRANSFER_SETTINGS:
            raise InputError(
                f"Expected eval.{', eval.'.join(TRANSFER_SETTINGS)} for nas transfer but got {text!r}; leave it out."
            )
    return [DEFAULT_ATTACK, *overrides]


class TransferWorker(Worker):
    """A worker that loads the networks of the run once per process."""

    def __init__(
        self, settings: Settings, given: dict[str, GivenModel], folder: Path | None = None, keep: bool = True
    ) -> None:
        super().__init__(settings, folder, keep)
        self.given = given

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without data and networks, which every process loads itself."""
        return TransferWorker, (self.settings, self.given, self.folder), {"open_store": self.open_store}

    @cached_property
    def models(self) -> dict[str, EvaluatedModel]:
        return {name: one.load(self.settings) for name, one in self.given.items()}


@dataclass(frozen=True)
class TransferTask(Task[tuple[TransferNetwork, TransferOutcomes]]):
    """Attacks one network, and tries the adversarial examples on all networks."""

    source: str  # the name of the attacked network

    def run(self, worker: Worker) -> tuple[TransferNetwork, TransferOutcomes]:
        assert isinstance(worker, TransferWorker)
        assert worker.open_store is not None
        settings = worker.settings
        networks: dict[str, nn.Module] = {name: model.network for name, model in worker.models.items()}
        with worker.open_store() as store:
            report = worker.reporter(store, f"transfer/{self.source}")
            total, done = transfer_ticks(settings.eval, len(networks)), 0.0

            def tick(passes: float, note: str) -> None:
                nonlocal done
                done += passes
                report(round(done), round(total), note)

            outcomes = transfer(
                self.source,
                networks,
                attacked(worker.dataset, settings.eval.n_test),
                settings.eval,
                derive(settings.seed, "attack"),
                settings.torch_device(),
                store,
                tick,
            )
        model = worker.models[self.source]
        network = TransferNetwork(
            name=self.source,
            arch=model.architecture,
            params=model.params,
            training=model.training,
            normalised=model.normalised_by,
            checkpoint=worker.given[self.source].source.text,
        )
        return network, outcomes


def check(settings: Settings, given: dict[str, GivenModel], keep: bool) -> None:
    """Raise `InputError` for what would stop the run later. Decoded images go to the user's cache if `keep`."""
    worker = TransferWorker(settings, given, keep=keep)
    plan_of(settings.eval, worker.dataset.num_classes, worker.dataset.image_size)
    settings.eval.attack_what_there_is(len(worker.dataset.test))
    attacked(worker.dataset, settings.eval.n_test)
    for name, model in worker.models.items():
        text = given[name].source.text
        check_fits(model, worker.dataset, text, settings.eval)
        log_warning(class_name_warning(model, worker.dataset, text))


def execute(run: Run, watcher: Watcher) -> TransferResult:
    """Attack every network, try the examples on all networks, and write the matrices."""
    settings = run.settings
    given = {name: GivenModel.from_json(one) for name, one in run.extra["networks"].items()}
    worker = TransferWorker(settings, given, run.folder.resolve())
    with run_context(run, watcher, worker=worker) as context, run.stage("transfer") as stage:
        rows = context.all(stage, {name: TransferTask(name) for name in given}, "transfer")
    matrices = matrix({name: outcomes for name, (_, outcomes) in rows.items()})
    return run.finish(
        TransferResult(
            norm=settings.eval.norm,
            eps=settings.eval.eps,
            n_test=settings.eval.n_test,
            data=settings.data.name,
            images=fingerprint(attacked(worker.dataset, settings.eval.n_test)),
            networks=[
                replace(network, checkpoint=given[name].source.seen_from(run.folder))
                for name, (network, _) in rows.items()
            ],
            clean=matrices.clean,
            attacks=matrices.attacks,
            checks=matrices.checks,
            seconds=run.seconds(),
        )
    )
