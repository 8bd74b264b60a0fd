"""A signal ends a process at once or after the current training step; a second one always ends it at once."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.core.errors import Terminated
from nas.core.execution import signals
from nas.core.execution.executor import Executor, run_task
from nas.core.execution.local_pool import LocalPool, _serve
from nas.core.io import checkpoint
from nas.core.optimisation.lr_schedule import Schedule
from nas.core.optimisation.task import Plan
from nas.core.optimisation.trainer import Loop

STEPS = 6


@pytest.fixture(autouse=True)
def _handlers_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in signals.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    signals._number = 0
    assert signals._deferring == 0


class Signalled:
    """A weight w with loss w; a signal comes in the middle of step `at`."""

    def __init__(self, at: int | None, number: int = signal.SIGUSR1) -> None:
        self.model = nn.Linear(1, 1, bias=False)
        nn.init.ones_(self.model.weight)
        self.steps_per_epoch = STEPS
        self.replays = 1
        self.at = at
        self.number = number
        self.done = 0

    def begin_epoch(self, epoch: int, generator: torch.Generator) -> None:
        self.generator = generator

    def batches(self, start: int) -> Iterator[float]:
        for _ in range(start, self.steps_per_epoch):
            yield torch.rand(1, generator=self.generator).item()

    def gradients(self, batch: float, scale: Callable[[Tensor], Tensor]) -> Tensor:
        self.done += 1
        if self.done == self.at:
            os.kill(os.getpid(), self.number)
        loss = batch * self.model.weight.sum()
        scale(loss).backward()
        return loss.detach()

    def validate(self, epoch: int) -> dict[str, float]:
        return {"value": float(epoch)}

    def selection(self, metrics: dict[str, float]) -> float:
        return metrics["value"]

    def export(self) -> dict[str, Any]:
        return {"weight": self.model.weight.detach().clone()}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        assert state == {}


def trained(task: Signalled, folder: Path) -> float:
    plan = Plan(Schedule(2, 0.1, 0.1), momentum=0.9, nesterov=True, weight_decay=0.0, clip=None, select="last")
    Loop(task, plan, folder, 0).run()
    return task.model.weight.item()


@pytest.mark.parametrize("number", signals.SIGNALS)
def test_a_training_finishes_its_step_saves_and_goes_on_from_there(number: int, tmp_path: Path) -> None:
    signals.listen()
    with pytest.raises(Terminated) as raised:
        trained(Signalled(at=STEPS + 3, number=number), tmp_path / "stopped")
    assert raised.value.number == number
    state = checkpoint.load(tmp_path / "stopped" / "last.pt", "training")["state"]
    assert (state["epoch"], state["batch"]) == (1, 3)
    signals.listen()  # as in a new process
    again = Signalled(at=None)
    assert trained(again, tmp_path / "stopped") == trained(Signalled(at=None), tmp_path / "whole")
    assert again.done == STEPS - 3


def test_a_signal_in_the_last_step_of_an_epoch_comes_after_it(tmp_path: Path) -> None:
    signals.listen()
    with pytest.raises(Terminated):
        trained(Signalled(at=STEPS), tmp_path)
    assert not (tmp_path / "last.pt").exists()  # it would lack what the epoch's end needs


def test_elsewhere_it_comes_at_once() -> None:
    signals.listen()
    with pytest.raises(Terminated):
        signal.raise_signal(signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)  # some senders signal a process twice


ALONE = """
import os, signal, sys, time
from nas.core.execution import signals
if sys.argv[1] == "ignored":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
signals.listen()
signals.SECOND_SIGNAL_SECONDS = 0.05
if sys.argv[1] == "ignored":
    os.kill(os.getpid(), signal.SIGINT)
    sys.exit(7)
with signals.deferred():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)
"""


@pytest.mark.parametrize(("case", "code"), [("twice", 130), ("ignored", 7)])
def test_a_later_signal_ends_the_process_and_an_ignored_interrupt_stays_so(case: str, code: int) -> None:
    assert subprocess.run([sys.executable, "-c", ALONE, case], check=False).returncode == code


class Gone:
    """The pipe to a run that was killed while a worker waited for its item or worked on it."""

    def __init__(self, items: list[tuple[int, int]]) -> None:
        self.items = items

    def recv(self) -> tuple[int, int]:
        if not self.items:
            raise ConnectionResetError
        return self.items.pop()

    def send(self, value: object) -> None:
        if value is not None:
            raise BrokenPipeError


@pytest.mark.parametrize("items", [[], [(0, -1)]])
def test_a_worker_whose_run_was_killed_ends_without_a_word(items: list[tuple[int, int]]) -> None:
    connection: Any = Gone(items)
    _serve(connection, [], pickle.dumps(partial(run_task, abs)), torch.get_num_threads(), dict(os.environ))
    assert items == []


class Trains:
    """Trains in a worker, and writes a file in the middle of a step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, item: int) -> float:
        task = Signalled(at=None)
        gradients = task.gradients

        def slow(batch: float, scale: Callable[[Tensor], Tensor]) -> Tensor:
            loss = gradients(batch, scale)
            if task.done == 2:
                (self.folder / "begun").touch()
                time.sleep(1.0)
            return loss

        task.gradients = slow  # type: ignore[method-assign]
        return trained(task, self.folder / "run")


@pytest.mark.landing
def test_a_training_in_a_worker_saves_before_it_is_ended(tmp_path: Path) -> None:
    signals.listen()

    def tick() -> None:
        if (tmp_path / "begun").exists():
            os.kill(os.getpid(), signal.SIGTERM)

    work = Trains(tmp_path)
    with pytest.raises(Terminated), Executor(work, 2, 1, pool=LocalPool(partial(run_task, work), 1)) as executor:
        list(executor.map([("training", 0)], tick))
    state = checkpoint.load(tmp_path / "run" / "last.pt", "training")["state"]
    assert (state["epoch"], state["batch"]) == (0, 2)
