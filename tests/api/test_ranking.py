"""`nas.rank_correlation`: its numbers by their definitions, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

import nas
from nas.core.errors import InputError


def test_the_numbers_are_those_of_scipy_without_pairs_that_lack_a_value() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(6, size=40).astype(float)  # with ties
    y = x + rng.normal(size=40)
    found = nas.rank_correlation([*x, None, 3.0], [*y, 1.0, math.nan])
    assert found.n == 40
    assert found.rho == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found.tau == pytest.approx(stats.kendalltau(x, y).statistic)
    draws = []
    again = np.random.default_rng(0)
    for _ in range(50):
        picked = np.bincount(again.integers(40, size=40), minlength=40)
        draws.append(stats.spearmanr(np.repeat(x, picked), np.repeat(y, picked)).statistic)
    expected = np.percentile(draws, (2.5, 97.5))
    assert nas.rank_correlation(x, y, resamples=50).interval == pytest.approx(tuple(expected))
    assert str(found).startswith(f"<RankCorrelation: rho {found.rho:.2f} [")


def test_members_of_a_group_are_drawn_together() -> None:
    x, y = [1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5]
    once = nas.rank_correlation(x, y)
    twice = nas.rank_correlation(x * 2, y * 2, groups=list("abcdef") * 2)
    assert twice.interval == pytest.approx(once.interval)
    assert nas.rank_correlation(x * 2, y * 2).interval.low > once.interval.low


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        ([1, 2, 3], [1, 2], {}, "3 scores and 2 values"),
        ([1, 2, None, 4], [1, None, 3, 4], {}, "got 2 of 4"),
        ([1, 2, "a"], [1, 2, 3], {}, "numbers or None in scores"),
        ({"a": 1.0}, [1.0], {}, "a list of numbers in scores but got an object of type dict"),
        ([1, 2, 3], 5, {}, "a list of numbers in values"),
        ([1, 2, 3], [1, 2, 3], {"resamples": 0}, "resamples of at least 1 but got 0"),
        ([1, 2, 3], [1, 2, 3], {"groups": [1, 2]}, "one label in groups"),
    ],
)
def test_what_cannot_be_ranked_is_refused(x: Any, y: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        nas.rank_correlation(x, y, **options)
