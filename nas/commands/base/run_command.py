"""A command that makes a run folder: which of its methods are called, and in which order."""

from __future__ import annotations

import logging
import shlex
from abc import abstractmethod
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nas.commands.base.arguments import CONFIG, OVERRIDES, Argument, Option
from nas.commands.base.command import Command
from nas.commands.base.finished_run import result_of_finished
from nas.commands.base.output import Output
from nas.core.errors import InputError, Terminated

if TYPE_CHECKING:
    from nas.core.io.records import Json
    from nas.report.run_data import RunData
    from nas.results import Result
    from nas.runs.run_folder import Run
    from nas.runs.stages.context import Watcher, Worker
    from nas.runs.stages.forecast import Cost
    from nas.settings.schema import Settings


class RunCommand(Command):
    """A command that makes a run folder, which `nas resume` can continue.

    Its methods are called in this order: `settings` reads the command line; `check` refuses what would fail later,
    before anything is written; in the new folder `execute` does the work and writes `result.json`; `presented` and
    `summary` show the result. To resume a run, only the last three are called. With `--dry-run`, `costs` is called
    instead of everything after `check`.
    """

    has_run = True
    distributed: ClassVar[bool] = False  # whether torchrun may start it in several processes
    arguments: ClassVar[tuple[Argument | Option, ...]] = (CONFIG, OVERRIDES)  # the keywords of `settings`

    def settings(self, *args: Any, **given: Any) -> tuple[Settings, Any]:
        """The settings of a new run, and whatever else the command was given: networks, labels, or None.

        By default, it reads a recipe and overrides. Raises InputError if there is no such recipe or a setting is
        impossible or without effect.
        """
        from nas.settings import command_line

        return command_line.load(self.reader(), given["config"], given["overrides"]), None

    def extra(self, given: Any) -> Json:
        """What `config.json` stores of the networks or labels, as plain values; `execute` finds it in `run.extra`."""
        return {}

    def command_of(self, settings: Settings) -> RunCommand:
        """The command that executes a run with these settings: this one, except for a study of several seeds."""
        return self

    @abstractmethod
    def check(self, settings: Settings, given: Any, keep: bool = True) -> None:
        """Check everything that would stop the run later (missing data, ...), before anything is written.

        Raises InputError if the run could not be finished. Logs a warning if a number will mean less than it seems to.
        Decoded images are written to the user's cache unless `keep` is false.
        """

    def costs(self, worker: Worker, given: Any) -> dict[str, Cost]:
        """The cost of each stage. A command that does not define this has no `--dry-run`.

        By default, it raises InputError.
        """
        raise InputError(
            f"Expected --dry-run with a command that can forecast its cost but got it with nas {self.cli_name()}; "
            "leave it out."
        )

    @abstractmethod
    def execute(self, run: Run, watcher: Watcher) -> Result:
        """Do all of the work that is left, write `result.json`, and return the result."""

    def presented(self, folder: Path, result: Any) -> Json:
        """What `--json` prints: the whole result, or the documented part of it with paths that can be opened."""
        return result.to_json()

    @abstractmethod
    def summary(self, folder: Path, result: Any) -> list[str]:
        """The result for people, line by line."""

    def hints(self, folder: Path) -> list[str]:
        """What can be done next, line by line, for people who have just made the run."""
        return []

    def report(self, folder: Path, result: Result) -> Path:
        """Write `report.html` into the run's folder and return its path."""
        from nas.report.write import write_report

        return write_report(folder, result, self.page, self.repeat, self.acting)

    def page(self, run: RunData) -> str:
        """The report of a run as HTML."""
        from nas.report.pages.run import page

        return page(run)

    def acting(self, settings: Json) -> frozenset[str]:
        """The dotted settings, of those in a run's `config.json`, that had a part in the run."""
        from nas.core import config
        from nas.settings.repeat import acting

        reader = replace(self.reader(), later=())
        taken = {key: value for key, value in config.flat(settings).items() if reader.takes(key)}
        return frozenset(acting(reader, settings, taken))

    def repeat(self, settings: Json, extra: Json) -> tuple[str, bool]:
        """The command line that repeats a run, from its `config.json`, and whether that needs a file of settings.

        For a shipped recipe the line names the recipe and the settings that differ from it; for any other run it names
        `NAME.yaml`, a file that the user must save first.
        """
        from nas.core import config
        from nas.settings.repeat import changes

        name, seed = str(settings["name"]), f"seed={settings['seed']}"
        differing = changes(self.reader(), name, settings) if name in config.shipped() else None
        if differing is not None:
            return shlex.join(["nas", self.cli_name(), name, seed, *differing]), False
        several = [] if settings.get("seeds", 1) == 1 else [f"seeds={settings['seeds']}"]
        return shlex.join(["nas", self.cli_name(), f"{name}.yaml", seed, *several]), True

    @classmethod
    def has_forecast(cls) -> bool:
        return cls.costs is not RunCommand.costs

    def call(self, output: Output, *args: Any, dry_run: bool = False, **words: Any) -> None:
        if not self.distributed:
            self._start(output, dry_run, **words)
            return
        from nas.runs.torchrun import join_processes, run_follower

        with join_processes() as first:
            self._start(output, dry_run, **words) if first else run_follower()

    def _start(self, output: Output, dry_run: bool, **words: Any) -> None:
        from nas.report.forecast import forecast_text
        from nas.runs.run_folder import create
        from nas.runs.stages.forecast import forecast
        from nas.runs.torchrun import under_torchrun

        settings, given = self.settings(**words)
        command = self.command_of(settings)
        if dry_run:
            settings.data.download = False
            command.check(settings, given, keep=False)
            cost = forecast(command.cli_name(), settings, partial(command.costs, given=given))
            output.emit(cost.to_json(), forecast_text(cost))
            return
        if under_torchrun() and not self.distributed:
            raise InputError(
                f"Expected torchrun with nas train or nas resume but got nas {self.cli_name()}, which would make a run "
                "in every process; start it without torchrun."
            )
        command.check(settings, given)
        extra = command.extra(given)
        del given  # frees a network that was loaded for the check: the run loads it again
        with create(command.name, settings, extra) as run:
            command.complete(run, output)

    def complete(self, run: Run, output: Output) -> None:
        """Continue the opened run to its end and show its result."""
        output.note(f"run folder: {run.folder}")
        try:
            with output.watching() as watcher:
                result = self.finish(run, watcher)
        except Terminated as error:
            error.run = shlex.quote(str(run.folder))
            raise
        text = "\n".join([*self.summary(run.folder, result), *self.hints(run.folder)])
        output.emit(self.presented(run.folder, result), text)

    def finish(self, run: Run, watcher: Watcher) -> Result:
        """The result of the run: the one in its folder if it is finished, otherwise that of `execute`."""
        from nas.core.provenance import versions
        from nas.runs.run_config import read_config

        if (result := result_of_finished(run)) is not None:
            return result
        version = read_config(run.folder).version
        if version != (current := versions()["robust-nas"]):
            logging.getLogger("nas").warning("This run was started by version %s; this is %s.", version, current)
        run.begin()
        return self.execute(run, watcher)
