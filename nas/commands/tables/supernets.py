"""`nas tables supernets`: compare the cells that supernet searches found with random ones, on published tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nas.commands.base import Command, Option, Output
from nas.commands.tables.options import DATASET, Files, names_in, output_options
from nas.core.errors import InputError

if TYPE_CHECKING:
    from nas.studies.plots.trajectories import Paths
    from nas.studies.supernets.judge import Comparison, Judged


class Supernets(Command):
    """Percentiles, among the 4,096 cells without `none`, of the cells of NAS-Bench-201 that supernet searches found.

    The searches, their settings and their seeds are fixed (docs/studies/supernets.md). Finished ones are rows of two
    small files; without --images they are read. With it, the missing ones are made first, which takes hours; a killed
    call goes on where it was. Examples: `nas tables supernets --robustness robustness-dataset --rows DIR`;
    the same with `--images cifar10.npz --hours 2`.
    """

    name, place = "tables supernets", 17
    arguments = (
        Option("robustness", "The folder of the robustness dataset (Jung et al. 2023).", "DIR", Path),
        DATASET,
        Option("robbench", "NAS-RobBench-201; columns robbench:NAME.", "CSV", Path),
        Option("columns", "Columns, separated by commas; by default clean, attacks and HRS.", default=""),
        Option("rows", "The folder of finished searches.", "DIR", Path, ...),
        Option("images", "An .npz file of training images; makes the searches that are missing.", "FILE", Path),
        Option("strategies", "With --images, only these, separated by commas.", default=""),
        Option("hours", "With --images, begin no search after so many hours.", type=float, default=1e6),
        *output_options("the percentiles", "Draw the weights of α and the derived cell after each epoch"),
    )

    def call(
        self,
        output: Output,
        robustness: Path | None,
        dataset: str,
        robbench: Path | None,
        columns: str,
        rows: Path,
        images: Path | None,
        strategies: str,
        hours: float,
        csv: Path | None,
        plot: Path | None,
    ) -> None:
        from nas.searches.percentile_ranks import default_columns
        from nas.studies.supernets.judge import TESTED, RandomCells, compare, judge
        from nas.studies.supernets.making import make
        from nas.studies.supernets.plan import VARIANTS
        from nas.studies.supernets.runs import Rows

        files = Files({"robustness": robustness, "robbench": robbench}, [], csv, plot)
        files.check("to judge by")
        known = [variant.strategy for variant in VARIANTS]
        unknown = [name for name in names_in(strategies) if name not in known]
        if unknown:
            raise InputError(
                f"Expected strategies of the study but got {', '.join(unknown)}; they are {', '.join(known)}."
            )
        opened = files.opened(dataset)
        chosen = names_in(columns) or [name for name in default_columns(opened) if name != "square@1"]
        opened.chosen(chosen)
        if images is not None:
            make(Rows(rows, write=True), images, names_in(strategies), hours, output.note)
        finished = Rows(rows)
        found, paths = finished.found(), finished.paths()
        if plot is not None and not paths:
            raise InputError(f"Expected finished searches in {rows} to draw but there are none; make some by --images.")
        cells = RandomCells(opened, chosen)
        judged = judge(found, cells)
        compared = compare(found, cells) if TESTED in chosen else []
        files.write(lambda: csv_rows(judged), lambda kind: _picture(paths, kind))
        output.emit(
            {"rows": [one.to_json() for one in judged], "comparisons": [one.to_json() for one in compared]},
            _text(judged, compared, chosen),
        )


def _picture(paths: Paths, kind: str) -> bytes:
    from nas.studies.plots.trajectories import trajectories

    return trajectories(paths, kind)


def csv_rows(judged: list[Judged]) -> str:
    """A line for each strategy, length, search and column."""
    from nas.core.io.files import csv_text

    lines = [["strategy", "length", "number", "column", "percentile"]]
    for one in judged:
        for column, values in one.percentiles.items():
            for number, value in enumerate(values):
                text = "" if value is None else f"{value:.3f}"
                lines.append([one.strategy, one.length, str(number), column, text])
    return csv_text(lines)


def _text(judged: list[Judged], compared: list[Comparison], columns: list[str]) -> str:
    from nas.report.text import table_lines

    lines = [["", "length", "seeds", *columns, "among equals", "3x3", "skips", "agreement", "passes", "seconds"]]
    for one in judged:
        agreement = "-" if one.agreement is None else f"{one.agreement:.2f}"
        figures = [f"{one.convolutions:.1f}", f"{one.skips:.1f}", agreement, f"{one.passes:,.0f}", f"{one.seconds:.0f}"]
        percentiles = [*one.percentiles.values(), one.among_equals]
        lines.append([one.strategy, one.length or "-", str(one.seeds), *map(_over_seeds, percentiles), *figures])
    text = ["median percentile among the cells without none (smallest - largest over seeds)", *table_lines(lines)]
    for each in compared:
        text.append(
            f"{each.strategy} - {each.base}: {each.difference:+.1f} over {each.seeds} seeds, p = {each.p:.3f} (Holm)"
        )
    return "\n".join(text)


def _over_seeds(values: list[float | None]) -> str:
    """The median, with the smallest and the largest if there are several."""
    from statistics import median

    known = [value for value in values if value is not None]
    if not known:
        return "-"
    return f"{median(known):.0f}" + (f" ({min(known):.0f}-{max(known):.0f})" if len(known) > 1 else "")
