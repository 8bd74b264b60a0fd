"""Quantities that several proxies share, computed by one forward of the batch and a few backwards of it.

A proxy names those it needs (`@proxy(..., uses=[weight_grads])`) and asks its probe for them
(`probe.quantity(weight_grads)`), so that one pass can serve all proxies that are asked for together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.double_backward import Products
from nas.strategies.proxies.passes.autograd import grads_of
from nas.strategies.proxies.passes.double_backward import double_backward
from nas.strategies.proxies.passes.hooks import keep_outputs, sum_saliencies
from nas.strategies.proxies.passes.relu_codes import sum_relu_kernels

Value = Tensor | Sequence[Tensor | None]  # of the whole network, or one for each layer


@dataclass
class SharedPass:
    """One forward of a batch through `body`, with its graph; `Quantity.compute` computes a quantity from it.

    `layers` are those whose weights count, `images` are normalised, `generator(label)` makes a random generator.
    """

    body: nn.Module
    layers: Sequence[nn.Conv2d | nn.Linear]
    images: Tensor
    labels: Tensor
    generator: Callable[[str], torch.Generator]
    hooked: dict[str, Value] = field(default_factory=dict)  # by quantity, what its hooks gathered
    logits: Tensor = field(init=False)
    grads: list[Tensor] = field(init=False)  # ∂CE/∂w, part of the graph where a quantity is of second order
    keeps_graph: bool = False  # whether another backward follows

    @property
    def weights(self) -> list[Tensor]:
        return [layer.weight for layer in self.layers]

    def run(self, quantities: Collection[Quantity]) -> dict[str, Value]:
        """The quantities by name. Those that need a backward to the images are computed last.

        Only the backwards that they need are run; backwards to the images leave out the products for the weights.
        """
        to_images = [quantity for quantity in quantities if quantity.to_images]
        others = [quantity for quantity in quantities if not quantity.to_images]
        to_weights = any(quantity.to_weights for quantity in others)
        second_order = any(quantity.second_order for quantity in others)
        self.images = self.images.detach().requires_grad_(bool(to_images))
        with ExitStack() as stack, torch.set_grad_enabled(bool(to_images) or to_weights):
            products = stack.enter_context(double_backward(self.body)) if second_order else Products()
            with ExitStack() as hooks:
                self.hooked = {one.name: one.hook(self, hooks) for one in others if one.hook is not None}
                self.logits = self.body(self.images)
                if to_weights:
                    loss = F.cross_entropy(self.logits, self.labels)
                    keeps = second_order or bool(to_images)
                    self.grads = grads_of(loss, self.weights, create_graph=second_order, retain_graph=keeps)
            self.keeps_graph = bool(to_images)
            values = {quantity.name: quantity.compute(self) for quantity in others}
            products.to_weights = False
            for number, quantity in enumerate(to_images, start=1):
                self.keeps_graph = number < len(to_images)
                values[quantity.name] = quantity.compute(self)
        return values


@dataclass(frozen=True)
class Quantity:
    """A quantity: the function that computes it from a shared pass, and what that pass has to do for it.

    `noun` is its name in the error message if it is not finite; if `noun` is empty, this is not checked.
    """

    name: str
    compute: Callable[[SharedPass], Value]
    noun: str
    to_weights: bool  # ∂CE/∂w
    to_images: bool  # a backward to the images
    second_order: bool  # ∂CE/∂w can be differentiated again
    hook: Callable[[SharedPass, ExitStack], Value] | None

    def __str__(self) -> str:
        return self.name


def quantity(
    noun: str,
    *,
    to_weights: bool = False,
    to_images: bool = False,
    second_order: bool = False,
    hook: Callable[[SharedPass, ExitStack], Value] | None = None,
) -> Callable[[Callable[[SharedPass], Value]], Quantity]:
    """Decorator: makes a quantity, which has the name of the function."""

    def decorate(compute: Callable[[SharedPass], Value]) -> Quantity:
        return Quantity(compute.__name__, compute, noun, to_weights, to_images, second_order, hook)

    return decorate


@quantity("output of the network")
def logits(forward: SharedPass) -> Tensor:
    """The logits (B, classes)."""
    return forward.logits.detach()


# not checked: they are large, and the cosines that they are compared by would not be finite either
@quantity("", hook=lambda forward, hooks: keep_outputs(forward.layers, hooks))
def outputs(forward: SharedPass) -> Value:
    """The output of each layer, before normalisation; `None` if the forward does not use the layer."""
    return forward.hooked["outputs"]


@quantity("gradient of the loss to the weights", to_weights=True)
def weight_grads(forward: SharedPass) -> list[Tensor]:
    """Per layer ∂CE/∂w, zeros where the loss does not depend on it."""
    return [grad.detach() for grad in forward.grads]


@quantity(
    "saliency of a channel",
    to_weights=True,
    hook=lambda forward, hooks: sum_saliencies(forward.layers, forward.images, hooks),
)
def saliency(forward: SharedPass) -> Value:
    """Per layer Σ_hw a·∂CE/∂a of its output a, (B, channels)."""
    return forward.hooked["saliency"]


@quantity("output of a ReLU", hook=lambda forward, hooks: sum_relu_kernels(forward.body, forward.images, hooks))
def relu_kernel(forward: SharedPass) -> Value:
    """Σ over ReLUs of c cᵀ + (1-c)(1-c)ᵀ, (B, B), where c (B, positions) is 1 where a ReLU is active, else 0."""
    return forward.hooked["relu_kernel"]


@quantity("Hessian of the loss times its gradient", to_weights=True, second_order=True)
def hessian_gradient(forward: SharedPass) -> list[Tensor]:
    """Per layer H·g, H the Hessian of CE with respect to the weights and g its gradient.

    By one backward of the gradient's own graph: H·v = ∂⟨v, g⟩/∂w for a constant v, here v = g.
    """
    product = sum((grad.detach() * grad).sum() for grad in forward.grads)
    return grads_of(product, forward.weights, retain_graph=forward.keeps_graph)


@quantity("gradient of the logits to the images", to_images=True)
def jacobian(forward: SharedPass) -> Tensor:
    """∂Σlogits/∂x of the normalised images, (B, pixels)."""
    (rows,) = grads_of(forward.logits.sum(), [forward.images], retain_graph=forward.keeps_graph)
    return rows.flatten(1)


def projections(number: int) -> Quantity:
    """`number` random projections vᵀJ of the logits' Jacobian, v uniform on the unit sphere, (number, B, pixels)."""
    name = f"projections/{number}"

    def compute(forward: SharedPass) -> Tensor:
        generator = forward.generator(name)
        rows = []
        for _ in range(number):
            v = torch.randn(forward.logits.shape, generator=generator, dtype=torch.float64)
            v = F.normalize(v, dim=1).to(forward.logits)
            (row,) = grads_of((forward.logits * v).sum(), [forward.images], retain_graph=True)
            rows.append(row.flatten(1))
        return torch.stack(rows)

    noun = "projected Jacobian of the logits"
    return Quantity(name, compute, noun, to_weights=False, to_images=True, second_order=False, hook=None)


QUANTITIES = (logits, outputs, weight_grads, saliency, relu_kernel, hessian_gradient, jacobian)


def named(name: str) -> Quantity | None:
    """The quantity of that name, `projections/N` for N projections; None if there is none."""
    kind, _, number = name.partition("/")
    if kind == "projections":
        return projections(int(number))
    return next((quantity for quantity in QUANTITIES if quantity.name == name), None)
