"""`nas.evaluate`: attack a trained network."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nas.api.execution import Progress, execute
from nas.api.keywords import SettingsGiven, data_keywords, overrides
from nas.api.module_state import unchanged_network
from nas.api.process import unchanged_process
from nas.api.registering import check_importable, names_of
from nas.api.results import Model, Report
from nas.commands.base import RunCommand
from nas.commands.eval import Eval
from nas.core import config
from nas.core.data import Dataset, DataSettings, GivenArrays, Split, attacked_positions
from nas.core.data.formats.base import Loader
from nas.core.data.given import first_of_sorted, given_dataset, split_of_arrays, split_of_batches
from nas.core.errors import InputError
from nas.core.execution.pickling import dumps
from nas.core.images import unit_range
from nas.core.reasons import reason
from nas.eval.attacks import ATTACKS
from nas.eval.model_source import EvaluatedModel, ModelSource, model_of
from nas.eval.networks import layout
from nas.eval.networks.logit_shapes import count_classes
from nas.report.notes import non_finite_notes, remarks
from nas.results import EvalResult, Result
from nas.runs.given_model import GivenModel, evaluation_settings
from nas.runs.run_folder import Run
from nas.runs.stages.context import Watcher, Worker
from nas.runs.stages.eval_stage import AttackTask
from nas.settings import command_line
from nas.settings.schema import Settings

log = logging.getLogger("nas")

CHECKPOINT = "models/{}/best.pt"  # where an evaluation keeps a network that has no run of its own on disk
MIN_TO_JUDGE_LABELS = 10  # fewer images may lack the larger labels by chance


def evaluate(
    model: Any,
    *,
    data: Any = None,
    attacks: str | Sequence[Any] | None = None,
    eps: float | str | None = None,
    step_size: float | str | None = None,
    norm: str | None = None,
    n_test: int | None = None,
    settings: SettingsGiven = None,
    seed: int | None = None,
    device: str | None = None,
    run: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: Progress = False,
) -> Report:
    """Attack a trained network, as `nas eval` does. A module of yours is not changed.

    Args:
        model: what `nas.train_model` returned, any `torch.nn.Module` that maps images in [0, 1] to logits, or a text as
            `nas eval` takes it: a checkpoint, a run, an exported folder, `timm:NAME`, `torchvision:NAME`,
            `package.module:factory`.
        data: a data set, an .npz file, a folder of class folders, a DataLoader, or (images, labels). Images are uint8
            (N, H, W, 3), or floats in [0, 1] (N, 3, H, W), which are not rounded. By default, the data on which the
            network was trained.
        attacks: names from `nas list attacks`, or classes of your own; by default those of the network's run, or fgsm,
            pgd20 and autoattack.
        eps: the radius of the attacks, as a fraction of the range of a pixel (`8/255` may be given as text).
        step_size: the step of pgd and mifgsm, by default eps/4 and eps/steps.
        norm: Linf or L2.
        n_test: how many images: of arrays or a DataLoader the first, which should be in random order; of a data set
            the first of a fixed permutation of its test part. By default all that were given, or at most 1,000 of a
            data set's test part.
        settings: other settings by their keys, such as `{"eval.batch_size": 100}`. For a network that takes normalised
            images give `eval.mean` and `eval.std`.
        seed: everything random is drawn from it.
        run: a new folder for the run; by default nothing is left on disk.
        workers: processes; by default the work is done in this one.
        progress: true shows it on standard error; a function is called with (done, total, note).

    Returns:
        Accuracies with 95 % intervals: `report.clean`, `report.attacks["pgd20"].accuracy`. `report.correct["pgd20"]`
        says for each image whether it is still classified correctly; `report.indices` has the positions of these images
        in the test part, or in the arrays.

    Raises:
        InputError: if there is no such network, it does not fit the data, the images or labels are not as described, or
            a setting is impossible or without effect.
        NasError: if an attack failed.

    >>> import nas, torch
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 10))
    >>> images, labels = torch.rand(16, 3, 8, 8), torch.arange(16) % 10
    >>> report = nas.evaluate(network, data=(images, labels), attacks=["fgsm"], eps=8/255)
    >>> wrong = images[~report.correct["fgsm"]]
    >>> report.n_test, list(report.attacks), len(wrong) == 16 - int(report.correct["fgsm"].sum())
    (16, ['fgsm'], True)
    """
    named = data is None or isinstance(data, (str, os.PathLike, type, Loader))
    typed = config.flat(dict(settings or {}))
    if not named and (keys := [key for key in typed if key.startswith("data.")]):
        raise InputError(f"Expected no {keys[0]} with images in data=, which are taken as they are; leave it out.")
    keywords = {
        **(data_keywords(data) if named else {"data.name": GivenArrays.name}),
        "eval.attacks": names_of(attacks, ATTACKS),
        "eval.eps": eps,
        "eval.step_size": step_size,
        "eval.norm": norm,
        "eval.n_test": n_test,
        "seed": seed,
        "device": device,
        "executor.workers": 1 if workers is None and "executor.workers" not in typed else workers,
    }
    with unchanged_process(), _opened(model, overrides(keywords, settings)) as (chosen, given, checkpoint):
        check_importable(chosen)
        if given.source.in_python and not chosen.executor.in_this_process(chosen.torch_device().type):
            dumps(model)  # raises InputError if it cannot be sent
        wanted = chosen.eval.n_test if n_test is not None or "eval.n_test" in typed else None
        images = None
        if not named:
            chosen.data = DataSettings(GivenArrays.name)
            given = replace(given, loaded=given.load(chosen))
            images = _given_images(data, wanted, given)
        dataset = images or Worker(chosen).dataset
        if wanted is None:
            available = len(dataset.test)
            if named:
                chosen.eval.attack_what_there_is(available)
            else:
                chosen.eval.n_test = available
        command = _EvalOfObjects(given.loaded if given.source.in_python else None, images)

        def work(command: RunCommand, opened: Run, watcher: Watcher) -> Result:
            if checkpoint is not None:
                copy = opened.folder / given.source.text
                copy.parent.mkdir(parents=True)
                shutil.copyfile(checkpoint, copy)
            return command.finish(opened, watcher)

        result, record = execute(command, chosen, given, run, progress, work)
    report = Report.of(result, record)
    vars(report)["indices"] = attacked_positions(dataset, report.n_test)
    _log_warnings(report)
    return report


@contextmanager
def _opened(model: Any, words: list[str]) -> Iterator[tuple[Settings, GivenModel, Path | None]]:
    """The settings of the evaluation and the network. Within the block a module of the caller's may be changed.

    The path is the checkpoint of a trained model without a run's folder; it is deleted after the block.
    """
    reader = Eval().reader()
    if isinstance(model, nn.Module):
        source = ModelSource.of_module(model)
        if not any(word.startswith("data.name=") for word in words):
            raise InputError(
                f"Expected data= for {source.label}, which does not say what to attack it on; give (images, labels), a "
                "DataLoader or a data set."
            )
        settings = command_line.from_values(reader, {"name": f"eval-{source.label}"}, words)
        with unchanged_network(model):
            loaded = model_of(model.cpu(), settings.eval)
            yield settings, GivenModel(source, source.label, loaded), None
    elif isinstance(model, Model):
        with model._record.files.on_disk() as folder:
            checkpoint = folder / str(model.checkpoint)
            settings, given = evaluation_settings(str(checkpoint), words, reader)
            if model.run is not None:
                yield settings, given, None
            else:
                yield settings, replace(given, source=ModelSource(CHECKPOINT.format(given.name))), checkpoint
    elif isinstance(model, (str, os.PathLike)):
        yield *evaluation_settings(os.path.expanduser(model), words, reader), None
    else:
        hint = "; give its .module()" if isinstance(model, torch.export.ExportedProgram) else ""
        raise InputError(
            "Expected what nas.train_model returned, a torch.nn.Module, a path or a name such as timm:NAME but got "
            f"{type(model).__name__}{hint}."
        )


def _given_images(data: Any, n: int | None, given: GivenModel) -> Dataset:
    """The images and labels in `data`, with the network's number of classes."""
    model, name = given.loaded, given.source.described
    assert model is not None
    pair = isinstance(data, (tuple, list)) and len(data) == 2 and not isinstance(data[0], (tuple, list))
    if pair:
        part = split_of_arrays(data[0], data[1], n)
        remark = first_of_sorted(part.labels, all_labels=data[1])
    elif isinstance(data, Iterable) and not isinstance(data, (np.ndarray, Tensor, Mapping, tuple)):
        part = split_of_batches(data, n)
        images = getattr(data, "dataset", None)
        total = len(images) if isinstance(images, Sized) else None
        remark = None if n is None else first_of_sorted(part.labels, total=total)
    else:
        raise InputError(
            "Expected (images, labels), a DataLoader, a data set or a path as data= but got "
            f"{type(data).__name__}; give a DataLoader of a torch data set."
        )
    classes = model.num_classes or _classes_of(model.network, part, name)
    largest = int(part.labels.max())
    if len(part) >= MIN_TO_JUDGE_LABELS and largest < classes / 2:
        log.warning(
            "The largest label is %d, but %s has %d classes; check that it was trained on these classes.",
            *(largest, name, classes),
        )
    return given_dataset(part, classes, remark)


def _classes_of(network: nn.Module, part: Split, name: str) -> int:
    x = unit_range(part.images[:2])
    try:
        network = layout.adapt(network, x)
        with torch.no_grad():
            logits = network(x)
    except Exception as error:  # foreign code may raise anything
        side = x.shape[-1]
        raise InputError(
            f"Expected {name} to take the {side}x{side} images in data= but it raised: {reason(error)}; give images of "
            "its size."
        ) from error
    return count_classes(logits, len(x), name)


class _EvalOfObjects(Eval):
    """`nas eval` of a network or of images that only this process has."""

    def __init__(self, model: EvaluatedModel | None, images: Dataset | None) -> None:
        self.model = model
        self.images = images

    def dataset(self, settings: Settings, keep: bool) -> Dataset:
        return self.images or super().dataset(settings, keep)

    def task(self, run: Run) -> AttackTask:
        return _ObjectTask(run.extra["name"], ModelSource.from_json(run.extra), self.model, self.images)

    def worker(self, run: Run) -> Worker:
        worker = Worker(run.settings, run.folder.resolve())
        if self.images is not None:
            worker.dataset = self.images
        return worker


@dataclass(frozen=True, eq=False)
class _ObjectTask(AttackTask):
    """Attacks a network where only this process has the network or the images."""

    given: EvaluatedModel | None
    images: Dataset | None

    def model(self, source: ModelSource, settings: Settings) -> EvaluatedModel:
        return self.given or super().model(source, settings)

    def run(self, worker: Worker) -> EvalResult:
        if self.images is not None:
            worker.dataset = self.images
        return super().run(worker)


def _log_warnings(report: Report) -> None:
    """Log the warnings that `nas eval` prints about numbers that mean less than they seem to."""
    checks = [f"{check.name}: {check.reason}." for check in report.checks if check.ok == "warn"]
    for note in (*remarks(report), *non_finite_notes(report), *checks):
        log.warning("%s", note)
