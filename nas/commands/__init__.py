"""The commands, one file each; what they have in common is in `base`."""

from __future__ import annotations

from pathlib import Path

from nas.commands.base import COMMANDS as COMMANDS
from nas.commands.base import RunCommand
from nas.core.errors import InputError


def run_commands() -> dict[str, type[RunCommand]]:
    """The commands that make a run folder, by name."""
    return {name: command for name, command in COMMANDS.components.items() if issubclass(command, RunCommand)}


def command_of(folder: Path) -> RunCommand:
    """The command that made the run in the folder, according to its `config.json`, and that continues it.

    Raises InputError if there is no such command.
    """
    from nas.runs.run_config import read_config

    name, known = read_config(folder).command, run_commands()
    if name in known:
        return known[name]()
    if name in COMMANDS.unusable:
        raise InputError(COMMANDS.unusable[name])
    raise InputError(f"Expected a run of {', '.join(known)} but {folder} is one of {name!r}; restore its config.json.")
