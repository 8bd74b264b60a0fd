"""What Eproxy adds to a network: convolutions drawn from the run's seed, and weights that may be trained."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from nas.strategies.proxies.eproxy.settings import STAGES, EproxyOptions
from nas.strategies.proxies.passes.probe import Probe, generator

M = TypeVar("M", bound=nn.Module)


def transform(probe: Probe, options: EproxyOptions, stage: int, channels: int) -> nn.Sequential:
    """The trained layers after a stage: convolution to `c_mid` channels, ReLU, normalisation by the batch."""
    c_mid, kernel = options.of_stage(options.c_mid, stage), options.of_stage(options.transform, stage)
    draws = probe.generator(f"eproxy transform {stage}")
    convolution = drawn_convolution(channels, c_mid, kernel, options.init, draws)
    layers = nn.Sequential(convolution, nn.ReLU(), nn.BatchNorm2d(c_mid, track_running_stats=False))
    return _matching(layers, probe.images)


def barrier(probe: Probe, options: EproxyOptions, stage: int) -> nn.Module:
    """The frozen random convolution from `c_mid` to `c_out` channels; the identity with `use_barrier=false`."""
    if not options.use_barrier:
        return nn.Identity()
    c_mid, kernel = options.of_stage(options.c_mid, stage), options.of_stage(options.barrier, stage)
    images = probe.images
    return _barrier(probe.seed, stage, c_mid, options.c_out, kernel, options.barrier_init, images.dtype, images.device)


@lru_cache(maxsize=STAGES)
def _barrier(
    seed: int, stage: int, c_in: int, c_out: int, kernel: int, init: str, dtype: torch.dtype, device: torch.device
) -> nn.Conv2d:
    """The same for all architectures, so it is drawn once."""
    convolution = drawn_convolution(c_in, c_out, kernel, init, generator(seed, f"eproxy barrier {stage}"))
    convolution.requires_grad_(False)
    return convolution.to(device, dtype).to(memory_format=torch.channels_last)


def drawn_convolution(c_in: int, c_out: int, kernel: int, init: str, generator: torch.Generator) -> nn.Conv2d:
    """A convolution that keeps the size of images, with weights drawn by `generator`."""
    convolution = skip_init(nn.Conv2d, c_in, c_out, kernel, padding=kernel // 2)
    initialise([convolution], init, generator)
    return convolution


def initialise(layers: Sequence[nn.Conv2d | nn.Linear], init: str, generator: torch.Generator) -> None:
    """New weights and biases for convolutions and linear layers, in place and in this order."""
    with torch.no_grad():
        for layer in layers:
            weight, bias = draw(layer.weight.shape, init, generator)
            layer.weight.copy_(weight)
            if layer.bias is not None:
                layer.bias.copy_(bias)


def draw(shape: Sequence[int], init: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
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


@contextmanager
def trainable_copy(probe: Probe, init: str) -> Iterator[None]:
    """During the block, the network can be trained: all its parameters are copies, initialised as `init` says.

    With `init="default"` they keep their values, else weights are drawn anew and normalisations start as the identity.
    Parameters, their gradients and which of them require a gradient are put back at the end.
    """
    body = probe.body
    before = [(parameter, parameter.requires_grad, parameter.grad) for parameter in body.parameters()]
    with probe.view(owned=True), torch.enable_grad():
        try:
            if init != "default":
                initialise(probe.layers, init, probe.generator("eproxy weights"))
                for norm in body.modules():
                    if isinstance(norm, nn.BatchNorm2d) and norm.affine:
                        nn.init.ones_(norm.weight)
                        nn.init.zeros_(norm.bias)
            for parameter, _, _ in before:
                parameter.grad = None
                parameter.requires_grad_(True)
            yield
        finally:
            for parameter, requires_grad, grad in before:
                parameter.grad = None
                parameter.requires_grad_(requires_grad)
                parameter.grad = grad


def sgd(parameters: Sequence[nn.Parameter], options: EproxyOptions) -> torch.optim.SGD:
    """SGD, with weight decay only for tensors of more than one dimension."""
    groups = [
        {
            "params": [parameter for parameter in parameters if parameter.dim() > 1],
            "weight_decay": options.weight_decay,
        },
        {"params": [parameter for parameter in parameters if parameter.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=options.lr, momentum=options.momentum, fused=True)


def _matching(module: M, images: Tensor) -> M:
    """The module on the device and in the precision of the images, channels last."""
    return module.to(images).to(memory_format=torch.channels_last)
