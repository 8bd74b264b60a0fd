"""Batch normalisation over the images of all processes, also on CPUs, for which torch has none."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn


class AllReduceSum(torch.autograd.Function):
    """The sum of a tensor over the processes; its gradient is the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        value = value.clone()
        distributed.all_reduce(value)
        return value

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        gradient = gradient.contiguous().clone()
        distributed.all_reduce(gradient)
        return gradient


class SynchronisedBatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d` with the statistics of the batches of all processes; gradients flow through all of them.

    Two all-reduces: the sum of each channel, then the sum of squared distances from the mean, so that no digits are
    lost. The batches of the processes may differ in size. In eval mode it behaves like `nn.BatchNorm2d`. torch's own
    `SyncBatchNorm` computes the same, but only on a GPU.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        wide = x.to(torch.promote_types(x.dtype, torch.float32))  # at least float32
        count = AllReduceSum.apply(torch.tensor(x.numel() // x.shape[1], dtype=wide.dtype, device=x.device))
        mean = AllReduceSum.apply(wide.sum((0, 2, 3))) / count
        centred = wide - mean.view(1, -1, 1, 1)
        variance = AllReduceSum.apply((centred**2).sum((0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        y = centred * (variance + self.eps).rsqrt().view(1, -1, 1, 1)
        if self.affine:
            y = y * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)
        return y.to(x.dtype)


def synchronised(model: nn.Module, device: torch.device) -> nn.Module:
    """`model`, changed in place: batch normalisation is over the images of all processes; weights and names stay."""
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for name, part in model.named_children():
        if isinstance(part, nn.BatchNorm2d):
            assert part.running_mean is not None
            new = SynchronisedBatchNorm(part.num_features, part.eps, part.momentum, part.affine).to(part.running_mean)
            new.load_state_dict(part.state_dict())
            setattr(model, name, new.train(part.training))
        else:
            synchronised(part, device)
    return model
