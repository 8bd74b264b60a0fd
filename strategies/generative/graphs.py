"""Graphs as tensors: targets of the generator, its loss, and graphs drawn from its raw outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from nas.search_spaces.node_graph import GraphForm, NodeGraph
from nas.strategies.generative.generator import LATENT, split_raw

REACH = 3.0  # z is uniform in ±3


class Targets(NamedTuple):
    """Graphs as tensors."""

    types: Tensor  # (N, n), integers
    edges: Tensor  # (N, n(n-1)/2), 0 or 1

    def rows(self, rows: Tensor) -> Targets:
        """Some of the graphs."""
        return Targets(self.types[rows], self.edges[rows])


def targets(graphs: Sequence[NodeGraph]) -> Targets:
    """The tensors of graphs of one form."""
    return Targets(
        torch.tensor([graph.types for graph in graphs]),
        torch.tensor([graph.edges for graph in graphs], dtype=torch.float32),
    )


def latent(count: int, draws: torch.Generator) -> Tensor:
    """Latent vectors (count, 32), uniform in ±3."""
    return (2 * torch.rand(count, LATENT, generator=draws) - 1) * REACH


def reconstruction(raw: Tensor, wanted: Targets, form: GraphForm) -> Tensor:
    """The loss of each graph (B,): 2·(½·CE + ½·BCE).

    CE is the mean cross-entropy of the types of the nodes, BCE the mean binary cross-entropy of the edges.
    """
    types, edges = split_raw(raw, form)
    of_types = cross_entropy(types.flatten(0, 1), wanted.types.flatten(), reduction="none").view(len(raw), -1).mean(1)
    of_edges = binary_cross_entropy_with_logits(edges, wanted.edges, reduction="none").mean(1)
    return 2 * (0.5 * of_types + 0.5 * of_edges)


def drawn(raw: Tensor, form: GraphForm, draws: torch.Generator) -> list[NodeGraph]:
    """A graph from each row of raw outputs: types are categorical, edges Bernoulli, all independent."""
    kinds, edges = split_raw(raw.cpu(), form)
    types = torch.multinomial(kinds.flatten(0, 1).softmax(1), 1, generator=draws).view(len(raw), -1)
    probabilities = edges.sigmoid()
    there = torch.rand(edges.shape, generator=draws) < probabilities
    return [
        NodeGraph(tuple(one), tuple(two), tuple(three))
        for one, two, three in zip(types.tolist(), there.tolist(), probabilities.tolist())
    ]
