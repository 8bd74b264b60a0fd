"""Convolutions and batch normalisations whose double backward computes only the products that it needs.

torch's own double backward of batch normalisation consists of some thirty element-wise operations, and that of a
convolution exchanges images and channels, for which a CPU has no fast kernel, also for the gradient of weights that
need none; together they take most of the time of GraSP. Here a convolution's double backward is two convolutions and
one ordinary backward, or one convolution where its weights are constant. Outputs and first gradients come from torch's
own kernels.

Both follow one pattern. A backward maps the gradient g of an output to gradients of the inputs. It is itself a
function of g and of the inputs. Given cotangents u, v, ... of its results, the second backward gives the gradients of
the scalar S = ⟨u, first result⟩ + ⟨v, second result⟩ + ... The classes below say what S is, and how its gradients
follow. There is no third derivative.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

Optional = Tensor | None


class Products:
    """Which gradients the backward of a convolution computes: those of the weights only if `to_weights` is true."""

    to_weights = True


def convolution(x: Tensor, w: Tensor, settings: Any, products: Products) -> Tensor:
    """x ∗ w, with `settings` (stride, padding, dilation, groups), the padding in numbers."""
    out: Tensor = _Convolution.apply(x, w, settings, products)
    return out


def batch_norm(x: Tensor, weight: Optional, bias: Optional, eps: float) -> Tensor:
    """x normalised by the mean and variance of the batch, per channel, times `weight`, plus `bias`."""
    out: Tensor = _BatchNorm.apply(x, weight, bias, eps)
    return out


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, settings: Any, products: Products) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.settings, ctx.products = settings, products
        return F.conv2d(x, w, None, *settings)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Optional, ...]:
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
    def backward(ctx: Any, u: Optional, v: Optional) -> tuple[Optional, ...]:
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
    if not any(needed):
        return None, None
    stride, padding, dilation, groups = settings
    to_x, to_w, _ = torch.ops.aten.convolution_backward(
        g, x, w, None, stride, padding, dilation, False, (0, 0), groups, (*needed, False)
    )
    return to_x, to_w


class _BatchNorm(torch.autograd.Function):
    """Normalisation by the batch's statistics."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Optional, bias: Optional, eps: float) -> Tensor:
        out, mean, rstd = torch.native_batch_norm(x, weight, bias, None, None, True, 0.0, eps)
        ctx.save_for_backward(x, weight, mean, rstd)
        ctx.eps = eps
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Optional, ...]:
        return *_BatchNormBackward.apply(g, *ctx.saved_tensors, ctx.eps, ctx.needs_input_grad[1:3]), None


class _BatchNormBackward(torch.autograd.Function):
    """The gradients with respect to x, γr·P(g), to γ, Σ g·x̂, and to the shift, Σ g; with their cotangents u, v and w.

    Per channel: x̂ = (x - m(x))·r, r = 1/σ, m the mean over the n entries of batch and pixels, γ the scale;
    P(t) = t - m(t) - x̂·m(t·x̂). P is symmetric, so ⟨u, γr·P(g)⟩ = ⟨γr·P(u), g⟩, and S = ⟨u, γr·P(g)⟩ + v·Σ g·x̂ + w·Σ g.

    - ∂S/∂g = γr·P(u) + v·x̂ + w.

    Let a = m(g·x̂), b = m(u·x̂) and q = m(u·g) - m(u)·m(g) - a·b. Then the first term of S is γrn·q, and x acts through
    r, a and b: ∂r/∂x = -r²x̂/n, ∂a/∂x = r·P(g)/n, ∂b/∂x = r·P(u)/n. So

    - ∂S/∂γ = rn·q,
    - ∂S/∂x = -γr²·(q·x̂ + b·P(g) + a·P(u)) + vr·P(g)
      = -γr²·((q - 2ab)·x̂ + a·u + b·g - (a·m(u) + b·m(g))) + vr·(g - m(g) - a·x̂).
    """

    @staticmethod
    def forward(
        ctx: Any,
        g: Tensor,
        x: Tensor,
        weight: Optional,
        mean: Tensor,
        rstd: Tensor,
        eps: float,
        needed: tuple[bool, bool],  # whether the gradients to the scale and to the shift are computed
    ) -> tuple[Optional, ...]:
        ctx.save_for_backward(g, x, weight, mean, rstd)
        ctx.set_materialize_grads(False)
        gradients: tuple[Optional, ...] = torch.ops.aten.native_batch_norm_backward(
            g, x, weight, None, None, mean, rstd, True, eps, (True, *needed)
        )
        return gradients[0], gradients[1] if needed[0] else None, gradients[2] if needed[1] else None

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, u: Optional, v: Optional, w: Optional) -> tuple[Optional, ...]:
        g, x, weight, mean, rstd = ctx.saved_tensors
        shape = x.shape
        u, g, x = (_rows(one) for one in (torch.zeros_like(g) if u is None else u, g, x))
        x = (x - mean).mul_(rstd)
        m_u, m_g = u.mean(0), g.mean(0)
        a, b = (g * x).mean(0), (u * x).mean(0)
        q = (u * g).mean(0) - m_u * m_g - a * b
        scale = rstd if weight is None else weight.detach() * rstd
        to_weight = len(x) * rstd * q if ctx.needs_input_grad[2] else None
        to_g = torch.addcmul(-m_u * scale, u, scale).addcmul_(x, -b * scale)
        scale = -scale * rstd
        to_x = torch.addcmul(-(a * m_u + b * m_g) * scale, x, (q - 2 * a * b) * scale)
        to_x.addcmul_(u, a * scale).addcmul_(g, b * scale)
        if v is not None:
            to_g.addcmul_(x, v)
            to_x.addcmul_(g - m_g - a * x, v * rstd)
        if w is not None:
            to_g += w
        return _unrows(to_g, shape), _unrows(to_x, shape), to_weight, None, None, None, None


def _rows(x: Tensor) -> Tensor:
    """(B, C, H, W) → (B·H·W, C), no copy where channels are last in memory."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _unrows(rows: Tensor, shape: torch.Size) -> Tensor:
    return rows.view(shape[0], shape[2], shape[3], shape[1]).permute(0, 3, 1, 2)
