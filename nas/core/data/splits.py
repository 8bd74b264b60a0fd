"""Split images into training, validation and test part: class by class, with a fixed seed that no run can change.

If a data set has no test part, 20 % of it becomes the test part. Of the rest, `data.validation` (by default 10 %)
becomes the validation part. The shares are exact to the nearest image over the whole set, and to within one image in
every class.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from nas.core import seeds
from nas.core.errors import InputError

TEST = Fraction(1, 5)
VALIDATION = Fraction(1, 10)
HALF = Fraction(1, 2)
_FIXED_SEED = 2019  # not the run's seed, so that all runs use the same parts


def fixed_generator(label: str) -> np.random.Generator:
    """A generator that is the same on every machine and in every run, and unrelated for different labels."""
    return np.random.Generator(np.random.PCG64(seeds.derive(_FIXED_SEED, "data", label)))


def take(labels: np.ndarray, num_classes: int, share: Fraction, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Indices of a stratified `share` p of the images, and of the other images, both in a fixed shuffled order.

    Class k contributes round(p * (n_0 + ... + n_k)) - round(p * (n_0 + ... + n_{k-1})) images, halves rounded up: that
    is within one image of p * n_k, and the total is exactly round(p * n).
    """
    random = fixed_generator(label)
    taken, rest = [], []
    images = total = 0  # numbers of images: in the classes up to k, and taken from them
    for k in range(num_classes):
        members = random.permutation(np.flatnonzero(labels == k))
        images += len(members)
        before, total = total, _rounded(share * images)
        count = total - before
        taken.append(members[:count])
        rest.append(members[count:])
    return random.permutation(np.concatenate(taken)), random.permutation(np.concatenate(rest))


def split(
    labels: np.ndarray, num_classes: int, classes: tuple[str, ...], has_test: bool, validation: Fraction = VALIDATION
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of the training, validation and test images; the third is empty if the data set has a test part.

    A `validation` below 1 is a share of the images that are not test images, otherwise a count; 0 withholds none.
    Raises `InputError` if there are too few images for every part, or a class would have no training image left.
    """
    _check_counts(labels, num_classes, classes, has_test, validation)
    test, rest = np.empty(0, dtype=np.int64), np.arange(len(labels))
    if not has_test:
        test, rest = take(labels, num_classes, TEST, "test")
    withheld, train = take(labels[rest], num_classes, _share(validation, len(rest)), "validation")
    left = np.bincount(labels[rest][train], minlength=num_classes)
    if not left.all():
        raise InputError(
            f"Expected data.validation to leave a training image of every class but {_in_words(validation)} of "
            f"{len(rest)} images leaves none of {_class_name(int(left.argmin()), classes)}; withhold fewer."
        )
    return rest[train], rest[withheld], test


def _check_counts(
    labels: np.ndarray, num_classes: int, classes: tuple[str, ...], has_test: bool, validation: Fraction
) -> None:
    """Raises `InputError` if a class has fewer images than there are parts."""
    parts = ["training", *(["validation"] if validation else []), *([] if has_test else ["test"])]
    into = " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
    least = len(parts)
    for k, count in enumerate(np.bincount(labels, minlength=num_classes)):
        if count < least:
            raise InputError(
                f"Expected at least {least} image{'s' if least > 1 else ''} of {_class_name(k, classes)} to split into "
                f"{into} but got {count}; add images or leave the class out (labels count from 0 without gaps)."
            )


def _share(validation: Fraction, count: int) -> Fraction:
    """The withheld share of `count` images. Raises `InputError` if that is all of them, or none for a share above 0."""
    if validation >= 1:
        if validation >= count:
            raise InputError(
                f"Expected data.validation to leave images to train on but got {_in_words(validation)} of {count}; "
                "withhold fewer."
            )
        return validation / count
    if validation > 0 and _rounded(validation * count) == 0:
        least = math.ceil(HALF / validation)
        raise InputError(
            f"Expected data.validation to withhold an image but the share {_in_words(validation)} of the {count} "
            f"images is less than one image (the share needs at least {least} images); set data.validation to a "
            "number of images, to a larger share such as .1, or to 0 for none."
        )
    return validation


def _rounded(value: Fraction) -> int:
    """The nearest whole number; halves are rounded up."""
    return math.floor(value + HALF)


def _class_name(k: int, classes: tuple[str, ...]) -> str:
    return f"class {classes[k]!r}" if classes else f"class {k}"


def _in_words(validation: Fraction) -> str:
    return str(int(validation) if validation >= 1 else float(validation))
