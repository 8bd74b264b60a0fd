"""Paired bootstrap, McNemar's test, Holm's correction and the worst case against exact counts and definitions."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
import torch
from scipy.stats import binom, binomtest

from nas.core.data import Split
from nas.eval.fingerprint import fingerprint
from nas.eval.metrics import by_class, holm, mcnemar, paired_bootstrap, paired_difference, worst_case
from nas.eval.metrics.paired import SIGNIFICANCE
from nas.results import Correct

RESAMPLES = 200_000


def _outcomes(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[bool], list[bool]]:
    a = [True] * (both + only_a) + [False] * (only_b + neither)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return a, b


def _exact(only_a: int, only_b: int, n: int) -> dict[int, float]:
    """The distribution of (only a - only b) over resamples of the images, from binomials: B ~ Bin(n, b), A | B."""
    found: dict[int, float] = {}
    p, q = only_a / n, only_b / n
    for drawn in range(n + 1):
        weight = binom.pmf(drawn, n, q)
        for other in range(n - drawn + 1):
            chance = weight * binom.pmf(other, n - drawn, p / (1 - q))
            found[other - drawn] = found.get(other - drawn, 0.0) + chance
    return found


@pytest.mark.parametrize(("only_a", "only_b"), [(12, 5), (7, 9), (3, 0), (20, 4)])
def test_bootstrap_is_the_exact_distribution_of_resampled_images(only_a: int, only_b: int) -> None:
    n = 60
    found = paired_bootstrap(*_outcomes(20, only_a, only_b, n - 20 - only_a - only_b), resamples=RESAMPLES)
    exact = _exact(only_a, only_b, n)
    below = sum(chance for d, chance in exact.items() if d <= 0)
    above = sum(chance for d, chance in exact.items() if d >= 0)
    p = min(1.0, 2 * min(below, above))
    assert found.p == pytest.approx(p, abs=5 * math.sqrt(p / RESAMPLES) + 2e-5)
    cumulated, ends = 0.0, []
    for d in sorted(exact):
        if cumulated < 0.025 <= cumulated + exact[d] or cumulated < 0.975 <= cumulated + exact[d]:
            ends.append(d / n)
        cumulated += exact[d]
    assert (found.low, found.high) == pytest.approx(ends, abs=1 / n + 1e-9)
    assert found.difference == pytest.approx((only_a - only_b) / n)


def test_bootstrap_of_counts_is_a_bootstrap_of_images() -> None:
    a, b = _outcomes(30, 14, 6, 10)
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(a), size=(20_000, len(a)))
    slow = np.array(a)[chosen].mean(1) - np.array(b)[chosen].mean(1)
    found = paired_bootstrap(a, b)
    assert (found.low, found.high) == pytest.approx(np.percentile(slow, (2.5, 97.5)), abs=1 / len(a) + 1e-9)


def test_bootstrap_agrees_with_the_exact_test_where_there_is_enough_to_count() -> None:
    for only_a, only_b in ((80, 40), (60, 55), (30, 60)):
        outcomes = _outcomes(300, only_a, only_b, 200)
        found, exact = paired_bootstrap(*outcomes), mcnemar(*outcomes)
        assert found.p == pytest.approx(exact, rel=0.6, abs=0.08)
        assert (found.p < 0.05) == (exact < 0.05) == found.excludes_zero
        newcombe = paired_difference(*outcomes)
        assert (found.low, found.high) == pytest.approx((newcombe.low, newcombe.high), abs=0.01)


def test_p_values_of_equal_models_are_uniform_enough() -> None:
    """Two models of equal accuracy are told apart at 5 % in about 5 of 100 studies, by neither test much more often."""
    rng = np.random.default_rng(1)
    bootstrap = exact = 0
    for number in range(800):
        counts = rng.multinomial(300, (0.5, 0.15, 0.15, 0.2))
        outcomes = _outcomes(*map(int, counts))
        bootstrap += paired_bootstrap(*outcomes, seed=number, resamples=4000).p < 0.05
        exact += mcnemar(*outcomes) < 0.05
    assert 0.03 <= bootstrap / 800 <= 0.075
    assert 0.015 <= exact / 800 <= 0.065


def test_swapping_the_models_turns_the_sign_and_keeps_p() -> None:
    a, b = _outcomes(20, 25, 10, 5)
    forward, backward = paired_bootstrap(a, b), paired_bootstrap(b, a)
    assert forward.difference == -backward.difference
    assert forward.p == pytest.approx(backward.p, rel=0.2)
    assert mcnemar(a, b) == mcnemar(b, a) == pytest.approx(binomtest(25, 35).pvalue)


def test_the_same_seed_gives_the_same_numbers() -> None:
    a, b = _outcomes(20, 25, 10, 5)
    assert paired_bootstrap(a, b, seed=4) == paired_bootstrap(a, b, seed=4)
    assert paired_bootstrap(a, b, seed=4).p != paired_bootstrap(a, b, seed=5).p


def test_the_smallest_p_is_that_of_100_000_resamples() -> None:
    """None of them is on the other side of 0, so that p is 2 of 100,001."""
    assert paired_bootstrap([True] * 40, [False] * 40).p == pytest.approx(2 / 100_001, rel=1e-9)
    assert paired_bootstrap([True] * 40, [False] * 40, resamples=99).p == pytest.approx(2 / 100)


def test_a_difference_is_shown_at_5_percent() -> None:
    assert SIGNIFICANCE == 0.05


def test_the_default_seed_is_0() -> None:
    outcomes = _outcomes(20, 25, 10, 5)
    assert paired_bootstrap(*outcomes) == paired_bootstrap(*outcomes, seed=0)


def test_the_bootstrap_interval_is_between_the_2_5_and_the_97_5_percentile() -> None:
    """Of 1,000 images the difference is nearly normal: d ± 1.96·√(b + c - (b - c)²/n)/n."""
    found = paired_bootstrap(*_outcomes(400, 150, 100, 350))
    half = 1.959964 * math.sqrt(250 - 50**2 / 1000) / 1000
    assert (found.low, found.high) == pytest.approx((0.05 - half, 0.05 + half), abs=6e-4)


def test_equal_outcomes_show_nothing() -> None:
    found = paired_bootstrap([True, False] * 5, [True, False] * 5)
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert mcnemar([True, False], [True, False]) == 1
    assert not found.excludes_zero


def test_a_few_differing_images_are_judged_by_the_exact_test() -> None:
    a, b = _outcomes(90, 4, 0, 6)
    assert paired_bootstrap(a, b).p < 0.05 < mcnemar(a, b) == pytest.approx(2 * 0.5**4)


@pytest.mark.parametrize("test", [paired_bootstrap, mcnemar, paired_difference])
def test_outcomes_of_other_images_are_refused(test: object) -> None:
    with pytest.raises(ValueError, match="same images"):
        test([True], [True, False])  # type: ignore[operator]
    with pytest.raises(ValueError, match="same images"):
        test([], [])  # type: ignore[operator]


def test_holm_is_the_step_down_procedure() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    rng = np.random.default_rng(2)
    values = rng.uniform(0, 0.1, 9).tolist()
    corrected = holm(values)
    for alpha in np.linspace(0.01, 0.3, 30):  # rejected one by one, the smallest first, until one is not
        rejected = set()
        for rank, index in enumerate(np.argsort(values)):
            if values[index] > alpha / (len(values) - rank):
                break
            rejected.add(int(index))
        assert {index for index, value in enumerate(corrected) if value <= alpha} == rejected


def test_mcnemar_is_the_binomial_sum_of_the_rarer_side() -> None:
    for only_a, only_b in product(range(13), repeat=2):
        total = only_a + only_b
        tail = sum(Fraction(math.comb(total, k), 2**total) for k in range(min(only_a, only_b) + 1))
        exact = float(min(Fraction(1), 2 * tail))  # both sides are equally likely; an even split counts once
        for both, neither in ((0, 1), (7, 0), (30, 11)):
            assert mcnemar(*_outcomes(both, only_a, only_b, neither)) == pytest.approx(exact, rel=1e-12)
    assert mcnemar(*_outcomes(0, 6, 0, 0)) == pytest.approx(2 / 64)


def _closed_testing(values: list[float]) -> list[float]:
    """Holm by its other definition: i is rejected where every set that holds it is, each by Bonferroni's test."""
    found = []
    for index in range(len(values)):
        others = [other for other in range(len(values)) if other != index]
        sets = [(index, *more) for size in range(len(values)) for more in combinations(others, size)]
        found.append(max(min(1.0, len(one) * min(values[i] for i in one)) for one in sets))
    return found


def test_holm_is_closed_testing_by_bonferroni() -> None:
    rng = np.random.default_rng(3)
    cases = [[0.01, 0.01, 0.01], [0.02, 0.01, 0.02, 0.01], [0.0, 0.0, 1.0], [1.0, 1.0], [0.03], [0.04, 0.5, 0.04, 0.2]]
    for count in range(1, 9):
        cases += [rng.uniform(0, 0.2, count).tolist(), rng.choice([0.004, 0.02, 0.03, 1.0], count).tolist()]
    for values in cases:
        found = holm(values)
        assert found == pytest.approx(_closed_testing(values))
        assert all(raw <= value <= 1 for raw, value in zip(values, found))
        for i, j in product(range(len(values)), repeat=2):
            if values[i] <= values[j]:
                assert found[i] <= found[j]  # so equals stay equal, and the order of p-values is kept


def flags(text: str) -> Correct:
    return np.array([letter == "1" for letter in text])


def test_worst_case_is_the_and_of_all_attacks() -> None:
    images = list(product([False, True], repeat=3))
    correct = dict(zip(("fgsm", "pgd", "square"), np.array(images).T))
    assert worst_case(correct).tolist() == [image == (True, True, True) for image in images]
    one = flags("0110")
    assert worst_case({"fgsm": one}).tolist() == one.tolist()
    for wrong in ({}, {"a": flags("01"), "b": flags("011")}):
        with pytest.raises(ValueError, match="same images"):
            worst_case(wrong)


def test_accuracies_by_class_are_those_of_a_plain_count() -> None:
    labels = [3, 0, 3, 7, 0, 3]
    rows = by_class({"clean": flags("110111"), "pgd": flags("100101")}, labels)
    assert [row.label for row in rows] == [0, 3, 7]
    assert [row.n for row in rows] == [2, 3, 1]
    assert [row.accuracy["clean"] for row in rows] == pytest.approx([1.0, 2 / 3, 1.0])
    assert [row.accuracy["pgd"] for row in rows] == pytest.approx([0.0, 2 / 3, 1.0])
    mean = sum(row.n * row.accuracy["pgd"] for row in rows) / len(labels)
    assert mean == pytest.approx("100101".count("1") / 6)
    with pytest.raises(ValueError, match="each of 6 images"):
        by_class({"clean": flags("11")}, labels)


def test_fingerprints_tell_images_and_labels_apart() -> None:
    images = torch.arange(2 * 3 * 4 * 4, dtype=torch.uint8).view(2, 3, 4, 4)
    labels = torch.tensor([3, 1])
    own = fingerprint(Split(images, labels))
    assert own == fingerprint(Split(images.clone().contiguous(memory_format=torch.channels_last), labels.clone()))
    changed = images.clone()
    changed[1, 2, 3, 3] += 1
    for other in (
        Split(changed, labels),
        Split(images, labels.flip(0)),
        Split(images.flip(0), labels),
        Split(images.view(2, 3, 2, 8), labels),
        Split(images[:1], labels[:1]),
    ):
        assert fingerprint(other) != own
