"""How well a supernet classifies held-out images as they are and under attack."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from nas.core.data import Split
from nas.core.images import unit_range
from nas.core.logits import correct
from nas.search_spaces.supernet import Supernet, differentiate_only
from nas.strategies.supernet.perturbations import Budget, projected_gradient

NAMES = ("val_accuracy", "val_robust_accuracy")


def accuracies(
    supernet: Supernet, part: Split, count: int, batch_size: int, budget: Budget, generator: torch.Generator
) -> dict[str, float | None]:
    """Accuracy on the first `count` images (on all if there are fewer), clean and under PGD on the cross-entropy.

    Empty if `count` is 0; None for both if there are no images.

    PGD has the budget of the search, whatever perturbs the training images. An image counts as robust if it is
    classified correctly before and after. The supernet normalises by the statistics of a batch, so all batches have
    nearly `batch_size` images.
    """
    if count == 0:
        return {}
    if len(part) == 0:
        return dict.fromkeys(NAMES)
    count = min(count, len(part))
    batches = -(-count // batch_size)
    images, labels = (values[:count].tensor_split(batches) for values in (part.images, part.labels))
    counts = torch.zeros(2, device=part.images.device)
    with differentiate_only(supernet, ()):
        for x, y in zip(map(unit_range, images), labels):
            clean = _correct(supernet, x, y)

            def cross_entropy(x_adv: Tensor, y: Tensor = y) -> Tensor:
                return functional.cross_entropy(supernet(x_adv), y)

            x_adv = projected_gradient(cross_entropy, x, budget, generator)
            counts += torch.stack([clean.sum(), (clean & _correct(supernet, x_adv, y)).sum()])
    return dict(zip(NAMES, (counts / count).tolist()))


def _correct(supernet: Supernet, x: Tensor, y: Tensor) -> Tensor:
    with torch.no_grad():
        return correct(supernet(x), y)
