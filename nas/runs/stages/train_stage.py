"""The stage that trains networks: checks before the run, forecast of its cost, the task of a worker."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace

from nas.core.data import Dataset
from nas.core.data.checksum import checksums
from nas.core.errors import InputError
from nas.core.optimisation import distributed
from nas.core.optimisation.trainer import FINAL
from nas.core.provenance import environment
from nas.core.seeds import derive
from nas.objectives import constant_logits
from nas.results import TrainedModel
from nas.runs.settings_checksum import provenance_of
from nas.runs.stages.context import RunContext, Task, Worker
from nas.runs.stages.forecast import Cost, Speed, makespan, workers_of
from nas.runs.torchrun import train_on_all_processes
from nas.search_spaces import SPACES
from nas.settings.schema import Settings
from nas.train import METHODS, check_parts, check_recipe, large_batch_note


def check(settings: Settings, dataset: Dataset) -> None:
    """Raise `InputError` for what would stop a training later."""
    space = SPACES.get(settings.space)()
    check_parts(settings.train, len(dataset.train), distributed.current().count)
    check_recipe(settings.train, space.build(space.largest(), dataset.num_classes, **vars(settings.model)))
    log_warning(large_batch_note("train", settings.train.batch_size, len(dataset.train)))


def check_connected(settings: Settings) -> None:
    """Raise `InputError` if the architecture is trained adversarially but its logits do not depend on the image."""
    space = SPACES.get(settings.space)()
    if space.connected(space.parse(settings.one_arch), **vars(settings.model)):
        return
    if METHODS.get(settings.train.method).adversarial:
        raise InputError(
            f"Expected an architecture that can be attacked but got {settings.arch}. {constant_logits.REASON} Train "
            "another, or this one with train.method=standard."
        )
    logging.getLogger("nas").warning(
        "%s: %s Its training can only reach the accuracy of chance.", settings.arch, constant_logits.REASON
    )


def one_image(settings: Settings, trains: bool, labels: list[str]) -> str | None:
    """A warning if a single validation image decides something, which is hardly ever meant; else None.

    `trains`: whether networks are trained to the end; `labels`: the objectives that are measured by short trainings.
    """
    if settings.data.validation != 1:
        return None
    if trains and settings.train.select == "best":
        use = "the best epoch is chosen by it"
    elif labels:
        use = f"{labels[0]} is measured on it"
    else:
        return None
    return f"data.validation=1 withholds one image, not all of them, and {use}; write .1 to withhold 10 %."


def log_warning(sentence: str | None) -> None:
    """Log the sentence as a warning, if there is one."""
    if sentence is not None:
        logging.getLogger("nas").warning("%s", sentence)


def cost(settings: Settings, methods: list[str], dataset: Dataset, speed: Speed) -> Cost:
    """The cost of one training by each of the methods."""
    images = len(dataset.train) * settings.train.epochs
    seconds, passes = [], 0.0
    for method in methods:
        whole, inputs = replace(settings.train, method=method).passes
        seconds.append(images / speed.batch * (whole * speed.step + inputs * speed.attack_step))
        passes += images * (whole + inputs)
    return Cost(makespan(seconds, workers_of(settings)), passes)


@dataclass(frozen=True)
class Model:
    """One network of a run: its name (`best-standard`), its architecture and the method that trains it."""

    name: str
    arch: str
    method: str


@dataclass(frozen=True)
class TrainTask(Task[TrainedModel]):
    """Trains one network."""

    model: Model

    def run(self, worker: Worker) -> TrainedModel:
        assert worker.folder is not None
        assert worker.open_store is not None
        settings, dataset, model = worker.settings, worker.dataset, self.model
        recipe = replace(settings.train, method=model.method)
        network = worker.trained.trained_by(recipe, model.name, model.arch, dataset, asdict(settings.data))
        folder = worker.folder / "models" / model.name
        seed = derive(settings.seed, "train", model.name)
        about = {
            **provenance_of(settings),
            "data_sha256": checksums(dataset),
            "training_seed": seed,
            **environment(settings.torch_device()),
        }
        with worker.open_store() as store:
            report = worker.reporter(store, f"train/{model.name}")
            checkpoint, state = train_on_all_processes(settings, network, dataset, recipe, folder, seed, report, about)
        return TrainedModel(
            checkpoint=checkpoint.relative_to(worker.folder).as_posix(),
            final_checkpoint=checkpoint.with_name(FINAL).relative_to(worker.folder).as_posix(),
            arch=model.arch,
            epochs=state.epoch,
            chosen_epoch=state.best_epoch + 1,
            history=state.history,
            seconds=round(state.seconds, 3),
        )


def train_all(context: RunContext, models: list[Model]) -> dict[str, TrainedModel]:
    """Train every model, and store the results. Adversarial trainings take longest and start first."""
    order = sorted(models, key=lambda model: model.method == "standard")
    with context.run.stage("train") as stage:
        trained: dict[str, TrainedModel] = context.all(
            stage, {model.name: TrainTask(model) for model in order}, "train"
        )
    context.run.store.put("training", {name: one.to_json() for name, one in trained.items()})
    return trained
