"""Progress of a run: bars with the time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from nas.runs.stages.context import Watcher

QUIET_SECONDS = 30  # between two lines where there is no terminal


class Bars(Watcher):
    """One bar per stage."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task: TaskID | None = None

    def stage(self, name: str, total: int) -> None:
        self._finish()
        self.task = self.progress.add_task(name, total=total, note="")

    def update(self, done: float, note: str) -> None:
        if self.task is not None:
            self.progress.update(self.task, completed=done, note=note)

    def _finish(self) -> None:
        if self.task is not None:
            self.progress.update(self.task, completed=self.progress.tasks[self.task].total, note="")


class Lines(Watcher):
    """A line when a stage begins and now and then while it lasts."""

    def stage(self, name: str, total: int) -> None:
        self.name, self.total, self.begun = name, total, time.monotonic()
        self.last = self.begun
        self.before: float | None = None  # done in earlier sessions of the run
        print(f"{name}: {total} to do", file=sys.stderr, flush=True)

    def update(self, done: float, note: str) -> None:
        now = time.monotonic()
        self.before = done if self.before is None else self.before
        if now - self.last > QUIET_SECONDS:
            self.last = now
            text = f"{self.name}: {int(done)} of {self.total}"
            text += f", {100 * done / self.total:.0f} %" if done != int(done) else ""  # with parts of the next ones
            if done > self.before:
                text += f", about {(now - self.begun) * (self.total - done) / (done - self.before):.0f} s left"
            text += f" ({note})" if note else ""
            print(text, file=sys.stderr, flush=True)


@contextmanager
def watching() -> Iterator[Watcher]:
    """The watcher that suits standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines()
        return
    columns = (
        TextColumn("{task.description:>7}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", style="dim", markup=False),
    )
    with Progress(*columns, console=console) as progress:
        bars = Bars(progress)
        yield bars
        bars._finish()
