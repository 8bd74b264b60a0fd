"""A proxy from the binary codes of the ReLUs."""

from __future__ import annotations

from typing import Any

import torch

from nas.core.errors import NasError
from nas.strategies.proxies.base import proxy
from nas.strategies.proxies.probe import Probe


@proxy(
    "nwot",
    domain="log",
    source="Mellor et al., ICML 2021 (arXiv:2006.04647), eq. 2",
    uses=("relu_kernel",),
    passes=1 / 3,
)
def nwot(probe: Probe, options: Any) -> float:
    """How different the linear regions of the images are: log|det K|, K = Σ_ReLU (c cᵀ + (1-c)(1-c)ᵀ).

    c (B, positions) is 1 where a ReLU lets something pass. Two images of the same codes make K singular, which is an
    error with that reason.
    """
    kernel = probe.quantity("relu_kernel")
    # of equal rows, rounding can leave a determinant that is not 0, so they are looked for by their whole numbers
    if int((kernel == kernel.diagonal()[:, None]).sum()) > len(kernel):
        raise NasError("Two images have the same ReLU codes everywhere, so the kernel is singular; its log is -inf.")
    sign, value = torch.linalg.slogdet(kernel)
    if sign <= 0 or not bool(value.isfinite()):
        raise NasError("The kernel of the ReLU codes is singular (more images than positions), so its log is -inf.")
    return value.item()
