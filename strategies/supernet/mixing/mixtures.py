"""How the architecture parameters α of an edge become the weights of its operations in one step of a search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nas.core.registry import Registry
from nas.search_spaces.supernet import REMOVED, Mixed, Mixer, Supernet

SMALLEST = 1e-30  # of a gamma variate and of a concentration, so that their sum is never 0


@dataclass(frozen=True)
class Mixture:
    """`compute(supernet, temperature, generator)` draws the weights of the operations for one step of either level.

    All passes of the step have the same weights as functions of α. `settled(supernet)` gives the weights with which
    held-out images are classified. None stands for softmax(α), and for σ(α) if the weights are `independent`. With
    `draws_operations`, a step computes only some of the operations, others in each step.
    """

    name: str
    compute: Callable[[Supernet, float, torch.Generator], Mixer | None]
    settled: Callable[[Supernet], Mixer | None]
    references: tuple[str, ...] = ()  # keys of the bibliography, or BibTeX entries
    independent: bool = (
        False  # whether an operation has a weight of its own, so that those of an edge sum to any number
    )
    draws_operations: bool = False


def plain_softmax(supernet: Supernet, temperature: float, generator: torch.Generator) -> None:
    """softmax(α) over the operations of each edge, as in DARTS; nothing is drawn."""


softmax = Mixture("softmax", plain_softmax, lambda supernet: None, ("liu2019darts",))


def plain_sigmoid(supernet: Supernet, temperature: float, generator: torch.Generator) -> None:
    """σ(α) of each operation, whatever the others have: skip connections and convolutions do not compete.

    Without the zero-one loss that drives the weights to 0 and 1 in the source.
    Source: Chu et al., Fair DARTS, ECCV 2020 (arXiv:1911.12126).
    """


sigmoid = Mixture("sigmoid", plain_sigmoid, lambda supernet: None, ("chu2020fairdarts",), independent=True)


def dirichlet_concentration(alpha: Tensor) -> Tensor:
    """elu(α) + 1, never 0."""
    return functional.elu(alpha).add(1).clamp_min(SMALLEST)


def concentration(supernet: Supernet, name: str, alpha: Tensor) -> Tensor:
    """elu(α) + 1 of the operations that are kept, 0 of the others."""
    positive = dirichlet_concentration(alpha)
    return positive if supernet.kept is None else positive * supernet.kept[name]


def draw_dirichlet(supernet: Supernet, temperature: float, generator: torch.Generator) -> Mixer:
    """Weights of an edge from Dirichlet(elu(α) + 1), as γ/Σγ with γ from gamma distributions.

    Their gradient is that of the implicit reparametrisation: ∂γ/∂α with the quantile of each γ held fixed. The random
    numbers are drawn once, so the weights are the same function of α in all passes of a step.
    """
    draws = {
        name: torch._standard_gamma(concentration(supernet, name, alpha.detach()).clamp_min(SMALLEST), generator)
        for name, alpha in supernet.alphas.items()
    }

    def mixer(name: str, alpha: Tensor) -> Mixed:
        positive, drawn = concentration(supernet, name, alpha).clamp_min(SMALLEST), draws[name].clamp_min(SMALLEST)
        slope = torch._standard_gamma_grad(positive.detach(), drawn)
        gamma = drawn + slope * (positive - positive.detach())
        return _normalised(supernet, name, gamma)

    return mixer


def mean_dirichlet(supernet: Supernet) -> Mixer:
    """The mean of Dirichlet(elu(α) + 1): its concentrations divided by their sum."""
    return lambda name, alpha: _normalised(supernet, name, concentration(supernet, name, alpha))


def _normalised(supernet: Supernet, name: str, values: Tensor) -> Mixed:
    kept = None if supernet.kept is None else supernet.kept[name]
    values = values if kept is None else values * kept
    return Mixed(values / values.sum(1, keepdim=True), None if kept is None else kept.tolist())


dirichlet = Mixture("dirichlet", draw_dirichlet, mean_dirichlet, ("chen2021drnas",))


def draw_gumbel(supernet: Supernet, temperature: float, generator: torch.Generator) -> Mixer:
    """One operation per edge by hard Gumbel-softmax with straight-through gradient: one-hot - p + p.

    p = softmax((log softmax(α) + g) / temperature) with Gumbel noise g; the one-hot vector is that of the largest
    entry of p. Only the drawn operation is computed, and p gets its gradient from that operation alone.
    """
    noise = {
        name: -torch.empty_like(alpha).exponential_(generator=generator).clamp_min(SMALLEST).log()
        for name, alpha in supernet.alphas.items()
    }

    def logits(name: str, alpha: Tensor) -> Tensor:
        kept = None if supernet.kept is None else supernet.kept[name]
        scores = alpha if kept is None else alpha.masked_fill(~kept, REMOVED)
        return scores.log_softmax(1) + noise[name]

    chosen = {name: logits(name, alpha.detach()).argmax(1) for name, alpha in supernet.alphas.items()}
    hard, computed = _one_hot(supernet, chosen)

    def mixer(name: str, alpha: Tensor) -> Mixed:
        p = (logits(name, alpha) / temperature).softmax(1)
        return Mixed(hard[name].to(p.dtype) - p.detach() + p, computed[name])

    return mixer


def best_operations(supernet: Supernet) -> Mixer:
    """On each edge the operation with the largest α of those that may be derived, with weight 1."""
    choices = supernet.choices()
    best = {
        name: torch.tensor(choices, device=rows.device)[rows[:, choices].argmax(1)]
        for name, rows in supernet.probabilities().items()
    }
    hard, computed = _one_hot(supernet, best)
    return lambda name, alpha: Mixed(hard[name].to(alpha.dtype), computed[name])


def _one_hot(supernet: Supernet, chosen: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, list[list[bool]]]]:
    hard = {name: functional.one_hot(columns, len(supernet.operations)) for name, columns in chosen.items()}
    return hard, {name: one.bool().tolist() for name, one in hard.items()}


gumbel = Mixture("gumbel", draw_gumbel, best_operations, ("dong2019gdas",), draws_operations=True)

MIXTURES: Registry[Mixture] = Registry(
    "mixture", "nas.strategies.supernet.mixing", "nas.rnas", lambda value: isinstance(value, Mixture)
)
