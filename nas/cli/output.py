"""What a command prints: its result on standard output, as JSON or for people, and nothing else there."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from nas.core.errors import printable

Json = typer.Option(False, "--json", help="Print the result as JSON on standard output, and nothing else there.")
DryRun = typer.Option(False, "--dry-run", help="Say what it will cost, and write nothing.")


class Output:
    """Prints the result of a command once it is known."""

    def __init__(self, as_json: bool, descriptor: int) -> None:
        self.as_json = as_json
        self.descriptor = descriptor

    def emit(self, value: Any, text: str) -> None:
        """Print `value` as JSON or, for people, `text`."""
        line = json.dumps(value, allow_nan=False) if self.as_json else printable(text.rstrip("\n"))
        data = (line + "\n").encode()
        while data:
            data = data[os.write(self.descriptor, data) :]


@contextmanager
def output(as_json: bool) -> Iterator[Output]:
    """Keep standard output for the result: whatever libraries print meanwhile, in any process, goes to stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield Output(as_json, kept)
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
