"""Proxies from the Jacobian of the logits with respect to the images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nas.core.errors import InputError, NasError
from nas.strategies.proxies.base import BatchOptions, proxy
from nas.strategies.proxies.passes.probe import Probe
from nas.strategies.proxies.passes.quantities import jacobian, logits, projections

K = 1e-5  # added to eigenvalues and correlations, as in the papers
MANY_CLASSES = 100  # with more of them, EPE-NAS compares classes with each other


def jacobian_of(probe: Probe) -> Tensor:
    """∂Σlogits/∂x, (B, pixels). Raises NasError if it is 0, apart from rounding errors.

    The sum over the batch of the output of a batch normalisation is constant. So Σlogits depends on no image if the
    global pooling only takes outputs of normalisations, as in DARTS networks whose last cell has no pooling.
    """
    rows = probe.quantity(jacobian)
    through = probe.body.classifier.weight.detach().double().sum(0).norm()  # ∂Σlogits/∂(pooled features)
    if not bool(rows.double().norm(dim=1).max() > math.sqrt(torch.finfo(rows.dtype).eps) * through):
        raise NasError(
            "The sum of the batch's logits does not depend on the images (no path leads from them to the logits, or "
            "batch normalisation makes the sum constant), so Jacobians have no correlation."
        )
    return rows


def correlations(rows: Tensor) -> Tensor:
    """Pearson correlations of the rows (n, D): (n, n), in double precision. Raises NasError if a row is constant."""
    centred = rows.double() - rows.double().mean(1, keepdim=True)
    largest = centred.abs().amax(1, keepdim=True)
    if not bool((largest > 0).all()):
        raise NasError("The logits do not depend on one of the images, so Jacobians have no correlation.")
    unit = centred / largest
    unit = unit / unit.norm(dim=1, keepdim=True)
    return (unit @ unit.T).clamp(-1, 1)


@proxy(
    "jacov",
    source="Mellor et al. 2020 (arXiv:2006.04647v1)",
    references=("mellor2021training",),
    uses=[jacobian],
    passes=2 / 3,
)
def jacov(probe: Probe, options: Any) -> float:
    """How different the Jacobians of the images are: -Σ (log(λ+k) + 1/(λ+k)), k = 1e-5.

    λ are the eigenvalues of the correlation matrix of the rows ∂Σlogits/∂x of the batch.
    """
    eigenvalues = torch.linalg.eigvalsh(correlations(jacobian_of(probe))) + K
    # rounding can leave an eigenvalue of a singular matrix below -k, where there is no logarithm
    eigenvalues = eigenvalues.clamp_min(K)
    return -(eigenvalues.log() + 1 / eigenvalues).sum().item()


@proxy(
    "epe_nas",
    source="Lopes et al., ICANN 2021 (arXiv:2102.08099)",
    references=("lopes2021epenas",),
    uses=[jacobian],
    passes=2 / 3,
)
def epe_nas(probe: Probe, options: Any) -> float:
    """How alike the Jacobians of one class are: Σ_c |s_c|, s_c = Σ log(|correlations of class c| + 1e-5).

    If the data set (the logits) has more than 100 classes, the published code does something that the paper does not
    mention, and so does this function: s_c is divided by the number of images of the class, classes with one image in
    the batch are left out, and the result is Σ_{c,c'} |s_c - s_c'| / number of classes left. Up to 100 classes, a class
    with one image counts with log(1 + 1e-5).
    """
    rows, labels = jacobian_of(probe), probe.labels
    many = probe.quantity(logits).shape[1] > MANY_CLASSES
    scores = []
    for label in labels.unique():
        own = rows[labels == label]
        if many and len(own) == 1:
            continue
        score = (correlations(own).abs() + K).log().sum()
        scores.append(score / len(own) if many else score)
    if not scores:
        raise NasError(
            f"No class has two images in the batch of {len(labels)}, and with more than {MANY_CLASSES} "
            "classes, those with one image do not count; raise proxies.epe_nas.batch_size."
        )
    s = torch.stack(scores)
    return ((s[:, None] - s[None, :]).abs().sum() / len(s) if many else s.abs().sum()).item()


@dataclass
class JacobianOptions(BatchOptions):
    projections: int = 1  # random directions per image; any number gives an unbiased estimate

    def check(self) -> None:
        """Raises InputError if a value is impossible."""
        super().check()
        if not 1 <= self.projections <= 10_000:
            raise InputError(
                f"Expected proxies.jacob_fro.projections between 1 and 10000 but got {self.projections}; one is usual."
            )


@proxy(
    "jacob_fro",
    higher_is_better=False,
    source="Hoffman et al. 2019 (arXiv:1908.02729), alg. 1",
    references=("hoffman2019jacobian",),
    options=JacobianOptions,
    uses=lambda options: [projections(options.projections)],
    passes=lambda options: (1 + options.projections) / 3,
)
def jacob_fro(probe: Probe, options: JacobianOptions) -> float:
    """‖∂logits/∂x‖_F² = K·E_v‖vᵀJ‖², the mean over the batch; lower means less sensitive. Never below 0.

    K logits, v uniform on the unit sphere, x the normalised image; one input-only backward per projection. With batch
    statistics, the row of an image also contains its effect on the logits of the other images.
    """
    rows = probe.quantity(projections(options.projections))
    classes = probe.quantity(logits).shape[1]
    return classes * rows.double().square().sum(2).mean().item()
