"""What a command is: one object in one file. `nas.cli` parses what is typed for it, and prints what it gives back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from nas.commands.base.arguments import Argument, Option
from nas.commands.base.output import Output
from nas.core.registry import Registry, is_concrete_subclass
from nas.settings.reader import Reader

if TYPE_CHECKING:
    pass


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
    def cli_name(cls) -> str:
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
        patterns = {other.cli_name(): other.takes for other in others if other.takes}
        patterns.setdefault(self.cli_name(), self.takes)
        return Reader(self.cli_name(), patterns, self.later, self.needs_training_images, self.instead, proxies)


COMMANDS: Registry[type[Command]] = Registry("command", "nas.commands", "nas.commands", is_concrete_subclass(Command))
