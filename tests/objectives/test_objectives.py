"""Objectives by name: each metric comes from where it says, in its direction, and a run keeps what it measured."""

from __future__ import annotations

import csv
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nas.commands import run_commands
from nas.core.errors import InputError, NasError
from nas.core.execution.executor import Executor
from nas.core.optimisation import distributed
from nas.core.optimisation.distributed import Processes
from nas.core.seeds import derive
from nas.core.storage.memory import InMemoryStore
from nas.eval import evaluate
from nas.objectives import latency as latency_module
from nas.objectives.constraints import Constraints
from nas.objectives.latency import LatencySettings
from nas.objectives.network_spec import NetworkSpec
from nas.objectives.notation import Term, parse, source_of
from nas.objectives.predicted import PredictedSettings
from nas.objectives.short_training import LabelSettings
from nas.runs.stages.context import Worker
from nas.search_spaces import NASBench201
from nas.searches.problem import SearchProblem
from nas.settings.schema import SearchSettings, from_values
from nas.tables import RobustnessDataset
from nas.train import TrainedNetwork, TrainSettings, load_trained, train

A = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
B = "|nor_conv_1x1~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
SMALL = (
    *("device=cpu", "data.size=8", "model.channels=4", "model.cells_per_stage=1", "scoring.channels=4"),
    *("scoring.cells_per_stage=1", "label.epochs=1", "label.n_val=40", "label.batch_size=64", "label.crop=0"),
)


def worker(*overrides: str, folder: Path | None = None) -> Worker:
    return Worker(from_values({}, [*SMALL, *overrides]), folder)


def problem(*overrides: str) -> SearchProblem:
    made = worker(*overrides)
    return SearchProblem(made, executor=Executor(made, 1, 1))


# names


def test_objectives_are_read() -> None:
    assert parse("croze") == [Term("croze")]
    assert parse("fgsm@1+params:min") == [Term("fgsm@1"), Term("params", False)]
    assert parse("scores:mean+scores:mine:macs:min") == [Term("scores:mean"), Term("scores:mine:macs", False)]
    assert parse("hrs:fgsm@1 + robbench:clean:max") == [Term("hrs:fgsm@1"), Term("robbench:clean", True)]
    for wrong in ("", "a+", "+a", "a+a:min", ":min", "fgsm@1:mni", "params:mim"):
        with pytest.raises(InputError, match="bjective"):
            parse(wrong)


def test_where_metrics_come_from() -> None:
    names = {"croze": "proxy", "params": "proxy", "fgsm@1": "table", "latency": "latency", "predicted": "predicted"}
    names |= {"trained:clean": "trained", "trained:pgd7": "trained", "trained:hrs:fgsm": "trained"}
    assert {name: source_of(name) for name in names} == names
    with pytest.raises(InputError, match="did you mean 'fgsm'"):
        source_of("trained:fgms")
    with pytest.raises(InputError, match="trained:hrs:fgsm"):
        source_of("trained:hrs:clean")


def test_an_unknown_objective_is_told_before_anything_is_read() -> None:
    with pytest.raises(InputError, match="did you mean 'croze'"):
        worker("objective=crose")
    with pytest.raises(InputError, match="columns of given tables"):
        worker("search.constraints=edgegpu_latency<=5")
    for cheap in ("latency", "croze+params"):
        with pytest.raises(InputError, match=r"search\.cheap"):
            worker(f"search.cheap={cheap}")


def test_directions(data_dir: Path) -> None:
    tables = (
        f"tables.robustness={data_dir / 'robustness-dataset'}",
        f"tables.latency={data_dir / 'nasbench201/hw_nas_bench_cifar10.csv'}",
        f"tables.scores={data_dir / 'nasbench201/zc_proxies_cifar10.csv'}",
    )
    given = "croze+fgsm@1+params:min+latency+edgegpu_latency+scores:nwot+trained:clean+eproxy"
    goals = problem(f"objective={given}", "strategy.name=nsga2", *tables).goals
    assert {goal.name: goal.higher_is_better for goal in goals} == {
        **{"croze": True, "fgsm@1": True, "params": False, "latency": False, "edgegpu_latency": False},
        **{"scores:nwot": True, "trained:clean": True, "eproxy": False},
    }


def test_a_score_of_a_file_has_the_direction_of_its_proxy(tmp_path: Path) -> None:
    scores = tmp_path / "scores.csv"
    directions = {"croze": True, "nwot": True, "hessian": False, "jacob_fro": False, "eproxy": False, "own": True}
    scores.write_text(f"arch,{','.join(directions)}\n{A},1,2,3,4,5,6\n")
    given = "+".join(f"scores:{name}" for name in directions)
    goals = problem(f"objective={given}", "strategy.name=nsga2", f"tables.scores={scores}").goals
    assert {goal.name.removeprefix("scores:"): goal.higher_is_better for goal in goals} == directions


def test_a_direction_may_be_turned() -> None:
    goals = problem("objective=croze:min+eproxy:max+latency:max+params:min+flops", "strategy.name=nsga2").goals
    assert [(goal.name, goal.higher_is_better) for goal in goals] == [
        *(("croze", False), ("eproxy", True), ("latency", True), ("params", False), ("flops", True)),
    ]


def test_what_is_looked_for_unless_something_else_is_said() -> None:
    assert asdict(SearchSettings()) == {
        "objective": "croze", "cheap": None, "features": ["graph"], "budget": 100, "constraints": [], "ask": 8,
        "limits": [], "joint": False, "warm_start": None,
    }  # fmt: skip
    assert asdict(LatencySettings()) == {"batch_size": 1, "repeats": 20, "warm_up": 3}
    assert asdict(PredictedSettings()) == {"model": "auto", "labels": None, "accuracy": None}
    of_training = asdict(TrainSettings())
    label = {key: value for key, value in asdict(LabelSettings()).items() if of_training.get(key) != value}
    assert label == {"epochs": 5, "select": "last", "n_val": 500}


# values


def test_columns_of_tables(data_dir: Path) -> None:
    folder = data_dir / "robustness-dataset"
    table = RobustnessDataset(folder, "cifar10")
    names = ("hrs:fgsm@1", "pgd@1", "params")
    metrics = worker(f"tables.robustness={folder}").score(A, names)
    assert list(metrics) == list(names)
    for name in names[:2]:
        assert metrics[name] == table.values(name, [A])[0]
    assert metrics["params"] == worker().trained.cost(NASBench201().parse(A)).params


def test_a_value_that_a_table_lacks_is_a_failure(tmp_path: Path) -> None:
    scores = tmp_path / "scores.csv"
    scores.write_text(f"arch,nwot\n{A},1.5\n{B},\n")
    made = worker(f"tables.scores={scores}")
    assert made.score(A, ("scores:nwot",)) == {"scores:nwot": 1.5}
    with pytest.raises(NasError, match="no scores:nwot"):
        made.score(B, ("scores:nwot",))


@pytest.mark.landing
def test_the_short_training_is_the_trainer_and_the_attack(tmp_path: Path) -> None:
    made = worker("label.method=pgd", "label.steps=2", "eval.eps=0.1", folder=tmp_path)
    names = ("trained:hrs:fgsm", "trained:clean", "trained:pgd3")
    metrics = made.score(A, names)

    data, seed = made.dataset, derive(0, "label", A)
    recipe = TrainSettings(method="pgd", steps=2, epochs=1, batch_size=64, crop=0, select="last")
    described = TrainedNetwork(
        *("label", "nasbench201", A, {"channels": 4, "cells_per_stage": 1}, 10, 8, list(data.mean), list(data.std)),
        *({}, "pgd", 8 / 255),
    )
    checkpoint, _ = train(described, data, recipe, tmp_path / "by hand", seed, torch.device("cpu"))
    attack = replace(made.settings.eval, attacks=["fgsm", "pgd3"], n_test=40, sweep=[])
    judged = replace(data, test=data.validation)
    entry = evaluate(load_trained(checkpoint)[0], judged, attack, seed, torch.device("cpu"), InMemoryStore())
    assert metrics == {
        "trained:hrs:fgsm": entry.attacks["fgsm"].hrs,
        "trained:clean": entry.clean,
        "trained:pgd3": entry.attacks["pgd3"].accuracy,
    }
    assert list(metrics) == list(names)
    assert not any((tmp_path / "labels").iterdir())  # nothing is left behind


@pytest.mark.landing
def test_the_short_training_never_sees_the_test_part(tmp_path: Path) -> None:
    made = worker(folder=tmp_path)
    before = made.score(A, ("trained:clean",))
    other = worker(folder=tmp_path)
    split = other.dataset.test
    blank = replace(split, images=torch.zeros_like(split.images), labels=torch.zeros_like(split.labels))
    other.__dict__["dataset"] = replace(other.dataset, test=blank)
    assert other.score(A, ("trained:clean",)) == before


def test_a_prediction_is_that_of_a_predictor_fitted_by_hand(tmp_path: Path) -> None:
    from random import Random

    import numpy as np

    from nas.strategies.predictors import PREDICTORS

    space, rng = NASBench201(), Random(0)
    archs = list(dict.fromkeys(str(space.sample(rng)) for _ in range(30)))
    labels = tmp_path / "labels.csv"
    with labels.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["arch", "robust"])
        writer.writerows((arch, arch.count("3x3")) for arch in archs)
    made = worker(f"predicted.labels={labels}", "predicted.model=forest")
    features = np.stack([space.features(space.parse(arch)) for arch in archs])
    model = PREDICTORS.get("forest")(derive(0, "predicted")).fit(features, np.array([a.count("3x3") for a in archs]))
    expected = model.predict(space.features(space.parse(A))[None]).mean[0]
    assert made.score(A, ("predicted",)) == {"predicted": pytest.approx(expected)}
    with pytest.raises(InputError, match=r"predicted\.labels"):
        worker().score(A, ("predicted",))


# latency


class Clock:
    """Stands for the measuring; counts."""

    def __init__(self) -> None:
        self.measured: list[str] = []

    def __call__(self, text: str) -> float:
        self.measured.append(text)
        return float(text.count("3x3"))


def test_latency_is_measured_once_per_class_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(SearchProblem, "measure_latency", clock)
    made = worker("objective=latency+params:min", "strategy.name=nsga2")
    kept = InMemoryStore()
    first = SearchProblem(made, kept, Executor(made, 1, 1))
    with first.executor as executor:  # type: ignore[union-attr]
        assert executor is not None
        found = {done.key: done.result for done in first.evaluate([A, B], lambda: None)}
    assert found[A] == {"latency": 2.0, "params": made.trained.cost(first.space.parse(A)).params}
    again = SearchProblem(made, kept)
    assert [again.latency(A), again.latency(B)] == [2.0, float(B.count("3x3"))]
    assert clock.measured == [A, B]


def test_latency_is_the_median_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 9.0, 10.0, 10.001, 20.0, 20.005, 30.0, 30.003])  # begin and end of each pass
    monkeypatch.setattr(latency_module.time, "perf_counter", lambda: next(ticks))
    made = worker("latency.warm_up=1", "latency.repeats=3")
    assert SearchProblem(made).measure_latency(A) == pytest.approx(3.0)


def test_larger_networks_take_longer() -> None:
    measure = problem("model.channels=16", "data.size=16", "latency.batch_size=16").measure_latency
    nothing = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    assert measure(str(NASBench201().largest())) > measure(nothing) > 0


# limits


def test_cheap_limits_stand_before_dear_ones() -> None:
    asked: list[str] = []

    def quantity(name: str) -> Any:
        return lambda text: asked.append(name) or math.inf

    space = NASBench201()
    limits = Constraints(
        ["latency<=5", "edgegpu_latency<=5", "params<=1"], lambda: NetworkSpec("nasbench201", {}, 10, 32), quantity
    )
    assert not limits.allow(space.parse(A))
    assert asked == []
    limits = Constraints(["latency<=5", "edgegpu_latency<=5"], lambda: NetworkSpec("nasbench201", {}, 10, 32), quantity)
    assert not limits.allow(space.parse(A))
    assert asked == ["edgegpu_latency"]


def test_limits_on_columns(data_dir: Path) -> None:
    path = data_dir / "nasbench201/hw_nas_bench_cifar10.csv"
    with path.open() as file:
        truth = {row["arch_str"]: float(row["edgegpu_latency"]) for row in csv.DictReader(file)}
    made = problem(f"tables.latency={path}", "search.constraints=edgegpu_latency<=4")
    space = NASBench201()
    for arch in (A, B, str(space.largest())):
        assert made.constraints.allow(space.parse(arch)) == (truth[arch] <= 4)


def test_what_a_strategy_is_told_of_limits_leaves_latency_out(tmp_path: Path) -> None:
    scores = tmp_path / "scores.csv"
    scores.write_text(f"arch,nwot\n{A},1.5\n{B},3\n")
    made = problem(f"tables.scores={scores}", "search.constraints=latency<=0,scores:nwot<=2")
    allowed = made.strategy.hints.allowed
    assert allowed is not None
    assert allowed([made.space.parse(A), made.space.parse(B)]) == [True, False]


def test_what_has_no_value_is_not_within_a_limit(tmp_path: Path) -> None:
    scores = tmp_path / "scores.csv"
    scores.write_text(f"arch,nwot\n{A},1.5\n{B},\n")
    made = problem(f"tables.scores={scores}", "search.constraints=scores:nwot<=2")
    assert made.constraints.allow(made.space.parse(A))
    assert not made.constraints.allow(made.space.parse(B))


# what strategies may ask


def test_hints_are_features_and_the_cheap_objective(monkeypatch: pytest.MonkeyPatch) -> None:
    made = problem("search.cheap=params:min", "strategy.name=warmup-move")
    space = made.space
    archs = [space.parse(A), space.parse(B)]
    hints = made.strategy.hints
    assert hints.features is not None
    assert hints.cheap is not None
    assert (hints.features(archs)[1] == space.features(archs[1])).all()
    with made.executor as executor:  # type: ignore[union-attr]
        assert executor is not None
        values = hints.cheap(archs)
        assert values == [-made.worker.trained.cost(space.canonical(arch)).params for arch in archs]
        monkeypatch.setattr(Worker, "score", None)  # nothing is computed again
        assert hints.cheap(archs) == values


def test_features_may_be_metrics_beside_the_graph() -> None:
    made = problem("search.features=graph,params,flops", "strategy.name=guided")
    space = made.space
    archs = [space.parse(A), space.parse(B)]
    assert made.strategy.hints.features is not None
    with made.executor:  # type: ignore[union-attr]
        found = made.strategy.hints.features(archs)
    costs = [made.worker.trained.cost(space.canonical(arch)) for arch in archs]
    assert (found[:, :-2] == [space.features(arch) for arch in archs]).all()
    assert found[:, -2:].tolist() == [[cost.params, cost.macs] for cost in costs]


def test_a_feature_without_a_value_is_nan_and_not_zero() -> None:
    """0 would be a good eproxy of a network that has none."""
    made = problem("search.features=graph,eproxy,params", "strategy.name=guided")
    archs = [made.space.parse(A), made.space.parse(B)]
    for arch, eproxy in zip(archs, (None, 3.5)):  # as an earlier batch of the run has stored them
        made.store.put(f"cheap/eproxy/{made.space.canonical(arch)}", [eproxy])
        made.store.put(f"cheap/params/{made.space.canonical(arch)}", [1.0])
    assert made.strategy.hints.features is not None
    found = made.strategy.hints.features(archs)[:, -2:]
    np.testing.assert_array_equal(found, [[np.nan, 1.0], [3.5, 1.0]])


@pytest.mark.parametrize("extra", ["search.features=params", "search.cheap=params"])
def test_what_a_strategy_does_not_look_at_is_refused(extra: str) -> None:
    with pytest.raises(InputError, match="leave it out"):
        problem("objective=params", extra).check()


def test_settings_of_the_short_training_are_told_by_their_own_key() -> None:
    with pytest.raises(InputError, match=r"label\.epochs"):
        worker("label.epochs=0")
    assert asdict(worker().settings.label)["epochs"] == 1


@pytest.mark.parametrize(
    "asked",
    [
        ["objective=trained:clean"],
        ["objective=params+trained:hrs:fgsm:max", "strategy.name=nsga2"],
        ["objective=params", "search.cheap=trained:clean", "strategy.name=warmup-move"],
        ["objective=params", "search.features=graph,trained:fgsm", "strategy.name=guided"],
    ],
)
@pytest.mark.parametrize("command", ["run", "search"])
def test_no_labels_by_training_without_validation_images(
    command: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = from_values({}, [*SMALL, *asked, "data.validation=0", "train.select=last"])
    monkeypatch.setattr(Worker, "dataset", property(lambda self: pytest.fail("data were read before the check")))
    with pytest.raises(InputError, match=r"Expected data\.validation above 0 with trained:\w+"):
        run_commands()[command]().check(settings)


def test_a_label_is_never_judged_on_other_images() -> None:
    with pytest.raises(InputError, match="measured on validation images"):
        worker("data.validation=0").score(A, ("trained:clean",))
    assert worker("data.validation=9", "label.n_val=40").score(A, ("trained:clean",))["trained:clean"] * 9 % 1 == 0


@pytest.mark.parametrize("command", ["run", "train"])
def test_the_best_epoch_needs_validation_images(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Worker, "dataset", property(lambda self: pytest.fail("data were read before the check")))
    arch = [f"arch={A}"] if command == "train" else []
    settings = from_values({}, [*SMALL, *arch, "data.validation=0"])
    with pytest.raises(InputError, match=r"train\.select=last with data\.validation=0.*set train\.select=last"):
        run_commands()[command]().check(settings)


def test_a_search_without_validation_images(tmp_path: Path) -> None:
    """Only trainings choose an epoch; a search needs no train.select=last."""
    run_commands()["search"]().check(
        from_values({}, [*SMALL, "objective=grad_norm", "data.validation=0"]), {}, keep=False
    )


def test_parts_of_a_batch_are_looked_at_before_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the short trainings too, and in a training by several processes those of each."""
    short = from_values({}, [*SMALL, "objective=trained:clean", "label.batch_size=8", "label.accumulate=5"])
    for command in ("search", "run"):
        with pytest.raises(InputError, match=r"set label\.accumulate to at most 4"):
            run_commands()[command]().check(short, keep=False)
    settings = from_values({}, [*SMALL, f"arch={A}", "train.batch_size=8", "train.accumulate=4"])
    run_commands()["train"]().check(settings, keep=False)
    monkeypatch.setattr(distributed, "current", lambda: Processes(0, 4))
    with pytest.raises(InputError, match=r"Expected parts of at least 4 images.*set train\.accumulate to at most 2"):
        run_commands()["train"]().check(settings, keep=False)
