"""The runs that a paper reports: what their pages show, and where their checkpoints are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nas.core.io.files import READ_BYTES
from nas.report.compare import ComparisonData, compare_networks
from nas.report.evaluated import Evaluated
from nas.report.run_data import RunData
from nas.results import StudyResult


@dataclass(frozen=True)
class Material:
    """A run. If its folder was temporary, `contents` has the files that were kept of it."""

    name: str
    run: RunData
    folder: Path | None = None
    contents: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def evaluated(self) -> Evaluated:
        return Evaluated(self.name, self.folder, self.run.settings, self.run.evaluations)

    def sha256(self, checkpoint: str | None) -> str | None:
        """The SHA-256 of a checkpoint as it is now; None if it is not there."""
        if checkpoint is None:
            return None
        if checkpoint in self.contents:
            return hashlib.sha256(self.contents[checkpoint]).hexdigest()
        if self.folder is None:
            return None
        digest = hashlib.sha256()
        try:
            with (self.folder / checkpoint).open("rb") as file:
                while part := file.read(READ_BYTES):
                    digest.update(part)
        except OSError:
            return None
        return digest.hexdigest()


@dataclass(frozen=True)
class Paper:
    """What is exported: the runs, the comparison of all networks that they evaluated, and a name for each of these."""

    materials: Sequence[Material]
    networks: ComparisonData
    names: Mapping[str, str]  # by label in the comparison

    @classmethod
    def of(cls, materials: Sequence[Material], networks: ComparisonData | None = None) -> Paper:
        """`networks` is the comparison if there is one already; a study stands for itself, not for its runs."""
        single = [one for one in materials if not isinstance(one.run.result, StudyResult)]
        if networks is None:
            networks = compare_networks([one.evaluated for one in single])
        names = {one.label: one.label for one in networks.checkpoints}
        if len(single) == 1:
            (only,) = single
            names = {
                one.label: only.run.models[one.entry.name].label if one.entry.name in only.run.models else one.label
                for one in networks.checkpoints
            }
        return cls(materials, networks, names)


def with_different_names(materials: Sequence[Material]) -> list[Material]:
    """The runs, each of which has another name: those of one name go by their paths."""
    names = [one.name for one in materials]
    return [
        replace(one, name=str(one.folder)) if names.count(one.name) > 1 and one.folder else one for one in materials
    ]
