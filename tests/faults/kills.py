"""Kill a run at random moments, resume it, and compare it with one that was never stopped."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from comparing import differences
from forks import Command
from run_progress import finished_work, stage
from workload import Sandbox

from nas.core.errors import NasError

TWO_WORKERS_EVERY = 8  # every so many runs has two workers, started anew for each, which takes its time
KILLED_AGAIN = 0.3  # probability that a resumed run is killed once more
GROUP, MAIN, WORKER = "whole group", "main process", "one worker"
GOES_ON = "a worker alone (the run goes on)"


@dataclass
class Kill:
    """One kill: in which stage, after how many seconds, of what."""

    stage: str
    seconds: float
    target: str
    results: int  # finished evaluations, outcomes and trainings that were there


@dataclass
class Trial:
    """A run that was killed one or more times, and what became of it."""

    run: str
    workers: int
    kills: list[Kill] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass
class Reference:
    """The run that nothing happened to, and the seconds that it takes with one worker and with two."""

    run: Path
    seconds: dict[int, float]


def run_reference(sandbox: Sandbox, counts: Iterable[int]) -> Reference:
    """Carry out the run once with each number of workers; they must be the same already."""
    seconds: dict[int, float] = {}
    runs = []
    for workers in counts:
        run = sandbox.new("reference")
        start = time.monotonic()
        ended = sandbox.start(run, workers=workers).wait()
        seconds[workers] = time.monotonic() - start
        runs.append(run)
        if ended.code != 0 or differences(run, runs[0]):
            raise NasError(f"The run {run} that nothing happened to failed: {differences(run, runs[0])} {ended.err}")
    return Reference(runs[0], seconds)


def kill_at_random(
    sandbox: Sandbox, whole: Reference, kills: int, report: Callable[[str], None] = lambda line: None
) -> list[Trial]:
    """Runs that are killed at moments uniform over the run's duration, until `kills` kills have happened."""
    trials: list[Trial] = []
    done = 0
    while done < kills:
        two_workers = 2 in whole.seconds and len(trials) % TWO_WORKERS_EVERY == TWO_WORKERS_EVERY - 1
        trial = _trial(sandbox, whole, 2 if two_workers else 1, kills - done)
        trials.append(trial)
        done += len(trial.kills)
        where = ", ".join(f"{kill.stage} ({kill.target})" for kill in trial.kills) or "ended before its moment"
        report(f"{done}/{kills} {where}: {'; '.join(trial.problems) or 'identical'}")
    return trials


def _trial(sandbox: Sandbox, whole: Reference, workers: int, left: int) -> Trial:
    run = sandbox.new("killed")
    trial = Trial(run.name, workers)
    there: dict[str, tuple[Any, ...]] = {}
    again = True
    while again and len(trial.kills) < left:
        again = bool(sandbox.rng.random() < KILLED_AGAIN)
        command = sandbox.resume(run) if (run / "config.json").exists() else sandbox.start(run, workers=workers)
        killed = _killed(sandbox, command, whole.seconds[workers], workers)
        if killed is None:
            again = False
            continue
        seconds, target, problems = killed
        trial.problems += problems
        before, there = there, finished_work(run)
        trial.problems += _lost(before, there)
        trial.kills.append(Kill(GOES_ON if target == WORKER else stage(run), round(seconds, 2), target, len(there)))
    command = sandbox.resume(run) if (run / "config.json").exists() else sandbox.start(run, workers=workers)
    ended = command.wait()
    if ended.code != 0:
        return Trial(run.name, workers, trial.kills, [*trial.problems, f"exit code {ended.code}: {ended.err[-500:]}"])
    trial.problems += _lost(there, finished_work(run)) + differences(run, whole.run)
    return trial


def _killed(sandbox: Sandbox, command: Command, duration: float, workers: int) -> tuple[float, str, list[str]] | None:
    """Kill it at a moment uniform over the duration, or a worker of it, after which it must come to its end.

    Returns the moment, what was killed, and what went wrong; None where the command had ended before.
    """
    target = GROUP if workers == 1 else str(sandbox.rng.choice([GROUP, MAIN, WORKER]))
    moment = float(sandbox.rng.uniform(0, duration))
    start = time.monotonic()
    if command.until(lambda: time.monotonic() - start >= moment, duration):
        if target == WORKER and not (numbers := command.workers()):
            target = MAIN
        if target == WORKER:
            _end(int(sandbox.rng.choice(numbers)))
            ended = command.wait()
            return moment, target, [] if ended.code == 0 else [f"a worker's death ended the run: {ended.err[-500:]}"]
        command.send(signal.SIGKILL, whole_group=target == GROUP)
    ended = command.wait()
    problems = [f"it said: {ended.err[-500:]}"] if "Traceback" in ended.err else []
    return (moment, target, problems) if ended.code == -signal.SIGKILL else None


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _lost(before: dict[str, tuple[Any, ...]], after: dict[str, tuple[Any, ...]]) -> list[str]:
    """What was finished before and is missing or was done again."""
    return [f"{key} was done again" for key, row in before.items() if after.get(key) != row]


def table(trials: list[Trial]) -> list[dict[str, Any]]:
    """A row per stage: kills in it, and in how many of them the run came out identical with nothing done twice."""
    found: dict[str, dict[str, Any]] = {}
    for trial in trials:
        for kill in trial.kills:
            row = found.setdefault(kill.stage, {"stage": kill.stage, "kills": 0, "identical": 0, "kept": []})
            row["kills"] += 1
            row["identical"] += not trial.problems
            row["kept"].append(kill.results)
    rows = sorted(found.values(), key=lambda row: (float(np.median(row["kept"])), row["stage"]))
    return [{**row, "kept": [min(row["kept"]), max(row["kept"])]} for row in rows]
