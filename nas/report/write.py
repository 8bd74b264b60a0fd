"""Write the report of a run into its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nas.core.io.files import os_errors_as_input_errors, write_atomic, write_text
from nas.report.figures.landscapes import picture
from nas.report.run_data import Acting, Repeat, RunData, read_run_data
from nas.report.wording import picture_name
from nas.results import EvalResult, Result

REPORT = "report.html"


def write_report(
    folder: Path, result: Result, page: Callable[[RunData], str], repeat: Repeat, acting: Acting | None = None
) -> Path:
    """Write `report.html` into a run's folder and return its path.

    The page leaves out what the run did not do. Loss landscapes are also written beside it, as PNG files. `repeat` and
    `acting` are those of the run's command. The same folder and result give the same bytes.
    """
    path = folder / REPORT
    run = read_run_data(folder, result, repeat, acting)
    write_text(path, page(run))
    write_landscapes(folder, run.evaluations)
    return path


def save_page(path: Path, page: str, entries: list[EvalResult]) -> Path:
    """Write a page to any path, and loss landscapes beside it. Raises InputError if that is impossible."""
    with os_errors_as_input_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, page)
        write_landscapes(path.parent, entries)
    return path


def write_landscapes(folder: Path, entries: list[EvalResult]) -> list[Path]:
    """Write a PNG file of each network's loss landscape, if it has one, into the folder."""
    paths = []
    for entry in entries:
        if (landscape := entry.measures.landscape) is not None:
            paths.append(folder / picture_name(entry.name))
            content = picture(landscape)
            write_atomic(paths[-1], lambda file, content=content: file.write(content))  # type: ignore[misc]
    return paths
