"""A proxy from the binary codes of the ReLUs."""

from __future__ import annotations

from typing import Any

import torch

from nas.core.errors import NasError
from nas.strategies.proxies.base import proxy
from nas.strategies.proxies.passes.probe import Probe
from nas.strategies.proxies.passes.quantities import relu_kernel


@proxy(
    "nwot",
    domain="log",
    source="Mellor et al., ICML 2021 (arXiv:2006.04647), eq. 2",
    references=("mellor2021training",),
    uses=[relu_kernel],
    passes=1 / 3,
)
def nwot(probe: Probe, options: Any) -> float:
    """How different the linear regions of the images are: log|det K|, K = Σ_ReLU (c cᵀ + (1-c)(1-c)ᵀ).

    c (B, positions) is 1 where a ReLU is active; log|det K| is the sum of the logarithms of the eigenvalues of K. If
    two images have the same codes, K is singular, and the network has no value.
    """
    eigenvalues = torch.linalg.eigvalsh(probe.quantity(relu_kernel))
    rounding = len(eigenvalues) * torch.finfo(eigenvalues.dtype).eps * eigenvalues[-1]
    if not bool(eigenvalues[0] > rounding):  # the determinant of a singular matrix is seldom 0 in floats
        raise NasError(
            "Images have the same ReLU codes everywhere (or codes that follow from other images' codes), so the kernel "
            "is singular and its log is -inf."
        )
    return eigenvalues.log().sum().item()
