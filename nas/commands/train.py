"""`nas train`: train one architecture."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.commands.base import OVERRIDES, Argument, RunCommand

if TYPE_CHECKING:
    from nas.core.io.records import Json
    from nas.results import Epoch, Result, TrainResult
    from nas.runs.run_folder import Run
    from nas.runs.stages.context import Watcher, Worker
    from nas.runs.stages.forecast import Cost
    from nas.settings.schema import Settings


class Train(RunCommand):
    """Train one architecture, or the best one of a run: by standard training, or adversarially with train.method=pgd.

    On several GPUs or machines: `torchrun --nproc-per-node 2 -m nas train ...`, and likewise `nas resume`.
    Examples: `nas train runs/quickstart-1 train.method=pgd`;
    `nas train quickstart arch='|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|'`.
    """

    name, place = "train", 3
    arguments = (
        Argument("source", "A recipe, a .yaml file, or the folder of a search.", "CONFIG|RUN"),
        OVERRIDES,
    )
    distributed = True
    takes = ("name", "arch", "run.dir", "train.*", "model.*")
    later = ("eval",)  # `nas eval RUN`

    def settings(self, source: str, overrides: list[str]) -> tuple[Settings, None]:
        """The settings of a configuration, which names an `arch`, or those of a run with its best architecture.

        Raises InputError also if the run is a study or has no architecture yet, or if no method can train that one.
        """
        from nas.runs.given_model import best_of, refuse_study
        from nas.runs.run_config import read_config
        from nas.runs.stages.train_stage import check_connected
        from nas.settings import command_line

        folder = Path(source)
        if folder.is_dir():
            refuse_study(folder)
            values = {**read_config(folder).settings_elsewhere(), "arch": best_of(folder)}
            settings = command_line.from_values(self.reader(), values, overrides)
        else:
            settings = command_line.load(self.reader(), source, overrides)
        check_connected(settings)
        return settings, None

    def check(self, settings: Settings, given: Any = None, keep: bool = True) -> None:
        from nas.runs.stages import eval_stage, train_stage
        from nas.runs.stages.context import Worker
        from nas.settings import attack_warnings
        from nas.train import check_selection

        settings.check_single_seed(self.name)
        eval_stage.refuse_options_of_foreign_networks(self.name, settings)
        check_selection(settings.train, settings.data.validation)
        train_stage.log_warning(train_stage.one_image(settings, True, []))
        attack_warnings.warn(self.reader(), settings)
        train_stage.check(settings, Worker(settings, None, keep).dataset)

    def costs(self, worker: Worker, given: Any) -> dict[str, Cost]:
        from nas.runs.stages import train_stage
        from nas.runs.stages.forecast import Cost, measure_speed, network_of, start_up_seconds, workers_of
        from nas.train import METHODS

        settings = worker.settings
        method = settings.train.method
        adversarial = METHODS.get(method).adversarial
        speed = measure_speed(settings, worker.dataset, network_of(worker, settings.one_arch), adversarial)
        training = train_stage.cost(settings, [method], worker.dataset, speed)
        return {"train": Cost(training.seconds + start_up_seconds(workers_of(settings)), training.passes)}

    def execute(self, run: Run, watcher: Watcher) -> Result:
        from nas.results import Checkpoint, TrainResult
        from nas.runs.stages.context import run_context
        from nas.runs.stages.train_stage import Model, train_all

        settings = run.settings
        with run_context(run, watcher) as context:
            trained = train_all(context, [Model("model", settings.one_arch, settings.train.method)])["model"]
        return run.finish(
            TrainResult(
                checkpoint=trained.checkpoint,
                arch=trained.arch,
                training=settings.train.method,
                validation=trained.validation(trained.chosen_epoch),
                epochs=trained.epochs,
                chosen_epoch=trained.chosen_epoch,
                final=Checkpoint(trained.final_checkpoint, trained.validation(trained.epochs)),
                seconds=trained.seconds,
            )
        )

    def presented(self, folder: Path, result: TrainResult) -> Json:
        final = replace(result.final, checkpoint=str(folder / result.final.checkpoint))
        usable = replace(result, final=final, checkpoint=str(folder / result.checkpoint))
        return {**usable.to_json(), "run": str(folder)}

    def summary(self, folder: Path, result: TrainResult) -> list[str]:
        attack = f"attack it: nas eval {shlex.quote(str(folder))}"
        if result.validation.get("val_accuracy") is None:
            return [
                f"no image was withheld for validation; the network of the last epoch, {result.epochs}: "
                f"{folder / result.checkpoint}",
                attack,
            ]
        return [
            f"validation accuracy {_validated(result.validation)} at epoch {result.chosen_epoch} of {result.epochs}: "
            f"{folder / result.checkpoint}",
            f"validation accuracy {_validated(result.final.validation)} at the last epoch: "
            f"{folder / result.final.checkpoint}",
            attack,
        ]


def _validated(epoch: Epoch) -> str:
    robust = epoch.get("val_robust_accuracy")
    return f"{epoch['val_accuracy']:.3f}" + ("" if robust is None else f", under attack {robust:.3f},")
