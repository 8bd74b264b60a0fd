"""Initial weights from a generator: torch's own, Kaiming's and Xavier's initialisation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def conv(shape: Sequence[int], init: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Weight of `shape` (out, in, ...) and bias of a convolution or linear layer, on the CPU.

    `kaiming_*`: variance 2 / fan_out, bias 0; `xavier_*`: 2 / (fan_in + fan_out), bias .01 (both as in Eproxy's
    release); `default`: both uniform within 1 / sqrt(fan_in), as torch draws them.
    """
    area = math.prod(shape[2:])
    fan_out, fan_in = shape[0] * area, shape[1] * area
    weight = torch.empty(tuple(shape))
    if init == "default":
        bound = fan_in**-0.5
        weight.uniform_(-bound, bound, generator=generator)
        return weight, torch.empty(shape[0]).uniform_(-bound, bound, generator=generator)
    scheme, _, law = init.partition("_")
    deviation = math.sqrt(2 / (fan_out if scheme == "kaiming" else fan_in + fan_out))
    if law == "normal":
        weight.normal_(0, deviation, generator=generator)
    else:
        weight.uniform_(-math.sqrt(3) * deviation, math.sqrt(3) * deviation, generator=generator)
    return weight, torch.full((shape[0],), 0.0 if scheme == "kaiming" else 0.01)
