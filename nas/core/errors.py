"""The errors of the project; each message says what was expected, what was found instead, and what to do."""

from __future__ import annotations

# advice in messages of code that does not know whether it works for a run
RESUME = "continue with `nas resume`"
RESUME_WITH_ONE_WORKER = "continue with `nas resume RUN executor.workers=1`"
MAX_CHARACTERS = 2000  # of a message: a wrong value that it quotes may be the content of a whole file


def printable(text: str) -> str:
    """`text` with escapes such as \\x1b in place of characters that a terminal would obey or cannot show.

    Names in foreign files may contain such characters. Line ends are not replaced.
    """
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def without_resuming(message: str, again: str, one_worker: str = "") -> str:
    """The message with the advice `again`, or `again + one_worker` if memory was short, in place of resuming a run."""
    return message.replace(RESUME_WITH_ONE_WORKER, again + one_worker).replace(RESUME, again)


class NasError(Exception):
    """A failure that the message explains in one line. `exit_code` is what the command line returns.

    The message is made printable on one line and, if it is longer than `MAX_CHARACTERS`, its middle is cut out.
    """

    exit_code = 1

    def __init__(self, message: str) -> None:
        line = printable(" ".join(part.strip() for part in message.split("\n")))
        half = (MAX_CHARACTERS - 5) // 2
        super().__init__(line if len(line) <= MAX_CHARACTERS else f"{line[:half]} ... {line[-half:]}")


class InputError(NasError):
    """Something that the user can correct: a bad argument, a missing file, a full disk, a folder in use."""

    exit_code = 2


class ResourceError(NasError):
    """The machine ran out of memory or file handles during the work; the run can be resumed."""


class Interrupted(NasError):
    """The user stopped a command that is not a run; the message says how to continue."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Terminated(BaseException):
    """A signal asked the process to end; as an exception it lets the current work clean up.

    `run` is the folder of the stopped run, as the user would write it; None if the command has no run.
    """

    def __init__(self, number: int, run: str | None = None) -> None:
        super().__init__(number)
        self.number = number
        self.run = run
