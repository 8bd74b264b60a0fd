"""Write the files of a paper, and the texts of which they are made."""

from __future__ import annotations

from pathlib import Path

from nas.core.io.files import os_errors_as_input_errors, write_text
from nas.report.paper.bibliography import bibliography
from nas.report.paper.citations import COMPARISON, references
from nas.report.paper.latex import latex_of
from nas.report.paper.material import Paper
from nas.report.paper.rows import csv_of


def bibtex_of(paper: Paper) -> str:
    """The BibTeX entries of everything that the runs used, in the order of their keys."""
    compared = COMPARISON if paper.networks.differences else ()
    return bibliography([*references(one.run for one in paper.materials), *compared])


def write_paper(paper: Paper, paths: dict[str, Path | None]) -> dict[str, str]:
    """Write a text of each kind (`latex`, `csv`, `bibtex`) to its path, if it has one; the paths by kind.

    Raises InputError if a file cannot be written.
    """
    written = {}
    for kind, text_of in {"latex": latex_of, "csv": csv_of, "bibtex": bibtex_of}.items():
        path = paths.get(kind)
        if path is not None:
            with os_errors_as_input_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                write_text(path, text_of(paper))
            written[kind] = str(path)
    return written
