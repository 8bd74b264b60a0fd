"""The Gaussian process against the textbook, and the mixture's weights."""

from __future__ import annotations

import numpy as np
import pytest

from nas.core.errors import InputError
from nas.strategies.predictors import PREDICTORS
from nas.strategies.predictors.chosen import Chosen, _weight
from nas.strategies.predictors.extra_trees import ExtraTrees, ExtraTreesOptions
from nas.strategies.predictors.kernel import Kernel, KernelOptions, _gram

RNG = np.random.default_rng(0)
X = RNG.integers(0, 4, (60, 8)).astype(float)
Y = np.stack([np.sin(X[:, 0]) + X[:, 1] * X[:, 2] / 4, X[:, 3]], axis=1) + 0.05 * RNG.normal(size=(60, 2))
FRESH = RNG.integers(0, 4, (20, 8)).astype(float)


def test_they_are_registered() -> None:
    assert {"auto", "kernel", "extra-trees"} <= set(PREDICTORS.names())


def test_the_posterior_is_the_textbooks() -> None:
    model = Kernel(0).fit(X, Y)
    assert model._parameters is not None
    x, new = model._x, model._standardised(FRESH)
    noise = float(model._parameters.noise.exp()) + 1e-4
    gram = _gram(model._parameters, x, x).double().numpy() + noise * np.eye(60)
    across = _gram(model._parameters, new, x).double().numpy()
    y = (Y - Y.mean(axis=0)) / Y.std(axis=0)
    mean = across @ np.linalg.solve(gram, y) * Y.std(axis=0) + Y.mean(axis=0)
    np.testing.assert_allclose(model.predict(FRESH).mean, mean, rtol=1e-6)
    prior = np.diag(_gram(model._parameters, new, new).double().numpy())
    variance = prior - np.einsum("ij,ji->i", across, np.linalg.solve(gram, across.T))
    amplitude = (y * np.linalg.solve(gram, y)).mean(axis=0)
    sd = np.sqrt(variance[:, None] * amplitude) * Y.std(axis=0)
    np.testing.assert_allclose(model.predict(FRESH).sd, sd, rtol=1e-3)


def test_leaving_one_out_in_closed_form_is_leaving_it_out() -> None:
    model = Kernel(0, KernelOptions(steps=0)).fit(X, Y)  # the kernel stays the same without one
    x = model._x.float()
    assert model._parameters is not None
    gram = _gram(model._parameters, x, x).double().numpy() + (float(model._parameters.noise.exp()) + 1e-4) * np.eye(60)
    y = (Y - Y.mean(axis=0)) / Y.std(axis=0)
    for row in (0, 17, 59):
        rest = np.delete(np.arange(60), row)
        expected = gram[row, rest] @ np.linalg.solve(gram[np.ix_(rest, rest)], y[rest])
        np.testing.assert_allclose(model.leave_one_out()[row], expected * Y.std(axis=0) + Y.mean(axis=0), rtol=1e-6)


def test_monotone_changes_of_fractions_change_nothing() -> None:
    x = RNG.normal(size=(80, 3))
    y = x[:, 0] + x[:, 1] ** 2
    plain, bent = Kernel(0).fit(x, y), Kernel(0).fit(np.exp(3 * x), y)
    np.testing.assert_allclose(plain.predict(x).mean, bent.predict(np.exp(3 * x)).mean, rtol=1e-4, atol=1e-4)


def test_the_mixture_lies_between_its_parts() -> None:
    model = Chosen(0).fit(X, Y)
    assert ((model.weights >= 0) & (model.weights <= 1)).all()
    p, q = model._kernel.predict(FRESH).mean, model._trees.predict(FRESH).mean
    mean = model.predict(FRESH).mean
    assert (mean <= np.maximum(p, q) + 1e-12).all()
    assert (mean >= np.minimum(p, q) - 1e-12).all()
    assert model.importances.shape == (8,)


def test_the_weight_is_the_best_one() -> None:
    y = RNG.normal(size=90)
    p, q = y + 0.1 * RNG.normal(size=90), y + 0.2 * RNG.normal(size=90)
    errors = {w: ((y - w * p - (1 - w) * q) ** 2).sum() for w in np.linspace(0, 1, 101)}
    assert _weight(y, p, q) == pytest.approx(min(errors, key=lambda w: errors[w]), abs=0.06)
    assert _weight(y, y, q) == 1
    assert _weight(y, p, y) == 0
    assert _weight(y, p, p) == 0.5


def test_out_of_bag_is_not_what_was_learned_by_heart() -> None:
    noise = RNG.normal(size=300)
    x = RNG.normal(size=(300, 5))
    trees = ExtraTrees(0, ExtraTreesOptions(bootstrap=True)).fit(x, noise)
    assert np.corrcoef(trees.predict(x).mean, noise)[0, 1] > 0.7
    assert abs(np.corrcoef(trees.out_of_bag()[:, 0], noise)[0, 1]) < 0.3


def test_architectures_that_repeat_are_no_obstacle() -> None:
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(100, 8)), 15, axis=0)
    mean, sd = Kernel().fit(x, x[:, 0]).predict(x[::15])
    np.testing.assert_allclose(mean, x[::15, 0], atol=0.05)
    assert np.isfinite(sd).all()


def test_impossible_options_are_told() -> None:
    for wrong in (KernelOptions(subset=1), KernelOptions(lr=0), ExtraTreesOptions(share=0), ExtraTreesOptions(trees=0)):
        with pytest.raises(InputError, match=r"Expected .* but got .*; "):
            wrong.check()
