"""What every registered predictor must do."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from slowly import slow_but

from nas.core.errors import InputError, NasError
from nas.strategies import STRATEGIES, Strategy
from nas.strategies.predictors import PREDICTORS, Predictor

COLUMNS = 12
SMALL: dict[str, dict[str, Any]] = {
    "boosted-trees": {"rounds": 20},
    "auto": {"trees": 30},
    "extra-trees": {"trees": 30},
    "forest": {"trees": 30},
    "networks": {"members": 3, "layers": 2, "epochs": 60},
}  # a predictor without an entry is tested at its own size


@pytest.fixture(params=PREDICTORS.names())
def kind(request: pytest.FixtureRequest) -> type[Predictor]:
    return PREDICTORS.get(request.param)


@pytest.fixture
def new(kind: type[Predictor]) -> Callable[[int], Predictor]:
    """Seed -> a small predictor of the kind."""
    return lambda seed: kind(seed, kind.Options(**SMALL.get(kind.name, {})))


def data(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of 0 and 1 and a simple function of them, with one product."""
    x = np.random.default_rng(seed).integers(0, 2, (rows, COLUMNS)).astype(float)
    return x, x @ np.linspace(-2, 2, COLUMNS) + 2 * x[:, 0] * x[:, 1]


def error(predictor: Predictor, x: np.ndarray, y: np.ndarray) -> float:
    """Mean squared error, 1 for the mean."""
    return float(((predictor.predict(x).mean - y) ** 2).mean() / y.var())


def test_the_built_in_predictors_register_by_being_there() -> None:
    assert {"forest", "networks"} <= set(PREDICTORS.names())
    with pytest.raises(InputError, match="did you mean 'forest'"):
        PREDICTORS.get("forests")


def test_predictors_and_strategies_are_not_mixed() -> None:
    assert all(issubclass(each, Predictor) for each in PREDICTORS.components.values())
    assert all(issubclass(each, Strategy) for each in STRATEGIES.components.values())
    assert not set(PREDICTORS.names()) & set(STRATEGIES.names())


def test_it_says_what_it_is(kind: type[Predictor]) -> None:
    assert kind.__doc__
    assert kind.__doc__.strip()
    options: Any = kind.Options()
    assert dataclasses.is_dataclass(options)
    if hasattr(options, "check"):
        options.check()


@pytest.mark.parametrize(
    ("scale", "offset"), slow_but([(1.0, 0.0), (1e5, -3e5), (1e-5, 1e-4)], [(1e5, -3e5)], pytest.mark.landing)
)
def test_it_learns_a_simple_function_in_any_units(
    kind: type[Predictor], new: Callable[[int], Predictor], scale: float, offset: float
) -> None:
    (x, y), (fresh, expected) = data(120, 0), data(200, 1)
    predictor = kind(0) if scale == 1 else new(0)  # at its own size in one of the units
    predictor.fit(x * scale + offset, (y - 7) / scale)
    assert error(predictor, fresh * scale + offset, (expected - 7) / scale) < 0.6


def test_the_same_seed_gives_the_same_answer(new: Callable[[int], Predictor]) -> None:
    (x, y), (fresh, _) = data(60, 0), data(30, 1)
    first, again = new(3).fit(x, y).predict(fresh), new(3).fit(x, y).predict(fresh)
    np.testing.assert_array_equal(first.mean, again.mean)
    np.testing.assert_array_equal(first.sd, again.sd)


def test_a_fit_forgets_the_one_before(new: Callable[[int], Predictor]) -> None:
    (x, y), (fresh, _) = data(60, 0), data(30, 1)
    predictor = new(3).fit(data(80, 2)[0][:, :5], data(80, 2)[1][:, None])
    assert predictor.predict(fresh[:, :5]).mean.shape == (30, 1)
    got, expected = predictor.fit(x, y).predict(fresh), new(3).fit(x, y).predict(fresh)
    np.testing.assert_array_equal(got.mean, expected.mean)
    np.testing.assert_array_equal(got.sd, expected.sd)


@pytest.mark.parametrize("size", [1e154, 1.7e308])
def test_data_whose_variance_overflows_are_told(new: Callable[[int], Predictor], size: float) -> None:
    """Divided by it all would be equal, or NaN: a search would rank in the order of the candidates."""
    x, y = data(60, 0)
    for features, targets, name in ((x, y * (size / np.abs(y).max()), "targets"), (x * size, y, "features")):
        with pytest.raises(InputError, match=f"Expected {name} with a finite variance"):
            new(0).fit(features, targets)


def test_an_answer_that_is_not_finite_is_told(kind: type[Predictor], new: Callable[[int], Predictor]) -> None:
    x, y = data(60, 0)
    predictor = new(0).fit(x, y)
    for mean, sd in ((np.nan, 1.0), (1.0, np.inf)):
        with pytest.raises(NasError, match=f"The predictions of {kind.name} are not finite"):
            predictor._shaped(np.array([[0.0], [mean]]), np.array([[1.0], [sd]]))


def test_a_prediction_has_the_shape_of_the_targets(new: Callable[[int], Predictor]) -> None:
    (x, y), (fresh, expected) = data(120, 0), data(70, 1)
    single = new(0).fit(x, y).predict(fresh)
    assert single.mean.shape == single.sd.shape == (70,)
    one = new(0).fit(x, y[:, None]).predict(fresh)
    assert one.mean.shape == one.sd.shape == (70, 1)
    predictor = new(0).fit(x, np.stack([y, 100 - 3 * y], axis=1))
    both = predictor.predict(fresh)
    assert both.mean.shape == both.sd.shape == (70, 2)
    for column, truth in enumerate((expected, 100 - 3 * expected)):
        assert ((both.mean[:, column] - truth) ** 2).mean() < 0.6 * truth.var()
    assert predictor.predict(fresh[:1]).mean.shape == (1, 2)


def test_its_uncertainty_is_larger_where_it_has_not_been(
    kind: type[Predictor], new: Callable[[int], Predictor]
) -> None:
    (x, y), (fresh, _) = data(60, 0), data(500, 1)
    if not kind.uncertain:
        assert not new(0).fit(x, y).predict(fresh).sd.any()
        return
    unseen = fresh[~(fresh[:, None] == x[None]).all(axis=2).any(axis=1)]
    predictor = new(0).fit(x, y)
    there, elsewhere = predictor.predict(x).sd, predictor.predict(unseen).sd
    assert (there >= 0).all()
    assert (elsewhere >= 0).all()
    assert elsewhere.mean() > there.mean()


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_few_or_constant_data_give_numbers(new: Callable[[int], Predictor], rows: int) -> None:
    (x, y), (fresh, _) = data(rows, 0), data(5, 1)
    for features, targets in ((x, y), (np.ones_like(x), y), (x, np.full(rows, 7.0))):
        mean, sd = new(0).fit(features, targets).predict(fresh)
        assert np.isfinite(mean).all()
        assert np.isfinite(sd).all()
        assert (sd >= 0).all()


def test_it_leaves_its_data_and_the_global_generators_alone(new: Callable[[int], Predictor]) -> None:
    (x, y), (fresh, _) = data(40, 0), data(10, 1)
    kept = x.copy(), y.copy(), fresh.copy()
    before = random.getstate(), str(np.random.get_state()), torch.random.get_rng_state()
    new(0).fit(x, y).predict(fresh)
    after = random.getstate(), str(np.random.get_state()), torch.random.get_rng_state()
    assert before[:2] == after[:2]
    assert torch.equal(before[2], after[2])
    for array, copy in zip((x, y, fresh), kept):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize(
    ("features", "targets", "words"),
    [
        (np.zeros((0, 3)), np.zeros(0), "got \\(0, 3\\)"),
        (np.zeros((3, 0)), np.zeros(3), "got \\(3, 0\\)"),
        (np.zeros(3), np.zeros(3), "got \\(3,\\)"),
        (np.zeros((3, 2)), np.zeros(4), "got \\(4,\\)"),
        (np.zeros((3, 2)), np.zeros((3, 1, 1)), "got \\(3, 1, 1\\)"),
        (np.zeros((3, 2)), np.zeros((3, 0)), "got \\(3, 0\\)"),
        (np.array([[0.0], [np.nan]]), np.zeros(2), "1 that are not"),
        (np.array([[0.0], [np.inf]]), np.zeros(2), "finite features"),
        (np.zeros((2, 1)), np.array([0.0, np.nan]), "finite targets"),
    ],
)
def test_bad_data_are_told(
    new: Callable[[int], Predictor], features: np.ndarray, targets: np.ndarray, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        new(0).fit(features, targets)


def test_bad_questions_are_told(new: Callable[[int], Predictor]) -> None:
    x, y = data(20, 0)
    with pytest.raises(InputError, match="call fit before predict"):
        new(0).predict(x)
    predictor = new(0).fit(x, y)
    for question, words in (
        (x[:, :5], "Expected 12 features"),
        (x[:0], r"got \(0, 12\)"),
        (x[0], r"got \(12,\)"),
        (x * np.nan, "Expected finite features"),
    ):
        with pytest.raises(InputError, match=words):
            predictor.predict(question)


@pytest.mark.parametrize("options", [{"smallest_leaf": 0}, {"trees": 0}, {"share": 0.0}, {"share": 1.01}])
def test_impossible_extra_trees_are_refused(options: dict[str, float]) -> None:
    kind = PREDICTORS.get("extra-trees").Options
    kind(trees=1, smallest_leaf=1, share=1.0).check()
    with pytest.raises(InputError, match="smallest_leaf >= 1"):
        kind(**options).check()
