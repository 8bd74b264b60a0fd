"""The `nas` command: runs a subcommand and turns every expected error into one line and an exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from typing import Any, NoReturn

from nas.cli.app import build_app
from nas.cli.arguments import with_home
from nas.commands.base import COMMANDS, Command
from nas.core.errors import NasError, Terminated, printable, without_resuming
from nas.core.execution.signals import listen
from nas.core.suggestions import suggest

AGAIN = "give the command again"

app = build_app()


def main() -> NoReturn:
    """The entry point of the console script."""
    listen()
    code = run_command(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # does not wait for threads of libraries


def run_command(arguments: list[str]) -> int:
    """Run a command and return its exit code.

    0: finished; 2: an error that the user can correct; 1: a stage failed, or an unexpected error; 128 + N: stopped
    by signal N, after which a run can be resumed: 130 (SIGINT), 143 (SIGTERM), 138 (SIGUSR1).
    """
    command = _command_of(arguments)
    has_run = command is not None and command.has_run and "--dry-run" not in arguments
    interrupted = f"interrupted{'; `nas resume` continues a run, if one was begun' if has_run else ''}."
    try:
        code = app([with_home(word) for word in arguments], standalone_mode=False)
    except NasError as error:
        message = str(error)
        if not has_run:
            message = without_resuming(message, AGAIN, "" if command is None else command.one_worker)
        code = _print_error(message, error.exit_code)
    except KeyboardInterrupt:
        code = _print_error(interrupted, 130)
    except Terminated as error:
        name = signal.Signals(error.number).name
        hint = "" if error.run is None else f"; the run continues with `nas resume {error.run}`"
        code = _print_error(f"stopped by {name}{hint}.", 128 + error.number)
    except BrokenPipeError:
        code = 1
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            then = "`nas resume` the run" if has_run else AGAIN
            code = _print_error(f"the disk is full ({error}); free some space and {then}.", 2)
        elif error.errno == errno.ENAMETOOLONG:
            code = _print_error(
                f"Expected the name of a file or folder but got one that is too long ({error}); give a shorter one.", 2
            )
        else:
            traceback.print_exc()
            code = 1
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message() if hasattr(error, "format_message") else error)
            code = 2
        elif hasattr(error, "format_message") and hasattr(error, "exit_code"):  # a usage error of the command line
            code = _print_error(_usage(error), 2)
        elif type(error).__name__ == "Abort":
            code = _print_error(interrupted, 130)
        else:
            traceback.print_exc()
            code = 1
    return code if isinstance(code, int) else 0


def _command_of(arguments: list[str]) -> type[Command] | None:
    """The command that is called, whose name has one word or two; None if there is no such command."""
    components = COMMANDS.components
    return components.get(" ".join(arguments[:2])) or components.get(" ".join(arguments[:1]))


def _usage(error: Any) -> str:
    """The message of a usage error of the command line, and which command's help to read."""
    context, message = error.ctx, error.format_message()
    words: list[str] = []
    if context is not None and type(error).__name__ == "NoSuchOption":
        known = [word for one in context.command.params for word in one.opts if word.startswith("--")]
        message = f"No such option {error.option_name!r}{suggest(error.option_name, known)}."
    while context is not None and context.parent is not None:
        words.insert(0, context.info_name)
        context = context.parent
    end = "" if message.endswith((".", "?")) else "."
    return f"{message}{end} See `{' '.join(['nas', *words, '--help'])}`."


def _print_error(message: str, code: int) -> int:
    print(f"nas: {printable(' '.join(message.split()))}", file=sys.stderr)
    return code
