"""Measures f of disagreement: small if the outputs for clean and perturbed images are alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor
from torch.nn import functional

from nas.core.registry import Registry

EPSILON = 1e-8  # added to the squared norm of centred logits: no 0/0 if all classes have the same logit


@dataclass(frozen=True)
class Regulariser:
    """f(clean logits, perturbed logits), both (B, classes): a scalar, 0 for equal logits and otherwise up to `largest`.

    The gradient of f is 0 as well if the logits are equal, so an attack on f must start at other images. With
    `of_features`, f compares the last feature maps (B, C, H, W) instead.
    """

    name: str
    compute: Callable[[Tensor, Tensor], Tensor]
    largest: float
    source: str
    references: tuple[str, ...] = ()  # keys of the bibliography, or BibTeX entries
    scale_free: bool = False  # whether f stays the same if both outputs are multiplied by the same number
    of_features: bool = False

    def at(self, temperature: float) -> Regulariser:
        """T²·f(clean/T, perturbed/T); f itself with T = 1, and where the scale of logits does not matter.

        The factor T² keeps the size of the gradient, which is in proportion to 1/T² for a large T.
        Source: Hinton et al. 2015 (arXiv:1503.02531), section 2.
        """
        if temperature == 1 or self.scale_free:
            return self
        square = temperature**2
        return replace(
            self,
            compute=lambda clean, perturbed: square * self.compute(clean / temperature, perturbed / temperature),
            largest=square * self.largest,
        )

    def __call__(self, clean: Tensor, perturbed: Tensor) -> Tensor:
        return self.compute(clean, perturbed)


def regulariser(
    name: str,
    *,
    largest: float,
    source: str,
    references: tuple[str, ...] = (),
    scale_free: bool = False,
    of_features: bool = False,
) -> Callable[[Callable[[Tensor, Tensor], Tensor]], Regulariser]:
    """Decorator: makes a regulariser from a function of clean and perturbed logits; its docstring gives the formula."""
    return lambda compute: Regulariser(name, compute, largest, source, references, scale_free, of_features)


@regulariser(
    "correlation",
    largest=2.0,
    source="Zhu et al., Robust Neural Architecture Search, eq. 4",
    references=("zhu2023rnas",),
    scale_free=True,
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


@regulariser(
    "margin",
    largest=1.0,
    source="this project, with the bound of Tsuzuku et al., NeurIPS 2018 (arXiv:1802.04034)",
    references=("tsuzuku2018lipschitz",),
    scale_free=True,
)
def margin(clean: Tensor, perturbed: Tensor) -> Tensor:
    """d/(d + m²/2), where d = ‖u - v‖² is the squared distance of the centred logits of an image and its copy, and m
    the difference of the two largest clean logits; mean over the batch.

    The largest class can only change if two logits move by m against each other, and they move by at most √(2d). So f
    is ½ or more for every image whose class changes, and twice the mean is at least their share. Unlike `correlation`,
    f tells a large margin from a small one: logits that hardly differ are not rewarded. It needs no label.
    """
    moved = clean - perturbed
    distance = (moved - moved.mean(1, keepdim=True)).square().sum(1)
    top = clean.topk(2, dim=1).values
    return (distance / (distance + 0.5 * (top[:, 0] - top[:, 1]).square() + EPSILON)).mean()


@regulariser(
    "features",
    largest=2.0,
    source="the stability term of Zheng et al., CVPR 2016 (arXiv:1604.04326), as a relative distance",
    references=("zheng2016stability",),
    scale_free=True,
    of_features=True,
)
def features(clean: Tensor, perturbed: Tensor) -> Tensor:
    """‖h - h'‖²/(‖h‖² + ‖h'‖²), where h and h' are the last feature maps of an image and its copy, before their mean
    over the pixels; mean over the batch.
    """
    clean, perturbed = clean.flatten(1), perturbed.flatten(1)
    total = clean.square().sum(1) + perturbed.square().sum(1) + EPSILON
    return ((clean - perturbed).square().sum(1) / total).mean()


REGULARISERS: Registry[Regulariser] = Registry(
    "regulariser", "nas.strategies.supernet", "nas.rnas", lambda value: isinstance(value, Regulariser)
)
