"""Eproxy: how well an untrained network fits made-up features of one batch after a few large steps."""

from __future__ import annotations

import math
from itertools import chain

import torch
from torch import Tensor
from torch.nn import functional as F

from nas.core.errors import NasError
from nas.search_spaces.network import Body
from nas.strategies.proxies.base import proxy
from nas.strategies.proxies.eproxy.layers import barrier, sgd, trainable_copy, transform
from nas.strategies.proxies.eproxy.settings import EproxyOptions
from nas.strategies.proxies.eproxy.targets import resized, target
from nas.strategies.proxies.passes.probe import Probe


@proxy(
    "eproxy",
    higher_is_better=False,
    source="Li et al., ICCV 2023, section 2.1, listing 1; details left open there: the release; docs/studies/eproxy.md",
    references=("li2023eproxy",),
    options=EproxyOptions,
    passes=lambda options: options.iterations - 2 / 3,
)
def eproxy(probe: Probe, options: EproxyOptions) -> float:
    """Loss after a few steps of learning made-up features: Σ_i 2^-i·MSE_i·(1 + α·FLOPs/FLOPs of the largest).

    MSE_i = mean (G_i(T_i(z_i)) - Y)²: z_i the output of the last stage, of the one before, ... at 8x8 pixels, T_i a
    trained convolution, ReLU and normalisation, G_i the barrier, a frozen random convolution (the identity with
    `use_barrier=false`), Y a feature of the batch. The network and T minimise Σ_i MSE_i by SGD on this one batch. The
    value is that of the last iteration, whose step is left out: n iterations cost n - 2/3 F+B. G, the initial T and Y
    are the same for all architectures.
    """
    options = options.resolved()
    with trainable_copy(probe, options.init):
        losses = final_losses(probe, options).tolist()
    loss = sum(loss / 2**stage for stage, loss in enumerate(losses))
    if not math.isfinite(loss):
        raise NasError(f"The training of the network diverged (loss {loss} after {options.iterations} iterations).")
    return loss * (1 + options.alpha * probe.relative_flops) if options.alpha else loss


def final_losses(probe: Probe, options: EproxyOptions) -> Tensor:
    """Listing 1 of the paper: MSE_i of the last iteration, (stages,), the last stage first."""
    arch, img, stages = probe.body, probe.images, range(options.stages)
    z = stage_outputs(arch, img, options.stages)  # per stage (B, C_i, H_i, W_i)
    transforms = [transform(probe, options, i, z[i].shape[1]) for i in stages]
    barriers = [barrier(probe, options, i) for i in stages]
    features = [target(probe, options, i) for i in stages]  # per stage (B, C_out, 8, 8)
    parameters = [*arch.parameters(), *chain.from_iterable(layers.parameters() for layers in transforms)]
    optimizer = sgd(parameters, options)
    for left in reversed(range(options.iterations)):  # `left`: steps that follow
        outputs_mid = [transforms[i](resized(z[i])) for i in stages]  # per stage (B, C_mid, 8, 8)
        outputs = [barriers[i](outputs_mid[i]) for i in stages]  # per stage (B, C_out, 8, 8)
        loss = torch.stack([F.mse_loss(outputs[i], features[i]) for i in stages])
        if left:
            optimizer.zero_grad()
            loss.sum().backward(inputs=parameters)
            optimizer.step()
            torch.set_grad_enabled(left > 1)  # the last loss needs no graph
            z = stage_outputs(arch, img, options.stages)
    return loss


def stage_outputs(arch: Body, img: Tensor, number: int) -> list[Tensor]:
    """The outputs of the last `number` stages, the last stage first.

    Raises NasError if the network has fewer stages.
    """
    outputs = arch.stages(img)[:0:-1]  # without the output of the stem
    if len(outputs) < number:
        raise NasError(f"The network has {len(outputs)} stages but proxies.eproxy.stages is {number}.")
    return outputs[:number]
