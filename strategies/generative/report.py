"""What a pretrained generator draws, beside uniform drawing and a product of marginals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from nas.core.io.records import Json
from nas.core.seeds import derive
from nas.search_spaces import SearchSpace
from nas.search_spaces.node_graph import GraphForm
from nas.strategies.generative.generator import split_raw
from nas.strategies.generative.graphs import drawn
from nas.strategies.generative.posterior import prior

CHUNK = 1000  # samples at once


@dataclass(frozen=True)
class Sampled:
    """Samples of one source.

    Those of the searched part of an architecture; any other parts are those of one random architecture.
    """

    source: str
    samples: int
    valid: float  # the share that is an architecture
    different: int  # architectures (strings)
    classes: int  # of isomorphic architectures
    due_to_z: float | None  # the share of the variance of the drawn types and edges; None without a z

    def to_json(self) -> Json:
        return asdict(self)


def uniform(space: SearchSpace[Any], part: str, samples: int, seed: int) -> Sampled:
    """Uniform draws of the space."""
    rng = Random(derive(seed, "uniform"))
    graphs = (space.to_graph(space.sample(rng))[part] for _ in range(samples))
    return _counted("uniform drawing", space, part, graphs, samples, seed, None)


@torch.no_grad()
def of_generator(
    source: str, module: nn.Module, space: SearchSpace[Any], part: str, samples: int, seed: int
) -> Sampled:
    """Samples of a generator, each from a z of its own."""
    form = space.graph_forms()[part]
    draws = torch.Generator().manual_seed(derive(seed, "samples"))
    sizes = [min(CHUNK, samples - first) for first in range(0, samples, CHUNK)]
    raw = torch.cat([module(prior(module, size, draws), ends=True) for size in sizes])
    graphs = (graph for rows in raw.split(CHUNK) for graph in drawn(rows, form, draws))
    return _counted(source, space, part, graphs, samples, seed, share_due_to_z(raw, form))


def share_due_to_z(raw: Tensor, form: GraphForm) -> float:
    """The share of the variance of the drawn one-hot types and edges that is due to z: Σ Var(p) / Σ p̄·(1-p̄).

    p (N, ·) are the probabilities of every type of every node and of every edge, p̄ their means over z. By the law of
    total variance p̄·(1-p̄) = Var(p) + E[p·(1-p)]. 0 if the output does not depend on z, 1 if z decides everything.
    """
    types, edges = split_raw(raw.double(), form)
    p = torch.cat([types.softmax(2).flatten(1), edges.sigmoid()], 1)
    mean = p.mean(0)
    return (p.var(0, unbiased=False).sum() / (mean * (1 - mean)).sum()).item()


def _counted(
    source: str,
    space: SearchSpace[Any],
    part: str,
    graphs: Iterator[Any],
    samples: int,
    seed: int,
    due_to_z: float | None,
) -> Sampled:
    others = space.to_graph(space.sample(Random(derive(seed, "other parts"))))
    canonical: Callable[[Any], Any] = space.canonical
    found = [arch for graph in graphs if (arch := space.from_graph({**others, part: graph})) is not None]
    different = dict.fromkeys(found)
    classes = {str(canonical(arch)) for arch in different}
    return Sampled(source, samples, len(found) / samples, len(different), len(classes), due_to_z)
