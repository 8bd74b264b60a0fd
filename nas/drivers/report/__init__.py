"""The report of a run: one self-contained HTML page with its numbers, figures, cells and settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nas.core.files import write_text
from nas.drivers.report.facts import gather
from nas.drivers.report.page import page

__all__ = ["write_report"]

REPORT = "report.html"


def write_report(folder: Path, result: dict[str, Any]) -> Path:
    """Write `report.html` into a run's folder and return its path.

    `result` is the content of `result.json`, or of a run that did less: what is absent is left out of the
    page. The same folder and result give the same bytes.
    """
    path = folder / REPORT
    write_text(path, page(gather(folder, result)))
    return path
