"""What a training loop trains: the task, the plan of the training, and how far it has come."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from nas.core.io.checkpoint import State
from nas.core.optimisation.lr_schedule import Schedule

Metrics = dict[str, float | None]  # of an epoch; None for what cannot be measured
Progress = Callable[[int, int, str], None]  # called with the amount done, the total amount, and a note


class TrainingTask(Protocol):
    """What is trained, and how.

    In every epoch the loop calls `begin_epoch`; then, for each batch, `gradients` as often as `replays` says, each time
    followed by a step of the optimiser; and at the end `validate`. All random numbers of an epoch must be drawn from
    the generator given to `begin_epoch` or from torch's global ones, and only during `begin_epoch`, `batches` and
    `gradients`. The loop seeds these generators from the run's seed and the epoch and saves their state in every
    checkpoint, so that an epoch can be resumed in its middle exactly. Everything else that
    outlives a batch is in `state_dict`.
    """

    steps_per_epoch: int  # batches in an epoch
    replays: int  # optimiser steps for each batch

    @property
    def model(self) -> nn.Module:
        """The network that is trained."""

    def begin_epoch(self, epoch: int, generator: torch.Generator) -> None:
        """Draw what the whole epoch needs; `batches` draws from the same `generator` afterwards."""

    def batches(self, start: int) -> Iterator[Any]:
        """Yield the batches of this epoch from number `start` on; a batch is drawn only when it is asked for."""

    def gradients(self, batch: Any, scale: Callable[[Tensor], Tensor]) -> Tensor:
        """Add the gradient of `scale(loss)`, averaged over the processes, to the gradients of the weights.

        Returns the detached loss; the losses of all processes add up to the loss of the batch.
        """

    def validate(self, epoch: int) -> Metrics:
        """Metrics on the validation part, each `None` if the part has no images; never on the test part."""

    def selection(self, metrics: Metrics) -> float | None:
        """The value by which the best epoch is chosen; higher is better. `None` if there is no such value."""

    def export(self) -> State:
        """The content of the checkpoint of a trained network."""

    def state_dict(self) -> State:
        """Tensors and plain values, apart from the model, on which the next batch depends."""

    def load_state_dict(self, state: State) -> None:
        """Restore what `state_dict` returned."""


@dataclass(frozen=True)
class Plan:
    """How long to train, with which settings of SGD, and when to check the loss and to save."""

    schedule: Schedule
    momentum: float
    nesterov: bool
    weight_decay: float
    clip: float | None  # largest L2 norm of the gradient
    select: str  # "best" or "last": the epoch whose network is saved as `best.pt`
    ema: float | None = None  # decay of a moving average of the weights, which is validated and exported instead
    scaled: bool = False  # scale the loss, against the underflow of float16
    loss_limit: float = 1e3  # a mean loss above it counts as divergence
    check_steps: int = 50  # batches between two checks of the loss; a check waits for the device
    save_steps: int | None = None  # optimiser steps between two checkpoints within an epoch
    save_minutes: float = 10.0  # minutes between two checkpoints; checked every `check_steps` batches


@dataclass
class LoopState:
    """How far a training has come: `batch` batches of epoch `epoch` are finished."""

    epoch: int = 0
    batch: int = 0
    best: float = -math.inf
    best_epoch: int = -1
    seconds: float = 0.0
    history: list[Metrics] = field(default_factory=list)
