"""Predictor-guided search against its definition written out, and against random search."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from statistics import mean
from typing import Any

import numpy as np
import pytest
from scipy import stats

from nas.core.errors import InputError
from nas.search_spaces import DARTS, NASBench201, SearchSpace
from nas.strategies import Goal, Hints
from nas.strategies.acquisition import ACQUISITIONS, expected_improvement
from nas.strategies.guided import Guided, GuidedOptions
from nas.strategies.predictors import PREDICTORS, Prediction
from nas.strategies.predictors.forest import Forest, ForestOptions
from nas.strategies.predictors.networks import Networks, NetworksOptions
from nas.strategies.random_search import RandomSearch

GOALS = (Goal("score"),)
WORTH = {"none": 0.0, "skip_connect": 1.0, "avg_pool_3x3": 2.0, "nor_conv_1x1": 3.0, "nor_conv_3x3": 4.0}
OPERATIONS = list(WORTH)


@dataclass
class FewTrees(ForestOptions):
    trees: int = 20


@dataclass
class SmallNetworks(NetworksOptions):
    members: int = 3
    layers: int = 3
    epochs: int = 60


@pytest.fixture(autouse=True)
def _small_predictors(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search fits a predictor at every step; what is tested here does not depend on its size."""
    monkeypatch.setattr(Forest, "Options", FewTrees)
    monkeypatch.setattr(Networks, "Options", SmallNetworks)


def smooth(arch: Any) -> float:
    """Every edge adds its operation's worth, and edges that meet the output count double."""
    return sum(WORTH[name] * (2 if edge > 2 else 1) for edge, name in enumerate(arch.operations))


def onehot(archs: Sequence[Any]) -> np.ndarray:
    return np.array([[float(op == name) for op in arch.operations for name in OPERATIONS] for arch in archs])


def genotype(archs: Sequence[Any]) -> np.ndarray:
    return np.array([[len(op) + 7 * source for op, source in arch.normal + arch.reduce] for arch in archs], dtype=float)


def any_score(arch: Any) -> float:
    return sum(map(ord, str(arch))) % 101


def run(strategy: Any, budget: int, score: Any = smooth, ask: int = 10) -> list[Any]:
    proposed: list[Any] = []
    while len(proposed) < budget:
        archs = strategy.ask(ask)
        for arch in archs:
            strategy.tell(arch, {"score": score(arch)})
        proposed += archs
    return proposed


def worth(kind: str, average: np.ndarray, sd: np.ndarray, best: float, noise: np.random.Generator) -> np.ndarray:
    if kind == "mean":
        return average
    if kind == "ucb":
        return average + 0.7 * sd
    if kind == "ei":
        z = (average - best) / np.where(sd > 0, sd, 1)
        spread = (average - best) * stats.norm.cdf(z) + sd * stats.norm.pdf(z)
        return np.where(sd > 0, spread, np.maximum(average - best, 0))
    return np.array([noise.normal(m, s) for m, s in zip(average, sd)])


@pytest.mark.parametrize("acquisition", ACQUISITIONS)
def test_it_asks_the_best_of_the_whole_space(acquisition: str) -> None:
    space, seed = NASBench201(), 3
    classes = list(dict.fromkeys(map(space.canonical, space)))
    options = GuidedOptions(acquisition=acquisition, kappa=0.7, init=20, batch=6)
    strategy = Guided(space, GOALS, seed, options, Hints(onehot))
    data = run(strategy, 20)
    rng = Random(seed)
    drawn: dict[Any, Any] = {}
    while len(drawn) < 20:
        arch = space.sample(rng)
        drawn.setdefault(space.canonical(arch), arch)
    assert data == list(drawn.values())
    for _ in range(2):
        known = {space.canonical(arch) for arch in data}
        left = [arch for arch in classes if arch not in known]
        model = PREDICTORS.get("forest")(rng.getrandbits(32))
        model.fit(onehot([space.canonical(arch) for arch in data]), np.array(list(map(smooth, data))))
        average, sd = model.predict(onehot(left))
        noise = np.random.default_rng(rng.getrandbits(64))
        values = worth(acquisition, average, sd, max(map(smooth, data)), noise)
        asked = run(strategy, 6, ask=6)
        data += asked
        chosen = [left.index(arch) for arch in asked]
        np.testing.assert_allclose(values[chosen], np.sort(values)[::-1][:6], rtol=1e-9)


@pytest.mark.landing
@pytest.mark.parametrize("predictor", ["forest", "networks"])
def test_it_finds_better_cells_than_random_search(predictor: str) -> None:
    space, margins = NASBench201(), []
    for seed in range(3):
        options = GuidedOptions(predictor=predictor)
        best = max(map(smooth, run(Guided(space, GOALS, seed, options, Hints(onehot)), 80)))
        margins.append(best - max(map(smooth, run(RandomSearch(space, GOALS, seed), 80))))
    assert min(margins) > 0  # paired by seed
    assert mean(margins) >= 3


def test_in_a_large_space_it_asks_relatives_of_the_best_and_random_ones() -> None:
    space = DARTS()
    options = GuidedOptions(init=10, batch=5, candidates=60, parents=3)
    strategy = Guided(space, GOALS, 1, options, Hints(genotype))
    first = run(strategy, 10, any_score)
    candidates, features = strategy._candidates()
    best = sorted(first, key=any_score, reverse=True)[:3]
    near = {space.canonical(arch) for parent in best for arch in space.neighbors(parent)}
    assert len(candidates) == len({space.canonical(arch) for arch in candidates}) == len(features)
    relatives = [arch for arch in candidates if space.canonical(arch) in near]
    assert 40 <= len(relatives) <= 60
    assert len(candidates) - len(relatives) == 30  # random ones: of 10¹⁸, none is a relative
    for parent in best:
        assert len({space.canonical(arch) for arch in space.neighbors(parent)} & set(map(space.canonical, relatives)))
    np.testing.assert_array_equal(features, genotype([space.canonical(arch) for arch in candidates]))
    assert set(strategy.ask(5)).isdisjoint(first)


def test_one_fit_serves_a_batch_and_a_whole_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = Guided(NASBench201(), GOALS, 0, GuidedOptions(init=5, batch=4), Hints(onehot))
    fits, model = [], strategy._model
    monkeypatch.setattr(strategy, "_model", lambda seed: fits.append(len(strategy.observed)) or model(seed))
    run(strategy, 5, ask=5)
    run(strategy, 4, ask=1)
    assert fits == [5], "four asks of one batch"
    run(strategy, 11, ask=11)
    assert fits == [5, 9], "one ask for more than a batch"
    strategy.ask(3)
    strategy.ask(6)
    assert fits == [5, 9, 20, 20], "one is left of the batch, the other five come from a new fit"
    assert not strategy.queue


def test_a_space_of_as_many_architectures_as_the_limit_is_a_candidate_as_a_whole() -> None:
    space = NASBench201()
    assert len(space) == 15_625
    for whole, is_one in ((15_625, True), (15_624, False)):
        strategy = Guided(space, GOALS, 0, GuidedOptions(whole=whole), Hints(onehot))
        assert (strategy._enumerated() is not None) is is_one
        for option in ("candidates", "parents"):  # which act in larger spaces only
            assert strategy.conditions[option].holds(strategy.options, space) is not is_one


def test_a_space_may_have_more_than_2_to_the_63_architectures() -> None:
    class Huge(NASBench201):
        def __len__(self) -> int:
            return 2**64

    strategy = Guided(Huge(), GOALS, 0, GuidedOptions(), Hints(onehot))
    assert strategy._enumerated() is None


@pytest.mark.parametrize("whole", [0, 20_000])
def test_no_class_is_asked_twice_while_there_is_another(whole: int) -> None:
    space = NASBench201()
    for ask in (7, 40):
        options = GuidedOptions(whole=whole, candidates=50)
        got = run(Guided(space, GOALS, 0, options, Hints(onehot)), 120, ask=ask)
        assert len({space.canonical(arch) for arch in got}) == len(got)


def test_features_of_the_whole_space_are_computed_once() -> None:
    calls = []

    def counted(archs: Sequence[Any]) -> np.ndarray:
        calls.append(len(archs))
        return onehot(archs)

    for seed in range(3):
        run(Guided(NASBench201(), GOALS, seed, None, Hints(counted)), 40)
    assert calls == [6466]


def test_features_of_a_class_are_asked_for_once_per_search() -> None:
    seen: list[Any] = []

    def counted(archs: Sequence[Any]) -> np.ndarray:
        seen.extend(archs)
        return onehot(archs)

    run(Guided(NASBench201(), GOALS, 0, GuidedOptions(whole=0, candidates=50), Hints(counted)), 60)
    assert len(seen) == len(set(seen))


@pytest.mark.landing
def test_it_is_restored_in_the_middle_of_a_batch(space: SearchSpace) -> None:
    own = {"nasbench201": onehot, "darts": genotype}
    hints = Hints(own.get(space.name, lambda archs: np.stack([space.features(arch) for arch in archs])))
    options = GuidedOptions(acquisition="thompson", init=6, batch=7, candidates=20, parents=3)
    whole = Guided(space, GOALS, 2, options, hints)
    run(whole, 24, any_score, ask=4)
    archs = whole.ask(4)
    assert whole.queue
    whole.tell(archs[0], None)
    again = Guided(space, GOALS, 9, options, hints)
    again.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    for arch in archs[1:]:
        for strategy in (whole, again):
            strategy.tell(arch, {"score": any_score(arch)})
    assert run(whole, 20, any_score, ask=4) == run(again, 20, any_score, ask=4)


def test_lower_is_better_is_the_mirror_image() -> None:
    space = NASBench201()
    down = run(Guided(space, (Goal("score", False),), 0, None, Hints(onehot)), 40, lambda arch: -smooth(arch))
    assert down == run(Guided(space, GOALS, 0, None, Hints(onehot)), 40)


class Told:
    """A predictor that answers what it is told to."""

    def __init__(self, mean: dict[Any, float], sd: dict[Any, float]) -> None:
        self.mean, self.sd = mean, sd
        self.fitted: list[np.ndarray] = []

    def fit(self, features: np.ndarray, targets: np.ndarray) -> Told:
        self.fitted.append(features)
        return self

    def predict(self, features: np.ndarray) -> Prediction:
        keys = [tuple(row) for row in features]
        return Prediction(np.array([self.mean[key] for key in keys]), np.array([self.sd[key] for key in keys]))


def told(strategy: Guided, rule: Any) -> Told:
    """The strategy's predictor answers `rule(number of the class)` from now on: mean and standard deviation."""
    space = NASBench201()
    answers = {tuple(row): rule(n) for n, row in enumerate(onehot(list(dict.fromkeys(map(space.canonical, space)))))}
    model = Told({key: mean for key, (mean, _) in answers.items()}, {key: sd for key, (_, sd) in answers.items()})
    strategy._model = lambda seed: model  # type: ignore[assignment,method-assign,return-value]
    return model


@pytest.mark.parametrize("nearest", [39.0, 60.0, 400.0])
def test_candidates_without_a_chance_in_floats_are_ranked(nearest: float) -> None:
    """All are so far below the best that expected improvement is 0: those least far below are asked."""
    space = NASBench201()
    classes = list(dict.fromkeys(map(space.canonical, space)))
    strategy = Guided(space, GOALS, 0, GuidedOptions(acquisition="ei", init=5, batch=4), Hints(onehot))
    run(strategy, 5, lambda arch: 0.0)
    asked = {space.canonical(arch) for arch, _ in strategy.observed.values()}
    told(strategy, lambda number: (-nearest - (number * 7919 % len(classes)) / 100, 1.0))
    order = sorted(range(len(classes)), key=lambda number: number * 7919 % len(classes))
    expected = [classes[number] for number in order if classes[number] not in asked][:4]
    assert strategy.ask(4) == expected


def test_sure_candidates_are_ranked_by_their_mean() -> None:
    """Where the trees of a forest agree sd is 0, and expected improvement exactly 0."""
    space = NASBench201()
    classes = list(dict.fromkeys(map(space.canonical, space)))
    strategy = Guided(space, GOALS, 0, GuidedOptions(acquisition="ei", init=5, batch=4), Hints(onehot))
    run(strategy, 5, lambda arch: 1.0)
    asked = {space.canonical(arch) for arch, _ in strategy.observed.values()}
    told(strategy, lambda number: (number / len(classes), 0.0))
    assert strategy.ask(4) == [arch for arch in classes[::-1] if arch not in asked][:4]


# features without a value, and states of before


def holed(archs: Sequence[Any]) -> np.ndarray:
    """Of a quarter of the architectures one feature has no value."""
    features = onehot(archs)
    features[[any_score(arch) % 4 == 0 for arch in archs], 3] = np.nan
    return features


@pytest.mark.parametrize("whole", [0, 20_000])
def test_what_a_feature_has_no_value_of_is_neither_proposed_nor_learnt_from(whole: int) -> None:
    space = NASBench201()
    options = GuidedOptions(acquisition="mean", init=20, batch=10, whole=whole, candidates=60)
    strategy = Guided(space, GOALS, 1, options, Hints(holed))
    first = run(strategy, 20)
    without = [arch for arch in first if any_score(space.canonical(arch)) % 4 == 0]
    assert without
    model = told(strategy, lambda number: (float(number % 50), 1.0))
    assert all(any_score(space.canonical(arch)) % 4 for arch in run(strategy, 40))
    assert [len(features) for features in model.fitted] == [20 - len(without) + 10 * number for number in range(4)]
    assert all(np.isfinite(features).all() for features in model.fitted)


def test_where_no_feature_has_a_value_classes_are_drawn() -> None:
    nothing = Hints(lambda archs: np.full((len(archs), 2), np.nan))
    asked = run(Guided(NASBench201(), GOALS, 1, GuidedOptions(init=5, batch=5), nothing), 20)
    assert len(set(map(NASBench201().canonical, asked))) == 20


@pytest.mark.parametrize("acquisition", ["ei", "mean", "ucb"])
def test_a_state_of_before_goes_on_by_its_rules(acquisition: str) -> None:
    """Version 0.1 took 0 for a feature without a value, and expected improvement as it is."""
    space = NASBench201()
    options = GuidedOptions(acquisition=acquisition, init=20, batch=6)
    begun = Guided(space, GOALS, 4, options, Hints(holed))
    data = run(begun, 20)
    state = begun.state_dict()
    assert state.pop("rules") == 2
    assert state.keys() == {"rng", "told", "asked", "queue"}  # as version 0.1 wrote it

    def filled(archs: Sequence[Any]) -> np.ndarray:
        return np.nan_to_num(holed(archs))

    rng = Random()
    rng.setstate((state["rng"][0], tuple(state["rng"][1]), state["rng"][2]))
    classes = list(dict.fromkeys(map(space.canonical, space)))
    known = {space.canonical(arch) for arch in data}
    left = [arch for arch in classes if arch not in known]
    model = PREDICTORS.get("forest")(rng.getrandbits(32))
    model.fit(filled([space.canonical(arch) for arch in data]), np.array(list(map(smooth, data))))
    average, sd = model.predict(filled(left))
    if acquisition == "ei":
        values = expected_improvement(average, sd, max(map(smooth, data)))
    else:
        values = average + (0.5 if acquisition == "ucb" else 0.0) * sd
    expected = [left[row] for row in np.argsort(-values, kind="stable")[:6]]
    resumed = Guided(space, GOALS, 0, options, Hints(holed))
    resumed.load_state_dict(json.loads(json.dumps(state)))
    assert resumed.ask(6) == expected
    assert resumed.state_dict()["rules"] == 1  # and so on, saved again
    assert begun.ask(6) != expected


def test_what_limits_rule_out_is_not_asked() -> None:
    space = NASBench201()
    few = Hints(onehot, allowed=lambda archs: [str(arch).count("none") >= 3 for arch in archs])
    strategy = Guided(space, GOALS, 0, GuidedOptions(init=5, batch=5), few)
    for arch in (cell for cell in space if str(cell).count("none") >= 3 and str(cell).count("3x3") == 1):
        if len(strategy.observed) < 5:
            strategy.tell(arch, {"score": smooth(arch)})
    asked = [space.canonical(arch) for arch in strategy.ask(20)]
    assert all(str(arch).count("none") >= 3 for arch in asked)


def test_it_needs_features() -> None:
    with pytest.raises(InputError, match="Expected features"):
        Guided(NASBench201(), GOALS, 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"predictor": "forrest"}, "did you mean 'forest'"),
        ({"acquisition": "means"}, "did you mean 'mean'"),
        ({"init": 0}, "init >= 1"),
        ({"batch": 0}, "batch >= 1"),
        ({"parents": 0}, "parents >= 1"),
    ],
)
def test_impossible_options_are_told(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        GuidedOptions(**options).check()
