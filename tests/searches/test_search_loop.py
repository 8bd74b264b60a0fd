"""A search scores each class once, keeps to its limits, and continues exactly after a stop at any point."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from families import one_per_family
from slowly import slow_but

from nas.commands import command_of
from nas.core.errors import InputError, NasError
from nas.core.storage.base import Metrics, TaskResult
from nas.core.storage.sqlite import SqliteStore
from nas.objectives.constraints import Constraint, Constraints
from nas.objectives.network_spec import NetworkSpec
from nas.results import SearchResult
from nas.runs.run_folder import create
from nas.runs.stages.context import Watcher, Worker
from nas.search_spaces import DARTS, SPACES, NASBench201
from nas.searches.history import failures, trajectory
from nas.searches.loop import Search, Unconstrained
from nas.settings.schema import load
from nas.strategies import STRATEGIES, Goal, Hints
from nas.strategies.evolution import EvolutionOptions

SMALL: dict[
    str, dict[str, Any]
] = {  # options instead of defaults that take long, or more than 40 evaluations to warm up
    "agnet": {"generator": "marginals", "pretraining": 64, "epochs": 1},
    "agnet-posterior": {"generator": "marginals", "pretraining": 64, "epochs": 1},
    "evolution": {"population": 10, "tournament": 3},
    "warmup-move": {"warmup": 60, "pool": 10, "tournament": 3},
    "evolution-ranks": {"population": 10, "tournament": 3},
    "nsga2": {"population": 10},
    "bananas": {"members": 2, "layers": 2, "epochs": 20},
    "xgb": {"rounds": 3, "depth": 2},
    "xgb-rank": {"rounds": 3, "depth": 2},
}
QUICK = set(STRATEGIES.names()) - {"guided", "bo", "bo-graph", "agnet", "agnet-posterior"}
EACH = pytest.mark.parametrize("strategy", slow_but(STRATEGIES.names(), QUICK, pytest.mark.landing))
SIZED = NetworkSpec("nasbench201", {"channels": 8, "cells_per_stage": 1}, 10, 16)


class Stopped(Exception):
    """The process was killed."""


class Scorer:
    """Counts `3x3` and `conv` in a string; records the keys; stops after `stop_after` evaluations."""

    def __init__(self, stop_after: int | None = None, fail: str | None = None) -> None:
        self.asked: list[str] = []
        self.stop_after = stop_after
        self.fail = fail

    def __call__(self, keys: Sequence[str], tick: Callable[[], None]) -> Iterator[TaskResult[str, Metrics]]:
        for key in reversed(keys):  # the order in which workers finish does not matter
            if self.stop_after is not None and len(self.asked) >= self.stop_after:
                raise Stopped
            self.asked.append(key)
            if self.fail is not None and self.fail in key:
                yield TaskResult(key, None, "no luck", 0.1)
            else:
                yield TaskResult(key, {"score": float(key.count("3x3") + key.count("conv"))}, None, 0.1)


@dataclass(frozen=True)
class Limited(Unconstrained):
    """A problem with limits on size."""

    constraints: Constraints

    def allow(self, arch: Any) -> bool:
        return self.constraints.allow(arch)

    def unsatisfied(self, draws: int) -> NasError:
        return self.constraints.unsatisfied(draws)


def _features(archs: Sequence[Any]) -> np.ndarray:
    return np.stack([NASBench201().features(arch) for arch in archs])


def _search(
    store: SqliteStore,
    scorer: Scorer,
    budget: int = 40,
    strategy: str = "evolution",
    constraints: tuple[str, ...] = (),
    ask: int = 6,
) -> Search:
    space = NASBench201()
    goal = Goal("score")
    kind = STRATEGIES.get(strategy)
    options: Any = kind.Options(**SMALL.get(strategy, {}))
    hints = Hints(
        _features,
        lambda archs: [float(str(arch).count("conv_1x1")) for arch in archs],
    )
    looking = kind(space, (goal,), 5, options, hints)
    limited = Limited(space, looking, scorer, Constraints(list(constraints), lambda: SIZED))
    return Search(limited, budget, ask, store)


def _finish(search: Search) -> SearchResult:
    while not search.finished:
        search.step()
    return search.result("score")


@EACH
def test_every_class_is_scored_once_through_its_representative(tmp_path: Path, strategy: str) -> None:
    space, scorer = NASBench201(), Scorer()
    with SqliteStore(tmp_path / "store.sqlite") as store:
        result = _finish(_search(store, scorer, strategy=strategy))
        told = [evaluation.key for evaluation in store.history()]
    assert result.evaluated == 40 == len(scorer.asked)
    assert sorted(told) == sorted(scorer.asked)
    cells = [space.parse(key) for key in scorer.asked]
    assert len({cell.expression() for cell in cells}) == 40
    assert all(space.canonical(cell) == cell for cell in cells)


@pytest.mark.parametrize("text", ["params<=40%", "params<=40000", "flops<1.5e6", "params>=30000", "flops>50%"])
def test_only_what_satisfies_the_limits_is_scored(tmp_path: Path, text: str) -> None:
    space, scorer = NASBench201(), Scorer()
    largest = SIZED.cost(space.largest())
    with SqliteStore(tmp_path / "store.sqlite") as store:
        _finish(_search(store, scorer, constraints=(text,)))
    costs = [SIZED.cost(space.parse(key)) for key in scorer.asked]
    check = {
        "params<=40%": lambda cost: cost.params <= 0.4 * largest.params,
        "params<=40000": lambda cost: cost.params <= 40000,
        "flops<1.5e6": lambda cost: cost.macs < 1.5e6,
        "params>=30000": lambda cost: cost.params >= 30000,
        "flops>50%": lambda cost: cost.macs > 0.5 * largest.macs,
    }[text]
    assert all(map(check, costs))
    unlimited = Scorer()
    with SqliteStore(tmp_path / "other.sqlite") as store:
        _finish(_search(store, unlimited))
    assert not all(check(SIZED.cost(space.parse(key))) for key in unlimited.asked)


@EACH
def test_a_stop_anywhere_changes_nothing_and_repeats_nothing(tmp_path: Path, strategy: str) -> None:
    with SqliteStore(tmp_path / "whole.sqlite") as store:
        expected = _finish(_search(store, Scorer(), strategy=strategy))
        path = [evaluation.key for evaluation in store.history()]
    models = strategy in ("bananas", "bo", "bo-graph", "guided", "xgb", "xgb-rank")  # they fit a model at every step
    for stop in (0, 13, 38) if models else range(0, 40, 7):  # at each position within a step of six
        first, second = Scorer(stop_after=stop), Scorer()
        with SqliteStore(tmp_path / f"{stop}.sqlite") as store, pytest.raises(Stopped):
            _finish(_search(store, first, strategy=strategy))
        with SqliteStore(tmp_path / f"{stop}.sqlite") as store:
            assert _finish(_search(store, second, strategy=strategy)) == expected
            assert [evaluation.key for evaluation in store.history()] == path
        assert len(first.asked) + len(second.asked) == 40, "a finished evaluation was done again"


def test_failures_are_told_and_counted_but_never_best(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "store.sqlite") as store:
        result = _finish(_search(store, Scorer(fail="nor_conv_3x3")))
        rows = trajectory(store, Goal("score"))
        counted = failures(store)
    assert 0 < result.failed < 40
    assert all("nor_conv_3x3" not in found.arch for found in result.top)
    assert sum(row.reason == "no luck" for row in rows) == result.failed
    assert counted == {"no luck": result.failed}


def test_a_search_in_which_all_fails_says_why(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "store.sqlite") as store, pytest.raises(NasError, match="no luck"):
        _finish(_search(store, Scorer(fail="|")))


def test_impossible_limits_are_an_error_that_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.searches.loop.FRUITLESS", 500)
    with SqliteStore(tmp_path / "store.sqlite") as store, pytest.raises(InputError, match="params<=10"):
        _finish(_search(store, Scorer(), constraints=("params<=10",)))


@pytest.mark.landing
def test_a_space_without_further_classes_ends_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.searches.loop.FRUITLESS", 20_000)
    with SqliteStore(tmp_path / "store.sqlite") as store:
        result = _finish(_search(store, Scorer(), budget=1000, strategy="random", constraints=("params>=84%",)))
        space = NASBench201()
        limit = 0.84 * SIZED.cost(space.largest()).params
        allowed = {cell for cell in map(space.canonical, space) if SIZED.cost(cell).params >= limit}
        told = {space.parse(evaluation.key) for evaluation in store.history()}
    assert result.exhausted
    assert told <= allowed
    assert len(told) >= len(allowed) - 2  # random draws may miss a class that has a single string


def test_best_and_trajectory(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "store.sqlite") as store:
        result = _finish(_search(store, Scorer()))
        rows = trajectory(store, Goal("score"))
        few = trajectory(store, Goal("score"), most=10)
    records = [row for row, before in zip(rows, [None, *rows]) if before is None or row.best != before.best]
    assert few == [row for row in rows if row in records or row.number in (*range(4, 40, 4), 40)]
    values = [row.value for row in rows]
    assert [found.metrics["score"] for found in result.top] == sorted(values, reverse=True)[:5]
    assert [row.best for row in rows] == [max(values[: n + 1]) for n in range(len(values))]


@pytest.mark.landing
def test_memory_does_not_grow_with_what_was_evaluated(tmp_path: Path) -> None:
    space, goal, used = DARTS(), Goal("score"), []
    with SqliteStore(tmp_path / "store.sqlite") as store:
        strategy = STRATEGIES.get("random")(space, (goal,), 5)
        scored = Unconstrained(
            space, strategy, lambda keys, _: (TaskResult(key, {"score": 1.0}, None, 0.1) for key in keys)
        )
        search = Search(scored, 900, 20, store)
        tracemalloc.start()
        try:
            while not search.finished:
                search.step()
                if search.evaluated in (300, 900):
                    gc.collect()  # also frees the tuples that Python keeps for reuse
                    used.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
    assert used[1] - used[0] < 50_000, "600 genotypes alone would take more than 200,000 bytes"


def test_lower_is_better_goals_are_minimised(tmp_path: Path) -> None:
    goal = Goal("score", higher_is_better=False)
    with SqliteStore(tmp_path / "store.sqlite") as store:
        space = NASBench201()
        looking = STRATEGIES.get("evolution")(space, (goal,), 5, EvolutionOptions(10, 3))
        result = _finish(Search(Unconstrained(space, looking, Scorer()), 40, 6, store))
        rows = trajectory(store, goal)
    assert result.best.metrics["score"] == min(row.value for row in rows) == rows[-1].best


@pytest.mark.parametrize(
    "text", ["params", "params<=abc", "weights<=5", "params<=5%%", "<=5", "params==5", "params<=-e"]
)
def test_bad_constraints_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="onstraint"):
        Constraint.parse(text)


@pytest.mark.parametrize("name", one_per_family())
def test_cost_of_sized_is_that_of_the_space(name: str) -> None:
    space = SPACES.get(name)()
    sized = NetworkSpec(name, {}, 100, 16)
    assert sized.cost(space.largest()) == space.cost(space.largest(), 100, image_size=16)


@pytest.mark.landing
def test_the_published_croze_search_scores_each_network_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`cifar10-darts-croze` with little data and small networks: warm-up and moves together use up the budget."""
    images = tmp_path / "images.npz"
    random = np.random.default_rng(0)
    np.savez(images, images=random.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8), labels=np.arange(40) % 2)
    small = [f"{section}.{key}" for section in ("scoring", "model") for key in ("channels=4", "cells=3")]
    where = ["data.name=npz", f"data.root={images}", f"run.dir={tmp_path / 'run'}", "executor.workers=1", "device=cpu"]
    settings = load(
        "cifar10-darts-croze",
        [*where, *small, "proxies.croze.batch_size=4", "search.budget=18", "strategy.warmup=5",
         "search.constraints=[params<=9000]"],
    )  # fmt: skip
    scored: list[str] = []
    score = Worker.score

    def counted(self: Worker, text: str, names: Any) -> dict[str, float]:
        scored.append(text)
        return score(self, text, names)

    monkeypatch.setattr(Worker, "score", counted)
    run = create("search", settings)
    with run as opened:
        result = command_of(opened.folder).finish(opened, Watcher())
        told = [one.key for one in opened.store.history()]
    assert result.evaluated == len(scored) == len(set(scored)) == 18
    assert told == scored
    space = SPACES.get("darts")()
    archs = [space.parse(text) for text in scored]
    assert len({space.canonical(arch) for arch in archs}) == 18
    assert max(space.cost(arch, 2, image_size=8, channels=4, cells=3).params for arch in archs) <= 9000
