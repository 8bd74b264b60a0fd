"""What the report of a run shows: its result, and what its folder holds besides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nas.core.errors import InputError
from nas.core.goal import Goal
from nas.core.io.records import Json
from nas.core.limit import Limits
from nas.core.storage.sqlite import SqliteStore
from nas.objectives.limits import parse_limits
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
from nas.runs.run_config import read_config
from nas.runs.run_files import STORE
from nas.search_spaces import SPACES
from nas.searches.history import Step, failures, trajectory

STAGES = {"search": "search", "train": "training", "eval": "attacks"}
# A function from the settings of a run and the inputs of its command to the command line that repeats the run, and
# whether that needs the settings as a file.
Repeat = Callable[[Json, Json], tuple[str, bool]]
Acting = Callable[
    [Json], frozenset[str]
]  # from the settings of a run to the dotted keys of those that had a part in it
Edges = dict[str, list[tuple[str, str, str]]]  # by cell: from node, to node, operation


@dataclass(frozen=True)
class RunData:
    """Everything that a page shows of a run; a part that the run does not have is empty or None."""

    settings: Json
    command: str  # the name of the command that made the run
    extra: Json
    result: Result
    steps: list[Step]  # of the search
    failures: dict[str, int]  # of the search: their number by reason
    trained: dict[str, TrainedModel]  # by the name of the model
    models: dict[str, Identity]  # by name
    repeated: tuple[str, bool]  # what `Repeat` gives for this run
    acting: frozenset[str] | None = None  # what `Acting` gives for it; None if that is unknown

    @property
    def search(self) -> SearchResult | None:
        return search_of(self.result)

    @property
    def goal(self) -> Goal | None:
        return self.search.goals[0] if self.search else None

    @property
    def evaluations(self) -> list[EvalResult]:
        return evaluations_of(self.result)

    @property
    def differences(self) -> list[Difference]:
        return self.result.differences if isinstance(self.result, RunResult) else []

    @property
    def stages(self) -> dict[str, float]:
        """Seconds by the title of each stage, without the time that it took to write the report."""
        seconds = {"train": self.result.seconds} if isinstance(self.result, TrainResult) else self.result.seconds
        others = sorted(seconds.keys() - STAGES.keys() - {"total", "report"})
        return {STAGES.get(name, name): seconds[name] for name in (*STAGES, *others) if name in seconds}

    @property
    def space(self) -> str:
        if "importable" in self.extra or (self.evaluations and all(one.source for one in self.evaluations)):  # foreign
            return "none"
        return self.result.space if isinstance(self.result, (RunResult, StudyResult)) else self.settings["space"]

    @property
    def data(self) -> str:
        if isinstance(self.result, (RunResult, StudyResult, TransferResult)):
            return self.result.data
        return self.settings["data"]["name"]

    def models_of(self, evaluations: list[EvalResult]) -> list[Identity]:
        return [self.models[evaluation.name] for evaluation in evaluations]

    def cells(self) -> dict[str, str]:
        """Architectures by the name of the cell: `best`, `random`, `first of the front`, or the name of a single model.

        An architecture that has several names is listed under the first.
        """
        archs = {}
        if isinstance(self.result, RunResult):
            archs["best"] = self.result.arch
            if self.result.random_arch is not None:
                archs["random"] = self.result.random_arch
        elif self.search and self.search.top:
            archs["best" if len(self.search.goals) == 1 else "first of the front"] = self.search.best.arch
        for evaluation in self.evaluations:
            archs.setdefault(self.models[evaluation.name].cell, evaluation.arch)
        for name, record in self.trained.items():
            archs.setdefault(self.models[name].cell, record.arch)
        first_names = {arch: name for name, arch in reversed(archs.items())}
        return {name: arch for name, arch in archs.items() if first_names[arch] == name}

    def edges(self, arch: str) -> Edges:
        """The cells of an architecture as graphs; none if it is not of the run's space."""
        try:
            space = SPACES.get(self.space)()
            return space.edges(space.parse(arch))
        except InputError:
            return {}


def read_run_data(folder: Path, result: Result, repeat: Repeat, acting: Acting | None = None) -> RunData:
    """The data of a run, from its folder and its result; `repeat` and `acting` are those of its command.

    Takes no lock, so a run can be read while it is open. Raises InputError if the folder is no run, or damaged.
    """
    config = read_config(folder)
    result = corrected(result)
    steps: list[Step] = []
    failed: dict[str, int] = {}
    trained: dict[str, TrainedModel] = {}
    if (folder / STORE).exists():
        with SqliteStore(folder / STORE) as store:
            trained = trained_models(store)
            search = search_of(result)
            if search and search.supernet is None:
                limits = Limits(parse_limits(config.settings["search"].get("limits", []), "search.limits"))
                steps, failed = trajectory(store, search.goals[0], limits), failures(store)
    methods = {evaluation.name: evaluation.training for evaluation in evaluations_of(result)}
    only = result.training if isinstance(result, TrainResult) else None  # a command that trained one network
    models = identities({**methods, **{name: methods.get(name, only) for name in trained}})
    trained = {name: trained[name] for name in models if name in trained}
    repeated = repeat(config.settings, config.extra)
    keys = None if acting is None else acting(config.settings)
    about = (config.settings, config.command, config.extra)
    return RunData(*about, result, steps, failed, trained, models, repeated, keys)


def search_of(result: Result) -> SearchResult | None:
    if isinstance(result, SearchResult):
        return result
    return result.search if isinstance(result, RunResult) else None


def evaluations_of(result: Result) -> list[EvalResult]:
    """The networks that were attacked."""
    if isinstance(result, EvalResult):
        return [result]
    return result.models if isinstance(result, RunResult) else []


def trained_models(store: SqliteStore) -> dict[str, TrainedModel]:
    """The networks that a run trained, by name."""
    return {name: TrainedModel.from_json(one) for name, one in (store.get("training") or {}).items()}
