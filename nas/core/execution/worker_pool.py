"""The interface of a pool of workers, each of which does one task at a time; and what a worker sets when it starts."""

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

DATA_NOTES = "nas.data"  # logger of what users should know about their data

Work = Callable[[Any, Any], TaskResult[Any, Any]]  # does a task, given its key and its item


class WorkerEvent(NamedTuple):
    """What happened to a worker: it is `ready` for its first task, its task has a `result`, or (neither) it died."""

    worker: int
    ready: bool = False
    result: TaskResult[Any, Any] | None = None
    not_started: bool = False  # it died before it started the task it had been given


class WorkerPool(ABC):
    """Workers, known by their numbers. A worker gets its `Work` once, when it starts, then one task after another."""

    on_several_machines = False  # if so, one worker may have memory while another has none
    max_failed_starts = 3  # number of workers in a row that may die before they are ready

    @abstractmethod
    def start(self) -> int:
        """Start a worker and return its number; an event says when it is ready."""

    @abstractmethod
    def submit(self, worker: int, key: Any, item: Any) -> None:
        """Give a task to a worker that has none."""

    @abstractmethod
    def poll(self, timeout: float) -> list[WorkerEvent]:
        """The events so far; waits at most `timeout` seconds for one. Raises errors that no task has caused."""

    @abstractmethod
    def stop(self, worker: int) -> None:
        """End a worker, whatever it is doing; no event follows."""

    @abstractmethod
    def workers(self) -> list[int]:
        """The workers that were started and have neither died nor been stopped."""

    def close(self) -> None:
        """Stop all workers."""
        for worker in self.workers():
            self.stop(worker)

    def close_after_saving(self) -> None:
        """Stop all workers, after giving those that can the time to save their work."""
        self.close()

    def store_factory(self, path: Path) -> Callable[[], FactStore]:
        """See `Executor.store_factory`."""
        return partial(SqliteStore, path)


def make_repeatable(threads: int) -> None:
    """Set the threads of torch and the mode of cuDNN, on which results may depend, alike in every process."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def mute_data_notes() -> None:
    """Log no notes about the data in a worker: the leading process has logged them."""
    logging.getLogger(DATA_NOTES).setLevel(logging.CRITICAL)
