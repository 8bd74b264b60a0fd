"""The contract of a supernet: all operations on all edges, mixed by architecture parameters α that are learned."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.core.errors import InputError
from nas.search_spaces.network import RGB

M = TypeVar("M", bound=nn.Module)
REMOVED = -1e9  # in place of the α of an operation that is not kept: its share of the softmax is exactly 0


class Mixed(NamedTuple):
    """How the operations of one cell are mixed in a pass."""

    weights: Tensor  # (edges, operations), with their graph to α
    computed: list[list[bool]] | None = None  # for each edge the operations that are computed; None: all of them


class EdgePass(NamedTuple):
    """What a pass does on one edge, besides the weights of the operations."""

    computed: list[bool] | None = None  # which operations are computed; the weights of the others are 0. None: all
    factor: Tensor | None = None  # the weight β of the edge (a scalar), for channels that pass no operation
    skip_output: Callable[[Tensor], Tensor] | None = None  # applied to the output of a skip connection


Mixer = Callable[[str, Tensor], Mixed]  # the name of a cell and its α → how its operations are mixed
WHOLE = EdgePass()


def sum_of_computed(computed: list[bool], term: Callable[[int], Tensor]) -> Tensor | None:
    """The sum of `term(column)` over the operations that are computed; `none`, the first, adds nothing.

    None if no other operation is computed.
    """
    terms = [term(column) for column in range(1, len(computed)) if computed[column]]
    return sum(terms[1:], terms[0]) if terms else None


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

    If `precision` is a half-precision type, the passes run under autocast; the logits have the type of the images. If
    there is a `compiled` version of `logits`, passes without `skip_output` call it instead, with their kind besides.

    A strategy may set attributes, which are no part of `state_dict`: `mixer` (weights other than softmax(α), or only
    some of the operations), `kept` (the operations that are left; the softmax is over these), `forbidden` (operations
    that cannot be derived), `independent` (each operation has the weight σ(α) instead of a share of softmax(α)) and
    `skip_output` (called once in each pass, it gives what is done to the output of skip connections).

    With `edge_weights`, an edge is also multiplied by the softmax of its β over the edges into the same node (Xu et
    al., ICLR 2020, arXiv:1907.05737, section 3.3). The β are architecture parameters too.

    α starts at 10⁻³·N(0, 1), as in the release of DARTS. torch draws the first weights from its global generator.
    """

    operations: ClassVar[tuple[str, ...]]  # the columns of every α
    derived_edges: ClassVar[int]  # number of edges of a derived cell
    edges: ClassVar[tuple[tuple[int, int], ...]] = ()  # (source, node) of each row of α, for edge weights
    mean: Tensor
    std: Tensor
    classifier: nn.Module  # from the mean over pixels of the last feature map to logits, for `classify`

    def __init__(
        self,
        edges: dict[str, int],
        mean: RGB = (0.0, 0.0, 0.0),
        std: RGB = (1.0, 1.0, 1.0),
        edge_weights: bool = False,
    ) -> None:
        """`edges`: cell name → number of its edges, one row of α each."""
        super().__init__()
        self.precision: torch.dtype | None = None
        self.compiled: Callable[[Tensor, dict[str, Tensor], str], Tensor] | None = None
        self.mixer: Mixer | None = None
        self.kept: dict[str, Tensor] | None = None  # cell name → (edges, operations) of bool
        self.forbidden: dict[str, Tensor] | None = None  # the same: operations that are never derived
        self.independent = False
        self.skip_output: Callable[[], Callable[[Tensor], Tensor]] | None = None
        self.feature_maps: list[Tensor] | None = None  # gets the last feature map of a pass that is asked for it
        self.edge_passes: dict[str, list[EdgePass]] = {}  # of the current pass, by the name of the cell
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        self.alphas = nn.ParameterDict(
            {name: nn.Parameter(1e-3 * torch.randn(count, len(self.operations))) for name, count in edges.items()}
        )
        betas = edges if edge_weights else {}
        self.betas = nn.ParameterDict({name: nn.Parameter(1e-3 * torch.randn(count)) for name, count in betas.items()})

    @abstractmethod
    def logits(self, x: Tensor, probabilities: dict[str, Tensor]) -> Tensor:
        """Logits of normalised images, with the operations of each cell mixed by its `probabilities`.

        These contain the weights of the edges, if there are any. `edge_passes` says what need not be computed.
        """

    @abstractmethod
    def derive(self) -> Any:
        """The architecture that α chooses now: the result if the search ended here."""

    @abstractmethod
    def skips(self) -> dict[str, int]:
        """Cell name → number of skip connections in the derived cell."""

    def choices(self) -> list[int]:
        """The columns of α that `derive` may choose: all but that of `none`."""
        return [column for column, name in enumerate(self.operations) if name != "none"]

    def path(self, arch: Any) -> dict[str, Tensor]:
        """Cell name → (edges, operations): how often an architecture of the space has each operation on each edge.

        With these as weights, a pass is that of the architecture alone.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say which operations an architecture has.")

    def forward(self, x: Tensor) -> Tensor:
        mixed, weights = self.mixed(), {}
        skip_output = None if self.skip_output is None else self.skip_output()
        for name, one in mixed.items():
            edges = self.edge_weights(name)
            weights[name] = one.weights if edges is None else one.weights * edges[:, None]
            self.edge_passes[name] = [
                EdgePass(None if one.computed is None else one.computed[row], factor, skip_output)
                for row, factor in enumerate([None] * len(one.weights) if edges is None else edges.unbind())
            ]
        with torch.autocast(x.device.type, self.precision, enabled=self.precision is not None):
            inputs = (x - self.mean) / self.std
            if self.compiled is None or skip_output is not None:
                logits = self.logits(inputs, weights)
            else:
                logits = self.compiled(inputs, weights, self.kind_of_pass())
        self.edge_passes.clear()
        return logits.to(x.dtype)

    def kind_of_pass(self) -> str:
        """What a pass depends on besides its tensors: a compiled one serves only passes of the same kind.

        These are the parameters that require gradients, the operations that are computed and whether the last feature
        map is kept.
        """
        wanted = "".join("01"[parameter.requires_grad] for parameter in self.parameters())
        computed = [[one.computed for one in rows] for rows in self.edge_passes.values()]
        return f"{wanted} {computed} {self.feature_maps is not None}"

    def classify(self, features: Tensor) -> Tensor:
        """Logits of the last feature map, (B, C, H, W): the end of `logits`."""
        if self.feature_maps is not None:
            self.feature_maps.append(features)
        logits: Tensor = self.classifier(features.mean((2, 3)))
        return logits

    def with_features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The logits and the last feature map of one pass.

        Raises InputError if the supernet does not end in `classify`.
        """
        seen: list[Tensor] = []
        self.feature_maps = seen
        try:
            logits = self(x)
        finally:
            self.feature_maps = None
        if not seen:
            raise InputError(
                f"Expected a supernet that shows its last feature map but {type(self).__name__} does not; take another "
                "strategy.regulariser, or let its `logits` end in `classify`."
            )
        return logits, seen[0].to(logits.dtype)

    def mixed(self) -> dict[str, Mixed]:
        """Cell name → how a pass mixes the operations now, without the weights of the edges."""
        if self.mixer is not None:
            return {name: self.mixer(name, alpha) for name, alpha in self.alphas.items()}
        kept = self.kept
        return {
            name: Mixed(probability, None if kept is None else kept[name].tolist())
            for name, probability in self.probabilities().items()
        }

    def probabilities(self) -> dict[str, Tensor]:
        """Cell name → softmax of α over the operations that are kept, (edges, operations); σ(α) if `independent`."""
        kept = self.kept
        if self.independent:
            return {
                name: alpha.sigmoid() if kept is None else alpha.sigmoid() * kept[name]
                for name, alpha in self.alphas.items()
            }
        if kept is None:
            return {name: alpha.softmax(1) for name, alpha in self.alphas.items()}
        return {
            name: alpha.masked_fill(~kept[name], REMOVED).softmax(1) * kept[name] for name, alpha in self.alphas.items()
        }

    def edge_weights(self, name: str) -> Tensor | None:
        """The softmax of β over the edges into each node, (edges,); None without edge weights."""
        if name not in self.betas:
            return None
        nodes = [node for _, node in self.edges]
        counts = [nodes.count(node) for node in dict.fromkeys(nodes)]
        return torch.cat([part.softmax(0) for part in self.betas[name].split(counts)])

    def strengths(self) -> dict[str, Tensor]:
        """Cell name → what `derive` compares: the probabilities, times the weights of their edges."""
        found = {}
        for name, probability in self.probabilities().items():
            edges = self.edge_weights(name)
            found[name] = probability if edges is None else probability * edges[:, None]
            if self.forbidden is not None:
                found[name] = found[name].masked_fill(self.forbidden[name], 0.0)
        return found

    def entropy(self) -> dict[str, float]:
        """Cell name → mean over the edges of the entropy of softmax(α), in nats: ln(operations) if all are equal.

        Independent weights are divided by their sum.
        """
        with torch.no_grad():
            shares = self.probabilities()
            if self.independent:
                shares = {name: one / one.sum(1, keepdim=True) for name, one in shares.items()}
            return {name: torch.special.entr(share).sum(1).mean().item() for name, share in shares.items()}

    def architecture_parameters(self) -> list[nn.Parameter]:
        """The α, cell by cell, then the β in the same order."""
        return [*self.alphas.values(), *self.betas.values()]

    def weights(self) -> list[nn.Parameter]:
        """All parameters except the α and β."""
        return [parameter for name, parameter in self.named_parameters() if not name.startswith(("alphas.", "betas."))]
