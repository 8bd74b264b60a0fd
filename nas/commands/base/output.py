"""What a command shows: its result, notes, and the progress of its work."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas.runs.stages.context import Watcher


class Counter:
    """Shows the progress of a count. This base class shows nothing."""

    total: int | None = None  # None while it is unknown

    def update(self, done: int, failed: int) -> None:
        """Show that `done` items are finished, `failed` of them without a value."""

    def print_above(self, text: str, descriptor: int) -> bool:
        """Print `text` above a bar on the same terminal as `descriptor`; False if there is no such bar."""
        return False


class Output:
    """Takes the result of a command. This base class only keeps the result; its subclass in `nas.cli` prints it."""

    as_json = False  # whether the user gave `--json`
    value: Any = None
    text = ""

    def emit(self, value: Any, text: str) -> None:
        """Take the finished result: `value` for scripts, `text` for people."""
        self.value, self.text = value, text

    def write(self, text: str) -> None:
        """Take the next whole lines of a long result; a command that calls this does not call `emit`."""
        self.text += text

    def note(self, line: str) -> None:
        """Tell the user something that is not part of the result."""

    def counting(self, name: str, total: int | None) -> AbstractContextManager[Counter]:
        """A counter for work of this name, shown while the context lasts."""
        return nullcontext(Counter())

    def watching(self) -> AbstractContextManager[Watcher]:
        """A watcher for the stages of a run, shown while the context lasts."""
        from nas.runs.stages.context import Watcher

        return nullcontext(Watcher())
