"""Searches on a table: against closed forms, the same for any number of workers, and what the table lacks is free."""

from __future__ import annotations

import csv
import itertools
import logging
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from searched_classes import SPACE, compared, worth

from nas.core.errors import InputError
from nas.core.execution.executor import ExecutorSettings
from nas.core.io.records import Record
from nas.core.seeds import derive
from nas.core.storage.memory import InMemoryStore
from nas.search_spaces import SPACES
from nas.strategies.pareto import hypervolume, undominated
from nas.studies.plots.regret import regret_curves
from nas.studies.table_search import table_search
from nas.studies.table_search_result import ObjectiveResult, Quartiles, Spread, TableSearchResult, csv_rows
from nas.studies.table_search_runs import SearchRuns, scaled
from nas.studies.table_search_settings import strategy_options
from nas.studies.table_view import table_view
from nas.tables import ArrayTable, Collection, RobustnessDataset, read_accuracies


def without_seconds(result: Any) -> Any:
    if isinstance(result, Record):
        return without_seconds(result.to_json())
    if isinstance(result, dict):
        return {key: without_seconds(value) for key, value in result.items() if key != "seconds"}
    return result


@pytest.mark.landing
def test_random_search_has_the_regret_of_its_closed_form(tables: Collection, classes: list[str]) -> None:
    """Uniform strings draw a class by its number of members; classes drawn again cost nothing.

    P(best of n different classes <= v) by drawing without replacement, class by class, in a simulation of the urn
    that knows nothing of searches; and for one query, exactly.
    """
    result = table_search(tables, compared(queries=30, seeds=400))
    members = Counter(str(SPACE.canonical(cell)) for cell in SPACE)
    share = np.array([members[name] for name in classes]) / len(SPACE)
    values = np.array(list(map(worth, classes)))
    rng = np.random.default_rng(0)
    # the order of first appearance in draws with replacement is that of Exp(1) / share
    order = np.argsort(rng.exponential(size=(1000, len(classes))) / share, axis=1)[:, :30]
    expected = values.max() - np.maximum.accumulate(values[order], axis=1).mean(axis=0)
    got = np.array(result.strategies["random"].regret)
    assert got[0] == pytest.approx(values.max() - share @ values, abs=4 * values.std() / 20)
    np.testing.assert_allclose(got, expected, atol=0.02)


def test_what_is_reported_is_that_of_the_search_done_by_hand(tables: Collection) -> None:
    result = table_search(
        tables, compared(strategies=["random"], columns=("clean", "noise"), queries=12, seeds=5, seed=3)
    )
    best, regrets, reached = [], [], []
    top = worth(str(SPACE.largest()))
    for number in range(5):
        rng, found = Random(derive(3, "table search", number)), []
        while len(found) < 12:
            name = str(SPACE.canonical(SPACE.sample(rng)))
            found += [name] if name not in found else []
        values = list(map(worth, found))
        best.append(found[values.index(max(values))])
        regrets.append([top - max(values[: n + 1]) for n in range(12)])
        reached.append(values.index(top) + 1 if top in values else math.inf)
    cells = result.strategies["random"]
    assert cells.columns["clean"].mean == pytest.approx(np.mean(list(map(worth, best))))
    assert cells.columns["noise"].mean == pytest.approx(np.mean([derive(0, text) % 1000 for text in best]))
    assert cells.columns["noise"].sd == pytest.approx(np.std([derive(0, text) % 1000 for text in best], ddof=1))
    np.testing.assert_allclose(cells.regret, np.mean(regrets, axis=0), atol=1e-12)
    np.testing.assert_allclose(cells.regret_quartiles.low, np.percentile(regrets, 25, axis=0), atol=1e-12)
    assert cells.queries_to_optimum.found == np.isfinite(reached).mean()
    assert result.optimum == {"clean": 1.0, "noise": 999.0}


@pytest.mark.landing
def test_the_number_of_workers_changes_nothing(tables: Collection) -> None:
    one = compared(objectives=["clean", "noise"], strategies=["random", "evolution", "local"], seeds=11)
    results = [without_seconds(table_search(tables, one, ExecutorSettings(workers=workers))) for workers in (1, 2)]
    assert results[0] == results[1]
    assert results[0]["strategies"] == results[0]["objectives"]["clean"]["strategies"]
    fewer = table_search(tables, compared(seeds=6)).strategies["random"].regret
    assert fewer != results[0]["strategies"]["random"]["regret"]


def test_an_objective_and_a_strategy_are_the_same_alone_and_in_company(tables: Collection) -> None:
    together = table_search(tables, compared(objectives=["noise", "clean"], strategies=["local", "random"]))
    alone = table_search(tables, compared())
    both, single = together.objectives["clean"].strategies["random"], alone.strategies["random"]
    assert {**without_seconds(single), "noise": both.columns["noise"].to_json()} == without_seconds(both)


def test_hill_climbing_reaches_a_smooth_optimum_and_chance_does_not(tables: Collection) -> None:
    result = table_search(tables, compared(strategies=["local", "evolution", "random"], queries=150, seeds=6))
    found = {name: cells.queries_to_optimum for name, cells in result.strategies.items()}
    assert found["local"].found == 1.0
    assert found["local"].median <= 150
    assert found["random"].found < 0.5
    assert found["random"].median is None
    assert result.strategies["local"].regret[-1] == 0.0
    assert result.strategies["local"].columns["clean"] == Spread(1.0, 0.0)
    assert result.strategies["evolution"].columns["clean"].mean > result.strategies["random"].columns["clean"].mean


def test_what_the_table_lacks_costs_no_query() -> None:
    space = SPACES.get("transnas-macro")()
    known = [str(arch) for number, arch in enumerate(space) if number % 21]
    tables = Collection({"": ArrayTable("most", known, {"clean": np.arange(len(known))}, space)}, space=space)
    result = table_search(tables, compared(strategies=["random", "local"], queries=60, seeds=1, columns=["clean"]))
    assert result.n_classes == len(known) == 3100
    for cells in result.strategies.values():
        assert len(cells.regret) == 60
    with pytest.raises(InputError, match="at most 3,100"):
        table_search(tables, compared(queries=3101))


def test_lower_is_better_where_the_table_or_the_objective_says_so(tables: Collection) -> None:
    result = table_search(
        tables, compared(objectives=["edgegpu_latency", "params:min", "params"], strategies=["local"], queries=150)
    )
    best = {name: entry.strategies["local"] for name, entry in result.objectives.items()}
    assert result.n_classes < 6466
    lowest = np.nanmin(tables.values("edgegpu_latency", tables.classes(["edgegpu_latency"])))
    assert result.optimum["edgegpu_latency"] == best["edgegpu_latency"].columns["edgegpu_latency"].mean == lowest
    assert result.optimum["params"] == best["params:min"].columns["params"].mean == 73306
    assert best["params"].columns["params"].mean == 1531546
    assert best["edgegpu_latency"].regret[-1] == 0.0
    assert min(best["edgegpu_latency"].regret) >= 0


def test_a_column_without_a_direction_needs_one(tables: Collection, classes: list[str], tmp_path: Path) -> None:
    lines = [f"{text},{number},{90 + number % 7}" for number, text in enumerate(classes)]
    (tmp_path / "a.csv").write_text("\n".join(["arch,acc_time,val", *lines]))
    opened = Collection({"accuracy:": read_accuracies(tmp_path / "a.csv")})
    with pytest.raises(InputError, match="write accuracy:acc_time:max or accuracy:acc_time:min as objective"):
        table_search(opened, compared(objectives=["accuracy:acc_time"]))
    for direction, best in (("min", 0), ("max", len(classes) - 1)):
        found = table_search(opened, compared(objectives=[f"accuracy:acc_time:{direction}"]))
        assert found.optimum["accuracy:acc_time"] == best
    beside = table_search(opened, compared(objectives=["accuracy:val"], columns=("accuracy:acc_time",)))
    assert beside.optimum == {"accuracy:acc_time": None, "accuracy:val": 96}


def test_several_goals_at_once(tables: Collection, classes: list[str]) -> None:
    objective = "clean+edgegpu_latency"
    one = compared(objectives=[objective], strategies=["nsga2"], options=("nsga2.population=10",), queries=60, seeds=3)
    cells = table_search(tables, one).strategies["nsga2"]
    assert np.all(np.diff(cells.regret) <= 1e-12)
    assert 0 <= cells.regret[-1] < cells.regret[0] <= 1
    with pytest.raises(InputError, match=r"got 2; name one in search\.objective"):
        table_search(tables, compared(objectives=[objective], strategies=["nsga2", "evolution"]))


@pytest.mark.landing
def test_the_regret_of_several_goals_is_the_missing_share_of_hypervolume(tables: Collection) -> None:
    one = compared(objectives=["clean+noise"], strategies=["nsga2"], queries=40)
    view = table_view(tables, one)
    fitness = view.fitness("clean+noise")
    shares = scaled(fitness)
    whole = hypervolume(shares[undominated(shares)], np.zeros(2))
    told = np.random.default_rng(0).integers(len(fitness), size=40)
    trace = SearchRuns(one, view, {"clean+noise": whole}).trace(told, fitness, "clean+noise")
    grid = list(itertools.product(np.arange(0.005, 1, 0.01), repeat=2))
    for n in (1, 7, 40):
        area = np.mean([any((shares[row] >= point).all() for row in told[:n]) for point in grid])
        assert trace.regret[n - 1] == pytest.approx(1 - area / whole, abs=0.02)
    assert trace.best == max(told, key=lambda row: shares[row].mean())


def test_a_cheap_objective_guides_warm_up_and_moves(tables: Collection) -> None:
    small = ("warmup-move.warmup=60", "warmup-move.pool=10", "warmup-move.tournament=4")
    one = compared(strategies=["warmup-move", "random"], options=small, cheap="fgsm@1", queries=40, columns=("clean",))
    result = table_search(tables, one)
    assert result.columns == ["clean"]
    assert result.strategies["warmup-move"].columns["clean"].mean > result.strategies["random"].columns["clean"].mean
    with pytest.raises(InputError, match="give --cheap"):
        table_search(tables, compared(strategies=["warmup-move"], options=small))
    worse = compared(strategies=["warmup-move"], options=small, cheap="fgsm@1:min", queries=10, columns=("clean",))
    first = table_search(tables, worse).strategies["warmup-move"]
    assert first.regret[0] > result.strategies["warmup-move"].regret[0]


def test_warm_up_and_moves_by_the_objective_itself_need_no_cheap_one(tables: Collection) -> None:
    small = ("warmup-move.warmup=20", "warmup-move.pool=5", "warmup-move.tournament=2", "warmup-move.neighbours=4")
    by_objective = (*small, "warmup-move.ranked_by=objective")
    one = compared(strategies=["warmup-move", "random"], options=by_objective, queries=100, columns=("clean",))
    result = table_search(tables, one).strategies
    assert result["warmup-move"].columns["clean"].mean > result["random"].columns["clean"].mean
    with pytest.raises(InputError, match="no --cheap"):
        compared(strategies=["warmup-move"], options=by_objective, cheap="clean").check()
    compared(strategies=["warmup-move"], options=small, cheap="clean").check()


def test_a_search_says_what_to_know_of_its_goals_its_tables_and_its_budget(
    classes: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    twin = next(str(cell) for cell in SPACE if SPACE.canonical(cell) != cell)
    archs = list(dict.fromkeys([twin, str(SPACE.canonical(SPACE.parse(twin))), *classes[:4]]))
    columns = {name: np.arange(float(len(archs))) for name in ("good", "my_error")}
    mine = Collection({"scores:": ArrayTable("mine", archs, columns)})
    objectives = ["scores:good", "params:min", "scores:my_error"]
    with caplog.at_level(logging.WARNING, "nas"):
        table_search(mine, compared(objectives=objectives, strategies=["guided"], queries=2, seeds=3))
    merged = f"mine: {len(archs)} rows are {len(archs) - 1} classes of isomorphic architectures;"
    starts = ["Higher is better for scores:my_error,", merged, "All 2 architectures of guided are random draws,"]
    assert len(caplog.messages) == 3
    assert [line[: len(start)] for line, start in zip(caplog.messages, starts)] == starts
    caplog.clear()
    with caplog.at_level(logging.WARNING, "nas"):
        table_search(mine, compared(objectives=["params:min"], limit_texts=("scores:good<=9",), queries=2, seeds=1))
    assert caplog.text.count(merged) == 1, "a limit, too, is a column of the table"


def test_options_are_checked() -> None:
    found = strategy_options(["evolution.population=7", "evolution.tournament=2"], ["random", "evolution"])
    assert (found["evolution"].population, found["evolution"].tournament) == (7, 2)
    for text, words in [
        ("evolution.population", "form strategy.key=value"),
        ("population=7", "form strategy.key=value"),
        ("evolutio.population=7", "did you mean 'evolution'"),
        ("evolution.populatio=7", "did you mean 'population'"),
        ("evolution.population=x", "^evolution: .*population"),
        (
            "evolution.population=5",
            r"=25 .*=5; give --set evolution\.tournament=\.\.\. and --set evolution\.population=\.\.\.\.$",
        ),
        (
            "warmup-move.ranked_by=x",
            r"^warmup-move: Expected ranked_by to be .*; give --set warmup-move\.ranked_by=\.\.\.\.$",
        ),
        ("nsga2.population=5", "one of random, evolution"),
    ]:
        with pytest.raises(InputError, match=words):
            strategy_options([text], ["random", "evolution", "warmup-move"])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"queries": 0}, "--queries between"),
        ({"seeds": 0}, "--seeds between"),
        ({"ask": 0}, "--ask between"),
        ({"seed": -1}, "--seed between"),
        ({"strategies": []}, "different strategies but got none"),
        ({"objectives": ["clean", "clean"]}, "different objectives"),
        ({"strategies": ["locl"]}, "did you mean 'local'"),
        ({"objectives": ["claen"]}, "did you mean 'clean'"),
        ({"columns": ("claen",)}, "did you mean 'clean'"),
        ({"strategies": ["warmup-move"], "cheap": "claen"}, "did you mean 'clean'"),
        ({"strategies": ["warmup-move"], "cheap": "clean+noise"}, "one cheap objective"),
        ({"cheap": "clean"}, "no --cheap"),
        ({"features": ("clean",)}, "no --features"),
        ({"strategies": ["guided"], "features": ("claen",)}, "did you mean 'clean'"),
        ({"queries": 6467}, "at most 6,466"),
    ],
)
def test_bad_studies_are_told_before_anything_runs(tables: Collection, values: dict[str, Any], words: str) -> None:
    ticks: list[int] = []
    with pytest.raises(InputError, match=words):
        table_search(tables, compared(**values), None, ticks.append)
    assert ticks == []


@pytest.mark.landing
def test_csv_and_picture(tables: Collection) -> None:
    ticks: list[int] = []
    result = table_search(tables, compared(objectives=["clean", "noise"], seeds=12), None, ticks.append)
    assert ticks == [10, 12, 22, 24]
    rows = list(csv.DictReader(csv_rows(result).splitlines()))
    assert len(rows) == 2 * len(result.columns)
    assert "feasible" not in rows[0]
    assert float(rows[0]["mean"]) == result.strategies["random"].columns["clean"].mean
    assert TableSearchResult.from_json(result.to_json()) == result
    assert list(result.strategies["random"].to_json())[:2] == result.columns[:2], "the columns come first"
    shown = replace(result, dataset="tiny")
    assert regret_curves(shown, {"clean"}, ".png").startswith(b"\x89PNG")
    text = regret_curves(shown, {"clean"}, ".svg").decode()
    for word in ("tiny", "random", "queries", "percentage points", "units of the column"):
        assert word in text
    assert "percentage points" not in regret_curves(shown, set(), ".svg").decode(), "small numbers are not fractions"
    assert text == regret_curves(shown, {"clean"}, ".svg").decode()


def test_an_axis_within_one_decade_has_plain_numbers(tables: Collection) -> None:
    """Where no power of ten lies on an axis its small ticks are labelled, and not as formulas."""
    result = table_search(tables, compared(objectives=["clean"], seeds=4))
    narrow = replace(result.strategies["random"], regret=[0.6 - 0.03 * at for at in range(result.queries)])
    narrow = replace(narrow, regret_quartiles=Quartiles(narrow.regret, narrow.regret))
    objectives = {"clean": ObjectiveResult({"random": narrow})}
    text = regret_curves(replace(result, dataset="tiny", objectives=objectives), {"clean"}, ".svg").decode()
    assert "$" not in text
    assert ">20<" in text


def test_what_a_feature_of_the_table_lacks_is_not_asked_by_a_predictor(
    tables: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fiftieth of the classes has no latency: after the random start none is looked up, as 0 were the best of all."""
    told: list[str] = []
    append = InMemoryStore.append_history
    monkeypatch.setattr(InMemoryStore, "append_history", lambda self, key: (told.append(key), append(self, key))[1])
    options = ("guided.init=5", "guided.batch=20", "guided.kappa=0", "guided.predictor=extra-trees")
    settings = {"objectives": ["clean:min"], "strategies": ["guided"], "features": ("edgegpu_latency",)}
    one = compared(**settings, queries=45, seeds=1, options=options)
    table_search(tables, one, ExecutorSettings(workers=1))
    latency = tables.values("edgegpu_latency", told)
    assert len(told) == 45
    assert np.isfinite(latency[5:]).all()


def test_the_published_table_has_the_published_order(data_dir: Any) -> None:
    """Jung et al.'s table (100 runs): by FGSM, local search 69.10 and random search 67.25; the optimum 69.24."""
    dataset = RobustnessDataset(data_dir / "robustness-dataset", "cifar10")
    one = compared(objectives=["fgsm@1"], strategies=["random", "local"], queries=300, seeds=10)
    result = table_search(Collection({"": dataset}), one, ExecutorSettings(workers=1))
    found = result.strategies
    assert result.columns == [
        *("clean", "fgsm@1", "pgd@1", "apgd@1", "square@1"),
        *("corruptions", "hrs:fgsm@1", "hrs:pgd@1"),
    ]
    assert result.optimum["fgsm@1"] == 0.692
    assert found["local"].columns["fgsm@1"].mean == pytest.approx(0.691, abs=0.008)
    assert found["random"].columns["fgsm@1"].mean == pytest.approx(0.6725, abs=0.012)
    assert found["local"].regret[-1] == pytest.approx(0.692 - found["local"].columns["fgsm@1"].mean)


@pytest.mark.landing
def test_a_predictor_that_sees_the_answer_finds_the_best_at_once(classes: list[str]) -> None:
    few = classes[::20]
    columns = {"answer": np.array([derive(2, text) % 1000 for text in few]), "clean": np.array(list(map(worth, few)))}
    tables = Collection({"": ArrayTable("few", few, columns)})
    options = ("guided.init=10", "guided.batch=5", "guided.predictor=kernel", "guided.kappa=0")
    settings = {"strategies": ["guided"], "queries": 20, "seeds": 2, "objectives": ["answer"], "options": options}
    blind = table_search(tables, compared(**settings, features=("clean",))).strategies["guided"]
    seeing = table_search(tables, compared(**settings, features=("answer",))).strategies["guided"]
    assert seeing.regret[-1] < 5 < blind.regret[-1]


@pytest.mark.slow
def test_features_of_tables_reach_other_processes(classes: list[str]) -> None:
    few = classes[::60]
    tables = Collection({"": ArrayTable("few", few, {"clean": np.array(list(map(worth, few)))})})
    one = compared(
        strategies=["guided"],
        options=("guided.init=3", "guided.predictor=kernel"),
        queries=4,
        seeds=11,
        features=("clean",),
    )
    results = [without_seconds(table_search(tables, one, ExecutorSettings(workers=workers))) for workers in (1, 2)]
    assert results[0] == results[1]


def test_costs_are_those_of_the_space_and_scores_have_the_direction_of_their_proxy(classes: list[str]) -> None:
    few = classes[::900]
    column = np.arange(len(few), dtype=float)
    scores = ArrayTable("mine", few, {"eproxy": column, "jacob_fro": column, "croze": column, "own": column})
    directions = {
        "scores:eproxy": False, "scores:jacob_fro": False, "scores:croze": True, "scores:own": True,
        "flops": True, "params": True,
    }  # fmt: skip
    view = table_view(Collection({"scores:": scores}), compared(objectives=list(directions), queries=2))
    assert view.higher == directions
    costs = [SPACE.cost(SPACE.parse(text)) for text in view.classes]
    assert view.values["flops"].tolist() == [cost.macs for cost in costs]
    assert view.values["params"].tolist() == [cost.params for cost in costs]
