"""What a report is made of: the result of a run and what its folder knows besides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nas.core.errors import InputError
from nas.core.goal import Goal
from nas.core.io.records import Json
from nas.core.storage.sqlite import SqliteStore
from nas.report.identity import Identity, identities
from nas.results import (
    Difference,
    EvalResult,
    Result,
    RunResult,
    SearchResult,
    StudyResult,
    TrainedModel,
    TrainResult,
    TransferResult,
)
from nas.runs.differences import corrected
from nas.runs.run_files import read_config
from nas.search_spaces import SPACES
from nas.searches.loop import Step, failures, trajectory

STAGES = {"search": "search", "train": "training", "eval": "attacks"}
Repeat = Callable[[Json, Json], tuple[str, bool]]  # settings, extra → line, whether it needs a file
Edges = dict[str, list[tuple[str, str, str]]]


@dataclass(frozen=True)
class Facts:
    """Everything the page shows; a part that the run does not have is empty (or `None`)."""

    settings: Json
    command: str  # of the command line that made the run
    extra: Json
    result: Result
    evaluations: list[Step]  # of the search
    failures: dict[str, int]  # of the search, by reason
    training: dict[str, TrainedModel]  # by model
    models: dict[str, Identity]
    repeated: tuple[str, bool]  # the command line that repeats the run, and whether it needs the settings as a file

    @property
    def search(self) -> SearchResult | None:
        return search_of(self.result)

    @property
    def goal(self) -> Goal | None:
        return self.search.goals[0] if self.search else None

    @property
    def entries(self) -> list[EvalResult]:
        return evaluations_of(self.result)

    @property
    def differences(self) -> list[Difference]:
        return self.result.differences if isinstance(self.result, RunResult) else []

    @property
    def stages(self) -> dict[str, float]:
        """Seconds by the title of each stage; that of writing this very report is left out."""
        seconds = {"train": self.result.seconds} if isinstance(self.result, TrainResult) else self.result.seconds
        others = sorted(seconds.keys() - STAGES.keys() - {"total", "report"})
        return {STAGES.get(name, name): seconds[name] for name in (*STAGES, *others) if name in seconds}

    @property
    def space(self) -> str:
        if "importable" in self.extra:  # a network that is not ours
            return "none"
        return self.result.space if isinstance(self.result, (RunResult, StudyResult)) else self.settings["space"]

    @property
    def data(self) -> str:
        if isinstance(self.result, (RunResult, StudyResult, TransferResult)):
            return self.result.data
        return self.settings["data"]["name"]

    def models_of(self, entries: list[EvalResult]) -> list[Identity]:
        return [self.models[entry.name] for entry in entries]

    def cells(self) -> dict[str, str]:
        """Architecture by the name of its cell: `best`, `random`, or the name of a single model."""
        found = {}
        if isinstance(self.result, RunResult):
            found["best"] = self.result.arch
            if self.result.random_arch is not None:
                found["random"] = self.result.random_arch
        elif self.search and self.search.top:
            found["best"] = self.search.best.arch
        for entry in self.entries:
            found.setdefault(self.models[entry.name].cell, entry.arch)
        for name, record in self.training.items():
            found.setdefault(self.models[name].cell, record.arch)
        unique: dict[str, str] = {}
        for name, arch in found.items():
            if arch not in unique.values():
                unique[name] = arch
        return unique

    def edges(self, arch: str) -> Edges:
        """The cells of `arch` as graphs; none where the run's space cannot read it (it is of another space)."""
        try:
            space = SPACES.get(self.space)()
            return space.edges(space.parse(arch))
        except InputError:
            return {}


def gather(folder: Path, result: Result, repeat: Repeat) -> Facts:
    """Read what the folder of a run knows; takes no lock, so that it works inside the run and after it."""
    begun = read_config(folder)
    result = corrected(result)
    evaluations, failed = [], {}
    training: dict[str, TrainedModel] = {}
    path = folder / "store.sqlite"
    if path.exists():
        with SqliteStore(path) as store:
            training = training_of(store)
            search = search_of(result)
            if search and search.supernet is None:
                evaluations, failed = trajectory(store, search.goals[0]), failures(store)
    known = {entry.name: entry.training for entry in evaluations_of(result)}
    models = identities({**known, **{name: known.get(name) for name in training}})
    training = {name: training[name] for name in models if name in training}
    line = repeat(begun.settings, begun.extra)
    return Facts(begun.settings, begun.command, begun.extra, result, evaluations, failed, training, models, line)


def search_of(result: Result) -> SearchResult | None:
    if isinstance(result, SearchResult):
        return result
    return result.search if isinstance(result, RunResult) else None


def evaluations_of(result: Result) -> list[EvalResult]:
    """The networks that were attacked."""
    if isinstance(result, EvalResult):
        return [result]
    return result.models if isinstance(result, RunResult) else []


def training_of(store: SqliteStore) -> dict[str, TrainedModel]:
    """The networks that a run trained, by name."""
    return {name: TrainedModel.from_json(one) for name, one in (store.get("training") or {}).items()}
