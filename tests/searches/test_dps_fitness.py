"""Measures of how well Eproxy ranks with some settings: fitness, retrieval, comparison on held-out architectures."""

from __future__ import annotations

import math

import pytest

from nas.results import Ranking
from nas.searches.dps_fitness import agreement, compare, retrieval


def test_fitness() -> None:
    accuracies = [1.0, 2.0, 3.0, 4.0]
    assert agreement([4.0, 3.0, 2.0, 1.0], accuracies) == pytest.approx(1)
    assert agreement([1.0, 2.0, 3.0, 4.0], accuracies) == pytest.approx(-1)
    assert agreement([None, 3.0, 2.0, 1.0], accuracies) == pytest.approx(1)  # an architecture without a loss ranks last
    assert agreement([3.0, 2.0, 1.0, None], accuracies) == pytest.approx(-0.2)
    for constant in ([2.0] * 4, [None] * 4):
        assert agreement(constant, accuracies) == -1


def test_retrieval_of_the_best_tenth() -> None:
    accuracies = [float(number) for number in range(40)]
    losses: list[float | None] = [-accuracy for accuracy in accuracies]
    assert retrieval(losses, accuracies) == 1
    losses[39] = None
    assert retrieval(losses, accuracies) == 0.75
    assert retrieval(accuracies, accuracies) == 0  # type: ignore[arg-type]


def test_the_report_compares_both_on_the_same_architectures() -> None:
    accuracies = [float(number) for number in range(50)]
    good: list[float | None] = [-accuracy for accuracy in accuracies]
    poor: list[float | None] = [math.sin(9 * accuracy) for accuracy in accuracies]
    report = compare({"plain": poor, "dps": good}, accuracies)
    assert report.count == 50
    assert report.dps == Ranking(pytest.approx(1), 1, 0)
    assert report.difference is not None
    assert report.difference.low > 0
    constant = compare({"plain": [1.0] * 50, "dps": good}, accuracies)
    assert constant.plain.spearman == -1
    assert constant.difference is None
