"""Who is in training, validation and test: class by class, by a fixed seed that no run can change.

Where a data set brings no test part, 20 % of it become the test part. 10 % of what is left to train on become
the validation part. The shares hold over the whole set to the nearest image and in every class to within one.
"""

from __future__ import annotations

import numpy as np

from nas.core import seeds
from nas.core.errors import InputError

TEST_PERCENT = 20
VALIDATION_PERCENT = 10
_FIXED_SEED = 2019  # never the run's seed: numbers of different runs are about the same images


def fixed_generator(label: str) -> np.random.Generator:
    """A generator that is the same on every machine and in every run; different labels are unrelated."""
    return np.random.Generator(np.random.PCG64(seeds.derive(_FIXED_SEED, "data", label)))


def take(labels: np.ndarray, num_classes: int, percent: int, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Indices of a stratified `percent` of the images, and of the rest, both in a fixed shuffled order.

    Class k gives round(p * (n_0 + ... + n_k)) - round(p * (n_0 + ... + n_{k-1})) images: within one of its
    share p * n_k, and the total is exactly round(p * n).
    """
    random = fixed_generator(label)
    taken, rest = [], []
    seen = given = 0
    for k in range(num_classes):
        members = random.permutation(np.flatnonzero(labels == k))
        seen += len(members)
        due = (seen * percent + 50) // 100
        count = due - given
        given = due
        taken.append(members[:count])
        rest.append(members[count:])
    return random.permutation(np.concatenate(taken)), random.permutation(np.concatenate(rest))


def check_counts(labels: np.ndarray, num_classes: int, classes: tuple[str, ...], has_test: bool) -> None:
    """`InputError` where a class is too small to keep a training image, or the set to fill every part."""
    parts = "training and validation" if has_test else "training, validation and test"
    least = 2 if has_test else 3
    counts = np.bincount(labels, minlength=num_classes)
    for k, count in enumerate(counts):
        if count < least:
            name = f"class {classes[k]!r}" if classes else f"class {k}"
            raise InputError(
                f"Expected at least {least} images of {name} to split into {parts} but got {count}; "
                "add images or leave the class out (labels count from 0 without gaps)."
            )
    least = 5 if has_test else 6
    if len(labels) < least:
        raise InputError(f"Expected at least {least} images to split into {parts} but got {len(labels)}; add images.")


def split(
    labels: np.ndarray, num_classes: int, classes: tuple[str, ...], has_test: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of the training, validation and test images; the last is empty where a test part exists."""
    check_counts(labels, num_classes, classes, has_test)
    test, rest = np.empty(0, dtype=np.int64), np.arange(len(labels))
    if not has_test:
        test, rest = take(labels, num_classes, TEST_PERCENT, "test")
    validation, train = take(labels[rest], num_classes, VALIDATION_PERCENT, "validation")
    return rest[train], rest[validation], test
