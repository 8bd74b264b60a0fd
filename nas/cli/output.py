"""What a command prints: its result on standard output, as JSON or for people, and nothing else there."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nas.commands.base import Counter, Output
from nas.core.errors import printable

if TYPE_CHECKING:
    from nas.runs.stages.context import Watcher


class Printed(Output):
    """Prints to the descriptor, and to standard error what is no result."""

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
        """Hand the whole text to the operating system: what is written so survives a kill."""
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

    @contextmanager
    def watching(self) -> Iterator[Watcher]:
        from nas.cli.progress import watching

        with watching() as watcher:
            yield watcher


@contextmanager
def output(as_json: bool) -> Iterator[Printed]:
    """Keep standard output for the result: whatever libraries print meanwhile, in any process, goes to stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield Printed(as_json, kept)
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
