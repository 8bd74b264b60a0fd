"""Intervals of proportions against SciPy's."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from nas.core.statistics.proportions import wilson


@pytest.mark.parametrize(("k", "n"), [(0, 10), (1, 10), (5, 10), (97, 100), (100, 100), (1234, 10000)])
def test_wilson_agrees_with_scipy(k: int, n: int) -> None:
    expected = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert wilson(k, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_the_impossible(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="successes"):
        wilson(k, n)
