"""The result of `nas train`, and the record of a training in the store of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from nas.core.io.records import LAST, Record, flat
from nas.results.base import Result

Epoch = dict[str, float | None]  # number, losses and accuracies; None: cannot be measured on these data


@dataclass(frozen=True)
class TrainedModel(Record):
    """A network that a run trained, as the run stores it."""

    checkpoint: str  # of the chosen epoch; a path in the run's folder
    final_checkpoint: str
    arch: str
    epochs: int
    chosen_epoch: int
    history: list[Epoch]
    seconds: float

    def validation(self, epoch: int) -> Epoch:
        """The accuracies on the validation part after an epoch, by name."""
        return {name: value for name, value in self.history[epoch - 1].items() if name.startswith("val_")}

    def curve(self, name: str) -> dict[int, float]:
        """A quantity of the history by epoch, without the epochs in which it was not measured."""
        values = {number: row.get(name) for number, row in enumerate(self.history, start=1)}
        return {number: value for number, value in values.items() if value is not None}


@dataclass(frozen=True)
class Checkpoint(Record):
    """The file of the weights after an epoch, and their validation accuracies."""

    checkpoint: str
    validation: Epoch = field(metadata=flat("val_"))


@dataclass(frozen=True)
class TrainResult(Result):
    """The result of `nas train`: the weights of the chosen epoch, and those of the last.

    >>> model.chosen_epoch, model.checkpoint == "models/model/best.pt"
    (1, True)
    """

    command = "train"

    checkpoint: str
    arch: str
    training: str
    validation: Epoch = field(metadata=flat("val_"))  # accuracies of the chosen epoch
    epochs: int
    chosen_epoch: int
    final: Checkpoint
    seconds: float = field(kw_only=True, metadata=LAST)  # type: ignore[assignment]
