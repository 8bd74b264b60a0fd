"""The result of `nas score`: a row for each architecture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from nas.core.io.records import Json, Record


@dataclass(frozen=True)
class ScoreRow(Record):
    """The values of an architecture by proxy, and why a proxy that is missing has none."""

    arch: str
    canonical: str
    scores: dict[str, float]
    seconds: float
    reason: str | None = None


class ScoreResult(Sequence[ScoreRow]):
    """A row for each architecture, in the order in which the architectures were given.

    >>> scores = ScoreResult([ScoreRow("a", "a", {"croze": 2.0}, 0.1)])
    >>> scores[0].scores["croze"], scores.values("croze"), scores.values("synflow")
    (2.0, [2.0], [None])
    """

    def __init__(self, rows: Iterable[ScoreRow]) -> None:
        self.rows = list(rows)

    @overload
    def __getitem__(self, index: int) -> ScoreRow: ...

    @overload
    def __getitem__(self, index: slice) -> ScoreResult: ...

    def __getitem__(self, index: int | slice) -> ScoreRow | ScoreResult:
        return ScoreResult(self.rows[index]) if isinstance(index, slice) else self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[ScoreRow]:
        return iter(self.rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScoreResult) and self.rows == other.rows

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} rows)"

    def values(self, proxy: str) -> list[float | None]:
        """The value of a proxy for each architecture; None where it has none."""
        return [row.scores.get(proxy) for row in self.rows]

    def to_json(self) -> list[Json]:
        """The rows as `nas score --json` prints them."""
        return [row.to_json() for row in self.rows]

    @classmethod
    def from_json(cls, rows: Iterable[Json]) -> ScoreResult:
        return cls(map(ScoreRow.from_json, rows))
