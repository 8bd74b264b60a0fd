"""`nas run CONFIG seeds=N`: the whole run once per seed, and what the repetitions say together.

Each repetition is a run of its own in `seed-<seed>` of the study's folder; a stopped study goes on with `nas resume`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from nas.core import config
from nas.core.errors import InputError, NasError
from nas.core.executor import LOCAL, ExecutorSettings, executor_for
from nas.core.files import DamagedError
from nas.core.reasons import stopped
from nas.core.repeated import mean_and_deviation, sign_flip, smallest_p, t_test
from nas.drivers.pipeline import Watcher
from nas.drivers.run import CHANGEABLE, CONFIG, Run, create, described, reopen, result_of
from nas.drivers.settings import Settings, from_values
from nas.drivers.supernet_stage import is_supernet

Execute = Callable[[Run, Watcher], dict[str, Any]]
CORRUPTIONS = "corruptions"
SCORE = "hrs:"  # before the name of an attack: the harmonic robustness score under it


class _OfSeed(Watcher):
    """Shows the stages of one repetition under its seed."""

    def __init__(self, watcher: Watcher, seed: int) -> None:
        self.watcher = watcher
        self.seed = seed

    def stage(self, name: str, total: int) -> None:
        self.watcher.stage(f"seed {self.seed}: {name}", total)

    def update(self, done: float, note: str) -> None:
        self.watcher.update(done, note)


def carry_out(run: Run, watcher: Watcher, execute: Execute) -> dict[str, Any]:
    """Do (or finish) the run of every seed by `execute`, compare them, write the report and `result.json`."""
    from nas.drivers.report import write_report

    settings = run.settings
    seeds = list(range(settings.seed, settings.seed + settings.seeds))
    if settings.executor.name == LOCAL:
        results = [_Repetition(run.folder, settings, execute, _OfSeed(watcher, seed))(seed) for seed in seeds]
    else:
        results = _spread_out(run, watcher, execute, seeds)
    result = {
        "space": settings.space,
        "data": settings.data.name,
        "seeds": seeds,
        "runs": [f"seed-{seed}" for seed in seeds],
        **together(results),
    }
    run.store.put("data", results[0]["provenance"]["data_sha256"])
    seconds = {stage: round(sum(one["seconds"][stage] for one in results), 3) for stage in results[0]["seconds"]}
    with run.stage("report"):
        write_report(run.folder, run.signed({**result, "seconds": seconds}))
    return run.finish({**result, "seconds": seconds})


def refuse(folder: Path) -> None:
    """`InputError` where the folder is a study and one run is wanted."""
    if described(folder)["command"] == "study":
        runs = ", ".join(str(path.parent) for path in sorted(folder.glob(f"seed-*/{CONFIG}")))
        raise InputError(
            f"Expected one run but {folder} is a study of several seeds; give one of {runs or 'its runs'}."
        )


def _spread_out(run: Run, watcher: Watcher, execute: Execute, seeds: list[int]) -> list[dict[str, Any]]:
    """All seeds at once on a cluster.

    Each is led by a worker of its own, which hands its evaluations to its share of the others; one that searches with
    a supernet does all of its work itself.
    """
    settings = run.settings
    waits = not is_supernet(settings)
    how = replace(settings.executor, deadline=None)
    work = _Repetition(run.folder.resolve(), settings, execute, Watcher())
    with executor_for(work, how, settings.torch_device().type, len(seeds), light=waits) as executor:
        work.inner = replace(settings.executor, workers=max(1, executor.room // len(seeds)))
        if not waits:
            work.inner = replace(settings.executor, name=LOCAL, workers=1, address=None, gpus=None)
        watcher.stage("seeds", len(seeds))
        results: dict[int, dict[str, Any]] = {}
        for done in executor.map(seeds):
            if done.failure is not None or done.result is None:
                raise NasError(f"{stopped([(f'Seed {seeds[done.index]}', done.failure)], run.folder)}.")
            results[done.index] = done.result
            watcher.update(len(results), "")
    return [results[index] for index in range(len(seeds))]


class _Repetition:
    """The run of one seed, new or begun earlier; what may change about a resumed run changes here too."""

    def __init__(self, study: Path, settings: Settings, execute: Execute, watcher: Watcher) -> None:
        self.study = study
        self.settings = settings
        self.execute = execute
        self.watcher = watcher
        self.inner: ExecutorSettings = settings.executor

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "settings": config.plain(self.settings)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.settings = from_values(state["settings"], [])

    def __call__(self, seed: int) -> dict[str, Any]:
        folder = self.study / f"seed-{seed}"
        with suppress(DamagedError):  # going on with that run mends it
            done = result_of(folder) if folder.exists() else None
            if done is not None:
                return done
        with self._opened(folder, seed) as run:
            return self.execute(run, self.watcher)

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


def together(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and deviation of every model's numbers over the repetitions, and paired tests of best against random.

    `results` are those of `nas run`, one per seed. Accuracies and scores are fractions.
    """
    by_name = [{entry["name"]: entry for entry in result["models"]} for result in results]
    first = results[0]["models"]
    models = []
    for entry in first:
        entries = [one[entry["name"]] for one in by_name]
        models.append(
            {
                "name": entry["name"],
                "training": entry["training"],
                "architectures": [one["architecture"] for one in entries],
                "params": [one["params"] for one in entries],
                "metrics": {
                    metric: _spread([value_of(one, metric) for one in entries]) for metric in metrics_of(entry)
                },
            }
        )
    tests = []
    for entry in first:
        cell, _, training = entry["name"].partition("-")
        other = f"random-{training}"
        if cell == "best" and other in by_name[0]:
            tests += [
                _test(metric, [one[entry["name"]] for one in by_name], [one[other] for one in by_name])
                for metric in metrics_of(entry)
            ]
    about = {key: first[0][key] for key in ("norm", "eps", "n_test")}
    return {**about, "models": models, "tests": tests, "smallest_p_flip": smallest_p(len(results))}


def metrics_of(entry: dict[str, Any]) -> list[str]:
    """The numbers of an evaluation that a study compares: clean, each attack, mean of corruptions, their scores."""
    corrupted = [CORRUPTIONS] if entry.get(CORRUPTIONS) else []
    return ["clean", *entry["attacks"], *corrupted, *(SCORE + name for name in [*entry["hrs"], *corrupted])]


def value_of(entry: dict[str, Any], metric: str) -> float:
    if metric == "clean":
        return entry["clean"]
    if metric.removeprefix(SCORE) == CORRUPTIONS:
        return entry[CORRUPTIONS]["hrs" if metric.startswith(SCORE) else "mean"]
    return entry["hrs"][metric.removeprefix(SCORE)] if metric.startswith(SCORE) else entry["attacks"][metric]


def _spread(values: list[float]) -> dict[str, Any]:
    mean, deviation = mean_and_deviation(values)
    return {"values": values, "mean": mean, "sd": deviation}


def _test(metric: str, best: list[dict[str, Any]], random: list[dict[str, Any]]) -> dict[str, Any]:
    """One number of the best cells against that of the random ones, seed by seed and image by image."""
    differences = [value_of(a, metric) - value_of(b, metric) for a, b in zip(best, random)]
    images = None
    if metric in best[0]["correct"]:
        images = asdict(
            t_test(_by_image([one["correct"][metric] for one in best], [one["correct"][metric] for one in random]))
        )
    return {
        "first": best[0]["name"],
        "second": random[0]["name"],
        "metric": metric,
        **_spread(differences),
        "seeds": asdict(t_test(differences)),
        "p_flip": sign_flip(differences),
        "images": images,
    }


def _by_image(best: list[str], random: list[str]) -> list[float]:
    """Per test image, the share of seeds whose best cell is right minus that whose random cell is: in [-1, 1].

    Every seed sees the same images, so the image (not image and seed) is what was drawn independently.
    """
    right, other = (
        np.array([[char == "1" for char in one] for one in texts], dtype=np.float64) for texts in (best, random)
    )
    return (right - other).mean(axis=0).tolist()
