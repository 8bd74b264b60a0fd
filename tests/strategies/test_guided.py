"""Predictor-guided search against its definition written out, and against random search."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from statistics import mean
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from nas.core.errors import InputError
from nas.search_spaces import DARTS, NASBench201, SearchSpace
from nas.strategies import Goal, Hints
from nas.strategies.guided import ACQUISITIONS, Guided, GuidedOptions, expected_improvement
from nas.strategies.predictors import PREDICTORS
from nas.strategies.random_search import RandomSearch

GOALS = (Goal("score"),)
WORTH = {"none": 0.0, "skip_connect": 1.0, "avg_pool_3x3": 2.0, "nor_conv_1x1": 3.0, "nor_conv_3x3": 4.0}
OPERATIONS = list(WORTH)


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


def test_it_is_restored_in_the_middle_of_a_batch(space: SearchSpace) -> None:
    hints = Hints(onehot if space.name == "nasbench201" else genotype)
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


def test_expected_improvement_is_the_integral() -> None:
    for average, sd, best in ((0.0, 1.0, 0.5), (2.0, 0.3, 1.0), (-1.0, 2.0, 1.0)):
        density = stats.norm(average, sd).pdf
        expected, _ = integrate.quad(lambda v, b=best, p=density: (v - b) * p(v), best, average + 12 * sd)
        got = expected_improvement(np.array([average]), np.array([sd]), best)
        np.testing.assert_allclose(got, [expected], rtol=1e-6)
    sure = expected_improvement(np.array([1.5, 1.0, 0.5]), np.zeros(3), 1.0)
    np.testing.assert_allclose(sure, [0.5, 0, 0], atol=1e-12)


def test_what_limits_rule_out_is_not_asked() -> None:
    space = NASBench201()
    few = Hints(onehot, allowed=lambda archs: [str(arch).count("none") >= 3 for arch in archs])
    strategy = Guided(space, GOALS, 0, GuidedOptions(init=5, batch=5), few)
    for arch in (cell for cell in space if str(cell).count("none") >= 3 and str(cell).count("3x3") == 1):
        if len(strategy.told) < 5:
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
