"""The Gaussian process against the textbook, and the mixture's weights."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
import torch
from torch import Tensor

from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.strategies.predictors import PREDICTORS
from nas.strategies.predictors.extra_trees import ExtraTrees, ExtraTreesOptions
from nas.strategies.predictors.kernel import Kernel, KernelOptions, _gram, _normal_scores
from nas.strategies.predictors.stacked import StackedOptions, StackedPredictor, _weight

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


def test_where_the_kernel_starts_and_how_far_its_first_step_goes() -> None:
    """Of 8 features: lengths of √8, amplitudes of 1, a tenth for the linear part, a twentieth for the noise."""
    start = Kernel(0, KernelOptions(steps=0)).fit(X, Y)._parameters
    assert start is not None
    np.testing.assert_allclose(start.inverse_lengths.exp(), np.full((2, 8), 8**-0.5), rtol=1e-6)
    np.testing.assert_allclose(start.amplitudes.exp(), [1, 1])
    assert (float(start.linear.exp()), float(start.noise.exp())) == pytest.approx((0.1, 0.05))
    moved = Kernel(0, KernelOptions(steps=1, lr=0.02)).fit(X, Y)._parameters
    assert moved is not None
    for before, after in zip(start, moved):  # Adam's first step is its rate, whatever the gradient
        np.testing.assert_allclose((after - before).abs(), np.full(before.shape, 1.01 * 0.02), rtol=3e-3)


@pytest.mark.landing
def test_the_parameters_are_those_of_the_highest_posterior() -> None:
    """There the slope of the log marginal likelihood is that of the prior, (u - start) / spread², for every length."""
    model = Kernel(0, KernelOptions(steps=400, lr=0.03, spread=0.1)).fit(X, Y)
    p, x = model._parameters, model._x
    assert p is not None
    y = (Y - Y.mean(axis=0)) / Y.std(axis=0)

    def unlikely(inverse_lengths: Tensor) -> float:
        """Each target's own scale maximised out: Σ over targets of ½·log det K + n/2·log(yᵀK⁻¹y / n)."""
        gram = _gram(p._replace(inverse_lengths=inverse_lengths), x, x).numpy()
        k = gram + (float(p.noise.exp()) + 1e-4) * np.eye(60)
        return sum(np.linalg.slogdet(k)[1] / 2 + 30 * np.log(c @ np.linalg.solve(k, c) / 60) for c in y.T)

    pulled = (p.inverse_lengths + 0.5 * np.log(8)).numpy() / 0.1**2
    for part, column in ((0, 0), (0, 3), (1, 1), (1, 2)):
        step = torch.zeros(2, 8, dtype=torch.float64)
        step[part, column] = 1e-4
        slope = (unlikely(p.inverse_lengths + step) - unlikely(p.inverse_lengths - step)) / 2e-4
        assert -slope == pytest.approx(pulled[part, column], rel=0.2, abs=0.3)
    assert np.abs(pulled).max() > 3, "or there is nothing to see"


def test_normal_scores_are_of_mean_ranks() -> None:
    column = np.array([3.0, 1.0, 2.5, 1.0, 0.5, 7.0, 6.0, 5.0])
    found = _normal_scores(column)
    assert found is not None
    values, scores = found
    assert values.tolist() == [0.5, 1.0, 2.5, 3.0, 5.0, 6.0, 7.0]
    middle = np.array([0.5, 2.0, 3.5, 4.5, 5.5, 6.5, 7.5]) / 8  # the two ones share the ranks 1 to 3
    np.testing.assert_allclose(scores, [NormalDist().inv_cdf(share) for share in middle], rtol=1e-12)


@pytest.mark.parametrize(
    ("distinct", "rows", "scored"),
    [(2, 4, False), (3, 8, True), (3, 12, False), (4, 12, True), (64, 600, False), (65, 600, True)],
)
def test_a_count_is_no_fraction(distinct: int, rows: int, scored: bool) -> None:
    """A column has scores where it has more than 2 values, more than a quarter of the rows or more than 64."""
    assert (_normal_scores(np.arange(rows) % distinct + 0.25) is not None) is scored


def test_monotone_changes_of_fractions_change_nothing() -> None:
    x = RNG.normal(size=(80, 3))
    y = x[:, 0] + x[:, 1] ** 2
    plain, bent = Kernel(0).fit(x, y), Kernel(0).fit(np.exp(3 * x), y)
    np.testing.assert_allclose(plain.predict(x).mean, bent.predict(np.exp(3 * x)).mean, rtol=1e-4, atol=1e-4)


def test_the_mixture_lies_between_its_parts() -> None:
    model = StackedPredictor(0).fit(X, Y)
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


def test_the_weight_leaves_out_the_one_in_a_hundred_that_is_farthest_off() -> None:
    """Of 200, the two where the worse of the two predictions is farthest off: alone they would decide for q."""
    y, apart = np.zeros(200), np.linspace(1.0, 1.1, 200)
    p, q = 0.25 * apart, -0.75 * apart  # w·p + (1 - w)·q is right at w = 3/4
    assert _weight(y, p, q) == pytest.approx(0.75)
    p[[10, 150]], q[[10, 150]] = 1000.0, 0.0
    assert _weight(y, p, q) == pytest.approx(0.75)
    p[70], q[70] = 1000.0, 0.0  # a third one is more than one in a hundred
    assert _weight(y, p, q) == pytest.approx(0.0, abs=0.01)
    p[:], q[:] = 0.25 * apart, -0.75 * apart
    p[[10, 150]], q[[10, 150]] = 0.0, 1000.0  # the same where the trees are off
    assert _weight(y, p, q) == pytest.approx(0.75)
    p[70], q[70] = 0.0, 1000.0
    assert _weight(y, p, q) == pytest.approx(1.0, abs=0.01)


def test_the_mixture_is_that_of_the_held_out_errors() -> None:
    """Each target has the weight of its own columns, the kernel's by leaving one out, the trees' out of bag."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, 4))
    steps = np.where(x[:, 0] > 0.3, np.where(x[:, 1] > 0, 3, 1), 0), 2 * np.sign(x[:, 2]) + x[:, 3]
    y = np.stack(steps, axis=1) + [0.3, 0.5] * rng.normal(size=(60, 2))
    model = StackedPredictor(3, StackedOptions(trees=20)).fit(x, y)
    kernel = Kernel(derive(3, "kernel")).fit(x, y)
    trees = ExtraTrees(derive(3, "trees"), ExtraTreesOptions(trees=20, bootstrap=True)).fit(x, y)
    p, q = kernel.leave_one_out(), trees.out_of_bag()
    usual = np.maximum(abs(y - p), abs(y - q))
    kept = usual <= np.sort(usual, axis=0)[-2]  # of 60, the worst is left out
    best = [
        min(np.linspace(0, 1, 2001), key=lambda w: (((c - w * a - (1 - w) * b) ** 2)[good]).sum())
        for c, a, b, good in zip(y.T, p.T, q.T, kept.T)
    ]
    np.testing.assert_allclose(model.weights, best, atol=1e-3)
    assert 0.1 < model.weights.min() < model.weights.max() - 0.1 < 0.9, "else a wrong weight would not be seen"
    new = rng.normal(size=(20, 4))
    one, two = kernel.predict(new), trees.predict(new)
    w, answer = model.weights, model.predict(new)
    np.testing.assert_allclose(answer.mean, w * one.mean + (1 - w) * two.mean)
    second_moment = w * (one.sd**2 + one.mean**2) + (1 - w) * (two.sd**2 + two.mean**2)
    np.testing.assert_allclose(answer.sd, np.sqrt(second_moment - answer.mean**2), rtol=1e-6)


def test_out_of_bag_is_not_what_was_learned_by_heart() -> None:
    noise = RNG.normal(size=300)
    x = RNG.normal(size=(300, 5))
    trees = ExtraTrees(0, ExtraTreesOptions(bootstrap=True)).fit(x, noise)
    assert np.corrcoef(trees.predict(x).mean, noise)[0, 1] > 0.7
    assert abs(np.corrcoef(trees.out_of_bag()[:, 0], noise)[0, 1]) < 0.3


def test_out_of_bag_is_in_units_of_the_targets() -> None:
    """What a single tree has not seen is its answer, all else the mean of the targets."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(80, 3))
    y = np.stack([1000 + 100 * x[:, 0], 1e-3 * x[:, 1]], axis=1)
    trees = ExtraTrees(0, ExtraTreesOptions(trees=1, bootstrap=True)).fit(x, y)
    found = trees.out_of_bag()
    (seen,) = (np.unique(rows) for rows in trees._trees.estimators_samples_)
    left = np.setdiff1d(np.arange(80), seen)
    assert 15 < len(left) < 45
    np.testing.assert_allclose(found[seen], np.broadcast_to(y.mean(axis=0), (len(seen), 2)))
    np.testing.assert_allclose(found[left], trees.predict(x[left]).mean)


def test_leaves_and_shares_of_features_are_those_asked_for() -> None:
    """A leaf of at least 10 of 80 and a look at every feature: the mean of ten targets or more, in few steps."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(80, 4))
    fine, coarse = (ExtraTrees(0, ExtraTreesOptions(trees=1, smallest_leaf=n)).fit(x, x[:, 0]) for n in (1, 10))
    assert len(np.unique(fine.predict(x).mean)) == 80
    assert 2 <= len(np.unique(coarse.predict(x).mean)) <= 8
    assert [ExtraTrees(0, ExtraTreesOptions(share=s)).fit(x, x[:, 0])._trees.max_features for s in (0.5, 1.0)] == [
        0.5,
        1,
    ]


@pytest.mark.landing
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
