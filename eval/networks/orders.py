"""Whether a network counts the classes in another order than its labels do, told from what it says of the images."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from nas.eval.attack_runner import OTHER_ORDER, Flags

FACTOR = 2  # more than so many times as many images must be right in the other order


def order_remark(flags: Flags, labels: Tensor, elsewhere: Sequence[int], images: str, advice: str) -> str | None:
    """A sentence where more than twice as many images are right with the classes in the other order; None elsewhere.

    `flags` are those of `flags_of` for images with these `labels` (N,), `elsewhere` has the other label of each
    class; `images` says which images they are, and `advice` what to do.
    """
    right = flags.count(1)
    both = sum(flag == 1 and elsewhere[label] == label for flag, label in zip(flags, labels.tolist()))
    there = flags.count(OTHER_ORDER) + both
    if there <= FACTOR * right:
        return None
    count = len(flags)
    return (
        f"{100 * right / count:.1f} % of the {images} are right, but {100 * there / count:.1f} % would be with the "
        f"classes counted in the other order; {advice}."
    )
