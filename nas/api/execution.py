"""Do the work of a command for a call from Python: in this process by default, and with nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nas.api.process import unchanged_process
from nas.api.run_files import RunFiles, working_folder
from nas.cli.progress import watching
from nas.commands.base import RunCommand
from nas.report.run_data import RunData, read_run_data
from nas.results import Result
from nas.runs.run_folder import Run, create
from nas.runs.stages.context import Watcher
from nas.settings.schema import Settings

Path = str | os.PathLike[str]
Progress = bool | Callable[[float, float, str], None]


@dataclass(frozen=True)
class RunRecord:
    """The run behind a result of the Python face: the data that pages show, and the files."""

    data: RunData
    files: RunFiles


class _Callback(Watcher):
    """Gives the progress to a function of the caller: parts done, parts in all, and a note."""

    def __init__(self, function: Callable[[float, float, str], None]) -> None:
        self.function = function
        self.total = 0.0

    def stage(self, name: str, total: int, done: float = 0) -> None:
        self.total = total
        self.function(done, total, name)

    def update(self, done: float, note: str) -> None:
        self.function(done, self.total, note)


@contextmanager
def shown(progress: Progress) -> Iterator[Watcher]:
    """The watcher for `progress`: bars on standard error (true), calls of a function, or nothing (false)."""
    if progress is True:
        with watching() as watcher:
            yield watcher
    else:
        yield _Callback(progress) if callable(progress) else Watcher()


def execute(
    command: RunCommand,
    settings: Settings,
    given: Any,
    run: Path | None,
    progress: Progress,
    work: Callable[[RunCommand, Run, Watcher], Result] = lambda command, run, watcher: command.finish(run, watcher),
) -> tuple[Result, RunRecord]:
    """Do a new run of the command, in the folder `run` or a temporary one: its result, and the record of the run.

    Raises what the command raises; if the folder is temporary, the message does not advise to resume the run.
    """
    with working_folder(run) as (folder, temporary), unchanged_process():
        settings.run.dir = str(folder)
        command = command.command_of(settings)
        command.check(settings, given)
        with create(command.name, settings, command.extra(given), temporary) as opened, shown(progress) as watcher:
            result = work(command, opened, watcher)
            record = record_of(opened, result, command, temporary)
        return result, record


def record_of(run: Run, result: Result, command: RunCommand, temporary: bool) -> RunRecord:
    data = read_run_data(run.folder, result, command.repeat, command.acting)
    return RunRecord(data, RunFiles.of(run.folder, temporary))
