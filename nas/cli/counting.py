"""Progress of a count whose end may be unknown: a bar with the time left on a terminal, lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from nas.cli.progress import QUIET_SECONDS
from nas.commands.base.command import Counter
from nas.report.wording import rough_duration


class Lines(Counter):
    """Prints a line every `QUIET_SECONDS`. `total` is None where it is not known."""

    def __init__(self, name: str, total: int | None) -> None:
        self.name = name
        self.total = total
        self.begun = self.last = time.monotonic()
        self.before: int | None = None  # done before this call

    def update(self, done: int, failed: int) -> None:
        now = time.monotonic()
        self.before = done if self.before is None else self.before
        if now - self.last <= QUIET_SECONDS:
            return
        self.last = now
        text = f"{self.name}: {done:,}"
        if self.total is not None:
            text += f" of {self.total:,}"
            if done > self.before:
                left = (now - self.begun) * (self.total - done) / (done - self.before)
                text += f", about {rough_duration(left)} left"
        text += f", {failed:,} failed" if failed else ""
        print(text, file=sys.stderr, flush=True)

    def shares(self, descriptor: int) -> bool:
        """Whether what is written to `descriptor` would run into the progress; `above` prints it instead."""
        return False

    def above(self, text: str) -> None:
        raise NotImplementedError


class Bar(Lines):
    """A bar at the bottom of the terminal."""

    def __init__(self, name: str, total: int | None, progress: Progress) -> None:
        super().__init__(name, total)
        self.progress = progress
        self.task = progress.add_task(name, total=total, note="")

    def update(self, done: int, failed: int) -> None:
        self.progress.update(self.task, completed=done, note=f"{failed:,} failed" if failed else "")

    def shares(self, descriptor: int) -> bool:
        return os.fstat(descriptor).st_rdev == os.fstat(sys.stderr.fileno()).st_rdev and os.isatty(descriptor)

    def above(self, text: str) -> None:
        self.progress.console.print(text, end="", markup=False, highlight=False, emoji=False, soft_wrap=True)


@contextmanager
def counting(name: str, total: int | None) -> Iterator[Lines]:
    """The counter that suits standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines(name, total)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bar(name, total, progress)
