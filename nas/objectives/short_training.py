"""Accuracies after a short training: labels of architectures that no table has."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import ClassVar

import torch

from nas.core.data import Dataset
from nas.core.errors import InputError
from nas.core.io.records import Json
from nas.core.seeds import derive
from nas.core.storage.base import Metrics
from nas.core.storage.memory import InMemoryStore
from nas.eval import evaluate
from nas.eval.plan import plan_of
from nas.eval.settings import EvalSettings
from nas.objectives.network_spec import NetworkSpec
from nas.objectives.notation import TRAINED
from nas.results import CLEAN, EvalResult
from nas.train import TrainSettings, load_trained, train


@dataclass
class LabelSettings(TrainSettings):
    """The short training behind `trained:` objectives, and on how many validation images its network is evaluated.

    All other keys and defaults are those of `train`.
    """

    section: ClassVar[str] = "label"

    epochs: int = 5  # passes over the training images
    select: str = "last"  # the epoch whose network is kept: last, or best by validation accuracy
    n_val: int = 500  # at most this many images: the first ones of the validation part

    def check(self) -> None:
        super().check()
        self.check_at_least_one("n_val")


def check_validation_part(names: Sequence[str], withheld: float) -> None:
    """Raises InputError if a metric in `names` is measured on validation images and none are `withheld`."""
    measured = [name for name in names if name.startswith(TRAINED)]
    if measured and withheld == 0:
        raise InputError(
            f"Expected data.validation above 0 with {measured[0]}, which is measured on validation images, but got 0; "
            "set data.validation=.1, or another objective."
        )


def label_evaluation(names: Sequence[str], attack: EvalSettings) -> EvalSettings:
    """The evaluation settings behind `trained:` metrics: those of `eval` with the attacks of these metrics only."""
    metrics = [name.removeprefix(TRAINED).removeprefix("hrs:") for name in names]
    return replace(
        attack,
        attacks=[name for name in dict.fromkeys(metrics) if name != CLEAN],
        sweep=[],
        sweep_preset=None,
        cascade=False,
        checks=False,
        measures=[],
        corruptions=[],
    )


class ShortTraining:
    """Trains an architecture for a few epochs and attacks it on validation images; never sees the test part.

    Its metrics are fractions: `trained:clean`, `trained:ATTACK` (with the radius of `eval`) and `trained:hrs:ATTACK`.
    Networks have the size in `model`. A training that was stopped continues; a finished one leaves no files. Raises
    InputError if there are no validation images.
    """

    def __init__(
        self,
        names: Sequence[str],
        settings: LabelSettings,
        attack: EvalSettings,
        dataset: Dataset,
        data: Json,
        trained: NetworkSpec,
        folder: Path,
        seed: int,
        device: torch.device,
    ) -> None:
        check_validation_part(names, len(dataset.validation))
        self.metrics = [name.removeprefix(TRAINED) for name in names]
        self.settings = settings
        self.attack = replace(label_evaluation(names, attack), n_test=min(settings.n_val, len(dataset.validation)))
        plan_of(self.attack, dataset.num_classes, dataset.image_size)
        self.dataset = dataset
        self.held_out = replace(dataset, test=dataset.validation)
        self.data = data
        self.trained = trained
        self.folder = folder
        self.seed = seed
        self.device = device

    def __call__(self, text: str) -> Metrics:
        folder = self.folder / hashlib.sha256(text.encode()).hexdigest()[:16]
        seed = derive(self.seed, "label", text)
        recipe = TrainSettings(
            **{key: value for key, value in asdict(self.settings).items() if key in TrainSettings.__dataclass_fields__}
        )
        network_spec = self.trained.trained_by(recipe, "label", text, self.dataset, self.data)
        checkpoint, _ = train(network_spec, self.dataset, recipe, folder, seed, self.device)
        network, _ = load_trained(checkpoint)
        result = evaluate(network, self.held_out, self.attack, seed, self.device, InMemoryStore(), outputs=False)
        shutil.rmtree(folder, ignore_errors=True)
        return {f"{TRAINED}{name}": _metric(result, name) for name in self.metrics}


def _metric(result: EvalResult, name: str) -> float:
    if name == CLEAN:
        return result.clean
    attack = result.attacks[name.removeprefix("hrs:")]
    return attack.hrs if name.startswith("hrs:") else attack.accuracy
