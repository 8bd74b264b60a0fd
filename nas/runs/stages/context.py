"""A run with its workers and its watcher: what every stage needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nas.core.errors import NasError
from nas.core.execution.executor import Executor, ExecutorSettings, executor_for
from nas.core.reasons import stopped
from nas.runs.definitions import check_run
from nas.runs.run_folder import STORE, Run, Stage
from nas.runs.tasks import Job, Jobs, R
from nas.runs.torchrun import started


class Watcher:
    """Shows progress; the command line has one that draws bars. This one is silent."""

    def stage(self, name: str, total: int) -> None:
        """A stage of `total` parts begins."""

    def update(self, done: float, note: str) -> None:
        """`done` parts of the stage are finished."""


class RunContext:
    """A run with its workers and its watcher: what every stage needs."""

    def __init__(self, run: Run, jobs: Jobs, executor: Executor[Job[Any], Any], watcher: Watcher) -> None:
        self.run = run
        self.jobs = jobs
        self.executor = executor
        self.watcher = watcher

    def all(self, stage: Stage, jobs: Mapping[str, Job[R]]) -> dict[str, R]:
        """Results of named jobs; any failure stops the run, after the others' results are kept."""

        def tick() -> None:
            stage.flush()
            shares = self.run.store.under("progress/")
            done = sum(shares[name][0] / shares[name][1] for name in jobs if name in shares)
            self.watcher.update(done, noted({name: shares[name] for name in jobs if name in shares}))

        self.jobs.tick = tick
        for name in jobs:
            self.run.store.put(f"progress/{name}", [0, 1, ""])
        results: dict[str, R] = {}
        failures = []
        for done in self.executor.map(jobs.items(), tick):
            if done.result is None:
                failures.append((done.key, done.failure))
            else:
                results[done.key] = done.result
            tick()
        if failures:
            raise NasError(
                f"{stopped(failures, self.run.folder)} tries the others again; other settings need a new run."
            )
        return {name: results[name] for name in jobs}


@contextmanager
def run_context(run: Run, watcher: Watcher, depends_on_images: bool = True) -> Iterator[RunContext]:
    """The run with its workers. `depends_on_images`: whether its numbers do; the data must be those of before then."""
    settings = run.settings
    jobs = Jobs(settings, run.folder.resolve())
    how = settings.executor
    if started():
        how = ExecutorSettings(workers=1, threads=how.threads, deterministic=how.deterministic)
    with executor_for(jobs, how, settings.torch_device().type) as executor:
        jobs.open_store = executor.store_factory(run.folder / STORE)
        if depends_on_images:
            run.check_data_unchanged(jobs.dataset)
            check_run(run, jobs.dataset)
        yield RunContext(run, jobs, executor, watcher)


def noted(shares: dict[str, tuple[float, float, str]]) -> str:
    """What the jobs under way say of themselves; each is (done, total, note) under its name, the note may be empty."""
    return "; ".join(f"{name} {note}" for name, (done, total, note) in shares.items() if note and done < total)
