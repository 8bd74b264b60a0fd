"""A command that makes a run folder: what it is asked, and in which order."""

from __future__ import annotations

import logging
import shlex
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nas.commands.base.arguments import Argument, Option
from nas.commands.base.command import Command
from nas.commands.base.output import Output
from nas.core.errors import InputError, Terminated

if TYPE_CHECKING:
    from nas.core.io.records import Json
    from nas.results import Result
    from nas.runs.run_folder import Run
    from nas.runs.stages.context import Watcher, Worker
    from nas.runs.stages.forecast import Cost, Forecast
    from nas.settings.schema import Settings


class RunCommand(Command):
    """A command that makes a run folder, which `nas resume` goes on with.

    Asked in this order: `settings` of what is typed; `check`, before anything is written; then, in the new folder,
    `execute`, which writes `result.json`; `presented` and `summary` of that. When a run is resumed only the last three
    are. Where `--dry-run` is given, `costs` takes the place of what follows `check`.
    """

    distributed: ClassVar[bool] = False  # whether torchrun may start it on several processes
    arguments: ClassVar[tuple[Argument | Option, ...]]  # the keywords of `settings`

    @abstractmethod
    def settings(self, *args: Any, **typed: Any) -> tuple[Settings, Any]:
        """The settings of a new run, and what the command is given besides: networks, labels, or None."""

    def extra(self, given: Any) -> Json:
        """What `config.json` of the run keeps of that, as plain values; `execute` reads it in `run.extra`."""
        return {}

    def command_of(self, settings: Settings) -> RunCommand:
        """The command that carries out a run with these settings: this one, but for a study of several seeds."""
        return self

    @abstractmethod
    def check(self, settings: Settings, given: Any, keep: bool = True) -> None:
        """`InputError` for what would stop the run later (missing data, ...), before anything is written.

        Logs a warning for what does not stop it but makes a number mean less than it says. Decoded images go to the
        user's cache unless `keep` is false.
        """

    def costs(self, worker: Worker, given: Any) -> dict[str, Cost]:
        """What each stage will cost. A command that does not define this has no `--dry-run`."""
        raise InputError(
            f"Expected --dry-run with a command that can forecast its cost but got it with nas {self.cli_name()}; "
            "leave it out."
        )

    @abstractmethod
    def execute(self, run: Run, watcher: Watcher) -> Result:
        """Carry out the run to its end and write its `result.json`; returns what it says."""

    def presented(self, folder: Path, result: Any) -> Json:
        """What `--json` prints of it: all of it, or the documented part with usable paths."""
        return result.to_json()

    @abstractmethod
    def summary(self, folder: Path, result: Any) -> list[str]:
        """What a person reads of it, in lines."""

    def report(self, folder: Path, result: Result) -> Path:
        """Write `report.html` into the run's folder."""
        from nas.report.page import page
        from nas.report.write import write_report

        return write_report(folder, result, page, self.repeat)

    def repeat(self, settings: Json, extra: Json) -> tuple[str, bool]:
        """The command line that repeats a run, by its `config.json`, and whether it needs the settings as a file.

        A run of a shipped recipe is told by what differs from that, any other by `NAME.yaml`, which is to be saved.
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

    def call(self, output: Output, *args: Any, dry_run: bool = False, **typed: Any) -> None:
        if not self.distributed:
            self._start(output, dry_run, **typed)
            return
        from nas.runs.torchrun import run_follower, together

        with together() as first:
            self._start(output, dry_run, **typed) if first else run_follower()

    def _start(self, output: Output, dry_run: bool, **typed: Any) -> None:
        from nas.report.forecast import forecast_text
        from nas.runs.run_folder import create
        from nas.runs.torchrun import started

        settings, given = self.settings(**typed)
        command = self.command_of(settings)
        if dry_run:
            settings.data.download = False
            command.check(settings, given, keep=False)
            forecast = command.forecast(settings, given)
            output.emit(forecast.to_json(), forecast_text(forecast))
            return
        if started() and not self.distributed:
            raise InputError(
                f"Expected torchrun with nas train or nas resume but got nas {self.cli_name()}, which would make a run "
                "in each of the processes; start it without torchrun."
            )
        command.check(settings, given)
        extra = command.extra(given)
        del given  # a network that was loaded for the check: the run loads it itself
        with create(command.name, settings, extra) as run:
            command.complete(run, output)

    def complete(self, run: Run, output: Output) -> None:
        """Go on with the opened run to its end, and show its result."""
        output.note(f"run folder: {run.folder}")
        try:
            with output.watching() as watcher:
                result = self.finish(run, watcher)
        except Terminated as error:
            error.run = shlex.quote(str(run.folder))
            raise
        output.emit(self.presented(run.folder, result), "\n".join(self.summary(run.folder, result)))

    def finish(self, run: Run, watcher: Watcher) -> Result:
        """The result of the run: that which is there already, or that of `execute`."""
        from nas.core.provenance import versions
        from nas.runs.differences import uncorrected
        from nas.runs.run_folder import RESULT, read_config

        log = logging.getLogger("nas")
        done = run.result()
        if done is not None:
            if uncorrected(done):
                log.warning(
                    "%s was written by an earlier version: `shown` there is the verdict of an uncorrected interval. "
                    "`nas report %s` corrects it for the number of differences.",
                    run.folder / RESULT,
                    run.folder,
                )
            return done
        version = read_config(run.folder).version
        if version != (current := versions()["robust-nas"]):
            log.warning("This run was started by version %s, this is %s.", version, current)
        run.begin()
        return self.execute(run, watcher)

    def forecast(self, settings: Settings, given: Any) -> Forecast:
        """What the run will cost, from a few seconds of measuring; writes nothing."""
        from nas.runs.stages.forecast import forecast

        return forecast(self.cli_name(), settings, lambda worker: self.costs(worker, given))
