"""Prediction of published accuracies: the paper's protocol to the letter, and no look at test labels."""

from __future__ import annotations

import csv
import dataclasses
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
import pytest

from nas.core.errors import InputError
from nas.core.execution.executor import ExecutorSettings
from nas.search_spaces import NASBench201
from nas.strategies.predictors import PREDICTORS, Predictor
from nas.studies import predict as driver
from nas.studies.plots.predictions import picture
from nas.studies.predict import FitJob, Fits, Protocol, predict
from nas.studies.prediction_data import PredictionData, chosen_targets, prediction_data
from nas.studies.prediction_result import Fit, PredictionResult, TopFeature, csv_rows
from nas.tables import ArrayTable, Collection, TableSettings, read_scores

TARGETS = {"clean": ("clean",), "fgsm": ("fgsm@1",), "clean+fgsm": ("clean", "fgsm@1")}


@pytest.fixture
def data() -> PredictionData:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 4))
    y = np.stack([x[:, 0] + 0.3 * x[:, 1], x[:, 0] * x[:, 2]], axis=1) + 0.1 * rng.normal(size=(120, 2))
    return PredictionData([str(row) for row in range(120)], ["a", "b", "c", "d"], x, ["clean", "fgsm@1"], y, 120, {})


def fewer(model: str, trees: int) -> type[Predictor]:
    """The predictor of the name with fewer trees."""
    kind = PREDICTORS.get(model)
    return type("Fewer", (kind,), {"Options": staticmethod(partial(kind.Options, trees=trees))})


@pytest.mark.landing
def test_the_papers_split_is_scikit_learns_to_the_letter(data: PredictionData) -> None:
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.metrics import r2_score
    from sklearn.model_selection import train_test_split

    result = predict(data, TARGETS, Protocol("forest", "paper", study=True))
    for name, columns in {"clean": [0], "fgsm": [1], "clean+fgsm": [0, 1]}.items():
        y = data.values[:, columns]
        x_train, x_test, y_train, y_test = train_test_split(data.features, y, test_size=0.2, random_state=42)
        forest = RandomForestRegressor(n_estimators=100, random_state=42)
        forest.fit(x_train, y_train[:, 0] if len(columns) == 1 else y_train)
        guess = forest.predict(x_test)
        assert result.fit.r2[name] == pytest.approx(r2_score(y_test, guess), abs=1e-9)
        shares = dict(zip(data.names, forest.feature_importances_))
        assert result.importances[name] == pytest.approx(shares)
        top = max(shares, key=lambda feature: shares[feature])
        entry = result.study[name]
        assert entry.top == top == next(iter(result.importances[name]))
        kept = [at for at, feature in enumerate(data.names) if feature != top]
        forest.fit(x_train[:, kept], y_train[:, 0] if len(columns) == 1 else y_train)
        assert entry.without == pytest.approx(r2_score(y_test, forest.predict(x_test[:, kept])), abs=1e-9)
        assert top not in entry.importances_without
        alone = data.names.index(top)
        forest.fit(x_train[:, [alone]], y_train[:, 0] if len(columns) == 1 else y_train)
        assert entry.alone == pytest.approx(r2_score(y_test, forest.predict(x_test[:, [alone]])), abs=1e-9)
    assert result.fit.r2_sd == {"clean": 0, "fgsm": 0, "clean+fgsm": 0}


@pytest.mark.parametrize("model", ["auto", "forest"])
def test_test_labels_are_not_looked_at(data: PredictionData, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, guesses = fewer(model, 20), []

    class Watched(kind):  # type: ignore[misc, valid-type]
        def predict(self, features: np.ndarray) -> object:
            answer = super().predict(features)
            guesses.append(answer.mean)
            return answer

    monkeypatch.setitem(PREDICTORS.components, model, Watched)
    fits = Fits(data, TARGETS, model)
    _, test = fits.split(FitJob(3))
    shuffled = data.values.copy()
    shuffled[test] = np.random.default_rng(1).permutation(shuffled[test])
    first = predict(data, TARGETS, Protocol(model, "1", seed=3))
    seen = list(guesses)
    guesses.clear()
    second = predict(dataclasses.replace(data, values=shuffled), TARGETS, Protocol(model, "1", seed=3))
    assert len(seen) == len(guesses) > 0
    for one, other in zip(seen, guesses):
        np.testing.assert_array_equal(one, other)
    assert first.fit.r2 != second.fit.r2


@pytest.mark.slow
def test_mean_and_deviation_over_splits_do_not_depend_on_the_workers(data: PredictionData) -> None:
    protocol = Protocol("extra-trees", "3", seed=1)
    result = predict(data, TARGETS, protocol)
    assert result == predict(data, TARGETS, protocol, ExecutorSettings(workers=2))
    single = [predict(data, TARGETS, Protocol("extra-trees", "1", seed=s)).fit.r2["clean"] for s in (1, 2, 3)]
    assert result.fit.r2["clean"] == pytest.approx(np.mean(single))
    assert result.fit.r2_sd["clean"] == pytest.approx(np.std(single, ddof=1))


@pytest.mark.landing
def test_learning_curves_rise_and_everything_is_drawn_and_listed(
    data: PredictionData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "CURVE_SEEDS", 2)
    for model in ("extra-trees", "forest"):
        monkeypatch.setitem(PREDICTORS.components, model, fewer(model, 20))
    result = predict(data, TARGETS, Protocol("extra-trees", "2", curves=True))
    result = dataclasses.replace(result, dataset="tiny", features="graph")
    assert list(result.curves) == ["10", "20", "50"]
    assert result.curves["50"].r2["clean"] > result.curves["10"].r2["clean"]
    assert 0 < result.curves["10"].kendall["clean"] <= 1
    assert picture(result, ".png").startswith(b"\x89PNG")
    result = predict(data, TARGETS, Protocol("forest", "paper", study=True))
    assert picture(result, ".png").startswith(b"\x89PNG")
    assert len(csv_rows(result).splitlines()) == 1 + 3 + 6 + 3 * 4 + 3 * 3


def test_names_of_targets() -> None:
    tables = Collection({"": ArrayTable("t", [], dict.fromkeys(("clean", "fgsm@1", "fgsm@4", "pgd@1"), np.zeros(0)))})
    found = chosen_targets(tables, [])
    assert found == {
        "clean": ("clean",),
        "fgsm": ("fgsm@1",),
        "pgd": ("pgd@1",),
        "clean+fgsm": ("clean", "fgsm@1"),
        "clean+pgd": ("clean", "pgd@1"),
    }
    assert chosen_targets(tables, ["fgsm@4", "fgsm", "clean+fgsm@1"]) == {
        "fgsm@4": ("fgsm@4",),
        "fgsm": ("fgsm@1",),
        "clean+fgsm": ("clean", "fgsm@1"),
    }
    for wrong in ("clean+", "clean+clean"):
        with pytest.raises(InputError, match="different ones joined"):
            chosen_targets(tables, [wrong])
    with pytest.raises(InputError, match="name yours with --targets"):
        chosen_targets(Collection({"": ArrayTable("t", [], {"x": np.zeros(0)})}), [])


def test_the_numbering_of_nodes_is_not_used() -> None:
    cells = list({str(NASBench201().sample(Random(seed))) for seed in range(30)})
    tables = Collection({"": ArrayTable("t", cells, {"clean": np.arange(float(len(cells)))})})
    names = prediction_data(tables, ["clean"], "graph").names
    assert "ways nor_conv_3x3" in names
    assert "count nor_conv_3x3" in names
    assert not any(name.startswith(("edge ", "degree ")) for name in names)


def test_one_row_of_each_class() -> None:
    space, rng = NASBench201(), Random(0)
    cells = list({str(space.sample(rng)) for _ in range(60)})
    values = np.linspace(0, 1, len(cells))
    tables = Collection({"": ArrayTable("t", cells, {"clean": values})})
    found = prediction_data(tables, ["clean"], "graph")
    assert found.classes == list(dict.fromkeys(str(space.canonical(space.parse(text))) for text in cells))
    scores = ArrayTable("s", cells[:40], {"params": values[:40], "odd": -values[:40]})
    both = prediction_data(tables, ["clean"], "both", [scores])
    assert both.names[:2] == ["params", "odd"]
    assert len(both.classes) <= 40
    np.testing.assert_array_equal(both.features[:, 0], -both.features[:, 1])
    assert prediction_data(tables, ["clean"], "proxies", [scores], ["odd"]).names == ["odd"]
    with pytest.raises(InputError, match="needs no file"):
        prediction_data(tables, ["clean"], "proxies")
    with pytest.raises(InputError, match="did you mean 'graph'"):
        prediction_data(tables, ["clean"], "graphs")


def test_of_a_class_the_string_that_was_measured_counts() -> None:
    space, rng = NASBench201(), Random(0)
    pairs = {}
    while len(pairs) < 40:
        cell = space.sample(rng)
        if str(cell) != str(space.canonical(cell)):
            pairs.setdefault(str(space.canonical(cell)), str(cell))
    measured, others = list(pairs.values()), list(pairs)
    tables = Collection({"": ArrayTable("t", measured, {"clean": np.arange(40.0)})})
    nearly = ArrayTable("s", [others[0], *measured[:0:-1]], {"p": np.arange(40.0)})
    found = prediction_data(tables, ["clean"], "proxies", [nearly])
    assert found.dropped["other_member"] == 1
    assert found.classes == others[:0:-1], "in the order of the scores"
    np.testing.assert_array_equal(found.features[:, 0], np.arange(1.0, 40.0))
    by_class = prediction_data(tables, ["clean"], "proxies", [ArrayTable("s", others, {"p": np.arange(40.0)})])
    assert (len(by_class.classes), by_class.dropped["other_member"]) == (40, 0)


@pytest.mark.slow
def test_published_numbers_are_reproduced(data_dir: Path) -> None:
    """Those that the paper's protocol gives on the 13 proxies at hand; the paper has 15 and all classes."""
    tables = TableSettings(robustness=str(data_dir / "robustness-dataset")).open()
    scores = [read_scores(data_dir / "nasbench201/zc_proxies_cifar10.csv")]
    targets = chosen_targets(tables, ["clean", "fgsm", "pgd", "clean+fgsm"])
    found = predict(
        prediction_data(tables, sum(targets.values(), ()), "proxies", scores), targets, Protocol("forest", "paper")
    )
    assert found.n == 6144
    for name, value in {"clean": 0.964, "fgsm": 0.874, "pgd": 0.627, "clean+fgsm": 0.918}.items():
        assert found.fit.r2[name] == pytest.approx(value, abs=0.006)


@pytest.mark.slow
def test_the_graph_tells_more_than_the_proxies(data_dir: Path) -> None:
    tables = TableSettings(robustness=str(data_dir / "robustness-dataset")).open()
    targets = chosen_targets(tables, [])
    found = predict(prediction_data(tables, sum(targets.values(), ()), "graph"), targets, Protocol("auto", "1"))
    least = {"clean": 0.98, "fgsm": 0.95, "pgd": 0.88, "apgd": 0.9, "square": 0.835}
    assert found.n == 6466
    for name, value in least.items():
        assert found.fit.r2[name] > value


def test_the_default_predictors_exist() -> None:
    for model in driver.MODELS.values():
        assert issubclass(PREDICTORS.get(model), Predictor)


def test_the_rows_of_the_most_important_feature_are_its_own() -> None:
    one: dict[str, float | None] = {"clean": 0.5}
    found = PredictionResult(
        n=10,
        rows=10,
        dropped={},
        model="forest",
        splits="fixed",
        feature_count=2,
        targets={"clean": ["clean"]},
        fit=Fit(one, one, one, one),
        importances={"clean": {"x": 0.75, "y": 0.25}},
        study={"clean": TopFeature("x", 0.125, 0.25, {"y": 1.0}, 0.375, 0.625)},
    )
    rows = {row[0]: row for row in csv.reader(csv_rows(found).splitlines())}
    assert rows["without"] == ["without", "clean", "", "x", "0.125", "0.25", "", "", ""]
    assert rows["alone"] == ["alone", "clean", "", "x", "0.375", "0.625", "", "", ""]
