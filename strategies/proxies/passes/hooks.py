"""Hooks that collect values while a pass runs.

They stay until an `ExitStack` closes; until then, every pass fills the list that `keep_outputs` or `sum_saliencies` has
returned. Nothing else is kept in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

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


def keep_outputs(layers: Sequence[nn.Module], hooks: ExitStack) -> list[Tensor | None]:
    """The output of each layer; `None` if the forward pass does not use the layer."""
    outputs: list[Tensor | None] = [None] * len(layers)
    on_output(layers, hooks, lambda number, output: outputs.__setitem__(number, output.detach()))
    return outputs


def sum_saliencies(layers: Sequence[nn.Conv2d | nn.Linear], images: Tensor, hooks: ExitStack) -> list[Tensor]:
    """Per layer Σ_hw a·∂L/∂a of its output a, (B, channels), for the L that is differentiated; 0 without a gradient."""
    saliencies = [images.new_zeros((len(images), len(layer.weight))) for layer in layers]

    def watch(number: int, output: Tensor) -> None:
        if output.requires_grad:
            hooks.callback(output.register_hook(partial(multiply, number, output.detach())).remove)

    def multiply(number: int, output: Tensor, gradient: Tensor) -> None:
        product = output * gradient.detach()
        saliencies[number] = product.sum((2, 3)) if product.dim() == 4 else product

    on_output(layers, hooks, watch)
    return saliencies
