"""What a command is: one object in one file. `nas.cli` parses what is typed for it, and prints what it gives back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from nas.commands.base.arguments import Argument, Option
from nas.core.registry import Registry, is_concrete_subclass
from nas.settings.reader import Reader

if TYPE_CHECKING:
    from nas.runs.stages.context import Watcher


class Counter:
    """Shows how far a count has come; `total` is None where its end is unknown. This one is silent."""

    total: int | None = None

    def update(self, done: int, failed: int) -> None:
        """So many are done, these of them without a value."""


class Output:
    """Where a command's result goes. This one keeps it and is otherwise silent; that of `nas.cli` prints."""

    as_json = False
    value: Any = None
    text = ""

    def emit(self, value: Any, text: str) -> None:
        """The result of the command, once it is known: `value` for scripts, `text` for people."""
        self.value, self.text = value, text

    def write(self, text: str) -> None:
        """A part of a result that comes bit by bit, in whole lines; such a command emits nothing."""
        self.text += text

    def note(self, line: str) -> None:
        """What a person may want to know beside the result."""

    @contextmanager
    def counting(self, name: str, total: int | None) -> Iterator[Counter]:
        yield Counter()

    @contextmanager
    def watching(self) -> Iterator[Watcher]:
        from nas.runs.stages.context import Watcher

        yield Watcher()


class Command(ABC):
    """A command of the command line.

    The first paragraph of a subclass's docstring is what `nas --help` says of it, all of it is its own `--help`. An
    object lives for one call. The module of a command is imported whenever `nas` starts, so that it imports at its top
    what is light, and the rest where it is used.
    """

    name: ClassVar[str]  # as it is typed: `train`; a name of two words, `tables search`, is in a group
    place: ClassVar[int] = 100  # among the others in `nas --help`
    arguments: ClassVar[tuple[Argument | Option, ...]] = ()  # the keywords of `call`
    takes: ClassVar[tuple[str, ...]] = ()  # settings that act in it, `train.*`; those that no command names act in all
    later: ClassVar[tuple[str, ...]] = ()  # sections that other commands take from its run
    instead: ClassVar[dict[str, str]] = {}  # what to do in place of a setting of another command
    needs_training_images: ClassVar[bool] = True

    @classmethod
    def typed(cls) -> str:
        """What is typed for it: its name, but for what another command begins."""
        return cls.name

    @abstractmethod
    def call(self, output: Output, *args: Any, **given: Any) -> None:
        """Do what the command is for; every argument is given, and `--json` is `output.as_json`.

        `InputError` for what the user can mend, `NasError` where a stage failed.
        """

    def reader(self, proxies: tuple[str, ...] = ()) -> Reader:
        """The command as a reader of settings; `proxies` are those that it computes whatever the settings say."""
        others = sorted(COMMANDS.components.values(), key=lambda other: other.place)
        patterns = {other.typed(): other.takes for other in others if other.takes}
        patterns.setdefault(self.typed(), self.takes)
        return Reader(self.typed(), patterns, self.later, self.needs_training_images, self.instead, proxies)


COMMANDS: Registry[type[Command]] = Registry("command", "nas.commands", "nas.commands", is_concrete_subclass(Command))
