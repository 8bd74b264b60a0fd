"""The binary codes of the ReLUs, and the kernel that counts the positions where those of two images agree."""

from __future__ import annotations

from contextlib import ExitStack

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.core.errors import NasError
from nas.strategies.proxies.passes.autograd import check_finite
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


def relu_codes(body: nn.Module, images: Tensor) -> Tensor:
    """Of each image, whether each position of each ReLU is active, eight in a byte: (B, bytes), by one forward pass.

    Raises NasError if a ReLU has an output of NaN, which would count as inactive, or if there is no ReLU.
    """
    parts: list[Tensor] = []

    def keep(number: int, output: Tensor) -> None:
        check_finite("output of a ReLU", output)
        bits = (output.detach() > 0).flatten(1).to(torch.uint8)
        bits = functional.pad(bits, (0, -bits.shape[1] % 8)).view(len(bits), -1, 8)
        places = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], dtype=torch.uint8, device=bits.device)
        parts.append((bits * places).sum(2, dtype=torch.uint8))

    with ExitStack() as hooks:
        on_output([module for module in body.modules() if isinstance(module, nn.ReLU)], hooks, keep)
        body(images)
    if not parts:
        raise NasError("The network has no ReLU, so it has no linear regions to count.")
    return torch.cat(parts, dim=1)
