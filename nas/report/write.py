"""Write the report of a run into its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nas.core.io.files import write_text
from nas.report.facts import Facts, Repeat, gather
from nas.report.sections.measured import write_landscapes
from nas.results import Result

REPORT = "report.html"


def write_report(folder: Path, result: Result, page: Callable[[Facts], str], repeat: Repeat) -> Path:
    """Write `report.html` into a run's folder and return its path.

    What the run did not do is left out of the page. Loss landscapes are written beside it too, as PNG files. `repeat`
    is that of the run's command. The same folder and result give the same bytes.
    """
    path = folder / REPORT
    facts = gather(folder, result, repeat)
    write_text(path, page(facts))
    write_landscapes(folder, facts.entries)
    return path
