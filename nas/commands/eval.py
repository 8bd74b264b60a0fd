"""`nas eval`: attack a trained network."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nas.commands.base import OVERRIDES, Argument, RunCommand

if TYPE_CHECKING:
    from nas.core.data import Dataset
    from nas.core.io.records import Json
    from nas.eval.model_source import ModelSource
    from nas.results import EvalResult, Result
    from nas.runs.given_model import GivenModel
    from nas.runs.run_folder import Run
    from nas.runs.stages.context import Watcher, Worker
    from nas.runs.stages.eval_stage import AttackTask
    from nas.runs.stages.forecast import Cost
    from nas.settings.schema import Settings


class Eval(RunCommand):
    """Attack a trained network: accuracies with 95 % intervals and the harmonic robustness score.

    By default it uses the data of the checkpoint and the attacks of its run. Examples: `nas eval runs/quickstart-2`;
    `nas eval runs/quickstart-1/models/best-pgd/best.pt eval.eps=8/255 eval.attacks=fgsm,pgd20`.

    A network from elsewhere needs data.name=...: `nas eval timm:resnet18@weights.safetensors data.name=cifar10
    data.root=PATH data.size=32 eval.model_options=num_classes=10`. It can also come from your own code in the current
    folder, which is then executed: a function that returns a module for images in [0, 1], as in
    `nas eval my_networks:make data.name=digits`.
    """

    name, place = "eval", 4
    arguments = (
        Argument(
            "source",
            "A run that trained one network, a checkpoint, an exported folder, timm:NAME[@WEIGHTS], "
            "torchvision:NAME[@WEIGHTS], or package.module:factory.",
            "SOURCE",
        ),
        OVERRIDES,
    )
    takes = ("name", "run.dir", "eval.*")
    needs_training_images = False

    def settings(self, source: str, overrides: list[str]) -> tuple[Settings, GivenModel]:
        from nas.runs.given_model import evaluation_settings
        from nas.settings.command_line import only_overrides

        return evaluation_settings(source, only_overrides(overrides), self.reader())

    def repeat(self, settings: Json, extra: Json) -> tuple[str, bool]:
        from nas.core import config
        from nas.core.data import ALL, GivenArrays
        from nas.eval.model_source import ModelSource
        from nas.settings.repeat import acting, overrides, written

        reader = self.reader()
        given = settings["data"]["name"] == GivenArrays.name
        if given or ModelSource.from_json(extra).in_python:
            return self._python_call(settings, ModelSource.from_json(extra), given), False
        data = config.flat(settings["data"], "data.")
        if "importable" in extra:  # a foreign network has no data of its own
            values = acting(reader, settings, data)
        elif settings["data"].get("test") == ALL:  # the user's own images instead of the data of the network's run
            values = {key: data[key] for key in ("data.root", "data.test")}
        else:
            values = {}
        words = [f"{key}={written(value)}" for key, value in values.items() if value is not None]
        words += overrides(reader, settings, config.flat(settings["eval"], "eval."))
        return shlex.join(["nas", self.name, str(extra["checkpoint"]), f"seed={settings['seed']}", *words]), False

    def _python_call(self, settings: Json, source: ModelSource, arrays: bool) -> str:
        """The call of `nas.evaluate` that repeats a run whose network or images only a Python program has."""
        from nas.core import config
        from nas.settings.repeat import acting

        keys = config.flat(settings["eval"], "eval.") | ({} if arrays else config.flat(settings["data"], "data."))
        values = {key: value for key, value in acting(self.reader(), settings, keys).items() if value not in (None, [])}
        network = "network" if source.in_python else repr(source.text)
        images = "data=(images, labels), " if arrays else ""
        return f"nas.evaluate({network}, {images}seed={settings['seed']}, settings={values})"

    def extra(self, given: GivenModel) -> Json:
        return given.to_json()

    def check(self, settings: Settings, given: GivenModel, keep: bool = True) -> None:
        from nas.eval.networks.fitting import check_fits, class_name_warning
        from nas.runs.stages import eval_stage, train_stage
        from nas.settings import attack_warnings

        settings.check_single_seed(self.name)
        attack_warnings.warn(self.reader(), settings)
        dataset = self.dataset(settings, keep)
        eval_stage.check(settings, dataset)
        model = given.load(settings)
        check_fits(model, dataset, given.source.described, settings.eval)
        train_stage.log_warning(class_name_warning(model, dataset, given.source.described))

    def dataset(self, settings: Settings, keep: bool) -> Dataset:
        """The data to attack the network on."""
        from nas.runs.stages.context import Worker

        return Worker(settings, None, keep).dataset

    def costs(self, worker: Worker, given: GivenModel) -> dict[str, Cost]:
        """A foreign network is assumed to be as robust as one trained by `pgd`."""
        from nas.runs.stages import eval_stage
        from nas.runs.stages.forecast import Cost, measure_speed, network_of, start_up_seconds, workers_of

        settings = worker.settings
        foreign = given.source.foreign
        method = "pgd" if foreign else settings.train.method
        network = given.load(settings).network if foreign else network_of(worker, settings.one_arch)
        speed = measure_speed(settings, worker.dataset, network)
        attacking = eval_stage.cost(settings, [method], worker.dataset, speed)
        return {"eval": Cost(attacking.seconds + start_up_seconds(workers_of(settings)), attacking.passes)}

    def execute(self, run: Run, watcher: Watcher) -> Result:
        from nas.runs.stages.context import run_context
        from nas.runs.stages.eval_stage import evaluate_all

        task = self.task(run)
        with run_context(run, watcher, worker=self.worker(run)) as context:
            result = evaluate_all(context, [task])[task.name]
        if run.temporary:
            return run.finish(replace(result, seconds=run.seconds()))
        with run.stage("report"):
            self.report(run.folder, run.with_provenance(replace(result, seconds=run.seconds())))
        return run.finish(replace(result, seconds=run.seconds()))

    def task(self, run: Run) -> AttackTask:
        """The task of a worker. Raises InputError if the network was given in Python."""
        from nas.eval.model_source import ModelSource
        from nas.runs.stages.eval_stage import AttackTask

        source = ModelSource.from_json(run.extra)
        source.check_loadable()
        return AttackTask(run.extra["name"], source)

    def worker(self, run: Run) -> Worker | None:
        """The worker that does the tasks; None stands for one that loads the data of the run's settings."""
        return None

    def summary(self, folder: Path, result: EvalResult) -> list[str]:
        from nas.report.notes import input_notes, non_finite_notes
        from nas.report.text import (
            accuracy_table,
            check_lines,
            corruption_lines,
            measure_lines,
            remark_lines,
            report_line,
        )

        return [
            accuracy_table([result]),
            *input_notes(result),
            *non_finite_notes(result),
            *remark_lines(result),
            *corruption_lines(result),
            *check_lines(result.checks),
            *measure_lines(result, folder),
            report_line(folder),
        ]
