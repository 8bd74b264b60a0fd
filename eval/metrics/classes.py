"""Accuracies class by class: a mean can hide a class that an attack takes whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def by_class(outcomes: Mapping[str, str], labels: Sequence[int]) -> list[dict[str, Any]]:
    """A row per class that occurs: `class`, `n` images, `accuracy` of each of `outcomes` (name → a text of 0 and 1).

    Accuracies are fractions of the class's images, so that their mean weighted by `n` is the accuracy of all.
    """
    flags = {}
    for name, text in outcomes.items():
        if len(text) != len(labels):
            raise ValueError(f"Expected an outcome for each of {len(labels)} images but got {len(text)} for {name}.")
        flags[name] = np.frombuffer(text.encode(), dtype=np.uint8) == ord("1")
    classes, member, counts = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    shares = {
        name: np.bincount(member, weights=right, minlength=len(classes)) / counts for name, right in flags.items()
    }
    return [
        {"class": int(label), "n": int(count), "accuracy": {name: float(share[row]) for name, share in shares.items()}}
        for row, (label, count) in enumerate(zip(classes, counts))
    ]
