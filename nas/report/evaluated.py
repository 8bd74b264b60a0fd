"""What is to be compared: the evaluated networks of finished runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.core.io.records import Json
from nas.report.run_data import evaluations_of
from nas.results import EvalResult, Result, StudyResult
from nas.runs.run_config import read_config
from nas.runs.run_files import finished


@dataclass(frozen=True)
class Evaluated:
    """What is to be compared: the evaluated networks of one run, or those of a run whose folder is gone."""

    name: str
    folder: Path | None
    settings: Json
    entries: list[EvalResult]

    @classmethod
    def of_run(cls, folder: Path) -> Evaluated:
        """Raises InputError if the folder holds no finished run."""
        return cls.of_result(finished(folder), folder, read_config(folder).settings)

    @classmethod
    def of_result(cls, result: Result, folder: Path | None, settings: Json) -> Evaluated:
        """Without a folder, the name is that of the network."""
        entries = evaluations_of(result)
        name = entries[0].name if entries else result.command
        return cls(name if folder is None else run_name(folder), folder, settings, entries)

    @property
    def data(self) -> str:
        """The data in words, with the size of images if it is a setting."""
        chosen = self.settings["data"]
        size = chosen.get("size")
        return f"{chosen['name']} at {size} pixels" if size else str(chosen["name"])


def single_runs(folders: Sequence[Path]) -> list[Path]:
    """The runs in these folders, each once; a study stands for the runs of its seeds.

    Raises InputError if a folder holds no finished run.
    """
    runs: dict[Path, Path] = {}
    for folder in folders:
        result = finished(folder)
        parts = [folder / name for name in result.runs] if isinstance(result, StudyResult) else [folder]
        runs.update({part.resolve(): part for part in parts if part.resolve() not in runs})
    return list(runs.values())


def count_checkpoints(folders: Sequence[Path]) -> int:
    """How many evaluated checkpoints these runs hold. Raises InputError if a folder holds no finished run."""
    return sum(len(evaluations_of(finished(folder))) for folder in single_runs(folders))


def run_name(folder: Path) -> str:
    """The name of a run's folder; if the run is part of a study, STUDY/RUN."""
    path = folder.resolve()
    return f"{path.parent.name}/{path.name}" if re.fullmatch(r"seed-\d+", path.name) else path.name
