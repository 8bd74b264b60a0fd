"""What `nas train` gives back, and what a run keeps of each training."""

from __future__ import annotations

from dataclasses import dataclass, field

from nas.core.io.records import LAST, Record, flat
from nas.results.base import Result

Epoch = dict[str, float | None]  # number, losses and accuracies; None for what cannot be measured on these data


@dataclass(frozen=True)
class TrainedModel(Record):
    """A network that a run trained, as its store holds it."""

    checkpoint: str  # of the chosen epoch, in the run's folder
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
        """A quantity of the history, by the epochs in which it was measured."""
        values = {number: row.get(name) for number, row in enumerate(self.history, start=1)}
        return {number: value for number, value in values.items() if value is not None}


@dataclass(frozen=True)
class Checkpoint(Record):
    """The weights after an epoch, and their validation accuracies by name."""

    checkpoint: str
    validation: Epoch = field(metadata=flat("val_"))


@dataclass(frozen=True)
class TrainResult(Result):
    """Of `nas train`: the chosen epoch's weights, and those of the last."""

    command = "train"

    checkpoint: str
    arch: str
    training: str
    validation: Epoch = field(metadata=flat("val_"))  # accuracies of the chosen epoch
    epochs: int
    chosen_epoch: int
    final: Checkpoint
    seconds: float = field(kw_only=True, metadata=LAST)  # type: ignore[assignment]
