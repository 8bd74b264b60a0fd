"""What every stage of a run needs: its workers, the tasks that they are given, and a watcher that shows progress."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from nas.core.errors import NasError
from nas.core.execution.executor import Executor, ExecutorSettings, executor_for
from nas.core.optimisation.task import Progress
from nas.core.reasons import failures_in_words
from nas.core.storage.base import FactStore
from nas.core.storage.sqlite import SqliteStore
from nas.runs.definitions import check_run
from nas.runs.metric_sources import MetricSources
from nas.runs.run_files import STORE
from nas.runs.run_folder import Run, Stage
from nas.runs.torchrun import under_torchrun
from nas.settings.schema import Settings

R = TypeVar("R")
REPORT_SECONDS = 0.3  # the shortest time between two reports of progress


class Watcher:
    """Shows progress; the command line has one that draws bars. This one is silent."""

    def stage(self, name: str, total: int, done: float = 0) -> None:
        """A stage of `total` parts begins; earlier sessions of the run have finished `done` of them."""

    def update(self, done: float, note: str) -> None:
        """`done` parts of the stage are finished."""


class Task(ABC, Generic[R]):
    """A part of a stage's work for a worker process. It is sent to that process, so its attributes must be small."""

    @abstractmethod
    def run(self, worker: Worker) -> R:
        """The result, computed in the worker's process."""


class Worker(MetricSources):
    """Does one task after the other with the settings of a run. Each process reads the data and draws the batch."""

    def __init__(self, settings: Settings, folder: Path | None = None, keep: bool = True) -> None:
        super().__init__(settings, folder, keep)
        self.open_store: Callable[[], FactStore] | None = None  # opens the store of the run, if the run has a folder
        if folder is not None:
            self.open_store = partial(SqliteStore, folder / STORE)
        self.tick: Callable[[], None] = lambda: None  # called after each report of progress; never pickled

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without data and batch, which the other process reads and draws itself."""
        return type(self), (self.settings, self.folder), {"open_store": self.open_store}

    def __call__(self, task: Task[Any]) -> Any:
        return task.run(self)

    def reporter(self, store: FactStore, name: str) -> Progress:
        """A function that writes the progress of the task `name` into the store, from where another process shows it.

        The name begins with that of the stage: `train/best-pgd`.
        """
        last = 0.0

        def report(done: int, total: int, note: str) -> None:
            nonlocal last
            if time.monotonic() - last > REPORT_SECONDS or done == total:
                last = time.monotonic()
                store.put(f"progress/{name}", [done, total, note])
            self.tick()

        return report


class RunContext:
    """A run with its workers and its watcher: what every stage needs."""

    def __init__(self, run: Run, worker: Worker, executor: Executor[Task[Any], Any], watcher: Watcher) -> None:
        self.run = run
        self.worker = worker
        self.executor = executor
        self.watcher = watcher

    def all(self, stage: Stage, tasks: Mapping[str, Task[R]], title: str) -> dict[str, R]:
        """The results of named tasks. If one fails, the others are still finished; then `NasError` is raised.

        The watcher shows the stage under its `title`, starting from what earlier sessions of the run have done.
        """
        results: dict[str, R] = {}
        prefix = f"progress/{stage.name}/"
        before: dict[str, tuple[float, float, str]] = {}

        def progress() -> dict[str, tuple[float, float, str]]:
            written = self.run.store.under(prefix)
            now = {name: (1, 1, "") if name in results else written.get(name, (0, 1, "")) for name in tasks}
            # A task that goes on reads what it has done, and meanwhile reports less.
            return {name: max(one, before.get(name, one), key=lambda it: it[0] / it[1]) for name, one in now.items()}

        def tick() -> None:
            stage.flush()
            now = progress()
            self.watcher.update(share_done(now), join_notes(now))

        self.worker.tick = tick
        before = {name: (part, total, "") for name, (part, total, _) in progress().items()}
        for name, one in before.items():
            self.run.store.put(prefix + name, list(one))
        self.watcher.stage(title, len(tasks), share_done(before))
        failures = []
        for done in self.executor.map(tasks.items(), tick):
            if done.result is None:
                failures.append((done.key, done.failure))
            else:
                results[done.key] = done.result
            tick()
        if failures:
            words = failures_in_words(failures, self.run.folder)
            raise NasError(f"{words} tries the others again. With other settings, begin a new run.")
        return {name: results[name] for name in tasks}


@contextmanager
def run_context(
    run: Run, watcher: Watcher, depends_on_images: bool = True, worker: Worker | None = None
) -> Iterator[RunContext]:
    """The run with its workers, each of which has a copy of `worker` (by default a plain one).

    Raises `InputError` if the run's numbers depend on images (`depends_on_images`) and the images have changed since
    the run was begun.
    """
    settings = run.settings
    worker = worker or Worker(settings, run.folder.resolve())
    worker.functions = run.functions
    how = settings.executor
    if under_torchrun():
        how = ExecutorSettings(workers=1, threads=how.threads, deterministic=how.deterministic)
    with executor_for(worker, how, settings.torch_device().type) as executor:
        worker.open_store = executor.store_factory(run.folder / STORE)
        if depends_on_images:
            run.check_data_unchanged(worker.dataset)
            check_run(run, worker.dataset)
        yield RunContext(run, worker, executor, watcher)


def share_done(progress: Mapping[str, tuple[float, float, str]]) -> float:
    """How many tasks are done, counting parts of unfinished ones; each is (done, total, note) under its name."""
    return sum(done / total for done, total, _ in progress.values())


def join_notes(progress: Mapping[str, tuple[float, float, str]]) -> str:
    """The notes of the tasks under way; each is (done, total, note) under its name, and the note may be empty."""
    return "; ".join(f"{name} {note}" for name, (done, total, note) in progress.items() if note and done < total)
