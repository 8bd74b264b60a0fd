"""Who is in training, validation and test: class by class, by a fixed seed that no run can change.

Where a data set brings no test part, 20 % of it become the test part. `data.validation` of what is left to train on (by
default 10 %) become the validation part. The shares hold over the whole set to the nearest image and in every class to
within one.
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
_FIXED_SEED = 2019  # never the run's seed: numbers of different runs are about the same images


def fixed_generator(label: str) -> np.random.Generator:
    """A generator that is the same on every machine and in every run; different labels are unrelated."""
    return np.random.Generator(np.random.PCG64(seeds.derive(_FIXED_SEED, "data", label)))


def take(labels: np.ndarray, num_classes: int, share: Fraction, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Indices of a stratified `share` p of the images, and of the rest, both in a fixed shuffled order.

    Class k gives round(p * (n_0 + ... + n_k)) - round(p * (n_0 + ... + n_{k-1})) images, halves rounded up: within one
    of its share p * n_k, and the total is exactly round(p * n).
    """
    random = fixed_generator(label)
    taken, rest = [], []
    seen = given = 0
    for k in range(num_classes):
        members = random.permutation(np.flatnonzero(labels == k))
        seen += len(members)
        due = _rounded(share * seen)
        count = due - given
        given = due
        taken.append(members[:count])
        rest.append(members[count:])
    return random.permutation(np.concatenate(taken)), random.permutation(np.concatenate(rest))


def split(
    labels: np.ndarray, num_classes: int, classes: tuple[str, ...], has_test: bool, validation: Fraction = VALIDATION
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of the training, validation and test images; the last is empty where a test part exists.

    `validation` is below 1 a share of what is left to train on, else a count; the second part is empty for 0.
    `InputError` where the images do not fill every part, or a class would keep no training image.
    """
    _check_counts(labels, num_classes, classes, has_test, validation)
    test, rest = np.empty(0, dtype=np.int64), np.arange(len(labels))
    if not has_test:
        test, rest = take(labels, num_classes, TEST, "test")
    withheld, train = take(labels[rest], num_classes, _share(validation, len(rest)), "validation")
    left = np.bincount(labels[rest][train], minlength=num_classes)
    if not left.all():
        raise InputError(
            f"Expected data.validation to leave a training image of every class but {_said(validation)} of {len(rest)} "
            f"images leaves none of {_named(int(left.argmin()), classes)}; withhold fewer."
        )
    return rest[train], rest[withheld], test


def _check_counts(
    labels: np.ndarray, num_classes: int, classes: tuple[str, ...], has_test: bool, validation: Fraction
) -> None:
    """`InputError` where a class has fewer images than there are parts, or there are too few for a test part."""
    parts = ["training", *(["validation"] if validation else []), *([] if has_test else ["test"])]
    into = " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
    least = len(parts)
    for k, count in enumerate(np.bincount(labels, minlength=num_classes)):
        if count < least:
            raise InputError(
                f"Expected at least {least} image{'s' if least > 1 else ''} of {_named(k, classes)} to split into "
                f"{into} but got {count}; add images or leave the class out (labels count from 0 without gaps)."
            )


def _share(validation: Fraction, count: int) -> Fraction:
    """The share of `count` images that is withheld; `InputError` where that is no image though some are asked for."""
    if validation >= 1:
        if validation >= count:
            raise InputError(
                f"Expected data.validation to leave images to train on but got {_said(validation)} of {count}; "
                "withhold fewer."
            )
        return validation / count
    if validation > 0 and _rounded(validation * count) == 0:
        least = math.ceil(HALF / validation)
        raise InputError(
            f"Expected data.validation to withhold an image but the share {_said(validation)} of the {count} images is "
            f"less than one image (it would take at least {least} images to withhold the share); say with "
            "data.validation how many, .1 for 10 %, or 0 for none."
        )
    return validation


def _rounded(value: Fraction) -> int:
    """The nearest whole number, halves up."""
    return math.floor(value + HALF)


def _named(k: int, classes: tuple[str, ...]) -> str:
    return f"class {classes[k]!r}" if classes else f"class {k}"


def _said(validation: Fraction) -> str:
    return str(int(validation) if validation >= 1 else float(validation))
