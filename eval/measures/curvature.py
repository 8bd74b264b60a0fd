"""The Hessian of an image's loss with respect to its pixels, as a product with vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.eigenvalues import Product


def input_hessian(network: nn.Module, x: Tensor, y: Tensor) -> Product:
    """The map v ↦ H v (both (B, pixels)), where H is the Hessian of an image's cross-entropy (nats) over its pixels.

    All B Hessians are applied at once: in eval mode the loss of one image does not depend on the others, so the
    Hessian of the sum is block-diagonal. Costs a forward and two backward passes, then about as much per product.
    """
    x = x.detach().requires_grad_(True)
    loss = F.cross_entropy(network(x), y, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)

    def product(v: Tensor) -> Tensor:
        if not gradient.requires_grad:  # a gradient that is constant by construction
            return torch.zeros_like(v)
        (result,) = torch.autograd.grad(gradient, x, v.view_as(x), retain_graph=True, allow_unused=True)
        return torch.zeros_like(v) if result is None else result.flatten(1)

    return product
