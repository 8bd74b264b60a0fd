"""The training loop: steps, validation, checkpoints within epochs, TensorBoard."""

from __future__ import annotations

import logging
import math
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nas.core.errors import InputError
from nas.core.execution import signals
from nas.core.io import checkpoint
from nas.core.io.checkpoint import State
from nas.core.io.files import os_errors_as_input_errors
from nas.core.io.records import Json
from nas.core.optimisation.distributed import Processes
from nas.core.optimisation.divergence import DivergenceCheck
from nas.core.optimisation.ema import ModelEMA
from nas.core.optimisation.task import LoopState, Metrics, Plan, Progress, TrainingTask
from nas.core.seeds import derive

BEST = "best.pt"  # these files are in the folder of a training
FINAL = "final.pt"
LAST = "last.pt"
FORMAT = 2  # of last.pt; raise it if the meaning of the content changes


class Loop:
    """Trains `task.model`. If there is a `folder/last.pt`, `run` resumes from it and gives the same bits.

    `last.pt` is written after every epoch and within long epochs, but never with weights or a loss that are not finite.
    The previous one is kept in case the newest is damaged. `best.pt` is the network that the selection rule picks,
    `final.pt` that of the last epoch; both contain `about` as their provenance. Only the first process writes.
    """

    def __init__(
        self,
        task: TrainingTask,
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
            fused=self.device.type == "cuda" or None,  # so that the scaler does not wait for the device
        )
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=plan.scaled)  # type: ignore[attr-defined]
        self.ema = None if plan.ema is None else ModelEMA(task.model, plan.ema)
        self.divergence = DivergenceCheck(self.last, plan.loss_limit)
        self.state = LoopState()
        self.total = torch.zeros((), device=self.device)  # sum of this process's losses over the steps of the epoch
        self._mid_epoch: State | None = None  # this process's part of a checkpoint that was saved within an epoch

    @property
    def best(self) -> Path:
        """The checkpoint of the network that the selection rule picks."""
        return self.folder / BEST

    @property
    def final(self) -> Path:
        """The checkpoint of the network after the last epoch."""
        return self.folder / FINAL

    @property
    def last(self) -> Path:
        """The checkpoint from which a stopped training resumes."""
        return self.folder / LAST

    def run(self, progress: Progress = lambda done, total, note: None) -> LoopState:
        """Train to the end of the last epoch.

        Raises `NasError` if the training diverges, and `InputError` if `last.pt` was written by another version or by
        another number of processes.
        """
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
                progress(self.state.epoch, self.plan.schedule.epochs, _summary(metrics))
        return self.state

    def _curves(self) -> AbstractContextManager[Any]:
        """The TensorBoard writer; `None` in all processes but the first."""
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
                    self.step(batch, rate)
                self.state.batch = number + 1
                if self.state.batch < self.task.steps_per_epoch:
                    self._check_and_save(progress)
        mean = self._mean_loss(steps)
        self._add_seconds()
        with nullcontext() if self.ema is None else self.ema.swapped_in():
            metrics = self.task.validate(epoch)
        self._add_seconds()
        return {"train_loss": mean, "lr": rate, **metrics}

    def _begin(self, epoch: int) -> None:
        """Seed the generators of the epoch or, within an epoch, restore their state."""
        seed = derive(self.seed, "epoch", epoch)
        self.generator = torch.Generator(self.device).manual_seed(seed)
        torch.manual_seed(seed if self.processes.first else derive(seed, "process", self.processes.rank))
        self.task.model.train()
        self.task.begin_epoch(epoch, self.generator)
        self.total.zero_()
        if self._mid_epoch is not None:
            self.generator.set_state(self._mid_epoch["generator"])
            torch.set_rng_state(self._mid_epoch["global"])
            if self.device.type == "cuda":
                torch.cuda.set_rng_state(self._mid_epoch["cuda"], self.device)
            self.total.copy_(self._mid_epoch["total"])
            self._mid_epoch = None
        self.divergence.begin(self.total_loss(), self.state.batch * self.task.replays)
        self._saved = self._clock = time.perf_counter()

    def step(self, batch: Any, rate: float) -> None:
        """One step of the optimiser on the batch with this learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        self.total += self.task.gradients(batch, self.scaler.scale)
        if self.plan.clip is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.parameters, self.plan.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.ema is not None:
            self.ema.update()

    def _check_and_save(self, progress: Progress) -> None:
        """Every `check_steps` batches and after a signal: check the loss, and save if it is time to."""
        batch, replays = self.state.batch, self.task.replays
        before = (self.state.epoch * self.task.steps_per_epoch + batch - 1) * replays
        every = self.plan.save_steps
        save = every is not None and (before + replays) // every > before // every
        interrupted = signals.was_received()
        if not save and batch % self.plan.check_steps and not (interrupted and self.processes.count == 1):
            return
        mean = self._mean_loss(batch * replays)
        minutes = (time.perf_counter() - self._saved) / 60
        late, interrupted = self.processes.broadcast((minutes >= self.plan.save_minutes, interrupted))
        if save or late or interrupted:
            self._add_seconds()
            self._save()
        if interrupted:
            signals.raise_received()
        note = f"batch {batch} of {self.task.steps_per_epoch} train_loss {mean:.3f}"
        progress(self.state.epoch, self.plan.schedule.epochs, note)

    def total_loss(self) -> float:
        """The loss of the whole batch summed over the steps of the epoch so far."""
        return self.processes.sum(self.total).item()

    def _mean_loss(self, steps: int) -> float:
        """The mean loss of the first `steps` steps of the epoch. Raises `NasError` if it shows divergence."""
        return self.divergence.mean(self.total_loss(), steps, self.state.epoch)

    def _add_seconds(self) -> None:
        now = time.perf_counter()
        self.state.seconds += now - self._clock
        self._clock = now

    # checkpoints

    def _end_epoch(self, metrics: Metrics) -> None:
        value, epoch = self.task.selection(metrics), self.state.epoch
        final = epoch + 1 == self.plan.schedule.epochs
        better = value is not None and value >= self.state.best
        chosen = better or self.plan.select == "last"
        self.divergence.check(self.task.model, epoch)
        if chosen:
            self.state.best = -math.inf if value is None else value
            self.state.best_epoch = epoch
        self._export([self.best] * chosen + [self.final] * final, epoch)
        self.state.history.append({"epoch": epoch + 1, **metrics})
        self.state.epoch, self.state.batch = epoch + 1, 0
        self._save(checked=True)

    def _export(self, paths: list[Path], epoch: int) -> None:
        """Write the network after `epoch`."""
        if not self.processes.first or not paths:
            return
        with nullcontext() if self.ema is None else self.ema.swapped_in():
            payload = {"kind": "network", "epoch": epoch + 1, "provenance": self.about, **self.task.export()}
            for path in paths:
                checkpoint.save(path, payload)

    def _save(self, checked: bool = False) -> None:
        if not checked:
            self.divergence.check(self.task.model, self.state.epoch)
        own = {
            "generator": self.generator.get_state(),
            "global": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
            "total": self.total.cpu(),
            "task": self.task.state_dict(),
        }
        everyone = self.processes.gather(own)
        if self.processes.first:
            payload = {
                "kind": "training",
                "format": FORMAT,
                "model": self.task.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scaler": self.scaler.state_dict(),
                "average": None if self.ema is None else self.ema.state_dict(),
                "state": vars(self.state),
                "processes": everyone,
            }
            checkpoint.save_rotating(self.last, payload)
        self._saved = time.perf_counter()

    def _resume(self) -> None:
        payload = self.processes.broadcast(self._newest_usable() if self.processes.first else None)
        if payload is None:
            return
        if payload.get("format") != FORMAT:
            raise InputError(
                f"Expected a stopped training of this version but {self.last} was written by another; start the "
                "training again or finish it with the version that began it."
            )
        if len(payload["processes"]) != self.processes.count:
            raise InputError(
                f"Expected as many processes as the training began with, {len(payload['processes'])}, but got "
                f"{self.processes.count}; change --nproc-per-node or --nnodes of torchrun."
            )
        self.task.model.load_state_dict(payload["model"])
        self.optimizer.load_state_dict(payload["optimizer"])
        self.scaler.load_state_dict(payload["scaler"])
        if self.ema is not None:
            self.ema.load_state_dict(payload["average"])
        self.state = LoopState(**payload["state"])
        own = payload["processes"][self.processes.rank]
        self.task.load_state_dict(own["task"])
        self._mid_epoch = own if self.state.batch > 0 else None

    def _newest_usable(self) -> State | None:
        """The newest checkpoint to resume from; `None` to start from the first epoch.

        Skip a checkpoint if the file of its best network is damaged and a training that resumes from the checkpoint
        would not write that file again. Only a training from an earlier checkpoint can recover that network.
        """
        damage = checkpoint.validate(self.best, "network")
        for payload in checkpoint.load_newest_valid(self.last, "training"):
            if payload.get("format") != FORMAT:
                return payload
            state = payload["state"]
            epoch, best = state["epoch"], state["best_epoch"]
            # whether a training that resumes from this checkpoint writes the best network anyway
            later = best < 0 or (self.plan.select == "last" and epoch < self.plan.schedule.epochs)
            if damage is None or later or (best == epoch - 1 and state["batch"] == 0):
                return payload
            logging.getLogger("nas").warning(
                "The network %s, of epoch %d, was damaged (%s). The training continues from an earlier checkpoint and "
                "comes to the same result.",
                self.best,
                best + 1,
                damage,
            )
        return None

    def _restore_networks(self) -> None:
        """Write a damaged `best.pt` or `final.pt` again if it held the same network as `last.pt` does."""
        epoch = self.state.epoch - 1
        if not self.processes.first or self.state.batch > 0 or epoch < 0:
            return
        wanted = [self.best] * (self.state.best_epoch == epoch)
        wanted += [self.final] * (self.state.epoch == self.plan.schedule.epochs)
        for path in wanted:
            damage = checkpoint.validate(path, "network")
            if damage is not None:
                logging.getLogger("nas").warning("The network %s was damaged (%s) and is written again.", path, damage)
                self._export([path], epoch)


def _measured(metrics: Metrics) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if value is not None}


def _summary(metrics: Metrics) -> str:
    return " ".join(f"{name} {value:.3f}" for name, value in _measured(metrics).items() if name != "lr")
