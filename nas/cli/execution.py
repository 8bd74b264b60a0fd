"""Carry out a run from the command line: progress, the result, and where it is kept."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from nas.cli.output import output
from nas.cli.progress import watching
from nas.commands import RUN_COMMANDS, execute
from nas.core.errors import InputError, Terminated
from nas.report.presentation import presented, text_of
from nas.runs.run_folder import Run, create
from nas.runs.torchrun import started
from nas.settings.schema import Settings


def carry_out(opening: AbstractContextManager[Run], as_json: bool) -> None:
    """Do what the run is for and print its result."""
    with output(as_json) as out, opening as run, _named(run):
        print(f"run folder: {run.folder}", file=sys.stderr, flush=True)
        with watching() as watcher:
            result = execute(run, watcher)
        out.emit(presented(run.command, run.folder, result), text_of(run.command, run.folder, result))


@contextmanager
def _named(run: Run) -> Iterator[None]:
    """Let the message of an interruption name the run."""
    try:
        yield
    except Terminated as error:
        error.run = shlex.quote(str(run.folder))
        raise


def start(command: str, settings: Settings, as_json: bool, extra: dict[str, Any] | None = None) -> None:
    """Check everything that can be checked, then make the run folder and carry out the run."""
    if started() and command != "train":
        raise InputError(f"Expected torchrun with nas train or nas resume but got nas {command}; start it without.")
    RUN_COMMANDS.get(command)().check(settings, extra or {})
    carry_out(create(command, settings, extra), as_json)


def forecast(command: str, settings: Settings, as_json: bool, extra: dict[str, Any] | None = None) -> None:
    """Print what the run would cost; writes nothing."""
    settings.data.download = False
    chosen = RUN_COMMANDS.get(command)()
    chosen.check(settings, extra or {}, keep=False)
    with output(as_json) as out:
        found = chosen.forecast(settings, extra or {})
        out.emit(found.to_json(), chosen.forecast_text(found))
