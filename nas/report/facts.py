"""What a report is made of: the result of a run and what its folder knows besides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.core.errors import InputError
from nas.core.io.records import Json
from nas.core.storage.sqlite import SqliteStore
from nas.report.identity import Identity, identities
from nas.runs.differences import corrected
from nas.runs.run_folder import described
from nas.search_spaces import SPACES
from nas.searches.loop import failures, trajectory
from nas.strategies import Goal

Repeat = Callable[[Json, Json], tuple[str, bool]]  # settings, extra → line, whether it needs a file
Edges = dict[str, list[tuple[str, str, str]]]


@dataclass(frozen=True)
class Facts:
    """Everything the page shows; a part that the run does not have is empty (or `None`)."""

    settings: dict[str, Any]
    command: str  # of the command line that made the run
    extra: dict[str, Any]
    result: dict[str, Any]
    goal: Goal | None
    evaluations: list[dict[str, Any]]  # the rows of `trajectory`
    failures: dict[str, int]  # of the search, by reason
    training: dict[str, dict[str, Any]]  # by model
    models: dict[str, Identity]
    repeated: tuple[str, bool]  # the command line that repeats the run, and whether it needs the settings as a file

    @property
    def search(self) -> dict[str, Any] | None:
        return self.result.get("search")

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [{**entry, "sweep": _curves(entry)} for entry in self.result.get("models") or []]

    @property
    def differences(self) -> list[dict[str, Any]]:
        return self.result.get("differences") or []

    @property
    def space(self) -> str:
        if "importable" in self.extra:  # a network that is not ours
            return "none"
        return self.result.get("space") or self.settings["space"]

    @property
    def data(self) -> str:
        return self.result.get("data") or self.settings["data"]["name"]

    def cells(self) -> dict[str, str]:
        """Architecture by the name of its cell: `best`, `random`, or the name of a single model."""
        named = {"best": self.result.get("architecture"), "random": self.result.get("random_architecture")}
        if named["best"] is None and self.search and self.search.get("best"):
            named["best"] = self.search["best"][0]["arch"]
        found = {name: arch for name, arch in named.items() if arch is not None}
        for entry in self.entries:
            found.setdefault(self.models[entry["name"]].cell, entry.get("architecture"))
        for name, record in self.training.items():
            found.setdefault(self.models[name].cell, record.get("arch"))
        unique: dict[str, str] = {}
        for name, arch in found.items():
            if arch is not None and arch not in unique.values():
                unique[name] = arch
        return unique

    def edges(self, arch: str) -> Edges:
        """The cells of `arch` as graphs; none where the run's space cannot read it (it is of another "
        "space)."""
        try:
            space = SPACES.get(self.space)()
            return space.edges(space.parse(arch))
        except InputError:
            return {}


def gather(folder: Path, result: dict[str, Any], repeat: Repeat) -> Facts:
    """Read what the folder of a run knows; takes no lock, so that it works inside the run and after it."""
    config = described(folder)
    result = corrected(uniform(result))
    goal, evaluations, failed = None, [], {}
    training: dict[str, dict[str, Any]] = {}
    path = folder / "store.sqlite"
    if path.exists():
        with SqliteStore(path) as store:
            training = store.get("training") or {}
            if result.get("search"):
                goal = Goal(**result["search"]["goals"][0])
                if "epochs" not in result["search"]:
                    evaluations, failed = trajectory(store, goal), failures(store)
    known = {entry["name"]: entry.get("training") for entry in result.get("models") or []}
    models = identities({**known, **{name: known.get(name) for name in training}})
    training = {name: training[name] for name in models if name in training}
    settings, extra = config["settings"], config["extra"]
    line = repeat(settings, extra)
    return Facts(settings, config["command"], extra, result, goal, evaluations, failed, training, models, line)


def _curves(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The accuracies over eps, one curve per attack; results had a single one once."""
    sweep = entry.get("sweep") or []
    return [curve for curve in ([sweep] if isinstance(sweep, dict) else sweep) if len(curve["eps"]) > 1]


def uniform(result: dict[str, Any]) -> dict[str, Any]:
    """The result of any command in the form of `nas run`'s; that of a single stage comes flat."""
    seconds = result.get("seconds") or {}
    about: dict[str, Any] = {key: result[key] for key in ("versions", "provenance") if key in result}
    if "best" in result:
        return {"search": result, "seconds": seconds, **about}
    if "attacks" in result:
        return {"models": [result], "seconds": seconds, **about}
    if "chosen_epoch" in result:
        return {"seconds": {"train": seconds} if isinstance(seconds, float) else seconds, **about}
    return result
