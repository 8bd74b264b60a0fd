"""A command is one object in one file; `nas.cli` parses its arguments and gives it an `Output` for the result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from nas.commands.base.arguments import Argument, Option
from nas.commands.base.output import Output
from nas.core.registry import Registry, is_concrete_subclass
from nas.settings.reader import Reader


class Command(ABC):
    """A command of the command line.

    `nas --help` shows the first paragraph of a subclass's docstring, `nas NAME --help` all of it. An object is used for
    one call. The files of all commands are imported whenever `nas` starts, so each imports at its top only what takes
    no time, and everything else inside its functions.
    """

    name: ClassVar[str]  # on the command line: `train`; a name of two words, `tables search`, belongs to a group
    place: ClassVar[int] = 100  # position in `nas --help`, in ascending order
    arguments: ClassVar[tuple[Argument | Option, ...]] = ()  # the keywords of `call`
    # patterns of the settings that it reads, such as `train.*`; a setting in no command's pattern is read by all
    takes: ClassVar[tuple[str, ...]] = ()
    later: ClassVar[tuple[str, ...]] = ()  # sections of settings that later commands read from its run
    instead: ClassVar[dict[str, str]] = {}  # by setting that only other commands read: advice on it
    needs_training_images: ClassVar[bool] = True
    has_run: ClassVar[bool] = False  # whether it works in a run folder, so that a message may advise `nas resume`
    one_worker: ClassVar[str] = ""  # " with --workers 1" or the like, after "give the command again"

    @classmethod
    def cli_name(cls) -> str:
        """What the user types: `name`, unless another command starts this one, as `nas run` starts a study."""
        return cls.name

    @abstractmethod
    def call(self, output: Output, *args: Any, **given: Any) -> None:
        """Do the command's work. All `arguments` are passed; `output.as_json` is true with `--json`.

        Raises InputError if the user can correct the cause, NasError if a stage failed.
        """

    def reader(self, proxies: tuple[str, ...] = ()) -> Reader:
        """The settings that this command reads; `proxies` are computed whatever the settings say."""
        others = sorted(COMMANDS.components.values(), key=lambda other: other.place)
        patterns = {other.cli_name(): other.takes for other in others if other.takes}
        patterns.setdefault(self.cli_name(), self.takes)
        return Reader(self.cli_name(), patterns, self.later, self.needs_training_images, self.instead, proxies)


COMMANDS: Registry[type[Command]] = Registry("command", "nas.commands", "nas.commands", is_concrete_subclass(Command))
