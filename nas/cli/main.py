"""The `nas` command: its subcommands, and how every ending becomes one line and an exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from typing import NoReturn

from nas.cli.app import built
from nas.cli.arguments import with_home
from nas.core.errors import NasError, Terminated, printable
from nas.core.execution.signals import listen

app = built()


def main() -> NoReturn:
    """The console script."""
    listen()
    code = run_command(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # no waiting for library threads after the work is done


def run_command(arguments: list[str]) -> int:
    """Exit codes: 0 done; 2 what the user can mend; 1 a stage failed; 128 + number of the signal that stopped it: 130
    (SIGINT), 143 (SIGTERM), 138 (SIGUSR1), the run resumable."""
    try:
        code = app([with_home(word) for word in arguments], standalone_mode=False)
    except NasError as error:
        code = _said(str(error), error.exit_code)
    except KeyboardInterrupt:
        code = _said("interrupted; a run continues with `nas resume RUN`.", 130)
    except Terminated as error:
        name = signal.Signals(error.number).name
        code = _said(f"stopped by {name}; the run continues with `nas resume {error.run}`.", 128 + error.number)
    except BrokenPipeError:
        code = 1
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            code = _said(f"the disk is full ({error}); free some space and `nas resume` the run.", 2)
        elif error.errno == errno.ENAMETOOLONG:
            code = _said(f"Expected the name of a file or folder but: {error}; give a shorter one.", 2)
        else:
            traceback.print_exc()
            code = 1
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message() if hasattr(error, "format_message") else error)
            code = 2
        elif hasattr(error, "format_message") and hasattr(error, "exit_code"):  # a usage error of the command line
            code = _said(f"{error.format_message()} See `nas --help`.", 2)
        elif type(error).__name__ == "Abort":
            code = _said("interrupted; a run continues with `nas resume RUN`.", 130)
        else:
            traceback.print_exc()
            code = 1
    return code if isinstance(code, int) else 0


def _said(message: str, code: int) -> int:
    print(f"nas: {printable(' '.join(message.split()))}", file=sys.stderr)
    return code
