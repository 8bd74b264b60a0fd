"""Partial channels: only the first 1/K of the channels of a state pass through the operations of a mixed edge.

The other channels bypass them; at stride 2 they are max-pooled. The channels of the sum are then shuffled, so that the
next edge mixes others. Source: Xu et al., PC-DARTS, ICLR 2020 (arXiv:1907.05737), section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from nas.core.errors import InputError


def check(channels: int, share: int) -> None:
    """Raises InputError unless a supernet of `channels` channels can mix 1/share of them."""
    if share < 1 or channels % share:
        raise InputError(
            f"Expected supernet.channels divisible by the share of partial channels but got {channels} and {share}; "
            f"take supernet.channels={max(channels // max(share, 1), 1) * max(share, 1)}, or mix all channels."
        )


def mixed_part(x: Tensor, share: int) -> Tensor:
    """The channels that the operations see: (B, C, H, W) → (B, C/share, H, W)."""
    return x if share == 1 else x[:, : x.shape[1] // share].contiguous(memory_format=torch.channels_last)


def bypass(x: Tensor, share: int, stride: int) -> Tensor:
    """The other channels: (B, C, H, W) → (B, C - C/share, ⌈H/stride⌉, ⌈W/stride⌉)."""
    rest = x[:, x.shape[1] // share :]
    return rest if stride == 1 else functional.max_pool2d(rest, stride, stride, ceil_mode=True)


def shuffled(x: Tensor, share: int) -> Tensor:
    """Channel k·C/share + j becomes channel j·share + k, so that the mixed channels are spread over all of them."""
    batch, channels, height, width = x.shape
    return x.view(batch, share, channels // share, height, width).transpose(1, 2).reshape(x.shape)


def node_sum(
    mixed: Sequence[Tensor | None],
    states: Sequence[Tensor],
    share: int,
    factors: Sequence[Tensor | None],
    strides: Sequence[int],
) -> Tensor:
    """The state of a node: the sum of its edges, from what the operations of each edge give (None: nothing).

    `states` are the sources of the edges with all of their channels, `factors` the weights of the edges (None: 1).
    """
    outputs = [output for output in mixed if output is not None]
    if outputs:
        total = sum(outputs[1:], outputs[0])
    else:  # no operation was computed on any edge
        first, stride = mixed_part(states[0], share), strides[0]
        total = 0 * first[:, :, ::stride, ::stride]  # so that a pass always depends on its images
    if share == 1:
        return total
    rests = [
        rest if factor is None else rest * factor
        for rest, factor in ((bypass(x, share, stride), f) for x, stride, f in zip(states, strides, factors))
    ]
    return shuffled(torch.cat([total, sum(rests[1:], rests[0])], dim=1), share)
