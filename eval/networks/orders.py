"""Whether the predictions of a network show that it numbers the classes in another order than the labels do."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from nas.eval.attack_runner import OTHER_ORDER, Flags

FACTOR = 2  # a warning needs more than this many times as many correct images in the other order


def order_remark(flags: Flags, labels: Tensor, other_order: Sequence[int], images: str, advice: str) -> str | None:
    """A warning if more than twice as many images are correct with the classes in the other order; else None.

    `flags` are those of `flags_of` for images with these `labels` (N,), `other_order` has the other label of each
    class; `images` says which images they are, and `advice` what to do.
    """
    right = flags.count(1)
    both = sum(flag == 1 and other_order[label] == label for flag, label in zip(flags, labels.tolist()))
    right_otherwise = flags.count(OTHER_ORDER) + both
    if right_otherwise <= FACTOR * right:
        return None
    now, otherwise = (100 * count / len(flags) for count in (right, right_otherwise))
    return (
        f"{now:.1f} % of the {images} are correct, but {otherwise:.1f} % would be with the classes in the other order; "
        f"{advice}."
    )
