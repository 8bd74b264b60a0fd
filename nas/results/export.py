"""The result of `nas export`."""

from __future__ import annotations

from dataclasses import dataclass

from nas.core.io.records import Record


@dataclass(frozen=True)
class ExportResult(Record):
    """The result of `nas export`: the exported network and the files of its folder.

    >>> ExportResult("exported", "best-pgd", "|none~0|+...", 67570, 0, ["weights.safetensors"]).files
    ['weights.safetensors']
    """

    folder: str
    name: str
    arch: str
    params: int  # number of weights
    evaluations: int  # finished ones, whose numbers are among the files
    files: list[str]
