"""The commands, one file each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nas.commands.base import RunCommand
from nas.core.errors import InputError
from nas.core.registry import Registry, is_concrete_subclass

if TYPE_CHECKING:
    from nas.runs.context import Watcher
    from nas.runs.run_folder import Run

RUN_COMMANDS: Registry[type[RunCommand]] = Registry(
    "command", "nas.commands", "nas.commands", is_concrete_subclass(RunCommand)
)


def execute(run: Run, watcher: Watcher) -> dict[str, Any]:
    """Carry out the run's command to its end; returns the content of its `result.json`."""
    if run.command not in RUN_COMMANDS.components:
        raise InputError(
            f"Expected a run of {', '.join(RUN_COMMANDS.names())} but {run.folder} says {run.command!r}; restore its "
            "config.json."
        )
    return RUN_COMMANDS.get(run.command)().finish(run, watcher)
