"""The training loop: steps, validation, checkpoints to the step, TensorBoard."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from nas.core.errors import InputError
from nas.core.execution import signals
from nas.core.io import checkpoint
from nas.core.io.checkpoint import State
from nas.core.io.files import os_errors_as_input_errors
from nas.core.io.records import Json
from nas.core.optimisation.distributed import Processes
from nas.core.optimisation.divergence import DivergenceCheck
from nas.core.optimisation.ema import ModelEMA
from nas.core.optimisation.lr_schedule import Schedule
from nas.core.seeds import derive

Metrics = dict[str, float | None]  # of an epoch; None for what cannot be measured
Progress = Callable[[int, int, str], None]  # done, total, note
BEST, FINAL, LAST = "best.pt", "final.pt", "last.pt"  # files in the folder of a training
FORMAT = 2  # of last.pt; raised when its content changes its meaning


class Task(Protocol):
    """What is trained.

    For every epoch the loop calls `begin_epoch` and, for each of its batches, `replays` times `gradients`, each
    followed by a step of the optimiser; then `validate`. All randomness of an epoch must come from the generator given
    to `begin_epoch` or from torch's global ones, and only in `begin_epoch` or when a batch is asked for or used: the
    loop seeds them from the run's seed and the epoch and keeps their state in every checkpoint, so that an epoch goes
    on from its middle exactly. What else outlives a batch is in `state_dict`.
    """

    steps_per_epoch: int  # batches
    replays: int  # steps of the optimiser on each of them

    @property
    def model(self) -> nn.Module:
        """The network whose weights are trained."""

    def begin_epoch(self, epoch: int, generator: torch.Generator) -> None:
        """Draw what the whole epoch needs; `batches` draws from `generator` after that."""

    def batches(self, start: int) -> Iterator[Any]:
        """The batches of this epoch from number `start` on; a batch is drawn when it is asked for, never earlier."""

    def gradients(self, batch: Any, scale: Callable[[Tensor], Tensor]) -> Tensor:
        """Add the gradient of the `scale`d loss to the weights' (mean over processes); returns the loss, detached.

        The losses of all processes add up to the loss of the batch.
        """

    def validate(self, epoch: int) -> Metrics:
        """Metrics on the validation part, None where that has no images; never on the test part."""

    def selection(self, metrics: Metrics) -> float | None:
        """What decides which epoch is best; higher is better. None where there is nothing to decide by."""

    def export(self) -> State:
        """What the checkpoint of a finished network holds."""

    def state_dict(self) -> State:
        """Tensors and plain values, besides the model, that the next batch depends on."""

    def load_state_dict(self, state: State) -> None:
        """Inverse of `state_dict`."""


@dataclass(frozen=True)
class Plan:
    """How long, with which optimiser (SGD), and when to look and to save."""

    schedule: Schedule
    momentum: float
    nesterov: bool
    weight_decay: float
    clip: float | None  # largest L2 norm of the gradient
    select: str  # "best" or "last": which epoch `best.pt` is
    ema: float | None = None  # decay of the weights' average, which is validated and exported then
    scaled: bool = False  # scale the loss against underflow (float16)
    loss_limit: float = 1e3  # a mean loss above it counts as divergence
    check_steps: int = 50  # batches between two looks at the loss; each waits for the device
    save_steps: int | None = None  # optimiser steps between two checkpoints within an epoch
    save_minutes: float = 10.0  # or so many minutes, looked at every `check_steps`


@dataclass
class LoopState:
    """What a resumed loop starts from, besides tensors: `batch` batches of epoch `epoch` are done."""

    epoch: int = 0
    batch: int = 0
    best: float = -math.inf
    best_epoch: int = -1
    seconds: float = 0.0
    history: list[Metrics] = field(default_factory=list)


class Loop:
    """Trains `task.model`; `run` continues from `folder/last.pt` where there is one, bit for bit.

    `last.pt` is written after every epoch and within long ones, never with weights or a loss that are no numbers; the
    one before it stays, for the case that it is damaged. `best.pt` is the network that the selection rule picks,
    `final.pt` the one of the last epoch; `about`, plain values, stands in both. Only the first of several processes
    writes.
    """

    def __init__(
        self,
        task: Task,
        plan: Plan,
        folder: Path,
        seed: int,
        processes: Processes | None = None,
        about: Json | None = None,
    ) -> None:
        self.task = task
        self.plan = plan
        self.folder = folder
        self.seed = seed
        self.processes = processes or Processes()
        self.about = about or {}
        self.parameters = [parameter for parameter in task.model.parameters() if parameter.requires_grad]
        self.device = self.parameters[0].device
        self.optimizer = torch.optim.SGD(
            self.parameters,
            lr=plan.schedule.lr,
            momentum=plan.momentum,
            nesterov=plan.nesterov,
            weight_decay=plan.weight_decay,
            fused=self.device.type == "cuda" or None,  # with the scaler it needs no wait for the device
        )
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=plan.scaled)  # type: ignore[attr-defined]
        self.average = None if plan.ema is None else ModelEMA(task.model, plan.ema)
        self.guard = DivergenceCheck(self.last, plan.loss_limit)
        self.state = LoopState()
        self.total = torch.zeros((), device=self.device)  # loss of this process summed over the epoch's steps
        self._middle: State | None = None  # this process's part of a checkpoint within an epoch

    @property
    def chosen(self) -> Path:
        """The checkpoint of the network that the selection rule picks."""
        return self.folder / BEST

    @property
    def final(self) -> Path:
        """The checkpoint of the last epoch's network."""
        return self.folder / FINAL

    @property
    def last(self) -> Path:
        """What a stopped training continues from."""
        return self.folder / LAST

    def run(self, progress: Progress = lambda done, total, note: None) -> LoopState:
        self._resume()
        self._restore_networks()
        with self._curves() as curves:
            while self.state.epoch < self.plan.schedule.epochs:
                metrics = self._epoch(progress)
                if curves is not None:
                    with os_errors_as_input_errors(self.folder):
                        for name, value in _measured(metrics).items():
                            curves.add_scalar(name, value, self.state.epoch)
                        curves.flush()
                self._end_epoch(metrics)
                progress(self.state.epoch, self.plan.schedule.epochs, _note(metrics))
        return self.state

    def _curves(self) -> AbstractContextManager[Any]:
        """The TensorBoard writer; `None` in all but the first process."""
        if not self.processes.first:
            return nullcontext()
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.state.epoch)

    # an epoch

    def _epoch(self, progress: Progress) -> Metrics:
        epoch, replays = self.state.epoch, self.task.replays
        self._begin(epoch)
        steps = self.task.steps_per_epoch * replays  # of the optimiser in an epoch
        rate = 0.0
        with signals.deferred():
            for number, batch in enumerate(self.task.batches(self.state.batch), self.state.batch):
                for replay in range(replays):
                    rate = self.plan.schedule.rate(epoch * steps + number * replays + replay, steps)
                    self._step(batch, rate)
                self.state.batch = number + 1
                if self.state.batch < self.task.steps_per_epoch:
                    self._look(progress)
        mean = self._check(steps)
        self._tick()
        with nullcontext() if self.average is None else self.average.swapped_in():
            metrics = self.task.validate(epoch)
        self._tick()
        return {"train_loss": mean, "lr": rate, **metrics}

    def _begin(self, epoch: int) -> None:
        """Seed the epoch, or go back to its middle."""
        seed = derive(self.seed, "epoch", epoch)
        self.generator = torch.Generator(self.device).manual_seed(seed)
        torch.manual_seed(seed if self.processes.first else derive(seed, "process", self.processes.rank))
        self.task.model.train()
        self.task.begin_epoch(epoch, self.generator)
        self.total.zero_()
        if self._middle is not None:
            self.generator.set_state(self._middle["generator"])
            torch.set_rng_state(self._middle["global"])
            if self.device.type == "cuda":
                torch.cuda.set_rng_state(self._middle["cuda"], self.device)
            self.total.copy_(self._middle["total"])
            self._middle = None
        self.guard.begin(self._sum(), self.state.batch * self.task.replays)
        self._saved = self._clock = time.perf_counter()

    def _step(self, batch: Any, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        self.total += self.task.gradients(batch, self.scaler.scale)
        if self.plan.clip is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.parameters, self.plan.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update()

    def _look(self, progress: Progress) -> None:
        """Every so many batches, and where one process is to end: is the loss a number, is it time to save?"""
        batch, replays = self.state.batch, self.task.replays
        before = (self.state.epoch * self.task.steps_per_epoch + batch - 1) * replays
        every = self.plan.save_steps
        save = every is not None and (before + replays) // every > before // every
        ends = signals.was_received()
        if not save and batch % self.plan.check_steps and not (ends and self.processes.count == 1):
            return
        mean = self._check(batch * replays)
        minutes = (time.perf_counter() - self._saved) / 60
        late, ends = self.processes.from_first((minutes >= self.plan.save_minutes, ends))
        if save or late or ends:
            self._tick()
            self._save()
        if ends:
            signals.raise_received()
        note = f"batch {batch} of {self.task.steps_per_epoch} train_loss {mean:.3f}"
        progress(self.state.epoch, self.plan.schedule.epochs, note)

    def _sum(self) -> float:
        return self.processes.total(self.total).item()

    def _check(self, steps: int) -> float:
        """The mean loss of the epoch's first `steps`, looked at by the guard."""
        return self.guard.mean(self._sum(), steps, self.state.epoch)

    def _tick(self) -> None:
        now = time.perf_counter()
        self.state.seconds += now - self._clock
        self._clock = now

    # checkpoints

    def _end_epoch(self, metrics: Metrics) -> None:
        value, epoch = self.task.selection(metrics), self.state.epoch
        final = epoch + 1 == self.plan.schedule.epochs
        better = value is not None and value >= self.state.best
        chosen = better or self.plan.select == "last"
        self.guard.check(self.task.model, epoch)
        if chosen:
            self.state.best = -math.inf if value is None else value
            self.state.best_epoch = epoch
        self._export([self.chosen] * chosen + [self.final] * final, epoch)
        self.state.history.append({"epoch": epoch + 1, **metrics})
        self.state.epoch, self.state.batch = epoch + 1, 0
        self._save(checked=True)

    def _export(self, paths: list[Path], epoch: int) -> None:
        """Write the network as it is after `epoch`."""
        if not self.processes.first or not paths:
            return
        with nullcontext() if self.average is None else self.average.swapped_in():
            payload = {"kind": "network", "epoch": epoch + 1, "provenance": self.about, **self.task.export()}
            for path in paths:
                checkpoint.save(path, payload)

    def _save(self, checked: bool = False) -> None:
        if not checked:
            self.guard.check(self.task.model, self.state.epoch)
        own = {
            "generator": self.generator.get_state(),
            "global": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
            "total": self.total.cpu(),
            "task": self.task.state_dict(),
        }
        everyone = self.processes.gathered(own)
        if self.processes.first:
            payload = {
                "kind": "training",
                "format": FORMAT,
                "model": self.task.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scaler": self.scaler.state_dict(),
                "average": None if self.average is None else self.average.state_dict(),
                "state": vars(self.state),
                "processes": everyone,
            }
            checkpoint.save_rotating(self.last, payload)
        self._saved = time.perf_counter()

    def _resume(self) -> None:
        payload = self.processes.from_first(self._newest() if self.processes.first else None)
        if payload is None:
            return
        if payload.get("format") != FORMAT:
            raise InputError(
                f"Expected a stopped training of this version but {self.last} was written by another; start the "
                "training anew or finish it with the version that began it."
            )
        if len(payload["processes"]) != self.processes.count:
            raise InputError(
                f"Expected as many processes as the training began with, {len(payload['processes'])}, but got "
                f"{self.processes.count}; change --nproc-per-node or --nnodes of torchrun."
            )
        self.task.model.load_state_dict(payload["model"])
        self.optimizer.load_state_dict(payload["optimizer"])
        self.scaler.load_state_dict(payload["scaler"])
        if self.average is not None:
            self.average.load_state_dict(payload["average"])
        self.state = LoopState(**payload["state"])
        own = payload["processes"][self.processes.rank]
        self.task.load_state_dict(own["task"])
        self._middle = own if self.state.batch > 0 else None

    def _newest(self) -> State | None:
        """The newest checkpoint to go on from; None for a start from the first epoch.

        One is passed over where the network that it says was picked is damaged and can only be had by training again.
        """
        lost = checkpoint.validate(self.chosen, "network")
        for payload in checkpoint.load_newest_valid(self.last, "training"):
            if payload.get("format") != FORMAT:
                return payload
            state = payload["state"]
            epoch, picked = state["epoch"], state["best_epoch"]
            ahead = picked < 0 or (self.plan.select == "last" and epoch < self.plan.schedule.epochs)  # is written yet
            if lost is None or ahead or (picked == epoch - 1 and state["batch"] == 0):
                return payload
            logging.getLogger("nas").warning(
                "The network %s, of epoch %d, was damaged (%s). It is trained again from before that epoch, to the "
                "same result.",
                self.chosen,
                picked + 1,
                lost,
            )
        return None

    def _restore_networks(self) -> None:
        """At the end of an epoch, its network can take the place of a damaged `best.pt` or `final.pt`."""
        epoch = self.state.epoch - 1
        if not self.processes.first or self.state.batch > 0 or epoch < 0:
            return
        wanted = [self.chosen] * (self.state.best_epoch == epoch)
        wanted += [self.final] * (self.state.epoch == self.plan.schedule.epochs)
        for path in wanted:
            why = checkpoint.validate(path, "network")
            if why is not None:
                logging.getLogger("nas").warning("The network %s was damaged (%s) and is written anew.", path, why)
                self._export([path], epoch)


def _measured(metrics: Metrics) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if value is not None}


def _note(metrics: Metrics) -> str:
    return " ".join(f"{name} {value:.3f}" for name, value in _measured(metrics).items() if name != "lr")
