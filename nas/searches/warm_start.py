"""Warm start: what a table or an earlier run knows of the objective, told to a strategy before its first proposal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.core import config
from nas.core.errors import InputError
from nas.core.io.files import read_text
from nas.core.storage.base import Metrics
from nas.objectives.labels import read_labels
from nas.objectives.notation import source_of
from nas.results import FoundArchitecture, WarmStart
from nas.runs.run_config import CONFIG
from nas.runs.run_folder import reopen
from nas.searches.problem import SearchProblem
from nas.settings.schema import Settings, is_supernet
from nas.strategies import Strategy
from nas.strategies.model_based import BatchedStrategy

STORED = "search/known"  # in the run's store: a resumed search does not read the source again
VALUES_DEPEND_ON = {  # sections and keys of the settings, by the source of a metric
    "trained": ("label", "data", "model", "eval.eps", "eval.step_size", "eval.norm"),
    "proxy": ("scoring", "proxies", "data", "seed"),
}
PLACES = ("root", "download")  # settings of data that no value depends on


def check(problem: SearchProblem) -> None:
    """Tell the strategy what is known, so that its remark counts it.

    Raises InputError if the strategy cannot start from known values, or if the source does not fit.
    """
    if problem.settings.search.warm_start is not None:
        learner(problem.strategy)
        _learn(problem, read(problem))


def learner(strategy: Strategy[Any]) -> BatchedStrategy[Any]:
    """The strategy, if it learns from values that it did not ask for. Raises InputError otherwise."""
    if not isinstance(strategy, BatchedStrategy) or len(getattr(strategy, "parts", ())) > 1:
        raise InputError(
            f"Expected a strategy with a model for search.warm_start but got {strategy.name}"
            f"{', which searches the parts of an architecture one by one' if hasattr(strategy, 'parts') else ''}; take "
            "one such as bo-graph, guided or bananas, or leave search.warm_start out."
        )
    return strategy


def tell(problem: SearchProblem) -> None:
    """Tell the strategy of a new search what is known; a resumed one has it in its state.

    Known classes are not proposed again and are no evaluations.
    """
    if problem.settings.search.warm_start is None or problem.store.get("search/state") is not None:
        return
    known = problem.store.get(STORED)
    if known is None:
        known = read(problem)
        problem.store.put(STORED, known)
    _learn(problem, known)


def _learn(problem: SearchProblem, known: Mapping[str, Metrics]) -> None:
    strategy = learner(problem.strategy)
    for text, metrics in known.items():
        strategy.know(problem.space.parse(text), metrics, strategy.limits.hold(metrics))


def summary(problem: SearchProblem) -> WarmStart | None:
    """What the result says of the warm start; None without one."""
    source = problem.settings.search.warm_start
    known: dict[str, Metrics] | None = problem.store.get(STORED)
    if source is None or known is None:
        return None
    goal, limits = problem.goals[0], problem.strategy.limits
    within = [text for text, metrics in known.items() if limits.hold(metrics)]
    best = max(within, key=lambda text: goal.fitness(known[text]), default=None)
    return WarmStart(source, len(known), None if best is None else FoundArchitecture(best, best, known[best]))


def read(problem: SearchProblem) -> dict[str, Metrics]:
    """The metrics of the classes that the source knows, by their representatives, in the source's order.

    A folder is an earlier run, whose evaluations count; any other path is a file of architectures with a column for
    each metric. Raises InputError if the source is of another space or has another objective, or knows nothing.
    """
    path = Path(str(problem.settings.search.warm_start))
    known = _of_run(problem, path) if path.is_dir() else _of_file(problem, path)
    classes: dict[str, Metrics] = {}
    for text, metrics in known.items():
        classes.setdefault(str(problem.space.canonical(problem.space.parse(text))), metrics)
    if not classes:
        raise InputError(f"Expected architectures with a value of the objective in {path} but it has none.")
    return classes


def _metrics(problem: SearchProblem) -> list[str]:
    return [problem.goals[0].name, *(one.name for one in problem.strategy.limits.parts)]


def _of_file(problem: SearchProblem, path: Path) -> dict[str, Metrics]:
    if not path.is_file():
        raise InputError(f"Expected a run or a file of architectures for search.warm_start but there is no {path}.")
    names = list(dict.fromkeys(_metrics(problem)))
    columns = {name: dict(read_labels(path, problem.space, _column(path, name))) for name in names}
    first, *others = columns.values()
    return {
        text: {name: column[text] for name, column in columns.items()}
        for text in first
        if all(text in other for other in others)
    }


def _column(path: Path, name: str) -> str:
    """The column of a metric: its whole name, or the last part of it, as in `scores:nwot`."""
    header = [one.strip() for one in read_text(path).partition("\n")[0].split(",")] if path.suffix == ".csv" else []
    short = name.rpartition(":")[2]
    if header and name not in header and short not in header:
        raise InputError(
            f"Expected a column {name} in {path} for search.warm_start, which the search needs, but there are "
            f"{', '.join(header)}."
        )
    return name if name in header else short


def _of_run(problem: SearchProblem, folder: Path) -> dict[str, Metrics]:
    if not (folder / CONFIG).is_file():
        raise InputError(f"Expected a run for search.warm_start but {folder} has no {CONFIG}.")
    with reopen(folder) as run:
        _check_same(problem, run.settings, folder)
        names = _metrics(problem)
        evaluations = [one for one in run.store.history() if one.result is not None]
        return {
            one.key: {name: float(one.result[name]) for name in names}
            for one in evaluations
            if one.result is not None and all(one.result.get(name) is not None for name in names)
        }


def _check_same(problem: SearchProblem, earlier: Settings, folder: Path) -> None:
    """Raises InputError if the values of an earlier run are not values of this search's objective."""
    now = problem.settings
    if earlier.space != now.space:
        raise InputError(
            f"Expected a run of space={now.space} for search.warm_start but {folder} has space={earlier.space}."
        )
    metrics = set() if is_supernet(earlier) else set(earlier.search.metrics())
    for name in problem.names:
        if name not in metrics:
            raise InputError(
                f"Expected a run that evaluated {name} for search.warm_start but {folder} has "
                f"search.objective={earlier.search.objective}."
            )
        for key in VALUES_DEPEND_ON.get(str(source_of(name)), ()):
            if _part(earlier, key) != _part(now, key):
                raise InputError(
                    f"Expected a run with the same {key} for search.warm_start, because values of {name} depend on it, "
                    f"but that of {folder} differs."
                )


def _part(settings: Settings, key: str) -> Any:
    """A section or a setting as plain values, without the places of files."""
    part: Any = config.plain(settings)
    for name in key.split("."):
        part = part.get(name)
    return {name: value for name, value in part.items() if name not in PLACES} if isinstance(part, dict) else part
