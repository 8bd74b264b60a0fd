"""A kernel between images that counts the positions where the binary codes of their ReLUs agree."""

from __future__ import annotations

from contextlib import ExitStack

import torch
from torch import Tensor, nn

from nas.strategies.proxies.passes.hooks import on_output


def sum_relu_kernels(body: nn.Module, images: Tensor, hooks: ExitStack) -> Tensor:
    """Σ over ReLUs of c cᵀ + (1-c)(1-c)ᵀ, c (B, positions) being 1 where a ReLU is active; (B, B), whole numbers.

    NaN if the output of a ReLU has NaN: such an output is not larger than 0 and would count as inactive.
    """
    kernel = torch.zeros((len(images), len(images)), dtype=torch.float64, device=images.device)

    def add(number: int, output: Tensor) -> None:
        if output.dim() == 4:
            output = output.detach().permute(0, 2, 3, 1)  # no copy where channels are last
        codes = (output > 0).to(torch.float32).reshape(len(output), -1)
        ones = codes.sum(1)
        # (1-c)(1-c)ᵀ = positions - Σc - Σcᵀ + c cᵀ; float32 holds whole numbers up to 2^24 exactly
        kernel.add_((2 * codes @ codes.T - ones[:, None] - ones[None, :] + codes.shape[1]).double())
        kernel.masked_fill_(output.detach().sum().isnan(), torch.nan)

    on_output([module for module in body.modules() if isinstance(module, nn.ReLU)], hooks, add)
    return kernel
