"""CRoZe: how alike features, weights and gradients stay when weights and images are perturbed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nas.core.errors import InputError
from nas.strategies.proxies.base import BatchOptions, proxy
from nas.strategies.proxies.probe import Probe


@dataclass
class CRoZeOptions(BatchOptions):
    """What eq. 3–10 leave open. The defaults are the reading that ranked well in a first measurement."""

    batch_size: int = 16
    beta: float = 2.0  # eq. 3, size of the weight perturbation relative to the weight's norm
    epsilon: float = 0.01  # eq. 4, in units of the normalised image
    gamma: float = 0.0  # eq. 7, step of the compared weights; 0 compares θ itself with θʳ
    batch_norm: bool = True
    absolute_weights: bool = False  # True: start from |θ|, as the release does
    axis: str = "first"  # "first": cosines along axis 0 (output channels; batch); "flat": one cosine per layer
    reduction: str = "sum"  # of the cosines of a layer: "sum" or "mean"
    ascend: bool = True  # FGSM raises the loss; False lowers it, as the release's sign does
    clamp: bool = False  # clamp the perturbed, normalised image to [0, 1], as the release does

    def check(self) -> None:
        for key, allowed in (("axis", ("first", "flat")), ("reduction", ("sum", "mean"))):
            if getattr(self, key) not in allowed:
                raise InputError(
                    f"Expected proxies.croze.{key} to be {' or '.join(allowed)} but got {getattr(self, key)!r}."
                )
        super().check()
        for key in ("beta", "epsilon", "gamma"):
            if not 0 <= getattr(self, key) < float("inf"):
                raise InputError(f"Expected proxies.croze.{key} >= 0 but got {getattr(self, key)}.")


def cosines(a: Tensor, b: Tensor, axis: str) -> Tensor:
    """Cosine similarities of `a` and `b`: along axis 0, one per remaining position, or one of all entries.

    A zero vector has cosine 0 with everything.
    """
    shape = (-1, 1) if axis == "flat" else (a.shape[0], -1)
    return (_unit(a.reshape(shape)) * _unit(b.reshape(shape))).sum(0)


def _uses(options: CRoZeOptions) -> tuple[str, ...]:
    return ("weight_grads", "outputs") if options.batch_norm and not options.absolute_weights else ()


@proxy(
    "croze",
    mode="train",
    batch_norm="batch statistics (off with proxies.croze.batch_norm=false)",
    source="Ha et al. 2023 (arXiv:2306.05031), eq. 3-10",
    options=CRoZeOptions,
    uses=_uses,
    passes=8 / 3,
)
def croze(probe: Probe, options: CRoZeOptions) -> float:
    """Σ_m Z_m·P_m·G_m over convolution and linear layers m (eq. 10), higher is better, never below 0.

    θʳ_m = θ_m + β·‖θ_m‖·g_m/‖g_m‖ (eq. 3), x' = x + ε·sign(∇ₓCE(θʳ)) (eq. 4);
    Z_m = Σ(1 + cos(z_m, zʳ_m)), P_m = Σ(1 + cos(θ_m - γg_m, θʳ_m - γgʳ_m)), G_m = Σ|cos(g_m, gʳ_m)| (eq. 5, 8, 9),
    z, g from (θ, x) and zʳ, gʳ from (θʳ, x'); z_m is the output of layer m itself,
    before normalisation. A network through which no gradient flows back to the image scores the minimum, 0.
    Costs 2.67 F+B: two full passes and one that only needs the input's gradient.
    """
    bn = "batch" if options.batch_norm else "off"
    weights = [weight.abs() for weight in probe.weights] if options.absolute_weights else probe.weights
    outputs: list[Tensor | None] = [None] * len(weights)
    if options.batch_norm and not options.absolute_weights:
        grads = probe.quantity("weight_grads")
        outputs = probe.hand_over("outputs")
    else:
        grads = probe.run(weights, batch_norm=bn, each=lambda m, z: outputs.__setitem__(m, z.detach()))
    if not any(bool(grad.any()) for grad in grads):
        return 0.0  # no path from the image to the loss
    directions = [_unit(grad.flatten()).view_as(grad) for grad in grads]
    robust_weights = [w + options.beta * w.norm() * direction for w, direction in zip(weights, directions)]
    x_adv = probe.fgsm(
        options.epsilon,
        robust_weights,
        batch_norm=bn,
        ascend=options.ascend,
        bounds=(0.0, 1.0) if options.clamp else None,
    )

    reduce = torch.sum if options.reduction == "sum" else torch.mean
    features = torch.zeros(len(weights), dtype=torch.float64, device=x_adv.device)

    def compare(m: int, z_r: Tensor) -> None:
        z, outputs[m] = outputs[m], None
        features[m] = reduce(1 + cosines(z, z_r.detach(), options.axis))

    robust_grads = probe.run(robust_weights, x_adv, batch_norm=bn, each=compare)
    total = torch.zeros((), dtype=torch.float64, device=x_adv.device)
    for m, (w, w_r, g, g_r) in enumerate(zip(weights, robust_weights, grads, robust_grads)):
        parameters = reduce(1 + cosines(w - options.gamma * g, w_r - options.gamma * g_r, options.axis))
        gradients = reduce(cosines(g, g_r, options.axis).abs())
        total += features[m] * parameters.double() * gradients.double()
    return total.item()


def _unit(vectors: Tensor) -> Tensor:
    """v/‖v‖ along axis 0, and 0 for v = 0; scaled by the largest entry first, as squares of tiny ones vanish."""
    tiny = torch.finfo(vectors.dtype).tiny
    scaled = vectors / vectors.abs().amax(0).clamp_min(tiny)
    return scaled / torch.linalg.vector_norm(scaled, dim=0).clamp_min(tiny)
