"""The commands, one file each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nas.commands.base.command import COMMANDS as COMMANDS
from nas.commands.base.run_command import RunCommand
from nas.core.errors import InputError
from nas.core.registry import Registry, is_concrete_subclass

if TYPE_CHECKING:
    from nas.results import Result
    from nas.runs.run_folder import Run
    from nas.runs.stages.context import Watcher

RUN_COMMANDS: Registry[type[RunCommand]] = Registry(
    "command", "nas.commands", "nas.commands", is_concrete_subclass(RunCommand)
)


def command_of(folder: Path) -> RunCommand:
    """The command that made the run in the folder, by its `config.json`, and that goes on with it."""
    from nas.runs.run_folder import read_config

    name = read_config(folder).command
    if name not in RUN_COMMANDS.components:
        raise InputError(
            f"Expected a run of {', '.join(RUN_COMMANDS.names())} but {folder} says {name!r}; restore its config.json."
        )
    return RUN_COMMANDS.get(name)()


def execute(run: Run, watcher: Watcher) -> Result:
    """Carry out the run's command to its end; returns what its `result.json` says."""
    return command_of(run.folder).finish(run, watcher)
