"""What every command is built from, for the files of `nas/commands` and for commands of other packages."""

from nas.commands.base.arguments import CONFIG, DEFAULT_SPACE, OVERRIDES, SEARCH_SETTINGS, Argument, Option
from nas.commands.base.command import COMMANDS, Command
from nas.commands.base.output import Counter, Output
from nas.commands.base.run_command import RunCommand

__all__ = [
    "COMMANDS",
    "CONFIG",
    "DEFAULT_SPACE",
    "OVERRIDES",
    "SEARCH_SETTINGS",
    "Argument",
    "Command",
    "Counter",
    "Option",
    "Output",
    "RunCommand",
]
