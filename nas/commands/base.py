"""What a command is: one object in one file. `nas.cli` parses what is typed for it, and prints what it gives back."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from nas.runs.context import Watcher
    from nas.runs.forecast import Cost, Forecast
    from nas.runs.run_folder import Run
    from nas.runs.tasks import Jobs
    from nas.settings.schema import Settings

Extra = dict[str, Any]  # what a command was given besides settings (a checkpoint, a list of architectures)


class RunCommand(ABC):
    """A command that makes a run folder, which `nas resume` goes on with.

    Called in this order: `check`, before anything is written; then in the folder `execute`, which writes
    `result.json`; then `presented` and `summary` of that. In a run that is resumed only the last three are. `costs` is
    asked instead of all but `check` where `--dry-run` is given.
    """

    name: ClassVar[str]  # in `config.json` of the run
    spoken: ClassVar[str | None] = None  # what is typed for it, where that is not its name

    @property
    def typed(self) -> str:
        return self.spoken or self.name

    @abstractmethod
    def check(self, settings: Settings, extra: Extra, keep: bool = True) -> None:
        """`InputError` for what would stop the run later (missing data, ...), before anything is written.

        Logs a warning for what does not stop it but makes a number mean less than it says. Decoded images go to the
        user's cache unless `keep` is false.
        """

    def costs(self, jobs: Jobs, extra: Extra) -> dict[str, Cost]:
        """What each stage will cost, for `--dry-run`."""
        raise NotImplementedError

    def forecast(self, settings: Settings, extra: Extra) -> Forecast:
        """What the run will cost, from a few seconds of measuring; writes nothing."""
        from nas.runs.forecast import forecast

        return forecast(self.typed, settings, lambda jobs: self.costs(jobs, extra))

    def forecast_text(self, forecast: Forecast) -> str:
        """A forecast for people."""
        from nas.report.wording import rough_duration
        from nas.runs.forecast import SURVIVORS

        value = forecast.to_json()
        repeated = f", {forecast.seeds} seeds one after the other" if forecast.seeds > 1 else ""
        lines = [f"forecast of nas {forecast.command} with {forecast.workers} worker(s){repeated}:"]
        for name, seconds in value["seconds"].items():
            count = value["image_passes"].get(name)
            note = f"  {count:,} forward+backward passes of one image" if count else ""
            lines.append(f"  {name:<7} {rough_duration(seconds):>12}{note}")
        shares = ", ".join(f"{share:.0%} ({name} training)" for name, share in SURVIVORS.items())
        lines.append(f"  memory  {value['memory_mb_per_process']:>9} MB per process")
        lines.append(f"assumed share of images that every attack leaves standing: {shares}")
        return "\n".join(lines)

    @abstractmethod
    def execute(self, run: Run, watcher: Watcher) -> dict[str, Any]:
        """Carry out the run to its end and write its `result.json`; returns the content."""

    def finish(self, run: Run, watcher: Watcher) -> dict[str, Any]:
        """The result of the run: that which is there already, or that of `execute`."""
        from nas.core.provenance import versions
        from nas.runs.differences import uncorrected
        from nas.runs.run_folder import RESULT, described

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
        version = described(run.folder).get("version")
        if version != (current := versions()["robust-nas"]):
            log.warning("This run was started by version %s, this is %s.", version, current)
        run.begin()
        return self.execute(run, watcher)
