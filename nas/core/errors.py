"""The few errors of the project; each message says what was expected, what came, and what to do."""


class NasError(Exception):
    """A stage failed for a reason that is told in one line. `exit_code` is what the command line returns."""

    exit_code = 1


class InputError(NasError):
    """Something the user can mend: a bad argument, a missing file, a full disk, a taken folder."""

    exit_code = 2


class ResourceError(NasError):
    """The machine ran out of something in the middle of work (memory, file handles); the run can be resumed."""


class Terminated(BaseException):
    """SIGTERM, turned into an exception so that what is under way is left in order."""
