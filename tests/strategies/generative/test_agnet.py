"""AG-Net as a search: its weights and labels, its state, its controls, spaces of two cells, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.search_spaces import DARTS, SPACES, NASBench201
from nas.strategies import Goal, Hints
from nas.strategies.generative import agnet, training
from nas.strategies.generative.agnet import AGNet
from nas.strategies.generative.agnet_posterior import AGNetPosteriorOptions
from nas.strategies.generative.graphs import Targets
from nas.strategies.generative.options import AGNetOptions
from nas.strategies.generative.training import labels, rank_weights

SMALL: dict[str, Any] = {
    "init": 4, "batch": 3, "candidates": 5, "draws": 1, "epochs": 1, "pretraining": 32, "generator": "marginals",
}  # fmt: skip


def made(space: Any, seed: int = 0, **options: Any) -> AGNet:
    return AGNet(space, (Goal("score"),), seed, AGNetOptions(**{**SMALL, **options}), Hints())


def searched(strategy: AGNet, queries: int) -> list[Any]:
    found = []
    for _ in range(queries):
        (arch,) = strategy.ask(1)
        strategy.tell(arch, {"score": derive(0, arch) % 1000 / 1000})
        found.append(arch)
    return found


def test_the_weights_fall_with_the_rank_and_failures_have_the_lowest() -> None:
    """By hand for N = 4, k = .01: 1/1.04, 1/3.04, 1/2.04 and, for the failure, 1/4.04; divided by their mean."""
    weights = [1 / 1.04, 1 / 4.04, 1 / 3.04, 1 / 2.04]
    mean = sum(weights) / 4
    expected = [weight / mean for weight in weights]
    assert rank_weights([0, 3, 2], 4, 0.01).tolist() == pytest.approx(expected)


def test_labels_are_fractions_and_a_failure_is_the_worst() -> None:
    assert labels([0.5, None, 0.25]).tolist() == [[0.5], [0.25], [0.25]]
    assert labels([50.0, -100.0, None]).tolist() == [[0.5], [-1.0], [-1.0]]


def test_what_is_generated_once_is_no_candidate_again(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = made(NASBench201())
    candidates: list[str] = []
    generate = strategy._candidates

    def recorded(*given: Any) -> Any:
        archs, raw = generate(*given)
        candidates.extend(map(str, archs))
        return archs, raw

    strategy._candidates = recorded  # type: ignore[method-assign]
    searched(strategy, 13)
    assert len(candidates) == len(set(candidates)) == 15
    strategy.generated["one"] = None
    monkeypatch.setattr(agnet, "_digest", lambda key: "one")
    assert not generate(strategy.model, 5, torch.Generator().manual_seed(0))[0]  # all count as generated before
    assert len(strategy.generated) > 3 * 5  # three batches, of which each took at least five
    assert len({str(arch) for arch, _, _ in strategy.labelled.values()}) == 13


@pytest.mark.parametrize("option", ["pick=random", "weighted=False", "alpha=0.5", "generator=network"])
def test_each_option_changes_what_is_proposed(option: str) -> None:
    key, _, text = option.partition("=")
    value = {"False": False, "0.5": 0.5}.get(text, text)
    last = [str(arch) for arch in searched(made(NASBench201()), 13)]
    other = [str(arch) for arch in searched(made(NASBench201(), **{key: value}), 13)]
    assert last[:4] == other[:4]
    assert last != other


@pytest.mark.parametrize("gradient", [True, False])
def test_only_with_gradient_the_surrogate_changes_the_generator(gradient: bool) -> None:
    strategy = made(NASBench201(), gradient=gradient, alpha=1.0)
    searched(strategy, 5)
    assert strategy.model is not None
    before = agnet.pretrained(NASBench201, "cell", "marginals", 32)
    assert strategy.model.generator.state_dict()["types"].equal(before["types"]) is not gradient


def test_an_epoch_draws_as_many_graphs_as_there_are_by_their_weights_in_batches_of_16(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[list[int]] = []
    original = training.fit

    def fit(module: Any, wanted: Targets, *rest: Any) -> Any:
        seen.append(wanted.types[:, 1].tolist())
        return original(module, wanted, *rest)

    monkeypatch.setattr(training, "fit", fit)
    form = NASBench201().graph_forms()["cell"]
    model = training.Model(form, "marginals", {"types": torch.zeros(8, 7), "edges": torch.zeros(28)}, 1e-3, 0)
    types = torch.zeros(20, 8, dtype=torch.long)
    types[3, 1] = 5
    weights = torch.full((20,), 1e-9)
    weights[3] = 20.0
    draws = torch.Generator().manual_seed(0)
    model.train(Targets(types, torch.zeros(20, 28)), torch.zeros(20, 1), weights, AGNetOptions(epochs=2), draws)
    assert [len(batch) for batch in seen] == [16, 4, 16, 4]
    assert {one for batch in seen for one in batch} == {5}


def test_a_network_continues_with_the_same_proposals_and_weights() -> None:
    whole, again = (made(NASBench201(), generator="network", seed=seed) for seed in (0, 1))
    searched(whole, 8)
    again.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    assert searched(again, 5) == searched(whole, 5)
    assert again.state_dict() == whole.state_dict()


def test_a_search_of_two_cells_goes_from_one_to_the_other() -> None:
    """Half of the queries with one reduction cell, then the best normal cell with new reduction cells."""
    found = searched(made(DARTS(), queries=20), 20)
    assert len({arch.reduce for arch in found[:10]}) == 1
    assert len({arch.normal for arch in found[10:]}) == 1
    best = max(found[:10], key=lambda arch: derive(0, arch) % 1000)
    assert found[10].normal == best.normal
    assert len({arch.reduce for arch in found[10:]}) > 5


def test_another_pretraining_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = made(NASBench201())
    searched(strategy, 6)
    state = json.loads(json.dumps(strategy.state_dict()))
    made(NASBench201()).load_state_dict(state)

    def other(*given: Any) -> dict[str, torch.Tensor]:
        return {"types": torch.zeros(8, 7), "edges": torch.zeros(28)}

    monkeypatch.setattr(agnet, "pretrained", other)
    with pytest.raises(InputError, match=r"Expected the pretrained generator .* but got .*; restore the file"):
        made(NASBench201()).load_state_dict(state)


def test_a_space_without_graphs_is_refused() -> None:
    with pytest.raises(InputError, match=r"Expected a space whose architectures are graphs .*; take"):
        made(SPACES.get("nds-resnet")())


@pytest.mark.parametrize(
    "option",
    [
        "init=0",
        "draws=0",
        "lr=0",
        "k=-1",
        "alpha=2",
        "limited_lr=0",
        "limited_alpha=2",
        "limited_decay=-1",
        "generator=netwrk",
        "pick=best",
    ],
)
def test_impossible_options_are_refused(option: str) -> None:
    key, _, value = option.partition("=")
    number = float(value) if value[-1].isdigit() else value
    with pytest.raises(InputError, match=rf"Expected .*{key}.* but got .*; set strategy\.{key}"):
        AGNetOptions(**{key: number}).check()


def test_it_says_that_the_generator_is_not_there_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_CACHE", str(tmp_path))
    agnet.pretrained.cache_clear()
    strategy = made(NASBench201())
    assert "nas pretrain agnet --space nasbench201" in (strategy.remark(20) or "")
    searched(strategy, 5)
    assert strategy.remark(20) is None


def test_a_training_has_the_gradient_of_the_weighted_mean_of_both_losses() -> None:
    form = NASBench201().graph_forms()["cell"]
    start = {"types": torch.zeros(8, 7), "edges": torch.zeros(28)}
    one, literal = (training.Model(form, "marginals", start, 1e-3, 0) for _ in range(2))
    graphs = Targets(torch.arange(4 * 8).view(4, 8) % 7, torch.zeros(4, 28))
    answers, weights = torch.tensor([[0.1], [0.9], [0.5], [0.3]]), torch.tensor([0.5, 2.0, 0.5, 1.0])
    one.train(graphs, answers, weights, AGNetOptions(epochs=1), torch.Generator().manual_seed(0))
    draws = torch.Generator().manual_seed(0)
    rows = torch.multinomial(weights, 4, replacement=True, generator=draws)
    raw, fitted = training.fit(literal.generator, graphs.rows(rows), form, draws)
    errors = (literal.surrogate(raw)[:, 0] - answers[rows, 0]).square()
    (weights[rows] * (0.1 * fitted + 0.9 * errors)).mean().backward()
    for ours, theirs in zip(one.weights, literal.weights):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_a_sample_ends_with_the_output() -> None:
    form = NASBench201().graph_forms()["cell"]
    model = training.Model(form, "marginals", {"types": torch.zeros(8, 7), "edges": torch.zeros(28)}, 1e-3, 0)
    types = model.sample(2, torch.Generator().manual_seed(0))[:, : 8 * 7].view(2, 8, 7)
    assert types[:, -1].tolist() == [[20.0, 0, 0, 0, 0, 0, 0]] * 2


def test_those_that_the_surrogate_prefers_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def predict(self: training.Model, raw: torch.Tensor) -> torch.Tensor:
        return torch.arange(len(raw), dtype=torch.float32)[:, None]

    best = made(NASBench201())
    monkeypatch.setattr(training.Model, "predict", predict)
    candidates: list[Any] = []
    generate = best._candidates
    monkeypatch.setattr(best, "_candidates", lambda *given: candidates.append(generate(*given)) or candidates[-1])
    found = searched(best, 7)
    assert found[4:] == candidates[0][0][:1:-1]  # three of five, the last first


def test_batches_of_samples_grow_and_there_is_a_candidate_for_each_query(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    sample = training.Model.sample
    monkeypatch.setattr(training.Model, "sample", lambda self, n, draws: sizes.append(n) or sample(self, n, draws))
    searched(made(NASBench201(), candidates=20_000, draws=3), 5)
    assert sizes == [100, 200, 300]
    strategy, counts = made(NASBench201(), candidates=1, batch=4), list[int]()
    generate = strategy._candidates
    monkeypatch.setattr(strategy, "_candidates", lambda *given: counts.append(given[1]) or generate(*given))
    searched(strategy, 5)
    assert counts == [4]


def test_the_defaults_are_those_of_the_release() -> None:
    """Typed from it, but for `pretraining`; those from `generator` to `pick` leave the method whole."""
    expected = {
        "init": 16, "batch": 16, "candidates": 100, "draws": 9, "epochs": 30, "lr": 1e-3, "alpha": 0.9, "k": 0.01,
        "pretraining": 100_000, "queries": 192, "generator": "network", "weighted": True, "gradient": True,
        "pick": "surrogate", "limited_alpha": 0.95, "limited_lr": 2e-4, "limited_decay": 1e-4,
    }  # fmt: skip
    assert asdict(AGNetOptions()) == expected
    assert asdict(AGNetPosteriorOptions()) == {**expected, "generator": "posterior", "pretraining": 32_000}
