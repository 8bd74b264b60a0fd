"""A function in a fork of the tests' process: one to kill or to measure, without the seconds that imports take."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

Say = Callable[[object], None]


class Fork:
    """Calls `function(say, *arguments)` in a process of its own; `say` sends a line to the parent, which reads it."""

    def __init__(self, function: Callable[..., None], *arguments: Any) -> None:
        read, write = os.pipe()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                function(lambda line: os.write(write, f"{line}\n".encode()), *arguments)
                code = 0
            except BaseException:
                os.write(2, traceback.format_exc().encode())
            finally:
                os._exit(code)
        os.close(write)
        self.lines = os.fdopen(read)
        self.code: int | None = None

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """The exit code, or minus the number of the signal that ended it."""
        if self.code is None:
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.code

    def __enter__(self) -> Fork:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self.code is None:
            self.kill()
            self.wait()
        self.lines.close()
