"""The study of robust searches: rows of runs, hypervolumes within a limit, tables, and that it goes on."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

from nas.core.errors import InputError
from nas.search_spaces import NASBench201
from nas.strategies.predictors import boosted_trees
from nas.studies.robust_search import __main__ as command
from nas.studies.robust_search import plan, runs
from nas.studies.robust_search.page import page
from nas.studies.robust_search.plan import FRONT_STRATEGIES, GOALS, LIMITS, ONE_GOAL, STRATEGIES, Task, tasks
from nas.studies.robust_search.runs import KEYS, STUDY, VALUES, Files, front, rows, run
from nas.studies.row_store import RowStore
from nas.studies.table_view import TableView

SPACE = NASBench201()


@pytest.fixture(scope="module")
def view() -> TableView:
    """60 classes with accuracies of two decimals, whose PGD accuracy differs everywhere, and latencies of 1 to 9."""
    classes = [str(SPACE.canonical(arch)) for arch in SPACE.draw(60, unique=True)]
    rng = np.random.default_rng(0)
    clean, fgsm = rng.integers(40, 90, (2, 60)) / 100
    pgd = (rng.permutation(60) + 1) / 100
    values = {"clean": clean, "fgsm@1": fgsm, "pgd@1": pgd, ONE_GOAL: 2 * clean * pgd / (clean + pgd)}
    values["edgegpu_latency"] = rng.uniform(1, 9, 60)
    higher = dict.fromkeys(values, True) | {"edgegpu_latency": False}
    return TableView(classes, list(values), values, higher, SPACE)


def named(task: Task, view: TableView) -> dict[str, float | None]:
    return dict(zip(VALUES, run(task, view), strict=True))


def test_a_run_ends_at_the_best_cell(view: TableView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "QUERIES", 50)
    for name in ("random", "bo-graph"):
        values = named(Task(name, "pgd@1", "", 0), view)
        assert values["hypervolume"] is values["clean"] is None
        if values["optimum"] is None:
            assert values["regret"] in [pytest.approx(point) for point in range(1, 60)]
        else:
            assert values["regret"] == 0
            assert 1 <= values["optimum"] <= 50


def test_what_a_front_within_a_limit_is_worth(view: TableView) -> None:
    within = view.values["edgegpu_latency"] <= 4
    everything = np.flatnonzero(within)
    share, clean, fgsm, pgd = front(view, everything, within)
    best = everything[view.values[ONE_GOAL][everything].argmax()]
    assert share == pytest.approx(1)
    assert (clean, fgsm, pgd) == tuple(view.values[name][best] for name in ("clean", "fgsm@1", "pgd@1"))
    goals = view.fitness(GOALS)
    goals = (goals - goals.min(axis=0)) / (goals.max(axis=0) - goals.min(axis=0))
    places = [(np.arange(40) + 0.5) / 40] * 3  # the middles of small cubes

    def counted(picked: np.ndarray) -> float:
        cubes = np.array(list(itertools.product(*places)))
        return float(np.mean(np.any([(goals[row] >= cubes).all(axis=1) for row in picked], axis=0)))

    some = everything[:4]
    assert front(view, some, within)[0] == pytest.approx(counted(some) / counted(everything), abs=0.03)
    assert front(view, everything[:0], within) == (0.0, None, None, None)


@pytest.mark.parametrize("name", ["random", "bo"])
def test_a_run_within_a_limit(view: TableView, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "FRONT_QUERIES", 20)
    values = named(Task(name, GOALS, "edgegpu_latency<=6", 1), view)
    assert values["optimum"] is values["regret"] is None
    assert values["hypervolume"] is not None
    assert values["feasible"] is not None
    assert 0 < values["hypervolume"] <= 1
    assert 0 < values["feasible"] < 1


def test_the_plan_has_every_run_once() -> None:
    every = list(tasks())
    assert len(set(every)) == len(every)
    assert len(every) == plan.SEEDS * (len(plan.COLUMNS) * len(STRATEGIES) + len(LIMITS) * len(FRONT_STRATEGIES))


def test_tables_of_finished_rows(tmp_path: Path) -> None:
    store = rows(tmp_path / "rows.csv", write=True)
    for seed, optimum in enumerate((10.0, 40.0, None)):
        store.add(("bo", "pgd@1", "", str(seed)), (optimum, 0.0 if optimum else 3.0, 1.5, *[None] * 5, 2.0))
        store.add(("nsga2", GOALS, LIMITS[0], str(seed)), (None, None, None, 0.5, 0.9, 0.6, 0.5, 0.25, 2.0))
    printed = page(rows(tmp_path / "rows.csv"))
    assert "| pgd@1 | bo | 3 | 67% | 40 [10, –] | – | 1.50 | 1.00 | 3.00 |" in printed
    assert f"| {LIMITS[0]} | nsga2 | 3 | 0.500 ± 0.000 | 90.0 | 60.0 | 50.0 | 0.25 |" in printed


def test_it_makes_what_is_missing(view: TableView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.csv"
    made = [Task("random", "pgd@1", "", 0), Task("random", "pgd@1", "", 1), Task("bo", "pgd@1", "", 0)]
    monkeypatch.setattr(command, "tasks", lambda: made)
    monkeypatch.setattr(runs, "_view", lambda files, objective, limit: view)
    RowStore(path, KEYS, VALUES, STUDY, write=True).add(("random", "pgd@1", "", "0"), (7.0, *[None] * 8))
    places = ["--robustness", "a", "--benchmarks", "b", "c", "--rows", str(path)]
    monkeypatch.setattr(sys, "argv", ["study", *places, "--compute", "--only", "random"])
    monkeypatch.setattr(runs, "QUERIES", 10)
    command.main()
    assert [key[0] + key[-1] for key in rows(path).rows] == ["random0", "random1"]
    assert rows(path).rows["random", "pgd@1", "", "0"][0] == 7


def test_the_first_folder_that_has_a_file_counts(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder in folders:
        folder.mkdir()
    for folder in folders[1:]:
        (folder / "here.csv").touch()
    files = Files(tmp_path, tuple(folders))
    assert files.benchmark("here.csv") == str(tmp_path / "b" / "here.csv")
    with pytest.raises(InputError, match=f"at {tmp_path / 'a' / 'nasbench201_cifar10.csv'} but"):
        files.view(Task("random", "cifar10 accuracy:val", "", 0))


def test_rows_of_xgb_are_those_of_xgboost(view: TableView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosted_trees, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="Expected the package xgboost for the rows of xgb"):
        run(Task("xgb", GOALS, LIMITS[0], 0), view)
