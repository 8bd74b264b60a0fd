"""What `nas export` gives back."""

from __future__ import annotations

from dataclasses import dataclass

from nas.core.io.records import Record


@dataclass(frozen=True)
class ExportResult(Record):
    """Of `nas export`: the network that was written, and the files of its folder."""

    folder: str
    name: str
    arch: str
    params: int  # weights
    evaluations: int  # finished ones, whose numbers are in the folder
    files: list[str]
