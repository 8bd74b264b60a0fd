"""The pretraining of generators: without a seed of the search, from the cache, and equal to the marginals."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from random import Random

import pytest
import torch

from nas.core.seeds import derive, seeded
from nas.search_spaces import DARTS, NASBench101, NASBench201
from nas.strategies.generative import pretraining
from nas.strategies.generative.generator import Generator, split_raw
from nas.strategies.generative.graphs import latent
from nas.strategies.generative.pretraining import cache_file, checksum, pretrain, pretrained, shared_part
from nas.strategies.generative.training import as_module

TINY = 64


@pytest.fixture(autouse=True)
def _forget(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NAS_CACHE", str(tmp_path))
    pretrained.cache_clear()
    yield
    pretrained.cache_clear()


def test_it_is_the_same_each_time_and_changes_the_weights() -> None:
    before = torch.random.get_rng_state(), Random(0).getstate()
    one, two = (pretrain(NASBench201(), "cell", "network", TINY) for _ in range(2))
    assert checksum(one) == checksum(two)
    assert checksum(one) != checksum(pretrain(NASBench201(), "cell", "network", 2 * TINY))
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert before[1] == Random(0).getstate()


def test_it_is_made_once_and_said(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO, "nas")
    first = pretrained(NASBench201, "cell", "network", TINY)
    assert "Pretraining the generator of agnet for nasbench201 (cell) on 64 graphs." in caplog.text
    pretrained.cache_clear()
    monkeypatch.setattr(pretraining, "pretrain", lambda *given: pytest.fail("it is in the cache"))
    assert checksum(pretrained(NASBench201, "cell", "network", TINY)) == checksum(first)


def test_a_damaged_file_is_made_again() -> None:
    first = checksum(pretrained(NASBench201, "cell", "network", TINY))
    path = cache_file(NASBench201, "cell", "network", TINY)
    assert path is not None
    path.write_bytes(path.read_bytes()[:2000])
    pretrained.cache_clear()
    assert checksum(pretrained(NASBench201, "cell", "network", TINY)) == first


def test_a_cache_that_cannot_be_written_is_a_warning(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NAS_CACHE", f"{tmp_path}/file/cache")
    with open(f"{tmp_path}/file", "w") as file:
        file.write("")
    assert pretrained(NASBench201, "cell", "marginals", TINY)
    assert "set NAS_CACHE to a folder with room" in caplog.text


def test_the_marginals_are_the_shares_of_random_graphs() -> None:
    form = NASBench101().graph_forms()["cell"]
    weights = pretrain(NASBench101(), "cell", "marginals", 500)
    types, edges = split_raw(as_module("marginals", form, weights)(latent(1, torch.Generator())), form)
    rng = Random(derive(pretraining.SEED, "graphs"))
    graphs = [NASBench101().to_graph(NASBench101().sample(rng))["cell"] for _ in range(500)]
    for node in range(form.nodes):
        share = sum(graph.types[node] == 2 for graph in graphs) / 500
        assert types[0, node].softmax(0)[2].item() == pytest.approx(share, abs=1e-3)
    for edge in range(form.edges):
        share = sum(graph.edges[edge] for graph in graphs) / 500
        assert edges[0, edge].sigmoid().item() == pytest.approx(share, abs=1e-3)


def test_cells_of_the_same_form_share_a_generator() -> None:
    assert [shared_part(DARTS(), part) for part in ("normal", "reduce")] == ["normal", "normal"]


def test_it_ends_with_the_number_of_graphs_at_the_rate_of_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first step of Adam moves every weight that has a gradient by the learning rate."""
    monkeypatch.setattr(pretraining, "CHUNK", 64)
    done: list[int] = []
    pretrain(NASBench201(), "cell", "network", 96, done.append)
    assert done == [64, 96]
    with seeded(derive(pretraining.SEED, "weights")):
        before = Generator(NASBench201().graph_forms()["cell"]).state_dict()
    after = pretrain(NASBench201(), "cell", "network", 32)
    moved = max((after[name] - before[name]).abs().max().item() for name in after)
    assert moved == pytest.approx(2e-4, rel=0.01)


def test_each_pretraining_has_a_file_of_its_own() -> None:
    files = {cache_file(NASBench201, "cell", kind, graphs) for kind in pretraining.KINDS for graphs in (32, 64)}
    files |= {cache_file(DARTS, part, "network", 32) for part in ("normal", "reduce")}
    assert len(files) == 3 * 2 + 2


def test_the_checksum_is_of_every_weight() -> None:
    weights = {"a": torch.ones(2), "b": torch.zeros(2)}
    assert checksum(weights) == checksum({"b": torch.zeros(2), "a": torch.ones(2)})
    for other in ({**weights, "a": torch.zeros(2)}, {**weights, "b": torch.ones(2)}, {"a": torch.ones(2)}):
        assert checksum(other) != checksum(weights)
