"""Convolutions and batch normalisations whose gradient with respect to the images can be differentiated cheaply.

torch computes the second derivative of a convolution together with the gradient of its weights, also of weights that
need none, and that of a batch normalisation in some twenty passes over the feature map. Here the first is one
convolution, and the second is its closed form. Outputs and first gradients come from torch's own kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import TorchFunctionMode

Pair = list[int]
Optional = Tensor | None


@contextmanager
def cheap_double_backward() -> Iterator[None]:
    """Within this block, graphs of convolutions by constant weights and of batch normalisations have the cheap form.

    Convolutions whose weights require gradients, normalisations by running averages, and passes under autocast are
    computed as elsewhere. The graphs can be differentiated twice, not three times.
    """
    with _Replaced():
        yield


class _Replaced(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func is torch.conv2d:
            return _convolution(*args, **given)
        if func is functional.batch_norm:
            return _batch_norm(*args, **given)
        return func(*args, **given)


def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Optional = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    constant = not weight.requires_grad and not (bias is not None and bias.requires_grad)
    if not constant or isinstance(padding, str) or x.dim() != 4 or torch.is_autocast_enabled(x.device.type):
        return functional.conv2d(x, weight, bias, stride, padding, dilation, groups)  # type: ignore[arg-type]
    how = (_pair(stride), _pair(padding), _pair(dilation), groups)
    return _Convolution.apply(x, weight, bias, how)  # type: ignore[no-any-return, no-untyped-call]


def _pair(value: int | Sequence[int]) -> Pair:
    return [value, value] if isinstance(value, int) else list(value) * (2 // len(value))


class _Convolution(torch.autograd.Function):
    """y = w * x, linear in x; its gradient is `_Transposed`, the derivative of which is a convolution by w again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Optional, how: tuple[Pair, Pair, Pair, int]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.how = how
        return functional.conv2d(x, weight, bias, *how)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        return _Transposed.apply(gradients[0], x.detach(), weight, ctx.how), None, None, None  # type: ignore[no-untyped-call]


class _Transposed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradient: Tensor, x: Tensor, weight: Tensor, how: tuple[Pair, Pair, Pair, int]) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.how = how
        stride, padding, dilation, groups = how
        return torch.ops.aten.convolution_backward(  # type: ignore[no-any-return]
            gradient, x, weight, None, stride, padding, dilation, False, [0, 0], groups, [True, False, False]
        )[0]

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        (weight,), (stride, padding, dilation, groups) = ctx.saved_tensors, ctx.how
        return functional.conv2d(cotangents[0], weight, None, stride, padding, dilation, groups), None, None, None


def _batch_norm(
    x: Tensor,
    running_mean: Optional,
    running_var: Optional,
    weight: Optional = None,
    bias: Optional = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if not training or running_mean is not None or torch.is_autocast_enabled(x.device.type):
        return functional.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)
    return _Normalised.apply(x, weight, bias, eps)  # type: ignore[no-any-return, no-untyped-call]


class _Normalised(torch.autograd.Function):
    """s·x̂ + b with x̂ = (x - μ)·r, where r = 1/√(variance + ε); μ and the variance of each channel of the batch."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Optional, bias: Optional, eps: float) -> Tensor:
        out, mean, inverse = torch.native_batch_norm(x, weight, bias, None, None, True, 0.0, eps)
        ctx.save_for_backward(x, weight, mean, inverse)
        ctx.eps = eps
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        x, weight, mean, inverse = ctx.saved_tensors
        dx, dweight, dbias = _NormalisedGradient.apply(gradients[0], x, weight, mean, inverse, ctx.eps)  # type: ignore[no-untyped-call]
        _, of_weight, of_bias, _ = ctx.needs_input_grad
        return dx, dweight if of_weight else None, dbias if of_bias else None, None


class _NormalisedGradient(torch.autograd.Function):
    """∂x = s·r·P(g), ∂s = Σ g·x̂ and ∂b = Σ g for the gradient g of the output.

    P(g) = g - m(g) - x̂·m(g·x̂), and m is the mean of a channel over the batch and its pixels.
    """

    @staticmethod
    def forward(
        ctx: Any, gradient: Tensor, x: Tensor, weight: Optional, mean: Tensor, inverse: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        dx, of_weight, of_bias = _gradients(gradient, x, weight, mean, inverse, eps)
        ctx.save_for_backward(gradient, x, weight, mean, inverse, of_weight, of_bias)
        ctx.eps = eps
        ctx.set_materialize_grads(False)
        return dx, of_weight, of_bias

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *cotangents: Optional) -> Any:
        """With the cotangents u of ∂x, c of ∂s and d of ∂b: the gradients of Σ u·∂x + Σ c·∂s + Σ d·∂b.

        With a(·) = m(·x̂) they are

        - for g: s·r·P(u) + c·x̂ + d,
        - for s: r·n·(m(u·g) - m(u)·m(g) - a(u)·a(g)),
        - for x: -s·r²·(a(u)·(g - m(g)) + a(g)·(u - m(u)) + x̂·(m(u·g) - m(u)·m(g) - 3·a(u)·a(g))) + c·r·P(g).
        """
        g, x, weight, mean, inverse, sum_gx, sum_g = ctx.saved_tensors
        u, c, d = cotangents
        u = torch.zeros_like(g) if u is None else u
        n = x.numel() // x.shape[1]
        to_g, sum_ux, sum_u = _gradients(u, x, weight, mean, inverse, ctx.eps)
        a_g, a_u = sum_gx / n, sum_ux / n
        shared = ((u * g).sum(_BUT_CHANNELS) - sum_u * sum_g / n - sum_ux * a_g) / n
        scale = -inverse.square() if weight is None else -weight * inverse.square()
        of_g, of_u, of_normalised = scale * a_u, scale * a_g, scale * (shared - 2 * a_u * a_g)
        if c is not None:
            to_g = to_g + _channels(c * inverse) * (x - _channels(mean))
            of_g, of_normalised = of_g + c * inverse, of_normalised - c * inverse * a_g
        if d is not None:
            to_g = to_g + _channels(d)
        of_x = of_normalised * inverse
        constant = -(of_g * sum_g + of_u * sum_u) / n - of_x * mean
        to_x = torch.addcmul(_channels(constant), x, _channels(of_x))
        to_x.addcmul_(g, _channels(of_g)).addcmul_(u, _channels(of_u))
        return to_g, to_x, None if weight is None else inverse * n * shared, None, None, None


_BUT_CHANNELS = (0, 2, 3)


def _channels(values: Tensor) -> Tensor:
    return values.view(1, -1, 1, 1)


def _gradients(
    g: Tensor, x: Tensor, weight: Optional, mean: Tensor, inverse: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """s·r·P(g), Σ g·x̂ and Σ g."""
    return torch.ops.aten.native_batch_norm_backward(  # type: ignore[no-any-return]
        g, x, weight, None, None, mean, inverse, True, eps, [True, True, True]
    )
