"""CRoZe: how alike features, weights and gradients stay when weights and images are perturbed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nas.core.errors import InputError
from nas.strategies.proxies.base import BatchOptions, proxy
from nas.strategies.proxies.passes.memory_order import channels_last, extremes
from nas.strategies.proxies.passes.probe import Probe
from nas.strategies.proxies.passes.quantities import Quantity, outputs, weight_grads

AXES = {  # which dimensions of (B, H, W, C) or (outputs, k, k, inputs) one cosine runs over
    "all": slice(None),  # one cosine per layer
    "first": slice(1),  # the images or output channels; one cosine per remaining position
    "rest": slice(1, None),  # one cosine per image or output channel
    "not_second": slice(-1),  # one cosine per channel or input channel
}


@dataclass
class CRoZeOptions(BatchOptions):
    """What eq. 3-10 leave open; docs/studies/croze.md says how the defaults were chosen."""

    batch_size: int = 16  # images of the training part
    beta: float = 4.0  # eq. 3, size of the weight perturbation relative to the weight's norm
    epsilon: float = 0.01  # eq. 4, in units of the normalised image
    gamma: float = 0.0  # eq. 7, step of the compared weights; 0 compares θ itself with θʳ
    batch_norm: bool = True  # false: batch normalisation is left out
    absolute_weights: bool = False  # True: start from |θ|, as the release does
    features: str = "all"  # eq. 5, what a cosine runs over: all, first, rest or not_second (see AXES)
    weights: str = "all"  # eq. 8
    gradients: str = "first"  # eq. 9
    reduction: str = "sum"  # of the cosines of a layer: "sum" or "mean"
    ascend: bool = True  # FGSM raises the loss; False lowers it, as the release's sign does
    clamp: bool = False  # clamp the perturbed, normalised image to [0, 1], as the release does

    def check(self) -> None:
        super().check()
        axes = tuple(AXES)
        for key, allowed in (
            ("features", axes), ("weights", axes), ("gradients", axes), ("reduction", ("sum", "mean"))
        ):  # fmt: skip
            if getattr(self, key) not in allowed:
                raise InputError(
                    f"Expected proxies.croze.{key} to be {', '.join(allowed)} but got {getattr(self, key)!r}."
                )
        for key in ("beta", "epsilon", "gamma"):
            if not 0 <= getattr(self, key) < float("inf"):
                raise InputError(f"Expected proxies.croze.{key} >= 0 but got {getattr(self, key)}.")


def cosines(a: Tensor, b: Tensor, axis: str, scaled: bool = True) -> Tensor:
    """Cosine similarities of `a` and `b` (2 or 4 dimensions) along an axis of `AXES`, one for each remaining position.

    The cosine of a zero vector is 0. Vectors are scaled before they are squared, since squares of tiny numbers vanish;
    `scaled=False` leaves that out for numbers of ordinary size.
    """
    if scaled:
        a, b = _scaled(a), _scaled(b)
    a, b = channels_last(a), channels_last(b)
    if axis == "all":
        a, b = a.reshape(-1), b.reshape(-1)  # no copies if channels are last in memory
        dot, squares = torch.dot(a, b), torch.dot(a, a) * torch.dot(b, b)
    else:
        dims = tuple(range(a.dim()))[AXES[axis]]
        dot, squares = (a * b).sum(dims), (a * a).sum(dims) * (b * b).sum(dims)
    return dot / squares.sqrt().clamp_min(torch.finfo(a.dtype).tiny)


def _scaled(a: Tensor) -> Tensor:
    """`a` scaled to a largest absolute entry of 1."""
    least, most = extremes(a)
    return a / torch.maximum(-least, most).clamp_min(torch.finfo(a.dtype).tiny)


def packed(outputs: list[Tensor | None]) -> list[Tensor | None]:
    """Copies of the outputs; outputs of neighbouring layers with the same shape lie side by side in memory.

    A pass frees memory in gaps between its outputs, too small to use in the next pass. `outputs` is emptied.
    """
    copies: list[Tensor | None] = []
    while outputs:
        shape = _shape(outputs[0])
        number = next((m for m, z in enumerate(outputs) if _shape(z) != shape), len(outputs))
        group, outputs[:number] = [z for z in outputs[:number] if z is not None], []
        copies += _stacked(group) if group else [None] * number
    return copies


def _shape(z: Tensor | None) -> torch.Size | None:
    return None if z is None else z.shape


def _stacked(group: list[Tensor]) -> list[Tensor]:
    """Copies of tensors of one shape as parts of one tensor, channels last if they were last before."""
    if group[0].dim() < 4 or not group[0].is_contiguous(memory_format=torch.channels_last):
        return list(torch.stack(group))
    return [z.permute(0, 3, 1, 2) for z in torch.stack([channels_last(z) for z in group])]


def _uses(options: CRoZeOptions) -> list[Quantity]:
    return [weight_grads, outputs] if options.batch_norm and not options.absolute_weights else []


@proxy(
    "croze",
    mode="train",
    batch_norm="batch statistics (off with proxies.croze.batch_norm=false)",
    source="Ha et al. 2023 (arXiv:2306.05031), eq. 3-10",
    references=("ha2023croze",),
    options=CRoZeOptions,
    uses=_uses,
    passes=8 / 3,
)
def croze(probe: Probe, options: CRoZeOptions) -> float:
    """Σ_m Z_m·P_m·G_m over convolution and linear layers m (eq. 10), higher is better, never below 0.

    θʳ_m = θ_m + β·‖θ_m‖·g_m/‖g_m‖ (eq. 3), x' = x + ε·sign(∇ₓCE(θʳ)) (eq. 4);
    Z_m = Σ(1 + cos(z_m, zʳ_m)), P_m = Σ(1 + cos(θ_m - γg_m, θʳ_m - γgʳ_m)), G_m = Σ|cos(g_m, gʳ_m)| (eq. 5, 8, 9),
    z, g from (θ, x) and zʳ, gʳ from (θʳ, x'); z_m is the output of layer m itself, before normalisation. The sums run
    over the cosines of a layer. If no gradient reaches a weight, the score is the minimum, 0. Costs 2.67 F+B: two
    passes, and one with only the gradient of the images.
    """
    bn = "batch" if options.batch_norm else "off"
    weights = [weight.abs() for weight in probe.weights] if options.absolute_weights else probe.weights
    features: list[Tensor | None] = [None] * len(weights)  # z_m
    if options.batch_norm and not options.absolute_weights:
        grads = probe.quantity(weight_grads)
        features = packed(probe.pop_quantity(outputs))
    else:
        grads = probe.run(weights, batch_norm=bn, each=lambda m, z: features.__setitem__(m, z.detach()))
    if not any(bool(grad.any()) for grad in grads):  # looks at the first alone, mostly
        return 0.0  # no path from the image to the loss
    robust_weights = [perturbed(w, grad, options.beta) for w, grad in zip(weights, grads)]
    x_adv = probe.fgsm(
        options.epsilon,
        robust_weights,
        batch_norm=bn,
        ascend=options.ascend,
        bounds=(0.0, 1.0) if options.clamp else None,
    )

    reduce = torch.sum if options.reduction == "sum" else torch.mean
    feature_terms = [x_adv.new_zeros(())] * len(weights)  # Z_m

    def compare(m: int, z_r: Tensor) -> None:
        z, features[m] = features[m], None  # freed at once
        assert z is not None  # both passes use the same layers
        feature_terms[m] = reduce(1 + cosines(z, z_r.detach(), options.features, scaled=not options.batch_norm))

    def moved(w: Tensor, g: Tensor) -> Tensor:
        return w - options.gamma * g if options.gamma else w

    robust_grads = probe.run(robust_weights, x_adv, batch_norm=bn, each=compare)
    parameter_terms = [
        reduce(1 + cosines(moved(w, g), moved(w_r, g_r), options.weights))
        for w, w_r, g, g_r in zip(weights, robust_weights, grads, robust_grads)
    ]
    gradient_terms = [reduce(cosines(g, g_r, options.gradients).abs()) for g, g_r in zip(grads, robust_grads)]
    z, p, g = (torch.stack(terms).double() for terms in (feature_terms, parameter_terms, gradient_terms))
    return (z * p * g).sum().item()


def perturbed(w: Tensor, g: Tensor, beta: float) -> Tensor:
    """θ + β·‖θ‖·g/‖g‖ (eq. 3), or θ if g is 0."""
    g = _scaled(g)
    return w + beta * w.norm() * g / g.norm().clamp_min(torch.finfo(g.dtype).tiny)
