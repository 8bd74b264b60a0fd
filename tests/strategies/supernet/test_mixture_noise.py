"""Perturbed mixtures stay on the simplex and within the radius, and an adversarial one never lowers the loss."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from toy_search import first_batches, search

from nas.strategies.supernet import MIXTURE_NOISES
from nas.strategies.supernet.mixing import steps as mixing_steps
from nas.strategies.supernet.mixing.noise import MixtureNoise, Weights, adversarial, on_simplex


def weights() -> Weights:
    return {"cell": torch.rand(6, 5, generator=torch.Generator().manual_seed(0)).softmax(1)}


def slope() -> torch.Tensor:
    return torch.randn(6, 5, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", MIXTURE_NOISES.names())
def test_a_perturbed_mixture_is_one_and_near(name: str) -> None:
    before, radius = weights(), 0.03  # so small that no weight is clipped
    moved = MIXTURE_NOISES.get(name).compute(
        before, lambda one: (one["cell"] * slope()).sum(), radius, 7, torch.Generator().manual_seed(2)
    )
    torch.testing.assert_close(moved["cell"].sum(1), torch.ones(6))
    assert (moved["cell"] >= 0).all()
    assert 0 < (moved["cell"] - before["cell"]).abs().max() <= radius + 5 * radius / (1 - 5 * radius)
    assert torch.equal(before["cell"], weights()["cell"])


def test_an_adversarial_mixture_raises_a_linear_loss_nearly_as_far_as_it_may() -> None:
    """With steps of 2·radius/7 every weight can reach the side of the ball that its slope points to."""
    before, radius = weights(), 0.02

    def loss(one: Weights) -> torch.Tensor:
        return (one["cell"] * slope()).sum()

    moved = adversarial(before, loss, radius, 7, torch.Generator().manual_seed(2))
    far = (before["cell"] + radius * slope().sign()).clamp(0, 1)
    most = loss({"cell": far / far.sum(1, keepdim=True)}) - loss(before)
    assert loss(moved) - loss(before) > 0.7 * most > 0


def literal_simplex(rows: list[list[float]]) -> list[list[float]]:
    clipped = [[min(max(value, 0.0), 1.0) for value in row] for row in rows]
    return [[value / sum(row) for value in row] for row in clipped]


@pytest.mark.parametrize("radius", [0.02, 0.3])
def test_the_steps_are_those_of_the_definition(radius: float) -> None:
    """Number by number: with the larger radius, weights are clipped to 0."""
    before, steps = {"cell": weights()["cell"].double()}, 3
    target = torch.rand(6, 5, generator=torch.Generator().manual_seed(4), dtype=torch.float64)

    def loss(one: Weights) -> Tensor:
        return -(one["cell"] - target).square().sum()

    original = before["cell"].tolist()
    start = (2 * torch.rand(6, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64) - 1) * radius
    now = literal_simplex((before["cell"] + start).tolist())
    found = MIXTURE_NOISES.get("random").compute(before, loss, radius, steps, torch.Generator().manual_seed(2))
    torch.testing.assert_close(found["cell"], torch.tensor(now, dtype=torch.float64))
    for _ in range(steps):
        for row in range(6):
            for column in range(5):
                rise = 1 if target[row, column] > now[row][column] else -1
                moved, middle = now[row][column] + rise * 2 * radius / steps, original[row][column]
                now[row][column] = min(max(moved, middle - radius), middle + radius)
        now = literal_simplex(now)
    found = adversarial(before, loss, radius, steps, torch.Generator().manual_seed(2))
    torch.testing.assert_close(found["cell"], torch.tensor(now, dtype=torch.float64))


def test_it_is_kept_only_where_it_raises_the_loss() -> None:
    """The loss is smallest anywhere but at the original mixture, so that no other one can be kept."""
    before = weights()

    def loss(one: Weights) -> torch.Tensor:
        return -(one["cell"] - before["cell"]).square().sum()

    assert adversarial(before, loss, 0.1, 3, torch.Generator().manual_seed(2)) is before


def test_operations_without_weight_stay_so_and_an_edge_never_vanishes() -> None:
    original = torch.tensor([[0.0, 0.5, 0.5], [0.0, 1.0, 0.0]])
    assert torch.equal(
        on_simplex(torch.tensor([[0.2, 0.5, 0.3], [0.5, -0.1, 0.5]]), original),
        torch.tensor([[0.0, 0.625, 0.375], [0.0, 1.0, 0.0]]),
    )


def test_only_the_weights_learn_with_the_perturbed_mixture_and_the_radius_grows() -> None:
    run = search(coefficient=0.0, warm_up=0, epochs=10, mixture_noise="random", noise_radius=0.03, noise_radius_end=0.3)
    batch, _ = first_batches(run)
    clean = run.supernet.probabilities()["cell"].detach()
    found = []
    for run.epochs_done in (0, 9, 30):  # the last: where a search goes on after `epochs`
        run.draw_mixture(run.generator("test"))
        assert torch.equal(run.supernet.mixed()["cell"].weights, clean)
        run.perturb_mixture(batch, run.generator("test"))
        seen = run.supernet.mixed()["cell"].weights
        assert not seen.requires_grad
        found.append((seen - clean).abs().max().item())
        run.settle()
    assert 0 < found[0] < 0.04
    assert found[1] > 4 * found[0]
    assert found[2] < 0.3


def test_the_radius_grows_by_the_share_of_the_epochs_that_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the release: .03 + .27·epoch/epochs."""
    run = search(coefficient=0.0, warm_up=0, epochs=10, mixture_noise="random")
    radii: list[float] = []
    noted = MixtureNoise("noted", lambda weights, loss, radius, *_: (radii.append(radius), weights)[1], lambda steps: 0)
    monkeypatch.setattr(mixing_steps, "MIXTURE_NOISES", {"random": noted})
    for run.epochs_done in (0, 9, 30):
        run.perturb_mixture(first_batches(run)[0], run.generator("test"))
    assert radii == pytest.approx([0.03, 0.03 + 0.27 * 0.9, 0.3])


def test_the_batch_of_the_weights_perturbs_their_mixture_and_passes_between_epochs_are_clean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = search(coefficient=0.0, warm_up=0, mixture_noise="random")
    batches: list[Tensor] = []
    perturb, learn = run.perturb_mixture, run.weight_step
    monkeypatch.setattr(run, "perturb_mixture", lambda batch, draws: (batches.append(batch[0]), perturb(batch, draws)))
    monkeypatch.setattr(run, "weight_step", lambda batch, *others: (batches.append(batch[0]), learn(batch, *others))[1])
    run.train_epoch(0)
    assert len(batches) == 2 * run.steps_per_epoch
    assert all(torch.equal(one, other) for one, other in zip(batches[::2], batches[1::2]))
    assert run.supernet.mixer is None
