"""`nas tables supernets`: compare the cells that supernet searches found with random ones, on published tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nas.commands.base import Command, Option, Output
from nas.commands.tables.options import DATASET, Files, names_in, output_options
from nas.core.errors import InputError

if TYPE_CHECKING:
    from nas.core.io.records import Json
    from nas.studies.plots.trajectories import Paths
    from nas.studies.supernets.goal import Goal
    from nas.studies.supernets.judge import Comparison, Judged, RandomCells
    from nas.studies.supernets.plan import Plan
    from nas.studies.supernets.runs import Found


class Supernets(Command):
    """Percentiles, among the 4,096 cells without `none`, of the cells of NAS-Bench-201 that supernet searches found.

    The searches, their settings and their seeds are fixed (docs/studies/supernets.md). Finished ones are rows of two
    small files; without --images they are read. With it, the missing ones are made first, which takes hours; a killed
    call goes on where it was. Examples: `nas tables supernets --robustness robustness-dataset --rows DIR`;
    the same with `--images cifar10.npz --hours 2`. Further plans with rows of their own are the screening of changes of
    rnas-max (`--plan screening`), and the best two of these at full cost on other seeds (`--plan fresh`).
    """

    name, place = "tables supernets", 17
    arguments = (
        Option("robustness", "The folder of the robustness dataset (Jung et al. 2023).", "DIR", Path),
        DATASET,
        Option("robbench", "NAS-RobBench-201, for cells that are trained adversarially.", "CSV", Path),
        Option("columns", "Columns, separated by commas; by default clean, attacks and HRS of each table.", default=""),
        Option("rows", "The folder of finished searches.", "DIR", Path, ...),
        Option("plan", "Which searches: comparison, screening or fresh.", default="comparison"),
        Option("images", "An .npz file of training images; makes the searches that are missing.", "FILE", Path),
        Option(
            "strategies",
            "With --images, only these, separated by commas; with --plan fresh by default the best two.",
            default="",
        ),
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
        plan: str,
        images: Path | None,
        strategies: str,
        hours: float,
        csv: Path | None,
        plot: Path | None,
    ) -> None:
        from nas.searches.percentile_ranks import default_columns
        from nas.studies.supernets.judge import OF_ROBBENCH, TESTED, RandomCells, judge
        from nas.studies.supernets.making import make
        from nas.studies.supernets.plan import COMPARED
        from nas.studies.supernets.runs import Rows
        from nas.studies.supernets.screening import FRESH, SCREENING

        files = Files({"robustness": robustness, "robbench": robbench}, [], csv, plot)
        files.check("to judge by")
        plans = {one.name: one for one in (COMPARED, SCREENING, FRESH)}
        if plan not in plans:
            raise InputError(f"Expected --plan {', '.join(plans)} but got {plan!r}.")
        chosen_plan = plans[plan]
        known = [variant.name for variant in chosen_plan.variants]
        unknown = [name for name in names_in(strategies) if name not in known]
        if unknown:
            raise InputError(
                f"Expected strategies of the study but got {', '.join(unknown)}; they are {', '.join(known)}."
            )
        opened = files.opened(dataset)
        chosen = names_in(columns) or [
            *(name for name in default_columns(opened) if name != "square@1"),
            *(OF_ROBBENCH if robbench is not None else ()),
        ]
        opened.chosen(chosen)
        if images is not None:
            names = names_in(strategies)
            if chosen_plan is FRESH and not names:
                opened.chosen([TESTED])
                names = _best_of_screening(rows, RandomCells(opened, [TESTED]))
                output.note(f"the best two of the screening: {', '.join(names)}")
            make(Rows(rows, write=True, plan=chosen_plan), images, names, hours, output.note)
        finished = Rows(rows, plan=chosen_plan)
        found, paths = finished.found(), finished.paths()
        if plot is not None and not paths:
            raise InputError(f"Expected finished searches in {rows} to draw but there are none; make some by --images.")
        cells = RandomCells(opened, chosen)
        judged = judge(found, cells, chosen_plan.variants)
        files.write(lambda: csv_rows(judged), lambda kind: _picture(paths, kind))
        value, text = _conclusions(chosen_plan, found, cells)
        lines = [*_text(judged, chosen, cells.tested), *text]
        output.emit({"rows": [one.to_json() for one in judged], **value}, "\n".join(lines))


def _conclusions(plan: Plan, found: list[Found], cells: RandomCells) -> tuple[Json, list[str]]:
    """What follows from the rows by the columns that decide, if `cells` has them: as JSON and as text."""
    from nas.studies.supernets.goal import best, goals
    from nas.studies.supernets.judge import TESTED, compare
    from nas.studies.supernets.plan import COMPARED
    from nas.studies.supernets.screening import SCREENING

    if plan is COMPARED:
        compared = compare(found, cells)
        return {"comparisons": [one.to_json() for one in compared]}, _of_comparisons(compared)
    known = TESTED in cells.columns
    reached = goals(found, cells, plan.variants) if known else []
    value: Json = {"goals": [one.to_json() for one in reached]}
    text = _of_goals(reached) if known else []
    if plan is SCREENING and known:
        value["best"] = best(found, cells, plan.variants)
        made = {(one.strategy, one.seed) for one in found}
        missing = sum((one.variant.name, one.seed) not in made for one in plan.planned())
        begin = f"best two so far, {missing} searches are missing" if missing else "best two, for --plan fresh"
        text += [f"{begin}: {', '.join(value['best'])}"] if value["best"] else []
    return value, text


def _best_of_screening(rows: Path, cells: RandomCells) -> list[str]:
    """Raises InputError if searches of the screening are missing."""
    from nas.studies.supernets.goal import best
    from nas.studies.supernets.runs import Rows
    from nas.studies.supernets.screening import SCREENING

    finished = Rows(rows, plan=SCREENING)
    missing = [one for one in SCREENING.planned() if not finished.has(one)]
    if missing:
        raise InputError(
            f"Expected a whole screening in {rows}, by which the best two are chosen, but {len(missing)} of its "
            "searches are missing; make them with --plan screening, or name variants by --strategies."
        )
    return best(finished.found(), cells, SCREENING.variants)


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


def _text(judged: list[Judged], columns: list[str], tested: list[str]) -> list[str]:
    from nas.report.text import table_lines

    tests = [title for name in tested for title in (f"p random ({name})", f"among equals ({name})")]
    costs = ["3x3", "skips", "agreement", "passes", "seconds"]
    lines = [["", "length", "seeds", *columns, *tests, *costs]]
    for one in judged:
        agreement = "-" if one.agreement is None else f"{one.agreement:.2f}"
        figures = [f"{one.convolutions:.1f}", f"{one.skips:.1f}", agreement, f"{one.passes:,.0f}", f"{one.seconds:.0f}"]
        line = [one.strategy, one.length or "-", str(one.seeds), *map(_over_seeds, one.percentiles.values())]
        for name in tested:
            line += [f"{one.p_random[name]:.3f}" if name in one.p_random else "-", _over_seeds(one.among_equals[name])]
        lines.append([*line, *figures])
    return [
        "median percentile among the cells without none (smallest - largest over seeds)",
        "p random: that the percentiles in a column are those of random cells, corrected by Holm for all searches",
        *table_lines(lines),
    ]


def _of_comparisons(compared: list[Comparison]) -> list[str]:
    return [
        f"{each.column}, {each.strategy} - {each.base}: {each.difference:+.1f} over {each.seeds} seeds, "
        f"p = {each.p:.3f} (Holm)"
        for each in compared
    ]


def _of_goals(goals: list[Goal]) -> list[str]:
    """With how many seeds each variant meets the goal, and its difference to the base."""
    from nas.studies.supernets.goal import AMONG_EQUALS, MOST_CONVOLUTIONS, PERCENTILE, SEEDS_NEEDED

    lines = [
        f"goal: above percentile {PERCENTILE} in HRS (PGD), above {AMONG_EQUALS} among equals, at most "
        f"{MOST_CONVOLUTIONS} 3x3 convolutions, with {SEEDS_NEEDED} seeds of five"
    ]
    for one in goals:
        reached = ", reached" if one.reached else ""
        base = "" if one.difference is None else f"; {one.difference:+.1f} to base over {one.common_seeds} seeds"
        lines.append(f"{one.strategy}: met with {sum(one.met)} of {len(one.met)} seeds{reached}{base}")
    return lines


def _over_seeds(values: list[float | None]) -> str:
    """The median, with the smallest and the largest if there are several."""
    from statistics import median

    known = [value for value in values if value is not None]
    if not known:
        return "-"
    return f"{median(known):.0f}" + (f" ({min(known):.0f}-{max(known):.0f})" if len(known) > 1 else "")
