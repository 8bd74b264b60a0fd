"""The result of `nas score` for an architecture."""

from __future__ import annotations

from dataclasses import dataclass

from nas.core.io.records import Record


@dataclass(frozen=True)
class ScoreRow(Record):
    """The value of each proxy that has one, and the reason why others have none."""

    arch: str
    canonical: str
    scores: dict[str, float]
    seconds: float
    reason: str | None = None
