"""Intervals of accuracies against SciPy, and intervals of resamples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from nas.core.statistics.intervals import percentile_interval, wilson


@pytest.mark.parametrize(("k", "n"), [(0, 10), (1, 10), (5, 10), (97, 100), (100, 100), (1234, 10000)])
def test_wilson_agrees_with_scipy(k: int, n: int) -> None:
    expected = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert wilson(k, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_the_impossible(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="successes"):
        wilson(k, n)


def test_percentiles_are_taken_along_the_resamples() -> None:
    draws = np.stack([np.arange(1001.0), np.full(1001, np.nan)], axis=1)
    low, high = percentile_interval(draws)
    np.testing.assert_allclose([low[0], high[0]], [25, 975])
    assert np.isnan([low[1], high[1]]).all()
