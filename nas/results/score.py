"""What `nas score` gives back of each architecture."""

from __future__ import annotations

from dataclasses import dataclass

from nas.core.io.records import Record


@dataclass(frozen=True)
class ScoreRow(Record):
    """An architecture's value under each proxy that gave one, and why the others did not."""

    arch: str
    canonical: str
    scores: dict[str, float]
    seconds: float
    reason: str | None = None
