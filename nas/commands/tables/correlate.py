"""`nas tables correlate`: rank correlations of proxy scores with published accuracies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nas.commands.base import Argument, Command, Option, Output
from nas.commands.tables.options import LATENCY, Files, names_in, output_options, table_options
from nas.core.errors import InputError

if TYPE_CHECKING:
    from nas.core.io.records import Record
    from nas.studies.correlate import Correlations

    Rows = Sequence[tuple[str, Mapping[str, Record]]]

MAX_RESAMPLES = 100_000


class Correlate(Command):
    """Rank correlations of proxy scores with published accuracies, also partial ones given the networks' size.

    Several files are matched by architecture. By proxy and column: Spearman's rho, Kendall's tau-b, and Spearman
    given `params`, with 95 % bootstrap intervals that are not corrected for their number. For a corruption or group
    (the mean accuracy of its types), correlations are averaged over the severities. Proxies for which lower is better
    are turned (negated), columns are not: for an error, a negative rho is good. Sizes are those of the table, where it
    has a column params, else of the space's own networks. A warning names the proxies that rank as size does: |rho|
    with `params` is at least .95, or the interval of rho lies on one side of 0, and that of the partial rho does not
    lie on the same side. Example: `nas tables correlate scores.csv --robustness robustness-dataset --plot tau.png`.
    """

    name, place = "tables correlate", 13
    arguments = (
        Argument("scores", "Files of `nas score --output`, or published scores.", "SCORES...", list[Path]),
        *table_options("columns"),
        LATENCY,
        Option(
            "columns",
            "Accuracies, separated by commas: clean, fgsm@8, pgd@*, corruptions, weather, fog, fog@3, hrs:fgsm@8, "
            "each:weather, robbench:hrs:pgd@8, ..., or all; by default a selection.",
            default="",
        ),
        Option("proxies", "Proxies, separated by commas; by default all in the files.", default=""),
        Option(
            "against",
            "Proxies (or params) whose rho is subtracted from that of the others, with uncorrected paired intervals.",
            default="",
        ),
        Option("every_string", "Count isomorphic cells one by one.", type=bool, default=False),
        Option("bootstrap", "Resamples for the 95 % intervals (uncorrected).", type=int, default=1000),
        Option("seed", "Seed of the resamples.", type=int, default=0),
        *output_options("the table", "Write a heat map of Kendall's tau"),
    )

    def call(
        self,
        output: Output,
        scores: list[Path],
        dataset: str,
        space: str,
        columns: str,
        proxies: str,
        against: str,
        every_string: bool,
        bootstrap: int,
        seed: int,
        csv: Path | None,
        plot: Path | None,
        **tables: Path | None,
    ) -> None:
        from nas.studies.correlate import correlate, table_rows
        from nas.studies.plots.heatmap import heat_map

        files = Files(tables, scores, csv, plot, space)
        files.check("to correlate with")
        if bootstrap < 40:
            raise InputError(f"Expected --bootstrap of at least 40 (fewer have no 2.5 % quantile) but got {bootstrap}.")
        if bootstrap > MAX_RESAMPLES:
            raise InputError(
                f"Expected --bootstrap of at most {MAX_RESAMPLES:,} resamples but got {bootstrap}; 1000 are usual."
            )
        if seed < 0:
            raise InputError(f"Expected a --seed of 0 or more but got {seed}.")
        opened = files.opened(dataset)
        read = files.read_scores(dataset)
        names = (names_in(columns), names_in(proxies), names_in(against))
        result = correlate(read, opened, *names, bootstrap, seed, every_string)
        files.write(lambda: table_rows(result), lambda kind: heat_map(result, files.named(dataset), kind))
        output.emit(result.to_json(), _text(result, len(scores)))
        files.note(output, opened)


def _text(result: Correlations, files: int) -> str:
    """The table for people: one block per statistic, proxies in rows, the best first."""
    from nas.report.text import table_lines
    from nas.studies.align import in_words

    kind = "architectures" if result.every_string else "classes of isomorphic cells"
    common = "" if files == 1 else f" that {files} files have in common"
    dropped = in_words(result.dropped, result.failed) or "none dropped"
    lines = [f"{result.n:,} {kind}{common}; of {result.rows:,} rows {dropped}"]
    if result.turned:
        lines.append(f"turned, as lower is better: {', '.join(result.turned)}")
    if result.unknown_direction:
        lines.append(f"taken as higher is better (not in `nas list proxies`): {', '.join(result.unknown_direction)}")
    proxies, columns = result.proxies, result.columns
    if result.lower_columns:
        lines.append(f"lower is better, so a negative rho is good: {', '.join(result.lower_columns)}")
    if result.size_column:
        lines.append(f"params: those of the trained networks ({result.size_column})")
    order = result.best_first()
    size_row = [] if "params" in proxies else [("(params)", result.size)]
    rows = [(name, proxies[name]) for name in order] + size_row
    blocks: list[tuple[str, Rows, tuple[str, ...]]] = [
        ("Spearman's rho ± half its uncorrected 95 % interval", rows, ("spearman", "low", "high")),
        ("Kendall's tau-b", rows, ("kendall",)),
        (
            "Spearman's rho given params ± half its uncorrected 95 % interval",
            [(name, proxies[name]) for name in order],
            ("partial_given_params", "partial_low", "partial_high"),
        ),
    ]
    for other in dict.fromkeys(other for by_other in result.differences.values() for other in by_other):
        pairs = [(name, result.differences[name][other]) for name in order if other in result.differences[name]]
        blocks.append(
            (
                f"rho minus that of {other} ± half its uncorrected paired interval",
                pairs,
                ("difference", "low", "high"),
            )
        )
    for title, named, keys in blocks:
        note = "" if len(keys) == 1 else "; in brackets where the interval contains 0"
        cells = [[name, *(_cell(of_name[column], keys) for column in columns)] for name, of_name in named]
        lines += ["", f"{title}{note}", *table_lines([["", *columns], *cells])]
    return "\n".join([*lines, "", *(f"warning: {line}" for line in result.warnings)]).rstrip()


def _cell(cell: Record, keys: tuple[str, ...]) -> str:
    """A value, with half its interval if it has one; in brackets if the interval contains 0."""
    value, *ends = (getattr(cell, key) for key in keys)
    if value is None:
        return "-"
    text = f"{value:.3f}".replace("0.", ".", 1)
    if not ends or None in ends:
        return text
    low, high = ends
    text += f" ±{(high - low) / 2:.3f}".replace("0.", ".", 1)
    return f"({text})" if low <= 0 <= high else text
