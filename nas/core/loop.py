"""The training loop: schedule, steps, NaN guard, validation, checkpoints, TensorBoard."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from nas.core import checkpoint
from nas.core.errors import NasError
from nas.core.files import told_plainly
from nas.core.seeds import derive

Progress = Callable[[int, int, str], None]  # done, total, note


def cosine(step: int, total: int, start: float, end: float) -> float:
    """Learning rate at `step` of `total`: end + (start - end)·(1 + cos(π·step/total))/2.

    Source: Loshchilov and Hutter, ICLR 2017 (arXiv:1608.03983), without restarts.
    """
    return end + (start - end) * (1 + math.cos(math.pi * step / total)) / 2


class Task(Protocol):
    """What is trained. The loop calls `begin_epoch`, then `loss` for each batch, then `validate`, for every epoch.

    All randomness of an epoch must come from the generator given to `begin_epoch` or from torch's global one (both are
    seeded by the loop from the run's seed and the epoch), so that a resumed epoch repeats exactly.
    """

    steps_per_epoch: int

    @property
    def model(self) -> nn.Module:
        """The network whose weights are trained."""

    def begin_epoch(self, epoch: int, generator: torch.Generator) -> Iterator[Any]:
        """The batches of this epoch, `steps_per_epoch` of them."""

    def loss(self, batch: Any) -> Tensor:
        """A differentiable scalar."""

    def validate(self, epoch: int) -> dict[str, float]:
        """Metrics on the validation part; never on the test part."""

    def selection(self, metrics: dict[str, float]) -> float:
        """What decides which epoch is best; higher is better."""

    def export(self) -> dict[str, Any]:
        """What the checkpoint of a finished network holds."""


@dataclass
class Schedule:
    """SGD with cosine learning rate over all steps."""

    epochs: int
    lr: float
    lr_min: float
    momentum: float
    nesterov: bool
    weight_decay: float
    clip: float | None  # largest L2 norm of the gradient


@dataclass
class LoopState:
    """What a resumed loop starts from, besides model and optimiser."""

    epoch: int = 0
    best: float = -math.inf
    best_epoch: int = -1
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


class Loop:
    """Trains `task.model`, with `folder/last.pt` after every epoch and `folder/best.pt` when validation improves.

    `run` continues from `last.pt` where there is one, to the same result as an uninterrupted run.
    """

    def __init__(self, task: Task, schedule: Schedule, folder: Path, seed: int, select: str) -> None:
        self.task = task
        self.schedule = schedule
        self.folder = folder
        self.seed = seed
        self.select = select
        self.device = next(task.model.parameters()).device
        self.optimizer = torch.optim.SGD(
            task.model.parameters(),
            lr=schedule.lr,
            momentum=schedule.momentum,
            nesterov=schedule.nesterov,
            weight_decay=schedule.weight_decay,
        )
        self.state = LoopState()

    @property
    def final(self) -> Path:
        """The checkpoint of the network that the selection rule picks."""
        return self.folder / "best.pt"

    def run(self, progress: Progress = lambda done, total, note: None) -> LoopState:
        from torch.utils.tensorboard import SummaryWriter

        self._resume()
        with SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.state.epoch) as writer:
            while self.state.epoch < self.schedule.epochs:
                start = time.perf_counter()
                metrics = self._epoch(self.state.epoch)
                self.state.seconds += time.perf_counter() - start
                with told_plainly(self.folder):
                    for name, value in metrics.items():
                        writer.add_scalar(name, value, self.state.epoch)
                    writer.flush()
                self._save(metrics)
                progress(self.state.epoch, self.schedule.epochs, _note(metrics))
        return self.state

    def _epoch(self, epoch: int) -> dict[str, float]:
        seed = derive(self.seed, "epoch", epoch)
        generator = torch.Generator(self.device).manual_seed(seed)
        torch.manual_seed(seed)
        self.task.model.train()
        steps, epochs = self.task.steps_per_epoch, self.schedule.epochs
        total = torch.zeros((), device=self.device)
        rate = self.schedule.lr
        for number, batch in enumerate(self.task.begin_epoch(epoch, generator)):
            rate = cosine(epoch * steps + number, epochs * steps, self.schedule.lr, self.schedule.lr_min)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            loss = self.task.loss(batch)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if self.schedule.clip is not None:
                nn.utils.clip_grad_norm_(self.task.model.parameters(), self.schedule.clip)
            self.optimizer.step()
            total += loss.detach()
        mean = total.item() / steps
        if not math.isfinite(mean):
            last = self.folder / "last.pt"
            kept = f"the last good checkpoint is {last}" if last.is_file() else "there is no good checkpoint yet"
            raise NasError(
                f"Training diverged: the loss became {mean} in epoch {epoch + 1}; {kept}. Lower train.lr or set "
                "train.clip."
            )
        return {"train_loss": mean, "lr": rate, **self.task.validate(epoch)}

    def _save(self, metrics: dict[str, float]) -> None:
        value = self.task.selection(metrics)
        if self.select == "last" or value >= self.state.best:
            self.state.best, self.state.best_epoch = value, self.state.epoch
            checkpoint.save(self.final, {"kind": "network", "epoch": self.state.epoch + 1, **self.task.export()})
        self.state.history.append({"epoch": self.state.epoch + 1, **metrics})
        self.state.epoch += 1
        payload = {
            "kind": "training",
            "model": self.task.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "state": vars(self.state),
        }
        checkpoint.save(self.folder / "last.pt", payload)

    def _resume(self) -> None:
        path = self.folder / "last.pt"
        if path.is_file():
            payload = checkpoint.load(path, "training")
            self.task.model.load_state_dict(payload["model"])
            self.optimizer.load_state_dict(payload["optimizer"])
            self.state = LoopState(**payload["state"])


def _note(metrics: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.3f}" for name, value in metrics.items() if name != "lr")
