"""The two proxies of TE-NAS: how many linear regions a network has, and how well its tangent kernel is conditioned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from nas.core.errors import InputError, NasError
from nas.core.execution.out_of_memory import is_shortage
from nas.strategies.proxies.base import BatchOptions, proxy
from nas.strategies.proxies.passes.autograd import check_finite, grads_of
from nas.strategies.proxies.passes.probe import Probe
from nas.strategies.proxies.passes.relu_codes import relu_codes

SOURCE = "Chen, Gong and Wang, ICLR 2021 (arXiv:2102.11535)"
MAX_INITIALISATIONS = 1000
MAX_CROPS = 20_000  # the codes of all of them are held at once


def kaiming(probe: Probe, label: str, fan: Literal["in", "out"]) -> list[Tensor]:
    """New weights of all layers from N(0, 2/fan); fan is k²·(input channels per group) or k²·(output channels)."""
    generator = probe.generator(label)
    drawn = []
    for weight in probe.weights:
        kernel = math.prod(weight.shape[2:])
        scale = math.sqrt(2 / (kernel * weight.shape[1 if fan == "in" else 0]))
        drawn.append((torch.randn(weight.shape, generator=generator) * scale).to(weight))
    return drawn


@dataclass
class NTKOptions(BatchOptions):
    batch_size: int = 32  # images of the training part
    initialisations: int = 3  # over which the value is averaged

    def check(self) -> None:
        """Raises InputError if a value is impossible."""
        super().check()
        _check_initialisations(self.initialisations, self.section)


def _check_initialisations(number: int, section: str) -> None:
    if not 1 <= number <= MAX_INITIALISATIONS:
        raise InputError(
            f"Expected {section}.initialisations between 1 and {MAX_INITIALISATIONS:,} but got {number}; three are "
            "usual."
        )


@proxy(
    "ntk_cond",
    higher_is_better=False,
    domain="log",
    source=f"{SOURCE}, section 3.1",
    references=("chen2021tenas",),
    options=NTKOptions,
    passes=lambda options: options.initialisations * (1 + 2 * options.batch_size) / 3,
)
def ntk_cond(probe: Probe, options: NTKOptions) -> float:
    """Condition number of the neural tangent kernel, mean over initialisations of log(λ_max/λ_min); lower is better.

    The kernel is K = J Jᵀ, (B, B), where row i of J is ∂(Σ_classes logits of image i)/∂w, w the weights of the layers.
    Weights are drawn anew from N(0, 2/(k²·output channels)); batch normalisation uses the statistics of the batch. One
    backward pass per image and initialisation; the memory is that of B times the weights. As in the release, but that
    has the weights of batch normalisations among w, and averages ratios of λ_max/λ_min where this is their logarithm.

    Raises NasError if K is singular. It is so for networks whose pooled features all come from batch normalisations, as
    in DARTS networks whose last cell has no pooling: over the batch, these features sum to 0.
    """
    values = []
    for number in range(options.initialisations):
        with probe.view(kaiming(probe, f"ntk_cond/{number}", "out")), torch.enable_grad():
            sums = probe.body(probe.images).sum(1)
            weights = [layer.weight for layer in probe.layers]
            rows = []
            for image in range(len(sums)):
                grads = grads_of(sums[image], weights, retain_graph=image < len(sums) - 1)
                rows.append(torch.cat([grad.flatten() for grad in grads]))
        jacobian = torch.stack(rows)
        check_finite("gradient of the logits to the weights", jacobian)
        eigenvalues = torch.linalg.eigvalsh(_gram(jacobian))
        rounding = len(eigenvalues) * torch.finfo(jacobian.dtype).eps * eigenvalues[-1]
        if not bool(eigenvalues[0] > rounding):
            raise NasError(
                "The tangent kernel is singular: the gradients of some images are combinations of others', because "
                "images are equal or because batch normalisation makes a sum of their logits constant."
            )
        values.append((eigenvalues[-1] / eigenvalues[0]).log().item())
    return sum(values) / len(values)


def _gram(rows: Tensor) -> Tensor:
    """rows rowsᵀ in double precision, without a copy of all rows in it."""
    gram = torch.zeros((len(rows), len(rows)), dtype=torch.float64, device=rows.device)
    for part in rows.split(2**16, dim=1):
        gram += part.double() @ part.double().T
    return gram


@dataclass
class LinearRegionsOptions(BatchOptions):
    crops: int = 1000  # small pieces of the images, whose patterns are compared
    pixels: int = 4  # width and height of a piece
    initialisations: int = 3  # over which the value is averaged

    def check(self) -> None:
        """Raises InputError if a value is impossible."""
        super().check()
        _check_initialisations(self.initialisations, self.section)
        if not 2 <= self.crops <= MAX_CROPS:
            raise InputError(
                f"Expected {self.section}.crops between 2 and {MAX_CROPS:,} but got {self.crops}; a thousand are usual."
            )
        if not 1 <= self.pixels <= 1024:
            raise InputError(f"Expected {self.section}.pixels between 1 and 1024 but got {self.pixels}; 4 are usual.")


@proxy(
    "linear_regions",
    source=f"{SOURCE}, section 3.2",
    references=("chen2021tenas",),
    options=LinearRegionsOptions,
    passes=lambda options: options.initialisations / 3,
    thin=True,
)
def linear_regions(probe: Probe, options: LinearRegionsOptions) -> float:
    """Number of different patterns of the ReLUs over small inputs, mean over initialisations; more is better.

    The inputs are `crops` pieces of one channel of the normalised images, drawn at random and repeated in all channels.
    The pattern of an input says of every ReLU and position whether it is active. Weights are drawn anew from
    N(0, 2/(k²·input channels)); batch normalisation uses the statistics of all inputs. As in the release, but that has
    3×3 pixels, which cannot be halved twice, and 3,000 pieces. The number cannot exceed `crops`, and wide
    networks reach it: `nas score` and searches therefore give this proxy the thinnest network of the space.
    """
    inputs = _pieces(probe, options)
    counts = []
    for number in range(options.initialisations):
        with probe.view(kaiming(probe, f"linear_regions/{number}", "in")), torch.no_grad():
            try:
                codes = relu_codes(probe.body, inputs)
            except RuntimeError as error:
                if is_shortage(error):
                    raise
                raise NasError(
                    f"The network takes no images of {inputs.shape[-1]} pixels; raise proxies.linear_regions.pixels."
                ) from error
        counts.append(len(torch.unique(codes, dim=0)))
    return sum(counts) / len(counts)


def _pieces(probe: Probe, options: LinearRegionsOptions) -> Tensor:
    """(crops, 3, p, p): random pieces of one channel of the images, repeated; p at most the images' size."""
    images, generator = probe.images, probe.generator("linear_regions")
    size = min(options.pixels, *images.shape[2:])

    def draw(high: int) -> Tensor:
        return torch.randint(high, (options.crops,), generator=generator).to(images.device)

    image, channel = draw(len(images)), draw(images.shape[1])
    top, left = draw(images.shape[2] - size + 1), draw(images.shape[3] - size + 1)
    step = torch.arange(size, device=images.device)
    rows, columns = (top[:, None] + step)[:, :, None], (left[:, None] + step)[:, None, :]
    pieces = images[image[:, None, None], channel[:, None, None], rows, columns]
    return pieces[:, None].expand(-1, images.shape[1], -1, -1).contiguous()
