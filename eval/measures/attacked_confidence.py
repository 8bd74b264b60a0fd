"""The confidence of each prediction of a network, on clean and on attacked images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nas.core.logits import correct, finite
from nas.core.optimisation.attack_steps import eval_mode
from nas.core.seeds import derive, seeded
from nas.eval.attacks import Attack


def confidences(network: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax probability of each predicted class, and whether this class is the true one; both (B,).

    An image with a NaN or infinite logit is wrong, and its confidence is NaN.
    """
    with torch.no_grad():
        logits = network(x)
    confidence = logits.softmax(1).amax(1)
    return confidence.masked_fill(~finite(logits), torch.nan), correct(logits, y)


def attacked_images(network: nn.Module, x: Tensor, y: Tensor, attack: Attack, seed: int) -> Tensor:
    """Every image after the attack, also those that were misclassified before.

    The first stage attacks all images, each later stage those that are still correct. Images with a NaN or infinite
    logit are not attacked, because there is no loss to raise.
    """
    x_adv = x.clone()
    with torch.no_grad():
        left = finite(network(x))
    for stage in attack.stages:
        if not bool(left.any()):
            break
        each = derive(seed, stage)
        with seeded(each), eval_mode(network):
            moved = attack.perturb(network, x[left], y[left], stage, each).detach()
        inside = attack.admitted(moved, x[left])[:, None, None, None]
        x_adv[left] = torch.where(inside, moved, x_adv[left])
        left = confidences(network, x_adv, y)[1]
    return x_adv
