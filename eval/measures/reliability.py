"""What a network says about its own answers: the confidence of each prediction, clean and attacked."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nas.core.perturb import eval_mode
from nas.core.seeds import derive, seeded
from nas.eval.attacks import Attack


def said(network: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax probability of each predicted class, and whether it is the true one; both (B,)."""
    with torch.no_grad():
        confidence, predicted = network(x).softmax(1).max(1)
    return confidence, predicted == y


def attacked_images(network: nn.Module, x: Tensor, y: Tensor, attack: Attack, seed: int) -> Tensor:
    """Every image after the attack, those that are misclassified anyway too; later stages take what is still right."""
    found = x.clone()
    left = torch.ones(len(x), dtype=torch.bool, device=x.device)
    for stage in attack.stages:
        each = derive(seed, stage)
        with seeded(each), eval_mode(network):
            moved = attack.perturb(network, x[left], y[left], stage, each).detach()
        inside = attack.admitted(moved, x[left])[:, None, None, None]
        found[left] = torch.where(inside, moved, found[left])
        left = said(network, found, y)[1]
        if not bool(left.any()):
            break
    return found
