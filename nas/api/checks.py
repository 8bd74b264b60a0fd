"""The checks of an evaluation as a table."""

from __future__ import annotations

from collections import Counter

from nas.api.tabular import Tabular
from nas.core.io.files import csv_text
from nas.core.io.records import Json
from nas.report.paper.checks import checks_table
from nas.results import Check

VERDICTS = {"pass": "passed", "warn": "with a warning", "skipped": "skipped"}


class Checks(list[Check], Tabular):
    """The checks of an evaluation (`report.checks`): a list, each with `name`, `ok` and `reason`, and a table.

    >>> [check.name for check in report.checks if check.ok == "pass"][:1]
    ['randomised-outputs']
    >>> type(report.checks).__name__, len(report.checks)
    ('Checks', 4)
    """

    def _title(self) -> str:
        counts = Counter(check.ok for check in self)
        found = [f"{counts[ok]} {words}" for ok, words in VERDICTS.items() if counts[ok]]
        return f"Checks: {', '.join(found) or 'none'}"

    def _rows(self) -> list[Json]:
        return [{"check": check.name, "verdict": check.ok, "reason": check.reason} for check in self]

    def to_csv(self) -> str:
        """A row for each check.

        >>> report.checks.to_csv().splitlines()[0]
        'check,verdict,reason'
        """
        rows = [list(row.values()) for row in self._rows()]
        return csv_text([["check", "verdict", "reason"], *rows])

    def to_latex(self) -> str:
        """A table with a row for each check, for a document that uses the package booktabs.

        >>> "\\\\toprule" in report.checks.to_latex()
        True
        """
        return checks_table(self)
