"""Progress on standard error: bars with the time left on a terminal, lines from time to time elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from nas.commands.base import Counter
from nas.report.wording import rough_duration
from nas.runs.stages.context import Watcher

QUIET_SECONDS = 30  # the shortest time between two lines
UNCHANGED_SECONDS = 300  # between two lines that say the same
LEAST_SHARE = 0.02  # of the work, done before the time left is estimated


class Lines:
    """Prints the progress of a piece of work, at most one line every `QUIET_SECONDS`.

    What was said last is not said again before `UNCHANGED_SECONDS`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.started = self.last_printed = time.monotonic()
        self.printed: tuple[float, str] | None = None  # the count and the note of the last line
        self.done_before: float | None = None  # in earlier sessions of the run, or earlier calls of the command

    def update(self, done: float, total: int | None, note: str) -> None:
        """Print `done`, the time left once it can be estimated, and the note where there is one."""
        now = time.monotonic()
        if self.done_before is None:
            self.done_before = done
            self.printed = (done, "")  # the line of the beginning has said it
        quiet = UNCHANGED_SECONDS if (done, note) == self.printed else QUIET_SECONDS
        if now - self.last_printed <= quiet:
            return
        self.last_printed, self.printed = now, (done, note)
        text = f"{self.name}: {int(done):,}"
        if total is not None:
            text += f" of {total:,}"
            text += f", {100 * done / total:.0f} %" if done != int(done) else ""  # unfinished items count in part
            if done - self.done_before >= LEAST_SHARE * (total - self.done_before) and done > self.done_before:
                left = (now - self.started) * (total - done) / (done - self.done_before)
                text += f", about {rough_duration(left)} left"
        text += f" ({note})" if note else ""
        print(text, file=sys.stderr, flush=True)


class StageLines(Watcher):
    """Prints a line when a stage begins, and lines while it lasts."""

    def stage(self, name: str, total: int, done: float = 0) -> None:
        self.lines, self.total = Lines(name), total
        before = int(done)
        note = f" ({before} of {total} done before)" if before else ""
        print(f"{name}: {total - before} to do{note}", file=sys.stderr, flush=True)

    def update(self, done: float, note: str) -> None:
        self.lines.update(done, self.total, note)


class StageBars(Watcher):
    """One bar per stage."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task: TaskID | None = None

    def stage(self, name: str, total: int, done: float = 0) -> None:
        self.fill()
        self.task = self.progress.add_task(name, total=total, note="")
        self.update(done, "")

    def update(self, done: float, note: str) -> None:
        if self.task is not None:
            self.progress.update(self.task, completed=done, note=note)

    def fill(self) -> None:
        """Show the current stage as complete."""
        if self.task is not None:
            self.update(self.progress.tasks[self.task].total or 0, "")


class CountLines(Counter):
    """Prints lines while a count goes on."""

    def __init__(self, name: str, total: int | None) -> None:
        self.lines, self.total = Lines(name), total

    def update(self, done: int, failed: int) -> None:
        self.lines.update(done, self.total, f"{failed:,} failed" if failed else "")


class CountBar(Counter):
    """A bar at the bottom of the terminal."""

    def __init__(self, name: str, total: int | None, progress: Progress) -> None:
        self.progress, self.total = progress, total
        self.task = progress.add_task(name, total=total, note="")

    def update(self, done: int, failed: int) -> None:
        note = f"{failed:,} failed" if failed else ""
        self.progress.update(self.task, completed=done, total=self.total, note=note)

    def print_above(self, text: str, descriptor: int) -> bool:
        if not os.isatty(descriptor) or os.fstat(descriptor).st_rdev != os.fstat(sys.stderr.fileno()).st_rdev:
            return False
        self.progress.console.print(text, end="", markup=False, highlight=False, emoji=False, soft_wrap=True)
        return True


@contextmanager
def watching() -> Iterator[Watcher]:
    """The watcher for standard error: bars on a terminal, lines elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield StageLines()
        return
    percentage = TextColumn("{task.percentage:>3.0f}%")
    with Progress(*_columns("{task.description:>7}", percentage), console=console) as progress:
        bars = StageBars(progress)
        yield bars
        bars.fill()


@contextmanager
def counting(name: str, total: int | None) -> Iterator[Counter]:
    """The counter for standard error: a bar on a terminal, lines elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield CountLines(name, total)
        return
    columns = _columns("{task.description}", MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield CountBar(name, total, progress)


def _columns(description: str, done: ProgressColumn) -> list[ProgressColumn]:
    return [
        TextColumn(description, markup=False),
        BarColumn(),
        done,
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", style="dim", markup=False),
    ]
