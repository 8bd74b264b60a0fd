"""The few errors of the project; each message says what was expected, what came, and what to do."""

from __future__ import annotations

LONGEST = 2000  # characters of a message: what was given may be a whole file


def printable(text: str) -> str:
    """`text` in which whatever a terminal would obey or could not show stands as its escape, such as \\x1b.

    Names in files of others may hold such characters; line ends stay.
    """
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


class NasError(Exception):
    """A stage failed for a reason that is told in one line. `exit_code` is what the command line returns.

    The message is made printable on one line and, where it is longer than `LONGEST`, cut in its middle.
    """

    exit_code = 1

    def __init__(self, message: str) -> None:
        line = printable(" ".join(part.strip() for part in message.split("\n")))
        half = (LONGEST - 5) // 2
        super().__init__(line if len(line) <= LONGEST else f"{line[:half]} ... {line[-half:]}")


class InputError(NasError):
    """Something the user can mend: a bad argument, a missing file, a full disk, a taken folder."""

    exit_code = 2


class ResourceError(NasError):
    """The machine ran out of something in the middle of work (memory, file handles); the run can be resumed."""


class Interrupted(NasError):
    """The user stopped a command that is no run; the message says how it goes on."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Terminated(BaseException):
    """A signal that asks the process to end, turned into an exception so that what is under way is left in order.

    `run` is the folder of the run that was stopped, as the user would write it.
    """

    def __init__(self, number: int, run: str = "RUN") -> None:
        super().__init__(number)
        self.number = number
        self.run = run
