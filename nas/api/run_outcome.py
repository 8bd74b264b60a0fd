"""What the results of all runs have in the Python face: settings, a folder, a page and the tables of a paper."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from nas.api.execution import RunRecord
from nas.api.tabular import Tabular
from nas.commands import run_commands
from nas.core.io.records import HIDDEN, Json
from nas.report.evaluated import run_name
from nas.report.paper.latex import latex_of
from nas.report.paper.material import Material, Paper
from nas.report.paper.rows import csv_of
from nas.report.paper.write import bibtex_of
from nas.report.write import save_page
from nas.results import Result
from nas.runs.run_config import without_folder


def _unchanged(value: Any) -> Any:
    return value


O = TypeVar("O", bound="RunOutcome")  # noqa: E741


@dataclass(frozen=True, eq=False, repr=False)
class RunOutcome(Tabular):
    """What the result of every run has: its settings, its folder if it was kept, and a page.

    Subclasses are dataclasses, so that `dataclasses.replace` keeps the record of the run.
    """

    _record: RunRecord = field(kw_only=True, metadata=HIDDEN)
    _tables: ClassVar[Mapping[str, Callable[[Any], Any]]] = MappingProxyType({})  # what makes tables of fields, by name

    @classmethod
    def of(cls: type[O], result: Result, record: RunRecord) -> O:
        """The result as this class, with the record of its run."""
        values = {one.name: getattr(result, one.name) for one in dataclasses.fields(result)}
        return cls(**{name: cls._tables.get(name, _unchanged)(value) for name, value in values.items()}, _record=record)

    @property
    def settings(self) -> Json:
        """All settings of the run; saved as a YAML file, they make the command compute the same numbers.

        >>> found.settings["search"]["objective"]
        'params:min'
        """
        return without_folder(self._record.data.settings)

    @property
    def run(self) -> Path | None:
        """The folder of the run; None if no `run=` was given.

        >>> found.run is None
        True
        """
        return self._record.files.folder

    def save_page(self, path: str | os.PathLike[str]) -> Path:
        """Write the page that `nas report` makes of the run, one HTML file, and return its path.

        Loss landscapes are written beside it. Raises InputError if a file cannot be written.

        >>> found.save_page("search.html").read_text()[:15]
        '<!DOCTYPE html>'
        """
        data = self._record.data
        command = run_commands()[data.command]()
        return save_page(Path(path).expanduser(), command.page(data), data.evaluations)

    def to_latex(self) -> str:
        """The tables of `nas report --latex`, for a document that uses the package booktabs.

        Below them, as a comment, is the method with all settings, seeds and versions.

        >>> "\\\\toprule" in report.to_latex()
        True
        """
        return latex_of(self._paper)

    def to_csv(self) -> str:
        """A row for each model and metric with unrounded numbers, as `nas report --csv` writes them.

        >>> report.to_csv().splitlines()[0].split(",")[:6]
        ['run', 'model', 'arch', 'training', 'metric', 'value']
        """
        return csv_of(self._paper)

    def bibtex(self) -> str:
        """The BibTeX entries of everything that the run used, as `nas report --bibtex` writes them.

        >>> "@inproceedings{madry2018towards," in report.bibtex()
        True
        """
        return bibtex_of(self._paper)

    @property
    def _paper(self) -> Paper:
        return Paper.of([material_of(self)])


def material_of(outcome: RunOutcome, name: str | None = None) -> Material:
    """The run behind a result, for tables of a paper; its name is that of its folder, if it has one."""
    data, files = outcome._record.data, outcome._record.files
    own = data.evaluations[0].name if data.evaluations else data.command
    return Material(
        name or (own if files.folder is None else run_name(files.folder)), data, files.folder, files.contents
    )
