"""The disagreement f of RNAS: small if the outputs for clean and perturbed images are alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from nas.core.registry import Registry

EPSILON = 1e-8  # added to the squared norm of centred logits: no 0/0 if all classes have the same logit


@dataclass(frozen=True)
class Regulariser:
    """f(clean logits, perturbed logits), both (B, classes): a scalar, 0 for equal logits and otherwise up to `largest`.

    The gradient of f is 0 as well if the logits are equal, so an attack on f must start at other images.
    """

    name: str
    compute: Callable[[Tensor, Tensor], Tensor]
    largest: float
    source: str
    references: tuple[str, ...] = ()  # keys of the bibliography, or BibTeX entries

    def __call__(self, clean: Tensor, perturbed: Tensor) -> Tensor:
        return self.compute(clean, perturbed)


def regulariser(
    name: str, *, largest: float, source: str, references: tuple[str, ...] = ()
) -> Callable[[Callable[[Tensor, Tensor], Tensor]], Regulariser]:
    """Decorator: makes a regulariser from a function of clean and perturbed logits; its docstring gives the formula."""
    return lambda compute: Regulariser(name, compute, largest, source, references)


@regulariser(
    "correlation",
    largest=2.0,
    source="Zhu et al., Robust Neural Architecture Search, eq. 4",
    references=("zhu2023rnas",),
)
def correlation(clean: Tensor, perturbed: Tensor) -> Tensor:
    """1 - ρ, where ρ is Pearson's correlation of the two logit vectors of an image; mean over the batch.

    Computed as ½‖u - v‖², where u and v are the centred logits divided by √(‖·‖² + ε): the same number, since
    ‖u‖ = ‖v‖ = 1 but for ε, and exactly 0 for equal logits, while 1 - ρ leaves rounding errors.
    """
    difference = _standardised(clean) - _standardised(perturbed)
    return 0.5 * difference.square().sum(1).mean()


def _standardised(logits: Tensor) -> Tensor:
    centred = logits - logits.mean(1, keepdim=True)
    return centred * (centred.square().sum(1, keepdim=True) + EPSILON).rsqrt()


@regulariser(
    "kl",
    largest=float("inf"),
    source="the term of TRADES: Zhang et al., ICML 2019 (arXiv:1901.08573)",
    references=("zhang2019trades",),
)
def kl(clean: Tensor, perturbed: Tensor) -> Tensor:
    """KL(softmax(clean) ‖ softmax(perturbed)) = Σ p·log(p/p'); mean over the batch, in nats."""
    return functional.kl_div(perturbed.log_softmax(1), clean.log_softmax(1), reduction="batchmean", log_target=True)


@regulariser(
    "squared",
    largest=2.0,
    source="adversarial logit pairing (arXiv:1803.06373), with probabilities",
    references=("kannan2018logit",),
)
def squared(clean: Tensor, perturbed: Tensor) -> Tensor:
    """‖softmax(clean) - softmax(perturbed)‖²; mean over the batch.

    It compares probabilities, not logits, so it has a bound and the same λ suits any scale of the logits.
    """
    return (clean.softmax(1) - perturbed.softmax(1)).square().sum(1).mean()


REGULARISERS: Registry[Regulariser] = Registry(
    "regulariser", "nas.strategies.supernet", "nas.rnas", lambda value: isinstance(value, Regulariser)
)
