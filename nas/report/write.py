"""Write the report of a run into its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nas.core.io.files import write_text
from nas.report.facts import Repeat, gather
from nas.report.page import page
from nas.report.sections.measured import write_landscapes
from nas.report.study_page import study_page

REPORT = "report.html"


def write_report(folder: Path, result: dict[str, Any], repeat: Repeat) -> Path:
    """Write `report.html` into a run's folder and return its path.

    `result` is the content of `result.json`, or of a run that did less: what is absent is left out of the page. Loss
    landscapes are written beside it too, as PNG files. `repeat` is that of the run's command. The same folder and
    result give the same bytes.
    """
    path = folder / REPORT
    facts = gather(folder, result, repeat)
    write_text(path, study_page(facts) if facts.command == "study" else page(facts))
    write_landscapes(folder, facts.entries)
    return path
