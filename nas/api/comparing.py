"""`nas.compare`: paired differences of evaluated networks."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from html import escape
from pathlib import Path
from typing import Any

from nas.api.opening import open_run
from nas.api.results import RepeatedRun
from nas.api.run_outcome import RunOutcome, material_of
from nas.api.tabular import Tabular
from nas.core.errors import InputError
from nas.core.io.records import HIDDEN, Json
from nas.report.compare import ComparisonData, compare_evaluated
from nas.report.evaluated import Evaluated, single_runs
from nas.report.pages.comparison import page
from nas.report.paper.latex import latex_of
from nas.report.paper.material import Paper
from nas.report.paper.rows import csv_of
from nas.report.paper.write import bibtex_of
from nas.report.write import save_page
from nas.results import Result


@dataclass(frozen=True, eq=False, repr=False)
class ComparedReports(Tabular, ComparisonData):
    """The result of `nas.compare`: `differences`, each with `difference`, `interval`, `corrected` and `significant`.

    `notes` say which networks cannot be compared.

    >>> [(row.metric, row.significant) for row in compared.differences]
    [('clean', False), ('fgsm', False)]
    """

    # The name of each run, and its result or folder.
    _sources: tuple[tuple[str, Any], ...] = field(default=(), kw_only=True, metadata=HIDDEN)

    def _title(self) -> str:
        significant = sum(row.significant for row in self.differences)
        paired = f"{significant} of {len(self.differences)} paired differences are significant"
        warned = f"; checks warn for {', '.join(self.doubted)}" if self.doubted else ""
        return f"Comparison: {len(self.checkpoints)} networks, {paired}{warned}"

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
                "text": row.text,
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

    def to_latex(self) -> str:
        """The table that `nas report A B --latex` writes, with what is significantly best in bold.

        >>> "\\\\toprule" in compared.to_latex()
        True
        """
        return latex_of(self._paper)

    def to_csv(self) -> str:
        """A row for each network and metric with unrounded numbers, as `nas report A B --csv` writes them.

        >>> compared.to_csv().startswith("run,model,arch,training,metric,value,unit,n")
        True
        """
        return csv_of(self._paper)

    def bibtex(self) -> str:
        """The BibTeX entries of everything that the runs used, as `nas report A B --bibtex` writes them.

        >>> "@article{mcnemar1947note," in compared.bibtex()
        True
        """
        return bibtex_of(self._paper)

    @property
    def _paper(self) -> Paper:
        materials = [
            material_of(source if isinstance(source, RunOutcome) else open_run(source), name)
            for name, source in self._sources
        ]
        return Paper.of(materials, self)


def compare(*reports: Any) -> ComparedReports:
    """Compare evaluated networks with each other, as `nas report A B` does.

    A difference of two accuracies is paired image by image. Its p-value is that of McNemar's exact test, `corrected`
    that after Holm's correction for all differences, and it is `significant` if `corrected` is below .05; the 95 %
    intervals are not corrected. Networks that were attacked on different images are not paired; of
    networks that were attacked differently, only the clean accuracies are paired. `notes` name both.

    Args:
        reports: results of `nas.evaluate`, what `nas.open_run` returns, or folders of runs. A run that is given twice
            counts once. A single mapping gives them names: `nas.compare({"standard": first, "TRADES": second})`.

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
    given: dict[Path | int, tuple[Evaluated, Any]] = {}
    for name, report in _named(reports):
        for one in _evaluated(report, name):
            whole = isinstance(report, RunOutcome) and not isinstance(report, RepeatedRun)
            source = report if whole else one.folder
            given.setdefault(id(report) if one.folder is None else one.folder.resolve(), (one, source))
    named = _with_different_names([one for one, _ in given.values()])
    data = compare_evaluated(named)
    sources = tuple((one.name, source) for one, (_, source) in zip(named, given.values()))
    return ComparedReports(**{one.name: getattr(data, one.name) for one in fields(data)}, _sources=sources)


def _named(reports: Sequence[Any]) -> list[tuple[str | None, Any]]:
    """Each report with its name, if the only argument is a mapping that gives names."""
    if len(reports) != 1 or not isinstance(reports[0], Mapping):
        return [(None, report) for report in reports]
    for name in reports[0]:
        if not isinstance(name, str) or not name.strip():
            raise InputError(f"Expected names of networks as texts but got {name!r}; name each of them.")
    return list(reports[0].items())


def _evaluated(report: Any, name: str | None = None) -> list[Evaluated]:
    """The evaluated networks of a run, by default under its own name; of several seeds, those of all its runs."""
    if isinstance(report, (str, os.PathLike)):
        runs = [Evaluated.of_run(folder) for folder in single_runs([Path(report).expanduser()])]
        if name is None:
            return runs
        return [replace(one, name=name if len(runs) == 1 else f"{name}/{one.name.rpartition('/')[2]}") for one in runs]
    if isinstance(report, RepeatedRun):
        return [] if report.run is None else _evaluated(report.run, name)
    if isinstance(report, Result) and isinstance(report, RunOutcome):
        one = Evaluated.of_result(report, report.run, report.settings)
        return [one if name is None else replace(one, name=name)]
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
