"""`nas.compare`: paired differences of evaluated networks."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import fields, replace
from html import escape
from pathlib import Path
from typing import Any

from nas.api.results import RepeatedRun, RunOutcome
from nas.api.tabular import Tabular
from nas.core.errors import InputError
from nas.core.io.records import Json
from nas.report.compare import ComparisonData, Evaluated, compare_evaluated, single_runs
from nas.report.pages.comparison import page
from nas.report.write import save_page
from nas.results import Result


class ComparedReports(Tabular, ComparisonData):
    """The result of `nas.compare`: `differences`, each with `difference`, `interval`, `corrected` and `significant`.

    `notes` say which networks cannot be compared.

    >>> [(row.metric, row.significant) for row in compared.differences]
    [('clean', False), ('fgsm', False)]
    """

    def _title(self) -> str:
        significant = sum(row.significant for row in self.differences)
        paired = f"{significant} of {len(self.differences)} paired differences are significant"
        return f"Comparison: {len(self.checkpoints)} networks, {paired}"

    def _rows(self) -> list[Json]:
        return [
            {
                "first": row.first,
                "second": row.second,
                "metric": row.metric,
                "n": row.n,
                "difference": row.difference,
                "low": row.interval.low,
                "high": row.interval.high,
                "p": row.p,
                "corrected": row.corrected,
                "significant": row.significant,
            }
            for row in self.differences
        ]

    def _repr_html_(self) -> str:
        return super()._repr_html_() + "".join(f"<p>{escape(note)}</p>" for note in self.notes)

    def save_page(self, path: str | os.PathLike[str]) -> Path:
        """Write the page that `nas report A B` makes, one HTML file, and return its path.

        Raises InputError if it cannot be written.

        >>> compared.save_page("comparison.html").read_text()[:15]
        '<!DOCTYPE html>'
        """
        return save_page(Path(path).expanduser(), page(self), [])


def compare(*reports: Any) -> ComparedReports:
    """Compare evaluated networks with each other, as `nas report A B` does.

    A difference of two accuracies is paired image by image. Its p-value is that of McNemar's exact test, `corrected`
    that after Holm's correction for all differences, and it is `significant` if `corrected` is below .05; the 95 %
    intervals are not corrected. Networks that were attacked on different images are not paired; of
    networks that were attacked differently, only the clean accuracies are paired. `notes` name both.

    Args:
        reports: results of `nas.evaluate`, what `nas.open_run` returns, or folders of runs. A run that is given twice
            counts once.

    Returns:
        The differences between every two networks, as a table: `to_frame()`, `save_page(path)`.

    Raises:
        InputError: if there are fewer than two networks, or a folder holds no finished run.

    >>> import nas, torch
    >>> images, labels = torch.rand(16, 3, 8, 8), torch.arange(16) % 10
    >>> networks = [torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 10)) for _ in range(2)]
    >>> reports = [nas.evaluate(one, data=(images, labels), attacks=["fgsm"], eps=8/255) for one in networks]
    >>> [(row.metric, row.n) for row in nas.compare(*reports).differences]
    [('clean', 16), ('fgsm', 16)]
    """
    given: dict[Path | int, Evaluated] = {}
    for report in reports:
        for one in _evaluated(report):
            given.setdefault(id(report) if one.folder is None else one.folder.resolve(), one)
    data = compare_evaluated(_with_different_names(list(given.values())))
    return ComparedReports(**{one.name: getattr(data, one.name) for one in fields(data)})


def _evaluated(report: Any) -> list[Evaluated]:
    """The evaluated networks of a run; for a run with several seeds, those of all its runs."""
    if isinstance(report, (str, os.PathLike)):
        return [Evaluated.of_run(folder) for folder in single_runs([Path(report).expanduser()])]
    if isinstance(report, RepeatedRun):
        return [] if report.run is None else _evaluated(report.run)
    if isinstance(report, Result) and isinstance(report, RunOutcome):
        return [Evaluated.of_result(report, report.run, report.settings)]
    raise InputError(
        f"Expected results of nas.evaluate or folders of runs but got an object of type {type(report).__name__}; give "
        "each result as an argument of its own."
    )


def _with_different_names(given: list[Evaluated]) -> list[Evaluated]:
    """Add a number to the name of each result without a folder that shares its name with another."""
    counts, numbers = Counter(one.name for one in given), Counter[str]()
    named = []
    for one in given:
        if one.folder is None and counts[one.name] > 1:
            numbers[one.name] += 1
            one = replace(one, name=f"{one.name} {numbers[one.name]}")
        named.append(one)
    return named
