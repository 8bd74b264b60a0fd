"""AG-Net's generator: from a latent vector it makes a graph node by node, as logits of types and of edges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from nas.search_spaces.node_graph import INPUT, OUTPUT, GraphForm

LATENT = 32  # numbers in z
STATE = 32  # numbers that describe a node, or a graph
HALF = STATE // 2  # of a node: one half follows the edges, the other goes against them
MESSAGE = 32
HIDDEN = 64
CERTAIN = 20.0  # the logit of what is fixed: the first type and edge, and the last type of a sample
PRESENT = 0.5  # messages pass along an edge whose logit is larger
MANY_NODES = 8  # the release does two rounds for graphs of at most so many nodes, and four for larger ones


def two_layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two linear layers with a ReLU between them."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


class Messages(nn.Module):
    """The weights of one round of messages in one direction: a sum over the edges into a node, and a gated update."""

    def __init__(self) -> None:
        super().__init__()
        self.message = nn.Linear(2 * HALF, MESSAGE)  # of the node that receives, and of the one that sends
        self.update = nn.GRUCell(MESSAGE, HALF)


class Round:
    """A round of messages in both directions at once: along the edges, and against them.

    The first dimension of all tensors is the direction. Each half of a node is multiplied once, by all its weights:
    those of the messages that it receives and sends, and those of its gates.
    """

    def __init__(self, along: Messages, against: Messages) -> None:
        both = (along, against)
        own, other = torch.stack([one.message.weight for one in both]).split(HALF, dim=2)
        gates = torch.stack([one.update.weight_hh for one in both])
        self.weights = torch.cat([own, other, gates], 1).transpose(1, 2)  # (2, 16, 32 + 32 + 48)
        messages = torch.stack([one.message.bias for one in both])
        of_gates = torch.stack([one.update.bias_hh for one in both])
        self.bias = torch.cat([messages, torch.zeros_like(messages), of_gates], 1).unsqueeze(1)
        self.input_weights = torch.stack([one.update.weight_ih for one in both]).transpose(1, 2)  # (2, 32, 48)
        self.input_bias = torch.stack([one.update.bias_ih for one in both]).unsqueeze(1)

    def __call__(self, halves: Tensor, into: Tensor) -> Tensor:
        """The new halves (2, B, v, 16); `into` (2, B, v, v) is 1 in row i, column j if a message goes from j to i."""
        _, count, nodes, _ = halves.shape
        parts = torch.baddbmm(self.bias, halves.flatten(1, 2), self.weights)
        own, other, gates, candidate = parts.split([MESSAGE, MESSAGE, 2 * HALF, HALF], dim=2)
        own, other = (part.unflatten(1, (count, nodes)).flatten(0, 1) for part in (own, other))  # (2·B, v, 32)
        edges = into.flatten(0, 1)
        received = torch.baddbmm(edges.sum(2, keepdim=True) * own, edges, other).view(2, count * nodes, MESSAGE)
        inputs = torch.baddbmm(self.input_bias, received, self.input_weights)
        of_gates, of_candidate = inputs.split([2 * HALF, HALF], dim=2)
        reset, keep = (of_gates + gates).sigmoid().chunk(2, dim=2)
        new = torch.addcmul(of_candidate, reset, candidate).tanh()
        return new.lerp(halves.flatten(1, 2), keep).view_as(halves)


class ReadOut(nn.Module):
    """The weights of the description of a graph: Σᵢ sigmoid(g(hᵢ))·f(hᵢ) over its nodes; of a single node f(h)."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(STATE, 1)
        self.value = nn.Linear(STATE, STATE)


class ReadOuts:
    """Two descriptions of a graph at once."""

    def __init__(self, *pair: ReadOut) -> None:
        layers = [one.gate for one in pair] + [one.value for one in pair]
        self.weight = torch.cat([layer.weight for layer in layers])  # (2 + 2·32, 32)
        self.bias = torch.cat([layer.bias for layer in layers])

    def __call__(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 32) each, from the states of the nodes (B, v, 32)."""
        gates, values = linear(states, self.weight, self.bias).split([2, 2 * STATE], dim=2)
        if states.shape[1] > 1:
            values = gates.sigmoid().unsqueeze(3) * values.unflatten(2, (2, STATE))
        first, second = values.sum(1).flatten(1).split(STATE, dim=1)
        return first, second


class Generator(nn.Module):
    """Raw outputs (B, n·T + n(n-1)/2) from latent vectors (B, 32): logits of types by node, then of the edges.

    The graph grows node by node: the type of the next one from the graph so far, its edges from the states of both
    ends; then messages pass along the edges that are there. Nothing is drawn: the next node sees the logits.
    Source: Lukasik, Jung and Keuper, "Learning Where To Look: Generative NAS is Surprisingly Efficient", ECCV 2022
    (arXiv:2203.08734), section 3.1, with the sizes of the release; 42,474 weights for NAS-Bench-201, 42,344 for
    NASBench-101 and 56,558 for DARTS.
    """

    def __init__(self, form: GraphForm, rounds: int | None = None) -> None:
        super().__init__()
        kinds = len(form.types)
        self.nodes, self.kinds = form.nodes, kinds
        rounds = rounds if rounds is not None else 2 if form.nodes <= MANY_NODES else 4
        self.embedding = nn.Sequential(nn.Linear(kinds, STATE), nn.ReLU(), nn.Linear(STATE, STATE))
        self.first = two_layers(STATE + LATENT, HIDDEN, STATE)
        self.next_type = two_layers(STATE + LATENT, STATE, kinds)
        self.begin = two_layers(STATE + STATE + LATENT, HIDDEN, STATE)
        self.edge = two_layers(2 * STATE + STATE + LATENT, HIDDEN, 1)
        self.along = nn.ModuleList(Messages() for _ in range(rounds))
        self.against = nn.ModuleList(Messages() for _ in range(rounds))
        self.graph = ReadOut()  # h_G, for types and edges
        self.other_graph = ReadOut()  # h_G', for the state of a new node

    def forward(self, z: Tensor, ends: bool = False) -> Tensor:
        """The raw outputs for z; with `ends` the last node is certainly the output, as in a sample."""
        first = z.new_zeros(len(z), self.kinds)
        first[:, INPUT] = 1.0
        types, edges = [CERTAIN * first], []
        rounds = [Round(along, against) for along, against in self._rounds]
        read_outs = ReadOuts(self.graph, self.other_graph)
        halves = _halves(self.first(torch.cat([self.embedding(first), z], 1)))  # (2, B, 1, 16)
        into = z.new_zeros(len(z), self.nodes, self.nodes)  # [b, target, source]
        for node in range(1, self.nodes):
            states = halves.permute(1, 2, 0, 3).flatten(2)  # (B, node, 32)
            graph, other_graph = read_outs(states)
            described = torch.cat([graph, z], 1)  # (B, 64)
            kind = self.next_type(described)
            new = self.begin(torch.cat([self.embedding(kind), other_graph, z], 1))
            edge = self._edges(states, new, described)  # (B, node)
            types.append(kind)
            edges.append(edge)
            into[:, node, :node] = edge.detach() > PRESENT
            if node + 1 < self.nodes:  # nothing follows the last one
                halves = torch.cat([halves, _halves(new)], 2)
                known = into[:, : node + 1, : node + 1]
                both_ways = torch.stack([known, known.transpose(1, 2)])
                for one in rounds:
                    halves = one(halves, both_ways)
        if ends:
            types[-1] = torch.zeros_like(first)
            types[-1][:, OUTPUT] = CERTAIN
        return torch.cat([*types, *edges], 1)

    def _edges(self, states: Tensor, new: Tensor, described: Tensor) -> Tensor:
        """The logits of the edges from every earlier node to the new one."""
        count = states.shape[1]
        if count == 1:
            return torch.full_like(new[:, :1], CERTAIN)
        both = torch.cat([new, described], 1).unsqueeze(1).expand(-1, count, -1)
        return self.edge(torch.cat([states, both], 2)).squeeze(2)

    @property
    def _rounds(self) -> Iterator[tuple[Messages, Messages]]:
        """The weights of each round, along the edges and against them."""
        return zip(cast(Iterable[Messages], self.along), cast(Iterable[Messages], self.against))


def _halves(state: Tensor) -> Tensor:
    """(2, B, 1, 16): the halves of the states (B, 32) of one node, the first of which follows the edges."""
    return state.unflatten(1, (2, 1, HALF)).transpose(0, 1)


class Marginals(nn.Module):
    """A control: raw outputs that do not depend on z, so that every node and edge is drawn by itself."""

    def __init__(self, form: GraphForm) -> None:
        super().__init__()
        self.kinds, self.nodes = len(form.types), form.nodes
        self.types = nn.Parameter(torch.zeros(form.nodes, self.kinds))
        self.edges = nn.Parameter(torch.zeros(form.edges))

    def forward(self, z: Tensor, ends: bool = False) -> Tensor:
        """The same raw outputs for each row of z."""
        types: Tensor = self.types
        if ends:
            last = torch.zeros_like(types[-1:])
            last[0, OUTPUT] = CERTAIN
            types = torch.cat([types[:-1], last])
        return torch.cat([types.flatten(), self.edges]).expand(len(z), -1)


def split_raw(raw: Tensor, form: GraphForm) -> tuple[Tensor, Tensor]:
    """Logits of the types (B, n, T) and of the edges (B, n(n-1)/2), in the order of `edge_index`."""
    types, edges = raw.split([form.nodes * len(form.types), form.edges], dim=1)
    return types.view(len(raw), form.nodes, len(form.types)), edges


def surrogate(form: GraphForm, outputs: int = 1) -> nn.Sequential:
    """The predictor of labels from raw outputs: four hidden layers, each as wide as the input.

    With one output it has 28,645 weights for NAS-Bench-201 and 12,825 for NASBench-101, as in the release.
    """
    width = form.nodes * len(form.types) + form.edges
    hidden = [layer for _ in range(4) for layer in (nn.Linear(width, width), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(width, outputs))
