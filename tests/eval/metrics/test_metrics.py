"""The harmonic score, the worst case, accuracies by class and fingerprints of data, against their definitions."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from nas.core.data import Split
from nas.eval import hrs
from nas.eval.fingerprint import fingerprint
from nas.eval.metrics import by_class, worst_case
from nas.results import Correct


def test_hrs_is_the_harmonic_mean() -> None:
    assert hrs(0.9, 0.6) == pytest.approx(2 / (1 / 0.9 + 1 / 0.6))
    assert hrs(0.9, 0.0) == 0.0
    assert hrs(0.0, 0.0) == 0.0
    assert hrs(0.7, 0.7) == pytest.approx(0.7)


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
