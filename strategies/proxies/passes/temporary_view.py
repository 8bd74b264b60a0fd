"""Puts a network in train mode, with other weights or another batch normalisation, and then restores it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Statistics = Mapping[nn.Module, tuple[Tensor, Tensor]]  # of each normalisation: mean and (biased) variance
BatchNorm = str | Callable[[nn.BatchNorm2d], bool] | Statistics


@contextmanager
def temporary_view(
    body: nn.Module,
    layers: Sequence[nn.Conv2d | nn.Linear],
    weights: Sequence[Tensor] | None,
    batch_norm: BatchNorm,
    dtype: torch.dtype | None,
    owned: bool,
) -> Iterator[None]:
    """During the block, `body` is in train mode, without drop-path, and its `layers` have these `weights`.

    `batch_norm`: "batch" (the batch's statistics, not recorded), "off" (the identity), a predicate (the identity for
    modules for which it is false), or the fixed statistics to normalise with. `dtype` casts all parameters and buffers,
    `owned` copies the parameters so that they may be changed in place.
    """
    modes = [(module, module.training) for module in body.modules()]
    norms = [module for module in body.modules() if isinstance(module, nn.BatchNorm2d)]
    tracked = [norm.track_running_stats for norm in norms]
    weights = () if weights is None else weights
    replaced = [*body.parameters(), *body.buffers()] if owned or dtype is not None else []
    replaced += [layer.weight for layer, _ in zip(layers, weights)]
    own = [tensor.data for tensor in replaced]
    frozen = [layer.weight for layer in layers if not layer.weight.requires_grad]
    drop_path = getattr(body, "drop_path", 0.0)
    try:
        if not all(training for _, training in modes):
            body.train()
        if drop_path:
            body.drop_path = 0.0  # type: ignore[assignment]
        for norm in norms:
            norm.track_running_stats = False
            _normalise(norm, batch_norm)
        for weight in frozen:
            weight.requires_grad_(True)
        for layer, weight in zip(layers, weights):
            layer.weight.data = weight
        if dtype is not None:
            for tensor in [*body.parameters(), *body.buffers()]:
                tensor.data = tensor.data.to(dtype)
        if owned:
            for parameter in body.parameters():
                parameter.data = parameter.data.clone(memory_format=torch.preserve_format)
        yield
    finally:
        for tensor, data in zip(replaced, own):
            tensor.data = data
        for weight in frozen:
            weight.requires_grad_(False)
        for norm, track in zip(norms, tracked):
            norm.track_running_stats = track
            norm.__dict__.pop("forward", None)
        if drop_path:
            body.drop_path = drop_path  # type: ignore[assignment]
        for module, training in modes:
            if module.training != training:
                module.training = training


def _normalise(norm: nn.BatchNorm2d, batch_norm: BatchNorm) -> None:
    if batch_norm == "batch":
        return
    if isinstance(batch_norm, Mapping):
        if norm not in batch_norm:  # a module that the pass does not use
            return
        mean, variance = batch_norm[norm]
        norm.forward = partial(  # type: ignore[method-assign]
            F.batch_norm, running_mean=mean, running_var=variance, weight=norm.weight, bias=norm.bias, eps=norm.eps
        )
    elif batch_norm == "off" or (callable(batch_norm) and not batch_norm(norm)):
        norm.forward = _identity  # type: ignore[method-assign, assignment]


def _identity(x: Tensor) -> Tensor:
    return x
