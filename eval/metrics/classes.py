"""Accuracies class by class: a mean can hide that an attack breaks every image of one class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nas.results import ClassAccuracy, Correct


def by_class(correct: Mapping[str, Correct], labels: Sequence[int]) -> list[ClassAccuracy]:
    """The accuracies of each class that occurs, under the names of `correct`.

    They are fractions of the class's images, so that their mean weighted by `n` is the accuracy over all images. Raises
    ValueError if a name has another number of outcomes than there are labels.
    """
    for name, flags in correct.items():
        if len(flags) != len(labels):
            raise ValueError(f"Expected an outcome for each of {len(labels)} images but got {len(flags)} for {name}.")
    classes, member, counts = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    shares = {
        name: np.bincount(member, weights=flags, minlength=len(classes)) / counts for name, flags in correct.items()
    }
    return [
        ClassAccuracy(int(label), int(count), {name: float(share[row]) for name, share in shares.items()})
        for row, (label, count) in enumerate(zip(classes, counts))
    ]
