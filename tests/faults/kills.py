"""Kill runs at random moments of every stage, resume them, and compare them with a run that was never stopped."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from comparing import differences
from forks import Command
from run_progress import LiveMilestones, Part, finished_work, parts, stage
from workload import Sandbox

from nas.core.errors import NasError

STAGES = ("search", "training", "clean", "fgsm", "pgd", "autoattack", "corruptions")  # at which kills are aimed
ANYWHERE = "anywhere"  # a kill at a moment uniform over the whole run
AIMS = (*STAGES, ANYWHERE)
TWO_WORKERS_EVERY = 2  # one of this many runs that are killed anywhere has two workers
KILLED_AGAIN = 0.3  # probability that a resumed run is killed once more, anywhere
MAX_MISSES = 30  # allowed number of successive kills that miss the stage at which they are aimed
AIMING_POLL_SECONDS = 0.0005  # between two reads of the store: the stage of clean images takes 5 ms
MAX_SLOWER = 4.0  # largest factor by which the machine is assumed to be slower or faster than in the reference
GROUP, MAIN, WORKER = "whole group", "main process", "one worker"
GOES_ON = "one worker alone; the run goes on"
STARTING = "a resumed run, before anything more was finished"


@dataclass
class Kill:
    """One kill: the stage in which it happened, after how many seconds, and what was killed."""

    stage: str
    seconds: float
    target: str
    results: int  # finished evaluations, outcomes and trainings at that moment


@dataclass
class Trial:
    """A run that was killed, the first time in the stage `aim` if it hit, perhaps again later, and its problems."""

    number: int
    aim: str
    workers: int
    kills: list[Kill] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def hit(self) -> bool:
        """Whether the first kill happened in the stage at which it was aimed."""
        return bool(self.kills) and self.aim in (ANYWHERE, self.kills[0].stage.split(":")[0])


@dataclass
class Reference:
    """The run without faults; its seconds by number of workers; its parts with one worker."""

    run: Path
    seconds: dict[int, float]
    parts: list[Part]
    milestones: list[str]


def run_reference(sandbox: Sandbox, counts: Iterable[int]) -> Reference:
    """Do the run once with each number of workers, the first of which is 1. Raises `NasError` if the results differ."""
    seconds: dict[int, float] = {}
    runs: list[Path] = []
    found: list[Part] = []
    order: list[str] = []
    for workers in counts:
        run = sandbox.new("reference")
        runs.append(run)
        start = time.monotonic()
        command = sandbox.start(run, workers=workers)
        times = _times(command, run)
        ended = command.wait()
        seconds[workers] = time.monotonic() - start
        if ended.code != 0 or differences(run, runs[0]):
            raise NasError(f"The run {run} failed without a fault: {differences(run, runs[0])} {ended.err}")
        if not found:
            found, order = parts(times, start), [key for key in times if key]
    return Reference(runs[0], seconds, found, order)


def _times(command: Command, run: Path) -> dict[str, float]:
    """When a run reached its milestones, in their order. The first, an empty text, stands for the run's folder."""
    times: dict[str, float] = {}
    live = LiveMilestones(run)

    def record_times() -> bool:
        if not times and (run / "config.json").exists():
            times[""] = time.monotonic()
        for key in live.read():
            times.setdefault(key, time.monotonic())
        return False

    command.until(record_times, poll_seconds=AIMING_POLL_SECONDS)
    live.close()
    return times


def kill_at_random(
    sandbox: Sandbox,
    reference: Reference,
    kills: int,
    stages: Sequence[str] = AIMS,
    before: Sequence[Trial] = (),
    seed: int = 0,
    late: Callable[[], bool] = lambda: False,
) -> Iterator[Trial]:
    """Kill runs until `kills` kills have hit their stages, the same number for each of `stages`, or until `late()`.

    Stages that this run lacks are left out. The trials `before` count. Kills that miss their stage, and those of
    resumed runs, are not counted in `kills`. Raises `NasError` if a stage cannot be hit.
    """
    stages = [aim for aim in stages if aim == ANYWHERE or any(part.stage == aim for part in reference.parts)]
    number = 1 + max((trial.number for trial in before), default=0)
    left = {aim: kills // len(stages) + (place < kills % len(stages)) for place, aim in enumerate(stages)}
    for trial in before:
        if trial.aim in left:
            left[trial.aim] -= trial.hit
    misses = dict.fromkeys(left, 0)
    while remaining := [aim for aim, count in left.items() if count > 0]:
        for aim in remaining:
            if late():
                return
            trial = _trial(sandbox, reference, number, aim, seed)
            yield trial
            number += 1
            left[aim] -= trial.hit
            misses[aim] = 0 if trial.hit else misses[aim] + 1
            if misses[aim] == MAX_MISSES:
                raise NasError(f"None of {MAX_MISSES} kills that were aimed at the stage {aim} hit it.")


def _trial(sandbox: Sandbox, reference: Reference, number: int, aim: str, seed: int) -> Trial:
    """One run that is killed; the moments depend only on the seed and on the number of the trial."""
    rng = np.random.default_rng([seed, number])
    run = sandbox.new("killed")
    workers = 2 if aim == ANYWHERE and number % TWO_WORKERS_EVERY == 0 and 2 in reference.seconds else 1
    trial = Trial(number, aim, workers)
    there: dict[str, tuple[Any, ...]] = {}
    while not trial.kills or rng.random() < KILLED_AGAIN:
        resumed = (run / "config.json").exists()
        command = sandbox.resume(run) if resumed else sandbox.start(run, workers=workers)
        if trial.kills or aim == ANYWHERE:
            killed = _kill_anywhere(rng, command, reference.seconds[workers], workers)
        else:
            killed = _kill_in(rng, command, run, [part for part in reference.parts if part.stage == aim])
        if killed is None:
            break
        seconds, target, problems = killed
        trial.problems += problems
        before, there = there, finished_work(run)
        trial.problems += _lost(before, there)
        where = stage(run, reference.milestones)
        if resumed and there == before and target != WORKER:
            where = STARTING
        trial.kills.append(Kill(GOES_ON if target == WORKER else where, round(seconds, 3), target, len(there)))
    command = sandbox.resume(run) if (run / "config.json").exists() else sandbox.start(run, workers=workers)
    ended = command.wait()
    if ended.code == 0:
        trial.problems += _lost(there, finished_work(run)) + differences(run, reference.run)
    else:
        trial.problems.append(f"exit code {ended.code}: {ended.err[-500:]}")
    return trial


Killed = tuple[float, str, list[str]]  # after how many seconds, what was killed, what went wrong


def _kill_anywhere(rng: np.random.Generator, command: Command, duration: float, workers: int) -> Killed | None:
    """Kill a command, or one of its workers, at a moment uniform over its usual duration.

    A command whose worker was killed must still finish. None if the command ended before that moment.
    """
    target = GROUP if workers == 1 else str(rng.choice([GROUP, MAIN, WORKER]))
    moment = float(rng.uniform(0, duration))
    start = time.monotonic()
    if not command.until(lambda: time.monotonic() - start >= moment, duration):
        command.wait()
        return None
    if target == WORKER and not (numbers := command.workers()):
        target = MAIN
    if target == WORKER:
        _end(int(rng.choice(numbers)))
        ended = command.wait()
        return moment, target, [] if ended.code == 0 else [f"a worker's death ended the run: {ended.err[-500:]}"]
    return _kill(command, target, moment)


def _kill_in(rng: np.random.Generator, command: Command, run: Path, parts: Sequence[Part]) -> Killed | None:
    """Kill a command in one of these parts of its run, at a moment uniform over the usual duration of that part.

    The duration is that in the reference, times how much slower the machine is now, as measured before the part begins.
    """
    part = parts[int(rng.integers(len(parts)))]
    delay = float(rng.uniform(0, part.seconds))
    start = time.monotonic()
    live = LiveMilestones(run)

    def begun() -> bool:
        return part.after in live.read() if part.after else (run / "config.json").exists()

    came = command.until(begun, poll_seconds=AIMING_POLL_SECONDS)
    live.close()
    if not came:
        command.wait()
        return None
    slower = (time.monotonic() - start) / part.begins
    time.sleep(delay * min(max(slower, 1 / MAX_SLOWER), MAX_SLOWER))
    return _kill(command, GROUP, time.monotonic() - start)


def _kill(command: Command, target: str, moment: float) -> Killed | None:
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
    """The work that was finished before and is now missing or was done again."""
    return [f"{key} was done again" for key, row in before.items() if after.get(key) != row]


def table(trials: Iterable[Trial]) -> list[dict[str, Any]]:
    """A row per stage: the number of kills in it, of kills in it that were aimed at it, and of identical runs.

    A run is identical if it has the result of the reference and nothing was done twice.
    """
    found: dict[str, dict[str, Any]] = {}
    for trial in trials:
        for place, kill in enumerate(trial.kills):
            row = found.setdefault(
                kill.stage, {"stage": kill.stage, "kills": 0, "aimed": 0, "identical": 0, "results": []}
            )
            row["kills"] += 1
            row["aimed"] += place == 0 and trial.aim != ANYWHERE and trial.hit
            row["identical"] += not trial.problems
            row["results"].append(kill.results)
    rows = sorted(found.values(), key=lambda row: (float(np.median(row["results"])), row["stage"]))
    return [{**row, "results": [min(row["results"]), max(row["results"])]} for row in rows]
