"""Prints the result of a command, as JSON or for people, and keeps everything else off standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from nas.commands.base import Counter, Output
from nas.core.errors import printable

if TYPE_CHECKING:
    from nas.runs.stages.context import Watcher


class Printed(Output):
    """Prints the result to a file descriptor, and notes to standard error."""

    def __init__(self, as_json: bool, descriptor: int) -> None:
        self.as_json = as_json
        self.descriptor = descriptor
        self.counter = Counter()

    def emit(self, value: Any, text: str) -> None:
        """Print `value` as JSON or, for people, `text`."""
        line = json.dumps(value, allow_nan=False) if self.as_json else printable(text.rstrip("\n"))
        self._print(line + "\n")

    def write(self, text: str) -> None:
        if not self.counter.print_above(text, self.descriptor):
            self._print(text)

    def _print(self, text: str) -> None:
        """Write the whole text with system calls, so that nothing is lost in a buffer if the process is killed."""
        data = text.encode()
        while data:
            data = data[os.write(self.descriptor, data) :]

    def note(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    @contextmanager
    def counting(self, name: str, total: int | None) -> Iterator[Counter]:
        from nas.cli.progress import counting

        with counting(name, total) as self.counter:
            try:
                yield self.counter
            finally:
                self.counter = Counter()

    def watching(self) -> AbstractContextManager[Watcher]:
        from nas.cli.progress import watching

        return watching()


@contextmanager
def output(as_json: bool) -> Iterator[Printed]:
    """Reserve standard output for the result: what libraries print, in any process, goes to standard error."""
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        yield Printed(as_json, stdout)
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)
