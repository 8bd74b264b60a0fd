"""Faults of the machine, its schedulers and its users, each caused on purpose in a small run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from comparing import differences
from forks import Ended
from kills import Reference
from run_progress import attacked, evaluated, rows, training
from workload import OVERRIDES, Sandbox

from nas.core.errors import NasError

DISK_MEGABYTES = 16  # size of the small disk
EVALUATION_TIME_LIMIT = 10  # seconds, more than any evaluation here takes
FAILED = "SELECT COUNT(*) FROM evaluations WHERE reason IS NOT NULL"


@dataclass
class Case:
    """One fault: what was done and when, what was found, and whether that is as promised."""

    fault: str
    found: str
    good: bool


Fault = Callable[[Sandbox, Reference, bool], Iterator[Case]]  # the last argument: once, not at each of several moments


def last_line(ended: Ended) -> str:
    """The line with which a command ended."""
    lines = [line for line in ended.err.splitlines() if line.startswith("nas: ")]
    return lines[-1] if lines else ended.err.strip()[-300:]


def ended_clearly(ended: Ended, *codes: int) -> bool:
    """Whether a command ended with one of the exit codes and one line that says why."""
    lines = [line for line in ended.err.splitlines() if line.startswith("nas: ")]
    return ended.code in codes and len(lines) == 1 and "Traceback" not in ended.err


def resumed(sandbox: Sandbox, reference: Reference, run: Path) -> list[str]:
    """Resume a run to its end; returns what then differs from the reference."""
    ended = sandbox.resume(run).wait()
    return differences(run, reference.run) if ended.code == 0 else [f"exit code {ended.code}: {last_line(ended)}"]


def _stopped_and_resumed(ended: Ended, problems: list[str], codes: tuple[int, ...] = (2,)) -> tuple[str, bool]:
    """How a command that a fault stopped ended, what its resumption gave, and whether both are as promised."""
    found = f"exit code {ended.code}, “{last_line(ended)}”; resumed: {'; '.join(problems) or 'identical'}"
    return found, ended_clearly(ended, *codes) and not problems


# signals


def signals(sandbox: Sandbox, reference: Reference, quick: bool) -> Iterator[Case]:
    """A signal ends a run: the exit code says which, a line says how to continue, and a training saves its step."""
    moments: list[tuple[str, Callable[[Path], bool], int]] = [
        ("in a training's epoch", training, 1),
        ("in an attack", attacked(6), 1),
        ("in scoring by two workers", evaluated(1), 2),
    ]
    numbers = (signal.SIGUSR1,) if quick else (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
    for name, moment, workers in moments[: 1 if quick else None]:
        for number in numbers:
            run = sandbox.new("signalled")
            command = sandbox.start(run, workers=workers)
            command.until(lambda: moment(run))  # noqa: B023
            command.send(number)
            ended = command.wait()
            good = f"nas resume {run}" in last_line(ended)
            step = _step(run) if moment is training else ""
            found, clean = _stopped_and_resumed(ended, resumed(sandbox, reference, run), (128 + number,))
            yield Case(f"{number.name} {name}", found + step, good and clean)


def _step(run: Path) -> str:
    states = [torch.load(path, weights_only=True)["state"] for path in run.glob("models/*/last.pt")]
    return "".join(f"; saved at epoch {state['epoch'] + 1}, batch {state['batch']}" for state in states)


# disks


class Disk:
    """A small file system that can be full or read-only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.filler = folder / "filler"

    def fill(self) -> None:
        """Fill the disk until nothing can be written."""
        with self.filler.open("wb", buffering=0) as file:
            for size in (2**20, 2**12):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        self.filler.unlink()

    def writable(self, allowed: bool) -> None:
        subprocess.run(["mount", "-o", f"remount,{'rw' if allowed else 'ro'}", str(self.folder)], check=True)


@contextmanager
def small_disk(sandbox: Sandbox) -> Iterator[Disk | None]:
    """A disk of `DISK_MEGABYTES`; None if it may not be mounted."""
    folder = sandbox.new("disk")
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        yield None
        return
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def full_disk(sandbox: Sandbox, reference: Reference, quick: bool) -> Iterator[Case]:
    """There is no room for the store, a checkpoint or the report: one line says so; with room the run continues."""
    last = rows(reference.run, "SELECT COUNT(*) FROM facts WHERE key LIKE 'outcome/%'")
    moments: dict[str, Callable[[Path], bool]] = {
        "in the search": evaluated(1),
        "in a training": training,
        "in an attack": attacked(6),
        "before the report": attacked(last),
    }
    with small_disk(sandbox) as disk:
        if disk is None:
            yield from _limited(sandbox, reference, quick)
            return
        for name, moment in list(moments.items())[slice(1, 2) if quick else slice(None)]:
            run = disk.folder / f"run-{len(list(disk.folder.iterdir()))}"
            command = sandbox.start(run)
            command.until(lambda: moment(run))  # noqa: B023
            disk.fill()
            ended = command.wait()
            disk.free()
            found, good = _stopped_and_resumed(ended, resumed(sandbox, reference, run))
            yield Case(f"disk full {name}", found, good)


def _limited(sandbox: Sandbox, reference: Reference, quick: bool) -> Iterator[Case]:
    """Like `full_disk`, but with a limit on the size of files, if no small disk can be mounted."""
    for kilobytes in (100,) if quick else (20, 50, 100):
        run = sandbox.new("limited")
        ended = sandbox.start(run, inject={"file_size": kilobytes}).wait()
        problems = resumed(sandbox, reference, run) if run.exists() else []
        found, good = _stopped_and_resumed(ended, problems)
        yield Case(f"no room for files beyond {kilobytes} kB", found, good)


def read_only(sandbox: Sandbox, reference: Reference, quick: bool) -> Iterator[Case]:
    """A run whose folder became read-only is refused; it continues when the folder is writable again."""
    moments: dict[str, Callable[[Path], bool]] = {"in the search": evaluated(1), "in a training": training}
    for name, moment in list(moments.items())[: 1 if quick else None]:
        with small_disk(sandbox) as disk:
            if disk is None and os.geteuid() == 0:
                return  # for root only a disk can be read-only
            run = sandbox.stopped("readable", moment)
            if disk is not None:
                run = sandbox.move(run, disk.folder)
                disk.writable(False)
            else:
                _allow(run, False)
            ended = sandbox.resume(run).wait()
            disk.writable(True) if disk is not None else _allow(run, True)
            found, good = _stopped_and_resumed(ended, resumed(sandbox, reference, run))
            yield Case(f"folder read-only since a kill {name}", found, good)


def _allow(run: Path, allowed: bool) -> None:
    for path in [run, *run.rglob("*")]:
        path.chmod((0o700 if path.is_dir() else 0o600) if allowed else (0o500 if path.is_dir() else 0o400))


# users


def two_processes(sandbox: Sandbox, reference: Reference, quick: bool) -> Iterator[Case]:
    """A second process on a run is refused; the first one is not affected."""
    run = sandbox.new("shared")
    first = sandbox.start(run)
    first.until(lambda: evaluated(1)(run))
    second = sandbox.resume(run).wait()
    ended = first.wait()
    problems = differences(run, reference.run) if ended.code == 0 else [last_line(ended)]
    found = (
        f"the second: exit code {second.code}, “{last_line(second)}”; the first: {'; '.join(problems) or 'identical'}"
    )
    yield Case("two processes on one run", found, ended_clearly(second, 2) and not problems)


# memory


def short_memory(sandbox: Sandbox, reference: Reference, quick: bool) -> Iterator[Case]:
    """A batch does not fit into memory: the architectures fail with that reason, and the search ends and says so."""
    run = sandbox.new("starved")
    others = [text for text in OVERRIDES if not re.match(r"strategy\.[wpt]|search\.cheap|label|proxies|run\.", text)]
    others += [f"data.root={sandbox.folder / 'digits.npz'}", f"run.dir={run}", "executor.workers=1", "search.budget=2"]
    others += ["objective=jacov+params:min", "strategy.name=nsga2", "proxies.jacov.batch_size=250"]
    arguments = ("search", "quickstart", *others, "scoring.channels=64", "data.size=32")
    ended = sandbox.forks.start(arguments, sandbox.folder, {"memory": 300}).wait()
    reasons = rows(run, "SELECT COUNT(*) FROM evaluations WHERE reason LIKE '%Memory ran out%'")
    yield Case("300 MB of memory in scoring", f"{reasons} failure rows; exit code {ended.code}, “{last_line(ended)}”",
               reasons == 2 and ended_clearly(ended, 1))  # fmt: skip


# NaN values


def diverging(sandbox: Sandbox, reference: Reference, quick: bool) -> Iterator[Case]:
    """A training that diverges stops with a message and keeps its last good checkpoint."""
    run = sandbox.new("diverged")
    ended = sandbox.start(
        run, "train.schedule=step", "train.milestones=[2]", "train.gamma=900000", "train.save_steps=null"
    ).wait()
    states = [torch.load(path, weights_only=True)["state"] for path in run.glob("models/*/last.pt")]
    kept = bool(states) and all(state["epoch"] == 2 for state in states)
    finite = all(_finite(torch.load(path, weights_only=True)) for path in run.glob("models/*/*.pt"))
    explained = all(word in last_line(ended) for word in ("diverged", "last.pt"))
    good = ended_clearly(ended, 1) and explained and kept and finite
    yield Case("learning rate of 90000 from the third epoch on", f"exit code {ended.code}, “{last_line(ended)}”", good)


def poisoned_label(sandbox: Sandbox, reference: Reference, quick: bool) -> Iterator[Case]:
    """The training of one label starts with a NaN weight: its row has the failure, and the search continues."""
    run = sandbox.new("poisoned")
    ended = sandbox.start(run, inject={"poison": 3}).wait()
    failed = rows(run, FAILED)
    reason = _reason(run)
    result = json.loads((run / "result.json").read_text()) if ended.code == 0 else {"search": {}}
    good = failed == 1 == result["search"].get("failed") and "diverged" in reason
    yield Case("a weight that is no number in a label's training", f"exit code {ended.code}; failed: {reason}", good)


def _finite(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return not value.is_floating_point() or bool(value.isfinite().all())
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return all(map(_finite, parts))


def _reason(run: Path) -> str:
    return str(rows(run, "SELECT reason FROM evaluations WHERE reason IS NOT NULL") or "")


# workers


def hung_worker(sandbox: Sandbox, reference: Reference, quick: bool) -> Iterator[Case]:
    """An evaluation hangs: its worker is ended at the time limit, and the architecture fails."""
    run = sandbox.new("hung")
    limit = max(EVALUATION_TIME_LIMIT, round(reference.seconds[1]))  # more on a machine with other work
    command = sandbox.start(run, f"executor.deadline={limit}", workers=1)
    if command.until(lambda: any(run.glob("labels/*"))):
        for worker in command.workers():
            os.kill(worker, signal.SIGSTOP)
    ended = command.wait()
    reason = _reason(run)
    good = ended.code == 0 and rows(run, FAILED) == 1 and "executor.deadline" in reason
    yield Case("a worker that stands still", f"exit code {ended.code}; failed: {reason}", good)


def killed_worker(sandbox: Sandbox, reference: Reference, quick: bool) -> Iterator[Case]:
    """A worker is killed, as the system does when memory runs out: its evaluation is tried again in another worker."""
    if quick:
        return  # kills of workers are among the random kills
    run = sandbox.new("worker")
    command = sandbox.start(run, workers=2)
    ended: Ended | None = None
    if command.until(lambda: any(run.glob("labels/*"))):
        os.kill(command.workers()[0], signal.SIGKILL)
        ended = command.wait()
    problems = differences(run, reference.run) if ended is not None and ended.code == 0 else ["it did not end well"]
    yield Case("SIGKILL to a worker", "; ".join(problems) or "identical", not problems)


FAULTS: tuple[Fault, ...] = (
    signals,
    full_disk,
    read_only,
    two_processes,
    short_memory,
    diverging,
    poisoned_label,
    hung_worker,
    killed_worker,
)


def cause_one(
    sandbox: Sandbox, reference: Reference, quick: bool, fault: Fault, report: Callable[[str], None]
) -> list[Case]:
    """The cases of one fault; a fault that cannot be caused at all is a bad case."""
    sandbox.rng = np.random.default_rng([sandbox.seed, zlib.crc32(fault.__name__.encode())])
    cases = []
    try:
        for case in fault(sandbox, reference, quick):
            cases.append(replace(case, found=_impersonal(case.found, sandbox.folder)))
            report(f"{'ok ' if case.good else 'BAD'} {case.fault}: {case.found}")
    except NasError as error:
        cases.append(Case(fault.__name__, str(error), False))
        report(f"BAD {fault.__name__}: {error}")
    return cases


def _impersonal(text: str, folder: Path) -> str:
    """The text without paths of this machine, and without bars, which would end a cell of a Markdown table."""
    text = re.sub(rf"{re.escape(str(folder))}/(disk-\d+/)?[\w-]+", "RUN", text)
    return re.sub(r"\|\S+\|", "CELL", text).replace("\n", " ")
