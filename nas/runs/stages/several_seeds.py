"""`nas run CONFIG seeds=N`: the whole run once per seed, and a summary of the repetitions.

Each repetition is a run of its own in `seed-<seed>` of the study's folder; a stopped study goes on with `nas
resume`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas.core import config
from nas.core.errors import NasError
from nas.core.execution.executor import LOCAL, ExecutorSettings, executor_for
from nas.core.io.files import DamagedError
from nas.core.reasons import failures_in_words
from nas.results import Result, RunResult, StudyResult
from nas.runs.repetitions import summarise
from nas.runs.run_files import result_of
from nas.runs.run_folder import Run, create, reopen
from nas.runs.settings_checksum import CHANGEABLE
from nas.runs.stages.context import Watcher
from nas.settings.schema import Settings, from_values, is_supernet

Finish = Callable[[Run, Watcher], Result]


class _SeedWatcher(Watcher):
    """Shows the stages of one repetition under its seed."""

    def __init__(self, watcher: Watcher, seed: int) -> None:
        self.watcher = watcher
        self.seed = seed

    def stage(self, name: str, total: int, done: float = 0) -> None:
        self.watcher.stage(f"seed {self.seed}: {name}", total, done)

    def update(self, done: float, note: str) -> None:
        self.watcher.update(done, note)


def execute(run: Run, watcher: Watcher, finish: Finish, report: Callable[[Path, StudyResult], Any]) -> StudyResult:
    """Do or continue the run of every seed by `finish`, compare the runs, write the `report` and `result.json`."""
    settings = run.settings
    seeds = list(range(settings.seed, settings.seed + settings.seeds))
    if settings.executor.name == LOCAL:
        results = [_Repetition(run.folder, settings, finish, _SeedWatcher(watcher, seed))(seed) for seed in seeds]
    else:
        results = _spread_out(run, watcher, finish, seeds)
    result = summarise(results)
    provenance = results[0].provenance
    run.store.put("data", None if provenance is None else provenance.data_sha256)
    with run.stage("report"):
        report(run.folder, run.with_provenance(result))
    return run.finish(result)


def _spread_out(run: Run, watcher: Watcher, finish: Finish, seeds: list[int]) -> list[RunResult]:
    """The results of all seeds, which run at the same time on a cluster.

    Each run is led by a worker of its own, which hands its tasks to its share of the other workers; a run that searches
    with a supernet does all of its work in the leading worker.
    """
    settings = run.settings
    waits = not is_supernet(settings)
    how = replace(settings.executor, deadline=None)
    work = _Repetition(run.folder.resolve(), settings, finish, Watcher())
    with executor_for(work, how, settings.torch_device().type, len(seeds), zero_resources=waits) as executor:
        work.inner = replace(settings.executor, workers=max(1, executor.capacity // len(seeds)))
        if not waits:
            work.inner = replace(settings.executor, name=LOCAL, workers=1, address=None, gpus=None)
        watcher.stage("seeds", len(seeds))
        results: dict[int, RunResult] = {}
        for done in executor.map(zip(seeds, seeds)):
            if done.failure is not None or done.result is None:
                raise NasError(f"{failures_in_words([(f'Seed {done.key}', done.failure)], run.folder)}.")
            results[done.key] = done.result
            watcher.update(len(results), "")
    return [results[seed] for seed in seeds]


class _Repetition:
    """The run of one seed, new or begun earlier; the settings in `CHANGEABLE` are those of the study."""

    def __init__(self, study: Path, settings: Settings, finish: Finish, watcher: Watcher) -> None:
        self.study = study
        self.settings = settings
        self.finish = finish
        self.watcher = watcher
        self.inner: ExecutorSettings = settings.executor

    def __call__(self, seed: int) -> RunResult:
        folder = self.study / f"seed-{seed}"
        done: Result | None = None
        with suppress(DamagedError):  # continuing the run writes the result anew
            done = result_of(folder) if folder.exists() else None
        if done is None:
            with self._opened(folder, seed) as run:
                done = self.finish(run, self.watcher)
        assert isinstance(done, RunResult)
        return done

    def _opened(self, folder: Path, seed: int) -> AbstractContextManager[Run]:
        values = config.plain(self.settings)
        values["executor"] = config.plain(self.inner)
        if folder.exists():
            changed = []
            for key in CHANGEABLE:
                section, _, name = key.partition(".")
                value = values[section][name]
                changed.append(f"{key}={'null' if value is None else value}")
            return reopen(folder, changed)
        values = {**values, "seed": seed, "seeds": 1, "run": {**values["run"], "dir": str(folder)}}
        return create("run", from_values(values, []))
