"""The contract of a supernet: all operations on all edges, mixed by architecture parameters α that are learned."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.search_spaces.network import RGB

M = TypeVar("M", bound=nn.Module)


def batch_norm(x: Tensor, scale: Tensor | None = None) -> Tensor:
    """`scale` (a scalar, 1 by default) times x normalised by the mean and variance of this batch, per channel.

    There are no running averages in any mode. The scale is the affine weight of the normalisation, so it costs nothing,
    forward or backward.
    """
    if scale is None:
        return functional.batch_norm(x, None, None, training=True)
    channels = x.shape[1]
    return functional.batch_norm(x, None, None, scale.repeat(channels), scale.new_zeros(channels), training=True)


def batch_statistics(module: M) -> M:
    """Make every BN in `module` use the statistics of the batch in all modes, without running averages."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.track_running_stats = False
            part.running_mean = part.running_var = part.num_batches_tracked = None
    return module


@contextmanager
def differentiate_only(network: nn.Module, wanted: Iterable[nn.Parameter]) -> Iterator[None]:
    """Run a block in which, of all parameters of `network`, only `wanted` require gradients.

    Other gradients are not computed, and nothing is kept in memory for them. Afterwards every parameter is as before.
    """
    before = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    ids = {id(parameter) for parameter in wanted}
    try:
        for parameter, _ in before:
            parameter.requires_grad_(id(parameter) in ids)
        yield
    finally:
        for parameter, required in before:
            parameter.requires_grad_(required)


class Supernet(nn.Module, ABC):
    """All operations of a space on all edges; an edge is their sum, weighted by softmax(α) over the operations.

    Takes images (B, 3, H, W) in [0, 1] and returns logits (B, classes); it normalises images itself, as `Network` does.

    Every batch normalisation uses the statistics of its batch, in train and in eval mode, and there are no running
    averages. So a pass changes nothing, and two passes of the same images give the same logits: their disagreement is
    0. Inside the cells the normalisations have no affine weights, because such weights would undo the scale of the
    mixture; outside the cells, normalisations are as in the final network.

    `none` takes part in the softmax but is not computed: its zeros need not be added.

    If `precision` is a half-precision type, the passes run under autocast; the logits have the type of the images.

    α starts at 10⁻³·N(0, 1), as in the release of DARTS. torch draws the first weights from its global generator.
    """

    operations: ClassVar[tuple[str, ...]]  # the columns of every α
    derived_edges: ClassVar[int]  # number of edges of a derived cell
    mean: Tensor
    std: Tensor

    def __init__(self, edges: dict[str, int], mean: RGB = (0.0, 0.0, 0.0), std: RGB = (1.0, 1.0, 1.0)) -> None:
        """`edges`: cell name → number of its edges, one row of α each."""
        super().__init__()
        self.precision: torch.dtype | None = None
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        self.alphas = nn.ParameterDict(
            {name: nn.Parameter(1e-3 * torch.randn(count, len(self.operations))) for name, count in edges.items()}
        )

    @abstractmethod
    def logits(self, x: Tensor, probabilities: dict[str, Tensor]) -> Tensor:
        """Logits of normalised images, with the operations of each cell mixed by its `probabilities`."""

    @abstractmethod
    def derive(self) -> Any:
        """The architecture that α chooses now: the result if the search ended here."""

    @abstractmethod
    def skips(self) -> dict[str, int]:
        """Cell name → number of skip connections in the derived cell."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, self.precision, enabled=self.precision is not None):
            logits = self.logits((x - self.mean) / self.std, self.probabilities())
        return logits.to(x.dtype)

    def probabilities(self) -> dict[str, Tensor]:
        """Cell name → softmax of α over the operations, (edges, operations)."""
        return {name: alpha.softmax(1) for name, alpha in self.alphas.items()}

    def entropy(self) -> dict[str, float]:
        """Cell name → mean over the edges of the entropy of softmax(α), in nats: ln(operations) if all are equal."""
        with torch.no_grad():
            return {
                name: torch.special.entr(probability).sum(1).mean().item()
                for name, probability in self.probabilities().items()
            }

    def architecture_parameters(self) -> list[nn.Parameter]:
        """The α, cell by cell."""
        return list(self.alphas.values())

    def weights(self) -> list[nn.Parameter]:
        """All parameters except the α."""
        return [parameter for name, parameter in self.named_parameters() if not name.startswith("alphas.")]
