"""Workers that do one task at a time, wherever they are, and what each sets for itself when it starts."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from nas.core.storage.base import FactStore, TaskResult
from nas.core.storage.sqlite import SqliteStore

DATA_NOTES = "nas.data"  # logger of what is to be known of the data

Work = Callable[[Any, Any], TaskResult[Any, Any]]  # by key and item of a task


class WorkerEvent(NamedTuple):
    """Of one worker: it is `ready` for its first task, its task has a `result`, or (neither) it died."""

    worker: int
    ready: bool = False
    result: TaskResult[Any, Any] | None = None
    not_started: bool = False  # it died before it began the task that it was given


class WorkerPool(ABC):
    """Workers by number. A worker gets its `Work` once, when it is started, and then one task after the other."""

    on_several_machines = False  # then one worker's memory says nothing about another's
    max_failed_starts = 3  # workers in a row that may die before they are ready

    @abstractmethod
    def start(self) -> int:
        """Start a worker; an event tells when it is ready."""

    @abstractmethod
    def submit(self, worker: int, key: Any, item: Any) -> None:
        """Give a task to a worker that has none."""

    @abstractmethod
    def poll(self, timeout: float) -> list[WorkerEvent]:
        """What happened, after at most `timeout` seconds. Raises what no task is to blame for."""

    @abstractmethod
    def stop(self, worker: int) -> None:
        """End a worker whatever it does; there will be no event of it."""

    @abstractmethod
    def workers(self) -> list[int]:
        """Those that were started and neither died nor were stopped."""

    def close(self) -> None:
        """Stop all workers."""
        for worker in self.workers():
            self.stop(worker)

    def close_after_saving(self) -> None:
        """Stop all workers, after those that can save what they have done did so."""
        self.close()

    def store_factory(self, path: Path) -> Callable[[], FactStore]:
        """See `Executor.store_factory`."""
        return partial(SqliteStore, path)


def make_repeatable(threads: int) -> None:
    """What results may depend on is set here, in every process alike."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def mute_data_notes() -> None:
    """In a process that helps another, which has told what is to be known of the data."""
    logging.getLogger(DATA_NOTES).setLevel(logging.CRITICAL)
