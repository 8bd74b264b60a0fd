"""What a command is, for every file in `nas/commands` and for commands of other packages."""

from nas.commands.base.arguments import CONFIG, OVERRIDES, SEARCHED, Argument, Option
from nas.commands.base.command import COMMANDS, Command
from nas.commands.base.output import Counter, Output
from nas.commands.base.run_command import RunCommand

__all__ = [
    "COMMANDS",
    "CONFIG",
    "OVERRIDES",
    "SEARCHED",
    "Argument",
    "Command",
    "Counter",
    "Option",
    "Output",
    "RunCommand",
]
