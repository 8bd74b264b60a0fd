"""AG-Net's generator: its sizes, its outputs against a literal transcription, its loss, and what is drawn from it."""

from __future__ import annotations

import math
from random import Random

import pytest
import torch
from literal_generator import generate

from nas.core.seeds import seeded
from nas.search_spaces import DARTS, NASBench101, NASBench201, SearchSpace
from nas.search_spaces.node_graph import GraphForm, NodeGraph
from nas.strategies.generative.generator import Generator, Marginals, split_raw, surrogate
from nas.strategies.generative.graphs import drawn, latent, reconstruction, targets


def form_of(space: SearchSpace) -> GraphForm:
    return next(iter(space.graph_forms().values()))


def made(form: GraphForm, scale: float = 1.0) -> Generator:
    with seeded(1):
        net = Generator(form)
    for weight in net.parameters():
        weight.data *= scale
    return net


@pytest.mark.parametrize(
    ("space", "of_generator", "of_surrogate"),
    [(NASBench201(), 42_474, 28_645), (NASBench101(), 42_344, 12_825), (DARTS(), 56_558, None)],
)  # counted in the authors' release
def test_it_has_the_published_number_of_weights(
    space: SearchSpace, of_generator: int, of_surrogate: int | None
) -> None:
    form = form_of(space)
    assert sum(weight.numel() for weight in made(form).parameters()) == of_generator
    if of_surrogate is not None:
        assert sum(weight.numel() for weight in surrogate(form).parameters()) == of_surrogate


@pytest.mark.parametrize(("space", "rounds"), [(NASBench201(), 2), (DARTS(), 4)])
def test_it_computes_what_the_equations_say(space: SearchSpace, rounds: int) -> None:
    form = form_of(space)
    net = made(form, 2.0).double()  # larger weights, so that some edges are there and others are not
    z = latent(3, torch.Generator().manual_seed(0)).double()
    torch.set_default_dtype(torch.float64)
    try:
        types, edges = split_raw(net(z), form)
        present = set()
        for row in range(len(z)):
            kinds, logits = generate(net, z[row], rounds)
            torch.testing.assert_close(types[row], torch.stack(kinds))
            pairs = [(source, target) for target in range(1, form.nodes) for source in range(target)]
            torch.testing.assert_close(edges[row], torch.cat([logits[pair] for pair in pairs]))
            present |= {bool(logit > 0.5) for logit in logits.values()}
        assert present == {True, False}
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_sample_ends_with_the_output() -> None:
    form = form_of(NASBench101())
    z = latent(4, torch.Generator().manual_seed(0))
    for net in (made(form), Marginals(form)):
        free, ended = split_raw(net(z), form)[0], split_raw(net(z, ends=True), form)[0]
        assert ended[:, -1].tolist() == [[20.0, 0, 0, 0, 0]] * 4
        torch.testing.assert_close(free[:, :-1], ended[:, :-1])


def test_the_latent_vectors_are_uniform_in_three() -> None:
    z = latent(2000, torch.Generator().manual_seed(0))
    assert z.shape == (2000, 32)
    assert z.abs().max() <= 3
    assert z.std().item() == pytest.approx(math.sqrt(3), rel=0.01)  # of a uniform distribution of width 6


def test_the_loss_is_the_sum_of_both_means() -> None:
    """Against the sums written out: -log softmax of the right types, -log of each edge's probability."""
    space, rng = NASBench101(), Random(0)
    form = form_of(space)
    graphs = [space.to_graph(space.sample(rng))["cell"] for _ in range(2)]
    raw = torch.randn(2, 56, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    wanted = targets(graphs)
    wanted = wanted._replace(edges=wanted.edges.double())
    for row, graph in enumerate(graphs):
        kinds = raw[row, :35].view(7, 5).tolist()
        of_types = [math.log(sum(map(math.exp, logits))) - logits[kind] for logits, kind in zip(kinds, graph.types)]
        of_edges = [
            math.log(1 + math.exp(-logit if there else logit))
            for logit, there in zip(raw[row, 35:].tolist(), graph.edges)
        ]
        expected = sum(of_types) / 7 + sum(of_edges) / 21
        assert reconstruction(raw, wanted, form)[row].item() == pytest.approx(expected)


def test_what_is_drawn_follows_the_logits() -> None:
    form = form_of(NASBench101())
    raw = torch.zeros(4000, 56)
    raw[:, 5 * 2] = math.log(4)  # at node 2 the first of five types has half of the chances
    raw[:, 35 + 3] = 30.0
    raw[:, 35 + 4] = -30.0
    graphs = drawn(raw, form, torch.Generator().manual_seed(0))
    assert all(isinstance(graph, NodeGraph) for graph in graphs)
    assert all(graph.edges[3] and not graph.edges[4] for graph in graphs)
    assert sum(graph.types[2] == 0 for graph in graphs) / 4000 == pytest.approx(0.5, abs=0.03)
    assert sum(graph.edges[5] for graph in graphs) / 4000 == pytest.approx(0.5, abs=0.03)
    assert graphs[0].probabilities is not None
    assert graphs[0].probabilities[5] == 0.5
