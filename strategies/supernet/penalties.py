"""Robust terms that the loss of α may have besides the disagreement: one of its gradient, one of the Jacobian."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nas.core.registry import Registry
from nas.search_spaces.supernet import Supernet
from nas.strategies.supernet.compilation import uncompiled
from nas.strategies.supernet.double_backward import cheap_double_backward
from nas.strategies.supernet.mixing.mixtures import dirichlet_concentration

SMOOTHNESS_RADIUS = 1.5  # ‖z‖₂ of each image, in units of normalised pixels
SMOOTHNESS_SCALE = 4.0


@dataclass(frozen=True)
class Penalty:
    """`compute(supernet, x, y, logits)`: a scalar to be minimised, which can be differentiated with respect to α.

    x requires gradients, and `logits` are those of x with their graph. Lengths of images are in units of normalised
    pixels, those that the data set's standard deviation divides. `passes` counts forward passes besides that of x.
    `at_most_twice` promises that the gradient of the penalty for α needs no third derivative of the supernet, whose
    second ones are cheaper then (`cheap_double_backward`).
    """

    name: str
    compute: Callable[[Supernet, Tensor, Tensor, Tensor], Tensor]
    passes: int
    references: tuple[str, ...] = ()  # keys of the bibliography, or BibTeX entries
    at_most_twice: bool = False
    of_passes: bool = True  # whether it depends on passes of the supernet, and not on α alone

    @contextmanager
    def graphs(self, supernet: Supernet) -> Iterator[None]:
        """Within this block the passes are computed whose graphs the penalty differentiates."""
        with ExitStack() as stack:
            if self.of_passes:
                stack.enter_context(uncompiled(supernet))
            if self.at_most_twice:
                stack.enter_context(cheap_double_backward())
            yield


def smoothness(supernet: Supernet, x: Tensor, y: Tensor, logits: Tensor) -> Tensor:
    """R = (4/B)·Σ ‖∇ₓ(L(x + z) - L(x))‖₂, how fast the gradient of the loss changes along z; sum over the batch.

    L is the mean cross-entropy of the batch, z = 1.5·s/‖s‖₂ with s = sign(∇ₓL(x)) of each image, a constant.
    Source: Mok et al., AdvRush, ICCV 2021 (arXiv:2108.01289), with the constants of its release.
    """
    return gradient_change(
        lambda moved: functional.cross_entropy(supernet(moved), y), functional.cross_entropy(logits, y), x, supernet.std
    )


def gradient_change(loss: Callable[[Tensor], Tensor], at_x: Tensor, x: Tensor, std: Tensor) -> Tensor:
    """`smoothness` of any loss: 0 if the loss is linear in x. `at_x` is the loss at x, with its graph."""
    (here,) = torch.autograd.grad(at_x, x, create_graph=True)
    sign = here.detach().sign()
    length = torch.linalg.vector_norm(sign.flatten(1), dim=1).clamp_min(1e-12).view(-1, 1, 1, 1)
    moved = x.detach() + std * (SMOOTHNESS_RADIUS * sign / length)
    moved.requires_grad_()
    (there,) = torch.autograd.grad(loss(moved), moved, create_graph=True)
    change = (std * (there - here)).flatten(1)
    return SMOOTHNESS_SCALE / len(x) * norms(change).sum()


def jacobian(supernet: Supernet, x: Tensor, y: Tensor, logits: Tensor) -> Tensor:
    """‖J‖_F / B, where J (B, pixels) has the gradient of the largest logit of each image with respect to the image.

    Source: the Jacobian variant of Hosseini et al., DSRNA, CVPR 2021 (arXiv:2012.06122). Its code is not public; this
    formula is that of an unofficial reimplementation.
    """
    (gradient,) = torch.autograd.grad(logits.amax(1).sum(), x, create_graph=True)
    return norms((supernet.std * gradient).flatten()[None]).sum() / len(x)


def norms(rows: Tensor) -> Tensor:
    """‖·‖₂ of each row; its gradient is 0 for a row of zeros."""
    squares = rows.square().sum(1)
    return torch.where(squares > 0, squares, 1).sqrt() * (squares > 0)


def dirichlet_kl(supernet: Supernet, x: Tensor, y: Tensor, logits: Tensor) -> Tensor:
    """KL(Dirichlet(elu(α) + 1) ‖ Dirichlet(1)), summed over all edges: it keeps α near an even mixture.

    An operation that no edge of a cell keeps, such as `none` with `mix_none` false, has no part in it.
    Source: Chen et al., DrNAS, ICLR 2021 (arXiv:2006.10355), section 3.
    """
    total = logits.new_zeros(())
    for name, alpha in supernet.alphas.items():
        if supernet.kept is not None:
            alpha = alpha[:, supernet.kept[name].any(0)]
        given = torch.distributions.Dirichlet(dirichlet_concentration(alpha), validate_args=False)
        even = torch.distributions.Dirichlet(torch.ones_like(alpha), validate_args=False)
        total = total + torch.distributions.kl_divergence(given, even).sum()
    return total


SMOOTHNESS = Penalty("smoothness", smoothness, 1, ("mok2021advrush",), at_most_twice=True)
JACOBIAN = Penalty("jacobian", jacobian, 0, ("hosseini2021dsrna",), at_most_twice=True)
DIRICHLET_KL = Penalty("dirichlet-kl", dirichlet_kl, 0, ("chen2021drnas",), of_passes=False)

PENALTIES: Registry[Penalty] = Registry(
    "penalty", "nas.strategies.supernet", "nas.rnas", lambda value: isinstance(value, Penalty)
)
