"""What hooks gather while a pass runs; each holds no more than its own result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn


def on_output(modules: Sequence[nn.Module], hooks: ExitStack, call: Callable[[int, Tensor], None]) -> None:
    """Until `hooks` closes, `call(module's number, output)` at every output of one of the modules."""

    def called(number: int, module: nn.Module, args: Any, output: Tensor) -> None:
        call(number, output)

    for number, module in enumerate(modules):
        hooks.callback(module.register_forward_hook(partial(called, number)).remove)


def on_input(modules: Sequence[nn.Module], hooks: ExitStack, call: Callable[[int, Tensor], None]) -> None:
    """Until `hooks` closes, `call(module's number, input)` at every use of one of the modules."""

    def called(number: int, module: nn.Module, args: tuple[Tensor, ...]) -> None:
        call(number, args[0])

    for number, module in enumerate(modules):
        hooks.callback(module.register_forward_pre_hook(partial(called, number)).remove)


class Outputs:
    """Per layer what it put out; `None` where the forward pass did not use it."""

    def __init__(self, layers: Sequence[nn.Module], hooks: ExitStack) -> None:
        self.values: list[Tensor | None] = [None] * len(layers)
        on_output(layers, hooks, self._keep)

    def _keep(self, number: int, output: Tensor) -> None:
        self.values[number] = output.detach()


class Saliency:
    """Per layer Σ_hw a·∂L/∂a of its output a, (B, channels), from the first backward after the forward."""

    def __init__(self, layers: Sequence[nn.Conv2d | nn.Linear], hooks: ExitStack, images: Tensor) -> None:
        self.values = [images.new_zeros((len(images), len(layer.weight))) for layer in layers]
        self.done = False
        on_output(layers, hooks, self._watch)

    def _watch(self, number: int, output: Tensor) -> None:
        if output.requires_grad:
            output.register_hook(partial(self._multiply, number, output.detach()))

    def _multiply(self, number: int, output: Tensor, gradient: Tensor) -> None:
        if not self.done:
            product = output * gradient.detach()
            self.values[number] = product.sum((2, 3)) if product.dim() == 4 else product

    def finished(self) -> list[Tensor]:
        self.done = True  # a second backward of the same graph calls the hooks again
        return self.values


class ReLUKernel:
    """Σ over ReLUs of c cᵀ + (1-c)(1-c)ᵀ, c (B, positions) being 1 where something passes; (B, B), whole numbers.

    NaN where a ReLU puts out NaN: it is no larger than 0 and would count as nothing.
    """

    def __init__(self, body: nn.Module, hooks: ExitStack, images: Tensor) -> None:
        self.total = torch.zeros((len(images), len(images)), dtype=torch.float64, device=images.device)
        on_output([module for module in body.modules() if isinstance(module, nn.ReLU)], hooks, self._add)

    def _add(self, number: int, output: Tensor) -> None:
        if output.dim() == 4:
            output = output.detach().permute(0, 2, 3, 1)  # no copy where channels are last
        codes = (output > 0).to(torch.float32).reshape(len(output), -1)
        ones = codes.sum(1)
        # (1-c)(1-c)ᵀ = positions - Σc - Σcᵀ + c cᵀ; float32 holds whole numbers up to 2^24 exactly
        self.total += (2 * codes @ codes.T - ones[:, None] - ones[None, :] + codes.shape[1]).double()
        self.total.masked_fill_(output.detach().sum().isnan(), torch.nan)
