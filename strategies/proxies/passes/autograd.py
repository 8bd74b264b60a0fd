"""Gradients that are zero where torch has none, and the check that numbers are finite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nas.core.errors import NasError
from nas.strategies.proxies.passes.memory_order import extremes


def grads_of(value: Tensor | Any, inputs: Sequence[Tensor], **settings: Any) -> list[Tensor]:
    """∂value/∂inputs, zeros for an input on which it does not depend."""
    if not value.requires_grad:
        return [torch.zeros_like(one) for one in inputs]
    grads = torch.autograd.grad(value, inputs, allow_unused=True, **settings)
    return [torch.zeros_like(one) if grad is None else grad for one, grad in zip(inputs, grads)]


def check_finite(what: str, values: Tensor | Sequence[Tensor | None]) -> None:
    """Raises NasError if one of the numbers is NaN or infinite; `what` names them in its message.

    Otherwise, later comparisons, signs and clamps could turn them into ordinary numbers.
    """
    tensors = [values] if isinstance(values, Tensor) else values
    both = [extreme for tensor in tensors if tensor is not None for extreme in extremes(tensor)]
    if not bool(torch.stack(both).isfinite().all()):
        raise NasError(f"The {what} is not finite (NaN or infinite): its values left the range of floats.")
