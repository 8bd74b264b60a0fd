"""Supernets whose gradient with respect to the images can be differentiated cheaply."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from nas.core.double_backward import Products, batch_norm, convolution


@contextmanager
def cheap_double_backward() -> Iterator[None]:
    """Within this block, convolutions and batch normalisations have the double backward of `nas.core.double_backward`.

    Normalisations by running averages or of vectors, convolutions whose padding is a word, and passes under autocast
    are computed as elsewhere. The graphs can be differentiated twice, not three times.
    """
    with _Replaced():
        yield


class _Replaced(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func is torch.conv2d:
            return _conv2d(*args, **given)
        if func is functional.batch_norm:
            return _batch_norm(*args, **given)
        return func(*args, **given)


def _conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    if isinstance(padding, str) or x.dim() != 4 or torch.is_autocast_enabled(x.device.type):
        return functional.conv2d(x, weight, bias, stride, padding, dilation, groups)  # type: ignore[arg-type]
    out = convolution(x, weight, (_pair(stride), _pair(padding), _pair(dilation), groups), Products())
    return out if bias is None else out + bias[:, None, None]


def _pair(value: int | Sequence[int]) -> tuple[int, ...]:
    return (value, value) if isinstance(value, int) else tuple(value) * (2 // len(value))


def _batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    several = x.dim() == 4 and x.numel() > x.shape[1]  # torch refuses a single value per channel
    if not training or running_mean is not None or not several or torch.is_autocast_enabled(x.device.type):
        return functional.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)
    return batch_norm(x, weight, bias, eps)
