"""`nas tables correlate`: how well scores rank published accuracies."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import typer

from nas.cli.output import Json, output

MOST = 100_000  # resamples


def command(
    scores: list[Path] = typer.Argument(..., metavar="SCORES...", help="Files of `nas score --output`, or published."),
    robustness: Path = typer.Option(None, metavar="DIR", help="The robustness dataset (Jung et al. 2023): its folder."),
    dataset: str = typer.Option("cifar10", help="Which data set of the tables."),
    accuracy: Path = typer.Option(
        None, metavar="FILE", help="NAS-Bench-201 accuracies (CSV, or NATS-Bench's own); columns accuracy:NAME."
    ),
    robbench: Path = typer.Option(None, metavar="CSV", help="NAS-RobBench-201; columns robbench:NAME."),
    latency: Path = typer.Option(None, metavar="FILE", help="HW-NAS-Bench (CSV, pickle); columns edgegpu_latency, ..."),
    columns: str = typer.Option(
        "",
        help="Accuracies, separated by commas: clean, fgsm@8, pgd@*, corruptions, weather, fog, fog@3, hrs:fgsm@8, "
        "each:weather, robbench:hrs:pgd@8, ...; all; a selection by default.",
    ),
    proxies: str = typer.Option("", help="Proxies, separated by commas; all of the files by default."),
    against: str = typer.Option(
        "", help="Proxies (or params) to subtract from the others, with paired intervals (uncorrected)."
    ),
    every_string: bool = typer.Option(False, "--every-string", help="Isomorphic cells count one by one."),
    bootstrap: int = typer.Option(1000, help="Resamples for the 95 % intervals (uncorrected)."),
    seed: int = typer.Option(0, help="Of the resamples."),
    csv: Path = typer.Option(None, metavar="FILE", help="Write the table as CSV."),
    plot: Path = typer.Option(None, metavar="FILE", help="Write a heat map of Kendall's tau (.png, .svg, .pdf)."),
    as_json: bool = Json,
) -> None:
    """Rank correlations of proxy scores with published accuracies, and what is left of them given size.

    Several files are joined on the architecture. By proxy and column: Spearman's rho, Kendall's tau-b, and Spearman
    given `params`, with bootstrap intervals of 95 % that are not corrected for their number. A corruption or group has
    the mean of its correlations at each severity (of the mean accuracy of its types). Proxies of which lower is better
    are turned. A warning names the proxies that rank as size does: |rho| with `params` at least .95, or an interval of
    the partial rho that does not stay on the side of 0 where rho is. Example:
    `nas tables correlate scores.csv --robustness robustness-dataset --plot tau.png`.
    """
    from nas.core.errors import InputError
    from nas.core.io.files import write_atomic, write_text
    from nas.studies.correlate import correlate, table_rows
    from nas.studies.plots.heatmap import KINDS, heat_map
    from nas.tables import TableSettings, read_scores

    given = {"robustness": robustness, "accuracy": accuracy, "robbench": robbench, "latency": latency}
    if not any(given.values()):
        raise InputError(
            "Expected a table to correlate with but got none; give --robustness, --accuracy, --robbench or --latency."
        )
    if bootstrap < 40:
        raise InputError(f"Expected --bootstrap of at least 40 (fewer have no 2.5 % quantile) but got {bootstrap}.")
    if bootstrap > MOST:
        raise InputError(f"Expected --bootstrap of at most {MOST:,} resamples but got {bootstrap}; 1000 are usual.")
    if seed < 0:
        raise InputError(f"Expected a --seed of 0 or more but got {seed}.")
    if plot is not None and plot.suffix.lower() not in KINDS:
        raise InputError(f"Expected --plot to end in {', '.join(KINDS)} but got {str(plot)!r}.")
    for path in (csv, plot):
        if path is not None and path.is_dir():
            raise InputError(f"Expected a file to write but {path} is a folder.")
        if path is not None and path.resolve() in [read.resolve() for read in (*scores, *given.values()) if read]:
            raise InputError(f"Expected another file to write than {path}, which is to be read.")
    paths: dict[str, Any] = {name: str(path) for name, path in given.items() if path is not None}
    tables = TableSettings(dataset=dataset, **paths).open()
    with output(as_json) as out:
        result = correlate(
            [read_scores(path, dataset) for path in scores],
            tables,
            _words(columns),
            _words(proxies),
            _words(against),
            bootstrap,
            seed,
            every_string,
        )
        if csv is not None:
            write_text(csv, table_rows(result))
        if plot is not None:
            kind, name = plot.suffix.lower(), dataset
            write_atomic(plot, lambda file: file.write(heat_map(result, name, kind)))
        out.emit(result, _text(result, len(scores)))
        for path in (csv, plot):
            if path is not None:
                print(f"written: {path}", file=sys.stderr)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _text(result: dict[str, Any], files: int) -> str:
    """The table for people: one block per statistic, proxies in rows, the best first."""
    from nas.studies.align import in_words

    kind = "architectures" if result["every_string"] else "classes of isomorphic cells"
    common = "" if files == 1 else f" that {files} files have in common"
    lines = [f"{result['n']:,} {kind}{common}; of {result['rows']:,} rows {in_words(result) or 'none dropped'}"]
    if result["turned"]:
        lines.append(f"turned, as lower is better: {', '.join(result['turned'])}")
    if result["unknown_direction"]:
        lines.append(f"taken as higher is better (not in `nas list proxies`): {', '.join(result['unknown_direction'])}")
    proxies, columns = result["proxies"], result["columns"]
    order = sorted(proxies, key=lambda name: -sum(cell["spearman"] or 0 for cell in proxies[name].values()))
    beside = [] if "params" in proxies else [("(params)", result["size"])]
    rows = [(name, proxies[name]) for name in order] + beside
    blocks = [
        ("Spearman's rho ± half its uncorrected 95 % interval", rows, ("spearman", "low", "high")),
        ("Kendall's tau-b", rows, ("kendall",)),
        (
            "Spearman's rho given params ± half its uncorrected 95 % interval",
            [(name, proxies[name]) for name in order],
            ("partial_given_params", "partial_low", "partial_high"),
        ),
    ]
    for other in dict.fromkeys(other for found in result["differences"].values() for other in found):
        pairs = [(name, result["differences"][name][other]) for name in order if other in result["differences"][name]]
        blocks.append(
            (
                f"rho minus that of {other} ± half its uncorrected paired interval",
                pairs,
                ("difference", "low", "high"),
            )
        )
    for title, named, keys in blocks:
        note = "" if len(keys) == 1 else "; in brackets where the interval contains 0"
        lines += ["", f"{title}{note}", *_block(named, columns, keys)]
    return "\n".join([*lines, "", *(f"warning: {line}" for line in result["warnings"])]).rstrip()


def _block(named: list[tuple[str, dict[str, Any]]], columns: list[str], keys: tuple[str, ...]) -> list[str]:
    """Cells in aligned columns, as many side by side as the terminal has room for."""
    cells = {name: {column: _shown(found[column], keys) for column in columns} for name, found in named}
    first = max(map(len, cells), default=0)
    widths = {c: max([len(c), *(len(found[c]) for found in cells.values())]) for c in columns}
    room = shutil.get_terminal_size((120, 24)).columns - first
    parts: list[list[str]] = [[]]
    for column in columns:
        if parts[-1] and sum(widths[c] + 2 for c in [*parts[-1], column]) > room:
            parts.append([])
        parts[-1].append(column)
    lines = []
    for part in parts:
        lines.append(" " * first + "".join(f"  {c:>{widths[c]}}" for c in part))
        lines += [
            f"{name:<{first}}" + "".join(f"  {found[c]:>{widths[c]}}" for c in part) for name, found in cells.items()
        ]
        lines.append("")
    return lines[:-1]


def _shown(cell: dict[str, Any], keys: tuple[str, ...]) -> str:
    value, *ends = (cell[key] for key in keys)
    if value is None:
        return "- " if ends else "-"
    text = f"{value:.3f}".replace("0.", ".", 1)
    if not ends:
        return text
    if None in ends:
        return f"{text} "
    low, high = ends
    text += f" ±{(high - low) / 2:.3f}".replace("0.", ".", 1)
    return f"({text})" if low <= 0 <= high else f"{text} "
