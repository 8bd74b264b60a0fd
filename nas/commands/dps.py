"""`nas dps`: find settings of Eproxy that suit a task."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.commands.base import CONFIG, OVERRIDES, Option, RunCommand

if TYPE_CHECKING:
    from nas.core.io.records import Json
    from nas.results import DpsResult, Result
    from nas.runs.run_folder import Run
    from nas.runs.stages.context import Watcher
    from nas.settings.schema import Settings


class Dps(RunCommand):
    """Discrete proxy search: evolve Eproxy's settings until it ranks a few labelled architectures correctly.

    Writes the best settings as a file that `proxies.eproxy.settings` takes, and reports how well they rank the labelled
    architectures that the search did not see. The settings `scoring.*` say how the networks are built. Examples:
    `nas dps cifar10-nb201-eproxy --labels accuracies.csv --output mine.yaml`, then
    `nas search cifar10-nb201-eproxy objective.settings=mine.yaml`.
    """

    name, place = "dps", 6
    arguments = (
        CONFIG,
        OVERRIDES,
        Option(
            "labels",
            "Architectures and their accuracies: CSV (column arch or arch_str), or JSON as of NDS.",
            "FILE",
            Path,
            ...,
        ),
        Option("accuracy", "The column of the accuracies, if there are several.", "COLUMN"),
        Option("count", "Architectures to search with, drawn from the CSV by the seed.", type=int, default=20),
        Option("held_out", "Report on N of the other architectures, not on all.", "N", int),
        Option("evaluations", "Settings to try, including the first population.", type=int, default=200),
        Option("population", "Population size of the evolution.", type=int, default=40),
        Option("tournament", "Tournament size of the evolution.", type=int, default=10),
        Option(
            "finalists",
            "How many of the best settings are evaluated again with other random draws.",
            type=int,
            default=5,
        ),
        Option(
            "draws",
            "Evaluations of each finalist, including the first; 1 evaluates none again.",
            type=int,
            default=5,
        ),
        Option(
            "errors",
            "Of the finalists within this many standard errors of the best, take the least changed; 0: the best.",
            type=float,
            default=1.0,
        ),
        Option("to", "Write the settings to this file too.", "FILE.yaml", Path, flag="--output"),
    )
    takes = ("name", "run.dir", "model.*", "scoring.*", "proxies.*")

    def settings(
        self,
        config: str,
        overrides: list[str],
        labels: Path,
        accuracy: str | None,
        count: int,
        held_out: int | None,
        to: Path | None,
        **options: Any,
    ) -> tuple[Settings, Json]:
        """The `options` are those of `DPSOptions`. Raises InputError if an option or a file is unusable."""
        from dataclasses import asdict

        from nas.core.errors import InputError
        from nas.objectives.labels import read_labels, split
        from nas.search_spaces import SPACES
        from nas.searches.dps import DPSOptions
        from nas.settings.command_line import load

        settings = load(self.reader(("eproxy",)), config, overrides)
        dps_options = DPSOptions(**options)
        dps_options.check()
        if to is not None and (to.suffix not in (".yaml", ".yml") or to.exists()):
            raise InputError(f"Expected a new file ending in .yaml for --output but got {to}; choose another.")
        space = SPACES.get(settings.space)()
        seen, unseen = split(read_labels(labels, space, accuracy), space, count, held_out, settings.seed)
        return settings, {
            "options": asdict(dps_options),
            "labels": seen,
            "held_out": unseen,
            "output": None if to is None else str(to.absolute()),
        }

    def extra(self, given: Json) -> Json:
        return given

    def check(self, settings: Settings, given: Any = None, keep: bool = True) -> None:
        from nas.searches.dps import check

        check(settings)

    def execute(self, run: Run, watcher: Watcher) -> Result:
        from nas.searches.dps import execute

        return execute(run, watcher)

    def presented(self, folder: Path, result: DpsResult) -> Json:
        return {**replace(result, file=str(folder / result.file)).to_json(), "run": str(folder)}

    def summary(self, folder: Path, result: DpsResult) -> list[str]:
        labels, report = result.labels, result.held_out
        lines = [
            f"best of {result.evaluated} settings: {result.setting}",
            f"Spearman's rho with the {labels.count} labels: {labels.spearman:.3f} (plain Eproxy "
            f"{labels.spearman_plain:.3f})",
        ]
        if report is None:
            lines.append("no other labelled architectures to report on")
        else:
            lines.append(f"on {report.count} architectures that the search did not see:")
            for title, one in (("Eproxy", report.plain), ("Eproxy + DPS", report.dps)):
                failed = f", {one.failed} without a value" if one.failed else ""
                lines.append(f"  {title:<12}  rho {one.spearman:.3f}, top-10 % retrieval {one.top10:.0%}{failed}")
            if (gap := report.difference) is not None:
                lines.append(
                    f"  difference of rho {gap.value:+.3f}, 95 % interval of this one comparison {gap.low:+.3f} to "
                    f"{gap.high:+.3f}"
                )
        file = shlex.quote(str(folder / result.file))
        return [*lines, f"use it: nas search CONFIG objective=eproxy objective.settings={file}"]
