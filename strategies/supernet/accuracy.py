"""How well a supernet classifies held-out images as they are and under attack."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from nas.core.data import Split
from nas.core.images import unit_range
from nas.core.logits import correct
from nas.core.optimisation.perturb import pgd, uniform_noise
from nas.search_spaces.supernet import Supernet
from nas.strategies.supernet.gradients import only
from nas.strategies.supernet.perturbations import Budget

NAMES = ("val_accuracy", "val_robust_accuracy")


def accuracies(
    supernet: Supernet, part: Split, count: int, batch_size: int, budget: Budget, generator: torch.Generator
) -> dict[str, float | None]:
    """Accuracy on the first `count` images (all of fewer), clean and under PGD on the cross-entropy; empty for 0.

    Where images are asked for but there are none, the accuracies are None.

    PGD has the budget of the search whatever perturbs the training images. An image counts as robust when it is right
    before and after. The supernet, which has no other mode than batch statistics, sees batches of nearly `batch_size`
    images.
    """
    if count == 0:
        return {}
    if len(part) == 0:
        return dict.fromkeys(NAMES)
    count = min(count, len(part))
    parts = -(-count // batch_size)
    images, labels = (values[:count].tensor_split(parts) for values in (part.images, part.labels))
    right = torch.zeros(2, device=part.images.device)
    with only(supernet, ()):
        for x, y in zip(map(unit_range, images), labels):
            clean = _correct(supernet, x, y)
            x_adv = _attacked(supernet, x, y, budget, generator)
            right += torch.stack([clean.sum(), (clean & _correct(supernet, x_adv, y)).sum()])
    return dict(zip(NAMES, (right / count).tolist()))


def _attacked(supernet: Supernet, x: Tensor, y: Tensor, budget: Budget, generator: torch.Generator) -> Tensor:
    start = uniform_noise(x, budget.eps, generator)
    return pgd(
        lambda x_adv: functional.cross_entropy(supernet(x_adv), y),
        x,
        budget.eps,
        budget.step_size,
        budget.steps,
        start=start,
    )


def _correct(supernet: Supernet, x: Tensor, y: Tensor) -> Tensor:
    with torch.no_grad():
        return correct(supernet(x), y)
