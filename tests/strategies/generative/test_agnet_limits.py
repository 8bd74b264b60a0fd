"""AG-Net in a search with limits: its loss, its ranking, what it proposes, and its state."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor

from nas.core.limit import Limit, Limits
from nas.core.seeds import derive
from nas.search_spaces import NASBench201
from nas.strategies import Goal, Hints
from nas.strategies.generative.agnet import AGNet
from nas.strategies.generative.options import AGNetOptions
from nas.strategies.generative.training import Model, capped_loss, limited_labels

LIMITS = Limits((Limit("ms", "<=", 4.0),))
JOINT = Limits(LIMITS.parts, joint=True)
SMALL: dict[str, Any] = {"init": 4, "batch": 3, "candidates": 5, "epochs": 1, "pretraining": 32}


def made(limits: Limits = LIMITS, seed: int = 0, **options: Any) -> AGNet:
    small = AGNetOptions(**{**SMALL, "generator": "marginals", **options})
    return AGNet(NASBench201(), (Goal("score"),), seed, small, Hints(), limits)


def searched(strategy: AGNet, queries: int) -> list[Any]:
    found = []
    for _ in range(queries):
        (arch,) = strategy.ask(1)
        ms = 1.0 + str(arch).count("3x3")
        metrics = {"score": derive(0, arch) % 1000 / 1000, "ms": ms}
        (strategy.tell if ms <= 4 else strategy.tell_infeasible)(arch, metrics)
        found.append(arch)
    return found


def test_each_loss_above_1_counts_as_1_but_keeps_its_direction() -> None:
    """By hand: means of w·loss are 2 (over its constant: 1), .5 and 8 (1), α = .9."""
    weights = torch.tensor([0.5, 1.5])
    fit, errors = torch.tensor([1.0, 7 / 3], requires_grad=True), torch.tensor([[0.5, 8.0], [0.5, 8.0]])
    loss = capped_loss(fit, errors, weights, 0.9)
    assert loss.item() == pytest.approx(0.1 * 1 + 0.9 * (0.5 + 1))
    loss.backward()
    assert fit.grad is not None
    assert fit.grad.tolist() == pytest.approx([0.1 * 0.5 / 2 / 2, 0.1 * 1.5 / 2 / 2])


def test_a_failure_has_the_worst_known_quantities() -> None:
    limits = Limits((Limit("ms", "<=", 4.0), Limit("speed", ">=", 1.0)))
    assert limited_labels([[2.0, 5.0], None, [3.0, 4.0]], limits).tolist() == [[2, 5], [3, 4], [3, 4]]


@pytest.mark.parametrize(("limits", "expected"), [(LIMITS, [0, 2, 4, 1]), (JOINT, [2, 0, 4, 1])])
def test_what_is_outside_is_ranked_last_and_joint_adds_the_rank_of_the_quantity(
    limits: Limits, expected: list[int]
) -> None:
    """Ranks of the scores are 1, 0, 2, 3 and of the latencies 2, 3, 0, 1, so joint 3, 3, 2, 4; a failure has none."""
    strategy = made(limits, init=5)
    archs = strategy.ask(5)
    strategy.tell(archs[0], {"score": 0.7, "ms": 3.5})
    strategy.tell_infeasible(archs[1], {"score": 0.9, "ms": 5.0})
    strategy.tell(archs[2], {"score": 0.6, "ms": 1.0})
    strategy.tell(archs[3], None)
    strategy.tell(archs[4], {"score": 0.3, "ms": 2.0})
    assert strategy._known_order() == expected


def test_the_model_has_an_output_for_the_limited_quantity_and_the_settings_for_limits() -> None:
    strategy = made(limited_lr=3e-4, limited_decay=2e-4)
    searched(strategy, 5)
    assert strategy.model is not None
    group = strategy.model.adam.param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (3e-4, 2e-4)
    assert strategy._training.alpha == 0.95
    raw = strategy.model.sample(2, torch.Generator().manual_seed(0))
    assert strategy.model.predict(raw).shape == (2, 2)
    assert (AGNetOptions().limited_lr, AGNetOptions().limited_decay) == (2e-4, 1e-4)


def test_the_training_sees_labels_quantities_and_the_weights_of_the_ranking(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(Model, "train", lambda self, graphs, labels, weights, *rest: seen.append((labels, weights)))
    strategy = made()
    archs = strategy.ask(4)
    for arch, score, ms in zip(archs, (0.1, 0.9, 0.5, 0.3), (1.0, 9.0, 2.0, 3.0)):
        strategy.tell(arch, {"score": score, "ms": ms})
    strategy.ask(1)
    ((labels, weights),) = seen
    assert labels.tolist() == [pytest.approx(row) for row in ([0.1, 1], [0.9, 9], [0.5, 2], [0.3, 3])]
    assert weights.argsort(descending=True).tolist() == [2, 3, 0, 1]


def test_candidates_that_are_predicted_to_be_outside_come_last(monkeypatch: pytest.MonkeyPatch) -> None:
    def predict(self: Model, raw: Tensor) -> Tensor:
        place = torch.arange(len(raw), dtype=torch.float32)
        return torch.stack([place, torch.where(place == 1, 3.0, 5.0)], 1)

    strategy, random = made(candidates=8), made(candidates=8, pick="random")
    monkeypatch.setattr(Model, "predict", predict)
    for one in (strategy, random):
        searched(one, 5)
    second = random.space.canonical(random.queue[0])  # in random order; predicted to be inside
    assert list(strategy.labelled)[4] == str(second)


@pytest.mark.parametrize(("candidates", "batches"), [(5, 1), (20_000, 15)])
def test_candidates_come_from_at_most_7500_samples(
    candidates: int, batches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    sample = Model.sample
    monkeypatch.setattr(Model, "sample", lambda self, size, draws: sizes.append(size) or sample(self, size, draws))
    searched(made(candidates=candidates), 5)
    assert sizes == [500] * batches


@pytest.mark.parametrize("limits", [LIMITS, JOINT])
def test_a_search_with_limits_continues_with_the_same_proposals(limits: Limits) -> None:
    whole, again = (made(limits, seed) for seed in (0, 1))
    searched(whole, 8)
    again.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    assert again.labelled == whole.labelled
    assert searched(again, 5) == searched(whole, 5)
    assert again.state_dict() == whole.state_dict()
