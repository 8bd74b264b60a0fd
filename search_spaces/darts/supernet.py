"""The supernet of DARTS: 14 edges with 8 operations each in the normal and in the reduction cell.

Two things make it cheaper than computing every operation of every edge separately: the part that all edges from a
state have in common is computed once (`State`), and the weight of an operation that ends in a batch normalisation is
folded into that normalisation (`batch_norm`).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.search_spaces.darts.depthwise import depthwise
from nas.search_spaces.darts.genotype import NODES, OPERATIONS, Genotype
from nas.search_spaces.network import RGB
from nas.search_spaces.partial_channels import check as check_share
from nas.search_spaces.partial_channels import mixed_part, node_sum
from nas.search_spaces.supernet import WHOLE, EdgePass, Supernet, batch_norm, batch_statistics, sum_of_computed
from nas.search_spaces.twocells.cell import CELLS, Edge, Edges, pair, reductions
from nas.search_spaces.twocells.operations import FactorizedReduce, relu_conv_bn

EDGES = tuple((source, node) for node in NODES for source in range(node))  # the rows of α
FIRST_CONV = OPERATIONS.index("sep_conv_3x3")  # the columns from here on are `MixedEdge.convs`


class State:
    """An input or node of a cell, and the tensors that all edges from it (of the same stride) need, computed once."""

    def __init__(self, state: Tensor, stride: int, share: int = 1) -> None:
        self.state = state  # (B, C, H, W)
        self.x = mixed_part(state, share)  # the channels that pass through operations
        self.stride = stride
        self._rectified: Tensor | None = None
        self._max_pooled: Tensor | None = None
        self._avg_pooled: Tensor | None = None

    @property
    def rectified(self) -> Tensor:
        if self._rectified is None:
            self._rectified = functional.relu(self.x)
        return self._rectified

    @property
    def max_pooled(self) -> Tensor:
        if self._max_pooled is None:
            self._max_pooled = batch_norm(functional.max_pool2d(self.x, 3, self.stride, padding=1))
        return self._max_pooled

    @property
    def avg_pooled(self) -> Tensor:
        if self._avg_pooled is None:
            pooled = functional.avg_pool2d(self.x, 3, self.stride, padding=1, count_include_pad=False)
            self._avg_pooled = batch_norm(pooled)
        return self._avg_pooled


class Separable(nn.Module):
    """Depthwise, then pointwise convolution; (B, C, H, W) → (B, C, ⌈H/stride⌉, ⌈W/stride⌉)."""

    def __init__(self, channels: int, kernel: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.stride, self.dilation = stride, dilation
        self.depth = nn.Conv2d(channels, channels, kernel, groups=channels, bias=False)  # only its weights are used
        self.point = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.point(depthwise(x, self.depth.weight, self.stride, self.dilation))


class TwiceSeparable(nn.Module):
    """Two separable convolutions with BN and ReLU between them; only the first has the stride."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.first = Separable(channels, kernel, stride)
        self.second = Separable(channels, kernel)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(functional.relu(batch_norm(self.first(x))))


class MixedEdge(nn.Module):
    """The sum of the operations of one edge, each times its probability."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.skip = nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, affine=False)
        self.convs = nn.ModuleList(
            [
                TwiceSeparable(channels, 3, stride),
                TwiceSeparable(channels, 5, stride),
                Separable(channels, 3, stride, dilation=2),
                Separable(channels, 5, stride, dilation=2),
            ]
        )  # their first ReLU and last BN are in `forward`

    def forward(self, state: State, probabilities: Tensor, how: EdgePass = WHOLE) -> Tensor | None:
        """`probabilities`: (8,), in the order of `OPERATIONS`. None if no operation is computed."""
        weights = probabilities.unbind()
        if how.computed is not None:
            return sum_of_computed(how.computed, lambda column: self.term(column, state, weights[column], how))
        _, of_max, of_avg, of_skip, *of_convs = weights
        total = state.max_pooled * of_max
        total = torch.addcmul(total, state.avg_pooled, of_avg)
        total = torch.addcmul(total, self.skipped(state, how), of_skip)
        for conv, weight in zip(self.convs, of_convs):
            total = total + batch_norm(conv(state.rectified), weight)
        return total

    def term(self, column: int, state: State, weight: Tensor, how: EdgePass) -> Tensor:
        """One operation other than `none`, times its weight."""
        match OPERATIONS[column]:
            case "max_pool_3x3":
                return state.max_pooled * weight
            case "avg_pool_3x3":
                return state.avg_pooled * weight
            case "skip_connect":
                return self.skipped(state, how) * weight
        return batch_norm(self.convs[column - FIRST_CONV](state.rectified), weight)

    def skipped(self, state: State, how: EdgePass) -> Tensor:
        output: Tensor = self.skip(state.x)
        return output if how.skip_output is None else how.skip_output(output)


class MixedCell(nn.Module):
    """Two inputs brought to C channels, four nodes that sum the edges from all earlier states, concatenated to 4C."""

    def __init__(
        self, c_before: int, c_in: int, channels: int, reduction: bool, after_reduction: bool, partial: int = 1
    ) -> None:
        super().__init__()
        halves = FactorizedReduce(c_before, channels, affine=False)
        self.preprocess0 = halves if after_reduction else relu_conv_bn(c_before, channels, affine=False)
        self.preprocess1 = relu_conv_bn(c_in, channels, affine=False)
        self.stride = 2 if reduction else 1  # of the edges that leave the inputs
        self.partial = partial
        self.edges = nn.ModuleList(
            MixedEdge(channels // partial, self.stride if source < 2 else 1) for source, _ in EDGES
        )

    def forward(self, before: Tensor, x: Tensor, probabilities: Tensor, how: list[EdgePass]) -> Tensor:
        """(B, c_before, ·, ·), (B, c_in, H, W), (14, 8) → (B, 4C, ⌈H/stride⌉, ⌈W/stride⌉)."""
        inputs = (self.preprocess0(before), self.preprocess1(x))
        states = [State(one, self.stride, self.partial) for one in inputs]
        rows = list(zip(self.edges, probabilities, how))
        for _ in NODES:
            factors, incoming = [], []
            into, rows = rows[: len(states)], rows[len(states) :]  # one edge from every state so far
            for state, (edge, row, one) in zip(states, into):
                incoming.append(edge(state, row, one))
                factors.append(one.factor)
            strides = [state.stride for state in states]
            total = node_sum(incoming, [state.state for state in states], self.partial, factors, strides)
            states.append(State(total, 1, self.partial))
        return torch.cat([state.state for state in states[2:]], dim=1)


class DARTSSupernet(Supernet):
    """Stem, L mixed cells, mean over pixels, linear; C channels, twice as many from cell L//3 and again from 2L//3.

    The search network of the paper has C=16 and L=8: 1,930,618 weights. The normal cells share one α, the two
    reduction cells the other.
    """

    operations: ClassVar[tuple[str, ...]] = OPERATIONS
    derived_edges: ClassVar[int] = 2 * len(NODES)
    edges: ClassVar[tuple[tuple[int, int], ...]] = EDGES

    def __init__(
        self,
        num_classes: int,
        channels: int = 16,
        cells: int = 8,
        mean: RGB = (0.0, 0.0, 0.0),
        std: RGB = (1.0, 1.0, 1.0),
        partial: int = 1,
        edge_weights: bool = False,
    ) -> None:
        """`partial`: 1/partial of the channels are mixed. Raises InputError if the channels cannot be divided so."""
        check_share(channels, partial)
        super().__init__(dict.fromkeys(CELLS, len(EDGES)), mean, std, edge_weights)
        c_before = c_in = 3 * channels
        self.stem = nn.Sequential(nn.Conv2d(3, c_in, 3, padding=1, bias=False), nn.BatchNorm2d(c_in))
        self.kinds = ["reduce" if layer in reductions(cells) else "normal" for layer in range(cells)]
        self.cells = nn.ModuleList()
        width, after_reduction = channels, False
        for kind in self.kinds:
            reduction = kind == "reduce"
            width = 2 * width if reduction else width
            self.cells.append(MixedCell(c_before, c_in, width, reduction, after_reduction, partial))
            c_before, c_in, after_reduction = c_in, 4 * width, reduction
        self.classifier = nn.Linear(c_in, num_classes)
        batch_statistics(self)

    def logits(self, x: Tensor, probabilities: dict[str, Tensor]) -> Tensor:
        before = x = self.stem(x)
        for kind, cell in zip(self.kinds, self.cells):
            before, x = x, cell(before, x, probabilities[kind], self.edge_passes[kind])
        return self.classify(x)

    def derive(self) -> Genotype:
        """For each node the two incoming edges whose best operation has the largest weight, with that operation.

        `none` is never chosen, but its weight is part of the softmax. Of equal weights the first is chosen. The two
        edges are in the order of their inputs.
        """
        cells = {name: derive_edges(weights.tolist()) for name, weights in self.strengths().items()}
        return Genotype(**cells)

    def skips(self) -> dict[str, int]:
        genotype = self.derive()
        return {name: sum(op == "skip_connect" for op, _ in getattr(genotype, name)) for name in CELLS}

    def path(self, arch: Genotype) -> dict[str, Tensor]:
        weights = {name: torch.zeros(len(EDGES), len(OPERATIONS)) for name in CELLS}
        for name, rows in weights.items():
            for inner in NODES:
                for operation, source in pair(getattr(arch, name), inner):
                    rows[EDGES.index((source, inner)), OPERATIONS.index(operation)] += 1
        return weights


def derive_edges(weights: list[list[float]]) -> Edges:
    """The eight edges that the softmax weights of a cell's 14 edges choose; see `DARTSSupernet.derive`."""
    chosen: list[Edge] = []
    for node in NODES:
        best = {}  # input → the weight and the name of its best operation
        for (source, target), row in zip(EDGES, weights):
            if target == node:
                column = max(range(1, len(row)), key=row.__getitem__)  # column 0 is `none`
                best[source] = (row[column], OPERATIONS[column])
        strongest = sorted(best, key=lambda source: -best[source][0])[:2]
        chosen += [(best[source][1], source) for source in sorted(strongest)]
    return tuple(chosen)
