"""Results as tables: a short text, HTML for a notebook, and a pandas frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from html import escape
from typing import Any

from nas.core.errors import InputError
from nas.core.io.records import Json

SHOWN_ROWS = 20  # rows of a table that a notebook shows
DIGITS = 6  # significant digits of a number in a notebook


class Tabular(ABC):
    """A result that is also a table; `_rows` gives its rows as dictionaries, with the same keys in each."""

    @abstractmethod
    def _title(self) -> str:
        """One line that says what the result is."""

    @abstractmethod
    def _rows(self) -> list[Json]:
        """The rows by column names."""

    def __repr__(self) -> str:
        return f"<{self._title()}>"

    def _repr_html_(self) -> str:
        """The first rows as a table, for notebooks."""
        rows = self._rows()
        columns = list(dict.fromkeys(name for row in rows for name in row))
        head = "".join(f"<th>{escape(name)}</th>" for name in columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_text(row.get(name)))}</td>" for name in columns) + "</tr>"
            for row in rows[:SHOWN_ROWS]
        )
        more = f"<p>and {len(rows) - SHOWN_ROWS:,} more rows</p>" if len(rows) > SHOWN_ROWS else ""
        return f"<p>{escape(self._title())}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"

    def to_frame(self) -> Any:
        """All rows as a `pandas.DataFrame`. Raises InputError if pandas is not installed.

        >>> found.to_frame().columns  # doctest: +SKIP
        Index(['arch', 'params'], dtype='object')
        """
        return frame(self._rows())


def frame(content: list[Json] | Mapping[str, Any]) -> Any:
    """Rows, or columns by name, as a `pandas.DataFrame`. Raises InputError if pandas is not installed."""
    try:
        import pandas
    except ImportError as error:
        raise InputError(
            "Expected pandas for to_frame() but it is not installed; `pip install pandas`, or use to_json()."
        ) from error
    return pandas.DataFrame(content)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)
