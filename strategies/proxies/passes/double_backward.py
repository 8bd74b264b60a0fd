"""Convolutions and batch normalisation whose double backward computes only the products that it needs.

torch's own double backward of batch normalisation consists of some thirty element-wise operations, and that of a
convolution exchanges images and channels, for which a CPU has no fast kernel; together they take most of the time of
GraSP. Here a convolution's double backward is two convolutions and one ordinary backward.

Both follow one pattern. A backward maps the gradient g of an output to gradients of the inputs. It is itself a
function of g and of the inputs. Given cotangents u, v, ... of its results, the second backward gives the gradients of
the scalar S = ⟨u, first result⟩ + ⟨v, second result⟩ + ... The classes below say what S is, and how its gradients
follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nas.search_spaces.nasbench201.operations import AveragePool


class Products:
    """Which gradients the backward of a convolution computes: those of the weights only if `to_weights` is true."""

    to_weights = True


@contextmanager
def double_backward(body: nn.Module) -> Iterator[Products]:
    """During the block, `body` computes convolutions and normalisations (in train mode) with the functions below.

    A module whose `forward` is already replaced (by a view of the network) keeps its replacement.
    """
    products = Products()
    changed: list[nn.Module] = []
    pools: list[AveragePool] = []
    try:
        for module in body.modules():
            if "forward" in vars(module):
                continue
            if isinstance(module, nn.Conv2d) and module.padding_mode == "zeros" and not isinstance(module.padding, str):
                module.forward = partial(_convolve, module, products)  # type: ignore[method-assign]
                changed.append(module)
            elif isinstance(module, nn.BatchNorm2d):
                module.forward = partial(_normalise, module)  # type: ignore[method-assign]
                changed.append(module)
            elif isinstance(module, AveragePool):
                module.total = partial(_total, module.ones, products)  # type: ignore[method-assign]
                pools.append(module)
        yield products
    finally:
        for module in changed:
            del module.forward
        for pool in pools:
            del pool.total


def _convolve(layer: nn.Conv2d, products: Products, x: Tensor) -> Tensor:
    settings = (layer.stride, layer.padding, layer.dilation, layer.groups)
    out = _Convolution.apply(x, layer.weight, settings, products)
    return out if layer.bias is None else out + layer.bias[:, None, None]


def _total(ones: Tensor, products: Products, x: Tensor) -> Tensor:
    """The sums that an average pooling divides, as a depthwise convolution with ones."""
    return _Convolution.apply(x, ones, ((1, 1), (1, 1), (1, 1), x.shape[1]), products)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, settings: Any, products: Products) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.settings, ctx.products = settings, products
        return F.conv2d(x, w, None, *settings)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, w = ctx.saved_tensors
        needed = (ctx.needs_input_grad[0], ctx.needs_input_grad[1] and ctx.products.to_weights)
        return *_ConvolutionBackward.apply(g, x, w, ctx.settings, needed, ctx.products), None, None


class _ConvolutionBackward(torch.autograd.Function):
    """The gradients ∂T/∂x and ∂T/∂w of T(g, x, w) = ⟨g, x ∗ w⟩. Its backward takes their cotangents u and v.

    T is linear in each argument, so ⟨u, ∂T/∂x⟩ is T with u in the place of x, and S = T(g, u, w) + T(g, x, v). Hence

    - ∂S/∂g = u ∗ w + x ∗ v: two convolutions;
    - ∂S/∂x = ∂T/∂x at (g, v), ∂S/∂w = ∂T/∂w at (g, u): one ordinary backward with u for x and v for w.
    """

    @staticmethod
    def forward(
        ctx: Any, g: Tensor, x: Tensor, w: Tensor, settings: Any, needed: tuple[bool, bool], products: Products
    ) -> Any:
        ctx.save_for_backward(g, x, w)
        ctx.settings = settings
        ctx.products = products
        ctx.set_materialize_grads(False)
        return _products(g, x, w, settings, needed)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, u: Tensor | None, v: Tensor | None) -> tuple[Tensor | None, ...]:
        g, x, w = ctx.saved_tensors
        terms = []
        if u is not None:
            terms.append(F.conv2d(u, w, None, *ctx.settings))
        if v is not None:
            terms.append(F.conv2d(x, v, None, *ctx.settings))
        to_g = None if not terms else terms[0] if len(terms) == 1 else terms[0].add_(terms[1])
        to_weights = u is not None and ctx.needs_input_grad[2] and ctx.products.to_weights
        needed = (v is not None and ctx.needs_input_grad[1], to_weights)
        to_x, to_w = _products(g, x if u is None else u, w if v is None else v, ctx.settings, needed)
        return to_g, to_x, to_w, None, None, None


def _products(g: Tensor, x: Tensor, w: Tensor, settings: Any, needed: tuple[bool, bool]) -> tuple[Any, Any]:
    """∂⟨g, x ∗ w⟩ with respect to x (which needs w) and to w (which needs x)."""
    stride, padding, dilation, groups = settings
    to_x, to_w, _ = torch.ops.aten.convolution_backward(
        g, x, w, None, stride, padding, dilation, False, (0, 0), groups, (*needed, False)
    )
    return to_x, to_w


def _normalise(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    return _BatchNorm.apply(x, norm.weight, norm.bias, norm.eps)


class _BatchNorm(torch.autograd.Function):
    """Normalisation by the batch's statistics; its scale and shift are constants here."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
        out, mean, rstd = torch.native_batch_norm(x, weight, bias, None, None, True, 0.0, eps)
        ctx.save_for_backward(x, weight, mean, rstd)
        ctx.eps = eps
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        return _BatchNormBackward.apply(g, *ctx.saved_tensors, ctx.eps), None, None, None


class _BatchNormBackward(torch.autograd.Function):
    """The gradient of a normalisation with respect to x, γr·P(g). Its backward takes a cotangent u of that gradient.

    Per channel: x̂ = (x - m(x))·r, r = 1/σ, m the mean over the n entries of batch and pixels, γ the scale;
    P(v) = v - m(v) - x̂·m(v·x̂). P is symmetric, so S = ⟨u, γr·P(g)⟩ = ⟨γr·P(u), g⟩ and

    - ∂S/∂g = γr·P(u).

    Let a = m(g·x̂), b = m(u·x̂) and q = m(u·g) - m(u)·m(g) - a·b. Then S = γrn·q, and x acts through r, a and b:
    ∂r/∂x = -r²x̂/n, ∂a/∂x = r·P(g)/n, ∂b/∂x = r·P(u)/n. So

    - ∂S/∂x = -γr²·(q·x̂ + b·P(g) + a·P(u)) = -γr²·((q - 2ab)·x̂ + a·u + b·g - (a·m(u) + b·m(g))).
    """

    @staticmethod
    def forward(
        ctx: Any, g: Tensor, x: Tensor, weight: Tensor | None, mean: Tensor, rstd: Tensor, eps: float
    ) -> Tensor:
        ctx.save_for_backward(g, x, weight, mean, rstd)
        return torch.ops.aten.native_batch_norm_backward(
            g, x, weight, None, None, mean, rstd, True, eps, (True, False, False)
        )[0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, u: Tensor) -> tuple[Tensor | None, ...]:
        g, x, weight, mean, rstd = ctx.saved_tensors
        shape = x.shape
        u, g, x = (_rows(one) for one in (u, g, x))
        x = (x - mean).mul_(rstd)
        m_u, m_g = u.mean(0), g.mean(0)
        a, b = (g * x).mean(0), (u * x).mean(0)
        q = (u * g).mean(0) - m_u * m_g - a * b
        scale = rstd if weight is None else weight.detach() * rstd
        to_g = torch.addcmul(-m_u * scale, u, scale).addcmul_(x, -b * scale)
        scale = -scale * rstd
        to_x = torch.addcmul(-(a * m_u + b * m_g) * scale, x, (q - 2 * a * b) * scale)
        to_x.addcmul_(u, a * scale).addcmul_(g, b * scale)
        return _unrows(to_g, shape), _unrows(to_x, shape), None, None, None, None


def _rows(x: Tensor) -> Tensor:
    """(B, C, H, W) → (B·H·W, C), no copy where channels are last in memory."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _unrows(rows: Tensor, shape: torch.Size) -> Tensor:
    return rows.view(shape[0], shape[2], shape[3], shape[1]).permute(0, 3, 1, 2)
