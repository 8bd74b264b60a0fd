"""CRoZe as its release computes it, defects included, so that published scores can be matched."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.darts.network import CellModule as DARTSCell
from nas.search_spaces.nasbench201.network import CellModule as NASBench201Cell
from nas.search_spaces.nasbench201.network import Reduction
from nas.strategies.proxies.base import BatchOptions, proxy
from nas.strategies.proxies.collect import on_output
from nas.strategies.proxies.probe import Probe, grads_of

BETA = 2.0
EPSILON = 0.01  # in units of the normalised image
CELLS = 5  # per entry of the list of features
BATCH = 8


@dataclass
class OfficialOptions(BatchOptions):
    batch_size: int = BATCH


@proxy(
    "croze_official",
    batch_norm="off, but for the reduction blocks of NAS-Bench-201",
    source="the release of Ha et al. 2023 (arXiv:2306.05031), defects included",
    options=OfficialOptions,
    passes=11 / 3,
)
def croze_official(probe: Probe, options: OfficialOptions) -> float:
    """Σ over layers of |Σ(1 + cos(θ', θ))·Σ|cos(g', g)|·Σ(1 + cos(z', z))|, cosines along axis 0, in double precision.

    θ is |θ|, θ' = θ + 2·‖θ‖·g/‖g‖, x' = clamp(x - .01·sign ∂CE(θ')/∂x, 0, 1), g' = ∂CE(θ', x) + ∂CE(θ', x'). z are
    not the layer's own features: on NAS-Bench-201 entry ⌊cells so far / 5⌋ of stem, reductions, last stage and pooled
    features, on DARTS the output of the layer's cell. Convolutions in cells have a bias in place of normalisation.
    """
    pass
