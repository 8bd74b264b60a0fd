"""Whether a clean accuracy is not better than guessing, as with the wrong weights or the wrong normalisation."""

from __future__ import annotations

from nas.core.statistics.intervals import wilson

LEAST_IMAGES = 50  # fewer cannot tell


def chance_remark(right: int, n: int, num_classes: int) -> str | None:
    """A sentence if 1 / `num_classes` is not below the 95 % interval of the accuracy `right` / `n`; else None."""
    if n < LEAST_IMAGES or wilson(right, n)[0] > 1 / num_classes:
        return None
    return (
        f"The clean accuracy, {100 * right / n:.1f} % of {n:,} images, is not better than guessing among "
        f"{num_classes:,} classes: check that the network is trained and its weights are loaded, that the images are "
        "normalised as in training (eval.mean and eval.std), and that the labels are those of its training."
    )
