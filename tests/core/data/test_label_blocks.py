"""Labels in blocks of one class are told from labels in a random order."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import nas
from nas.core.data.given import first_of_sorted
from nas.core.data.label_blocks import in_blocks

SORTED = np.repeat(np.arange(10), 40)
SHUFFLED = np.random.default_rng(0).permutation(SORTED)
WHY = "which are no sample of all"
SAID = "n_test takes the first {}, " + WHY


def test_sorted_labels_are_in_blocks_and_shuffled_ones_are_not() -> None:
    assert in_blocks(SORTED[:100])
    assert in_blocks(SORTED[:100], SORTED)
    assert in_blocks(np.concatenate([SORTED[-5:], SORTED[:95]]), SORTED)
    assert not in_blocks(SHUFFLED[:100], SHUFFLED)
    assert not in_blocks(np.arange(400) % 10)  # one of each class in turn
    assert not in_blocks(SORTED[:19], SORTED), "too few to tell"
    assert in_blocks(SORTED[:20], SORTED)


def test_of_a_single_class_all_labels_decide() -> None:
    ones = np.ones(50, dtype=np.int64)
    assert in_blocks(ones)
    assert not in_blocks(ones, ones)
    assert in_blocks(ones, SORTED)


def test_random_orders_are_hardly_ever_taken_for_blocks() -> None:
    random = np.random.default_rng(1)
    for shares in ([0.1] * 10, [0.9, 0.1], [0.9, 0.05, 0.05]):
        drawn = random.choice(len(shares), size=(300, 200), p=shares)
        assert sum(in_blocks(row) for row in drawn) == 0


def test_the_distance_is_that_of_equal_neighbours_in_standard_deviations() -> None:
    """Of two classes in equal shares, neighbours are equal as often as coins show heads: sd = √(n-1) / 2."""
    n = 101
    for equal, blocks in ((80, False), (81, True)):  # 50 + 6 · 5 = 80
        steps = np.array([0] * equal + [1] * (n - 1 - equal))
        labels = np.concatenate([[0], np.cumsum(steps) % 2])
        assert in_blocks(labels, np.array([0, 1])) == blocks


def test_of_classes_of_different_sizes_the_pairs_of_neighbours_depend_on_each_other() -> None:
    """Of shares .7 and .3, 58 of 100 pairs are equal; the variance is 24.36, and 6.65 of neighbouring pairs more."""
    for equal, blocks in ((88, False), (91, False), (92, True)):  # 58 + 6 · √31.01 = 91.4; 58 + 6 · √24.36 = 87.6
        labels = np.concatenate([[0], np.cumsum(np.array([0] * equal + [1] * (100 - equal))) % 2])
        assert in_blocks(labels, np.array([0] * 7 + [1] * 3)) == blocks


def test_where_all_labels_are_known_they_decide_for_the_first() -> None:
    ones = torch.ones(50, dtype=torch.int64)
    assert first_of_sorted(ones, all_labels=[1] * 60) is None
    assert SAID.format(50) in (first_of_sorted(ones, all_labels=[1] * 60 + [0] * 60) or "")
    assert SAID.format(50) in (first_of_sorted(ones) or "")


@pytest.mark.parametrize(
    ("labels", "n", "warned"),
    [(SORTED, 100, True), (SORTED, None, False), (SORTED, 400, False), (SHUFFLED, 100, False)],
)
def test_the_first_of_sorted_images_are_reported(
    labels: Any, n: int | None, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    images, network = torch.zeros(400, 3, 2, 2), torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 10))
    loader = DataLoader(TensorDataset(images, torch.from_numpy(labels)), 64)
    for data in ((images, labels), loader, [tuple(batch) for batch in loader]):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "nas"):
            report = nas.evaluate(network, data=data, attacks=["fgsm"], eps=0.1, n_test=n)
        unknown = isinstance(data, list) and n == 400 and labels is SORTED  # perhaps there were more
        said = [remark for remark in report.remarks if WHY in remark]
        assert [SAID.format(n) in remark for remark in said] == [True] * (warned or unknown)
        assert (WHY in caplog.text) == (warned or unknown)
