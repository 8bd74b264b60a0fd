"""Eproxy: how well an untrained network fits made-up features of one batch after a few large steps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.errors import NasError
from nas.strategies.proxies.base import proxy
from nas.strategies.proxies.eproxy import draws
from nas.strategies.proxies.eproxy.settings import EproxyOptions
from nas.strategies.proxies.eproxy.targets import resized, target
from nas.strategies.proxies.passes.probe import Probe


@proxy(
    "eproxy",
    higher_is_better=False,
    source="Li et al., ICCV 2023, section 2.1, listing 1; what it leaves open as in the release (see docs/eproxy.md)",
    options=EproxyOptions,
    passes=lambda options: options.iterations - 2 / 3,
)
def eproxy(probe: Probe, options: EproxyOptions) -> float:
    """Loss after a few steps of learning made-up features: Σ_i 2^-i·MSE_i·(1 + α·FLOPs/FLOPs of the largest).

    MSE_i = mean (G_i(T_i(z_i)) - Y)²: z_i the output of the last stage, of the one before, ... at 8x8 pixels, T_i a
    trained convolution, ReLU and normalisation, G_i the barrier, a frozen random convolution (the identity with
    `use_barrier=false`), Y a feature of the batch.
    Network and T learn Σ_i MSE_i by SGD on the one batch; the value is of the last iteration, before its step (which
    nobody needs: n iterations cost n - 2/3 F+B). G, T's start and Y are the same for all architectures. A network
    whose paths are all none has a value: its best constant answer.
    """
    options = options.resolved()
    with probe.view(owned=True), torch.enable_grad(), _untouched_grads(probe.body):
        if options.init != "default":
            _initialise(probe, options.init)
        losses = torch.stack(_learnt(probe, options)).tolist()
    value = sum(loss / 2**stage for stage, loss in enumerate(losses))
    if not math.isfinite(value):
        raise NasError(f"Its training diverged (loss {value} after {options.iterations} iterations).")
    return value * (1 + options.alpha * probe.relative_flops) if options.alpha else value


def _learnt(probe: Probe, options: EproxyOptions) -> list[Tensor]:
    """The loss of each stage, the last stage first, at the last iteration."""
    outputs = _outputs(probe, options)
    heads = [Head(probe, options, stage, output.shape[1]) for stage, output in enumerate(outputs)]
    parameters = [*probe.body.parameters(), *(parameter for head in heads for parameter in head.parameters())]
    several = [parameter for parameter in parameters if parameter.dim() > 1]
    single = [parameter for parameter in parameters if parameter.dim() <= 1]
    groups = [{"params": several, "weight_decay": options.weight_decay}, {"params": single, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=options.lr, momentum=options.momentum, fused=True)
    for left in range(options.iterations - 1, 0, -1):
        loss = torch.stack([head.loss(output) for head, output in zip(heads, outputs)]).sum()
        optimizer.zero_grad()
        loss.backward(inputs=parameters)
        optimizer.step()
        with torch.set_grad_enabled(left > 1):
            outputs = _outputs(probe, options)
    with torch.no_grad():
        return [head.loss(output) for head, output in zip(heads, outputs)]


def _outputs(probe: Probe, options: EproxyOptions) -> list[Tensor]:
    """What the stages put out, the last first."""
    outputs = probe.body.stages(probe.images)[:0:-1]
    if len(outputs) < options.stages:
        raise NasError(f"The network has {len(outputs)} stages but proxies.eproxy.stages is {options.stages}.")
    return outputs[: options.stages]


class Head:
    """What stands on the output of one stage: the transform to `c_mid` channels, the barrier (if there is one) to
    `c_out`, the target."""

    def __init__(self, probe: Probe, options: EproxyOptions, stage: int, channels: int) -> None:
        images = probe.images
        c_mid = options.of_stage(options.c_mid, stage)

        def conv(name: str, c_in: int, c_out: int, kernel: int, init: str) -> list[Tensor]:
            drawn = draws.conv((c_out, c_in, kernel, kernel), init, probe.generator(f"eproxy {name} {stage}"))
            weight, bias = (part.to(images) for part in drawn)
            return [weight.to(memory_format=torch.channels_last), bias]

        self.transform = conv("transform", channels, c_mid, options.of_stage(options.transform, stage), options.init)
        self.scale, self.shift = images.new_ones(c_mid), images.new_zeros(c_mid)
        self.barrier = None
        if options.use_barrier:
            kernel = options.of_stage(options.barrier, stage)
            self.barrier = conv("barrier", c_mid, options.c_out, kernel, options.barrier_init)
        features, coefficient = options.of_stage(options.features, stage), options.of_stage(options.coefficient, stage)
        self.target = target(probe, features, coefficient, options.c_out)
        for parameter in self.parameters():
            parameter.requires_grad_()

    def parameters(self) -> list[Tensor]:
        """What is trained."""
        return [*self.transform, self.scale, self.shift]

    def loss(self, features: Tensor) -> Tensor:
        """Mean squared error of what comes out for the stage's output (B, C, H, W)."""
        x = F.relu(_same(resized(features), *self.transform))
        x = F.batch_norm(x, None, None, self.scale, self.shift, training=True)
        return F.mse_loss(x if self.barrier is None else _same(x, *self.barrier), self.target)


def _same(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Convolution that keeps the size."""
    return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)


def _initialise(probe: Probe, init: str) -> None:
    """New weights for convolutions and linear layers, in place; normalisations start as the identity."""
    generator = probe.generator("eproxy weights")
    with torch.no_grad():
        for layer in probe.layers:
            weight, bias = draws.conv(layer.weight.shape, init, generator)
            layer.weight.copy_(weight)
            if layer.bias is not None:
                layer.bias.copy_(bias)
        for norm in probe.body.modules():
            if isinstance(norm, nn.BatchNorm2d) and norm.affine:
                norm.weight.fill_(1)
                norm.bias.fill_(0)


@contextmanager
def _untouched_grads(body: nn.Module) -> Iterator[None]:
    """All parameters learn for a while; gradients that they had, and which of them learnt, are put back."""
    before = [(parameter, parameter.requires_grad, parameter.grad) for parameter in body.parameters()]
    try:
        for parameter, _, _ in before:
            parameter.grad = None
            parameter.requires_grad_(True)
        yield
    finally:
        for parameter, learns, grad in before:
            parameter.grad = None
            parameter.requires_grad_(learns)
            parameter.grad = grad
