"""DARTS-PT and RobNet: which architecture a trained supernet ends with."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import torch
from torch.nn import functional
from toy_search import FAST, TINY, OneCell, dataset, first_batches, same, search, snapshot

from nas.core.images import unit_range
from nas.core.optimisation.lr_schedule import cosine
from nas.search_spaces import DARTS
from nas.search_spaces.supernet import Mixed
from nas.strategies.supernet.base import Levels, SupernetStrategy
from nas.strategies.supernet.bilevel import Bilevel
from nas.strategies.supernet.compared import robnet as selected_by_robnet
from nas.strategies.supernet.compared.robnet import RobNet
from nas.strategies.supernet.compared.selection import DARTSPT
from nas.strategies.supernet.perturbations import PERTURBATIONS


def darts_pt(space: Any = None, settings: Any = None, **options: Any) -> DARTSPT:
    chosen = DARTSPT.Options(**{**FAST, "epochs": 1, "warm_up": 0, "tune_epochs": 1, "validation_images": 0, **options})
    return DARTSPT(space or OneCell(), dataset(), 0, chosen, settings or TINY)


def test_an_edge_keeps_the_operation_whose_removal_costs_most(monkeypatch: pytest.MonkeyPatch) -> None:
    run = darts_pt()
    truth = {(row, column): 100 - (row + column) % 4 for row in range(6) for column in range(5)}
    monkeypatch.setattr(run, "correct_without", lambda cell, row, column: truth[row, column])
    run.supernet.kept = {"cell": torch.ones(6, 5, dtype=torch.bool)}
    for number in range(run.selections):
        run.select("cell", number)
        assert (run.supernet.kept["cell"].sum(1) == 1).sum() == number + 1
    best = [min(range(1, 5), key=lambda column: truth[row, column]) for row in range(6)]
    assert run.supernet.kept["cell"].nonzero()[:, 1].tolist() == best
    assert run.supernet.derive().operations == tuple(run.supernet.operations[column] for column in best)


def test_a_node_loses_the_edges_whose_removal_costs_least(monkeypatch: pytest.MonkeyPatch) -> None:
    run = darts_pt(DARTS(), {"channels": 2, "cells": 3})
    assert run.crowded == [3, 4, 5]
    assert run.selections == 14 + 3
    asked: list[Any] = []

    def correct_without(cell: str, row: int, column: int | None) -> int:
        asked.append((cell, row, column))
        return 50 - row if column is None else 50 - column

    monkeypatch.setattr(run, "correct_without", correct_without)
    run.supernet.kept = {name: torch.ones_like(alpha, dtype=torch.bool) for name, alpha in run.supernet.alphas.items()}
    for name in run.supernet.alphas:
        for number in range(run.selections):
            run.select(name, number)
    assert len(asked) * run.selection_batches == run.passes() - run.steps_per_epoch * run.total_epochs * 2
    genotype = run.supernet.derive()
    for edges in (genotype.normal, genotype.reduce):
        assert [source for _, source in edges] == [0, 1, 1, 2, 2, 3, 3, 4]  # of each node the last two
        assert {operation for operation, _ in edges} == {"dil_conv_5x5"}


def test_what_is_counted_without_an_operation_or_an_edge() -> None:
    """Against a pass with its weights written out; the others of its edge keep theirs."""
    run = darts_pt()
    m, half = run.supernet, run.alpha_half
    m.kept = {"cell": torch.ones(6, 5, dtype=torch.bool)}
    probabilities = m.probabilities()["cell"].detach()
    for column in (3, None):
        weights = probabilities.clone()
        weights[2, slice(None) if column is None else column] = 0
        m.mixer = lambda name, alpha, weights=weights: Mixed(weights)
        with torch.no_grad():
            logits = [m(unit_range(x)) for x in half.images.tensor_split(run.selection_batches)]
        m.mixer = None
        expected = int((torch.cat(logits).argmax(1) == half.labels).sum())
        assert run.correct_without("cell", 2, column) == expected
        assert m.mixer is None


def test_between_selections_the_rate_is_a_tenth_and_the_optimiser_is_new() -> None:
    run, darts = darts_pt(), search(coefficient=0.0, warm_up=0, epochs=1, validation_images=0)
    run.step()
    row = darts.step()
    assert run.history[0].alpha == row.alpha
    assert same(list(run.supernet.parameters()), list(darts.supernet.parameters()))  # DARTS, so far
    assert not run.weight_optimizer.state
    run.set_learning_rate(run.steps_per_epoch)
    assert run.weight_optimizer.param_groups[0]["lr"] == pytest.approx(0.0025)
    tuned = 5 * run.steps_per_epoch  # an epoch between each two of the six selections
    run.set_learning_rate(run.steps_per_epoch + tuned - 1)
    assert run.weight_optimizer.param_groups[0]["lr"] == pytest.approx(cosine(tuned - 1, tuned, 0.0025, 0.001))
    run.options.lr = 0.005  # a tenth of it is below `lr_min`
    run.set_learning_rate(run.steps_per_epoch + tuned - 1)
    assert run.weight_optimizer.param_groups[0]["lr"] == pytest.approx(0.0005)
    assert run.supernet.kept["cell"].sum(1).tolist().count(1) == 1


def test_edges_are_visited_in_a_random_order_and_none_stays_out_of_the_mixture() -> None:
    run = darts_pt(mix_none=False)
    run.step()
    kept = run.supernet.kept["cell"]
    assert not kept[:, 0].any()
    order = torch.randperm(6, generator=run.generator("selection", "cell")).tolist()
    assert order[0] != 0
    assert kept.sum(1).tolist() == [1 if row == order[0] else 4 for row in range(6)]


def test_every_cell_has_a_selection_after_the_epochs_and_after_each_tuning(monkeypatch: pytest.MonkeyPatch) -> None:
    run = darts_pt(DARTS(), {"channels": 2, "cells": 3}, epochs=3, tune_epochs=2)
    monkeypatch.setattr(Bilevel, "train_epoch", lambda self, epoch: Levels({}, {}))
    selected: list[Any] = []
    monkeypatch.setattr(run, "select", lambda cell, number: selected.append((epoch, cell, number)))
    for epoch in range(6):
        run.train_epoch(epoch)
    assert selected == [(2, "normal", 0), (2, "reduce", 0), (4, "normal", 1), (4, "reduce", 1)]
    assert run.total_epochs == 3 + 2 * 16  # the last of 17 selections ends the search


def robnet(**options: Any) -> RobNet:
    small = {**FAST, "epochs": 1, "warm_up": 0, "samples": 3, "rank_images": 8, "steps": 1, "batch_size": 16}
    return RobNet(OneCell(), dataset(), 0, RobNet.Options(**{**small, **options}), TINY)


def test_robnet_ends_with_the_most_robust_sample_and_its_own_weights() -> None:
    run = robnet()
    alphas, start = snapshot(run.alphas), snapshot(run.weights)
    row = run.step()
    assert row.alpha == {}
    trained = snapshot(run.weights)
    assert not same(start, trained)
    while not run.done:
        run.step()
    assert same(alphas, run.alphas)
    assert same(trained, run.weights)
    samples = run.history[1:]
    found = [one.alpha["alpha_robust_accuracy"] for one in samples]
    assert run.best_accuracy == max(found)
    assert run.result().arch == run.best == samples[-1].arch
    assert samples[0].skips == {"skips_cell": samples[0].arch.count("skip_connect")}
    assert all(0 <= one.alpha["alpha_robust_accuracy"] <= one.alpha["alpha_accuracy"] for one in samples)


def test_a_path_of_robnet_computes_the_operations_of_its_architecture_alone() -> None:
    run = robnet()
    arch = run.space.parse("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|")
    run.follow(arch)
    called: list[str] = []
    for name, module in run.supernet.named_modules():
        if name.rpartition(".")[2].startswith("conv_"):
            module.register_forward_hook(lambda *_, name=name: called.append(name))
    run.supernet(torch.rand(2, 3, 8, 8))
    assert called == ["blocks.0.edges.0.conv_3x3", "blocks.0.edges.3.conv_1x1"]


def test_a_step_of_robnet_learns_from_perturbed_images() -> None:
    """Against the step written out, with the same random start of PGD."""
    run, literal = robnet(clip=0.1), robnet(clip=0.1)
    (x, y), _ = first_batches(run)
    m = literal.supernet
    x_adv = PERTURBATIONS.get("pgd")(
        lambda images: functional.cross_entropy(m(images), y), x, literal.budget, literal.generator("test")
    )
    loss = functional.cross_entropy(m(x_adv), y)
    assert run.adversarial_step((x, y), run.generator("test"))[0].item() == pytest.approx(loss.item())
    for weight, gradient in zip(literal.weights, torch.autograd.grad(loss, literal.weights, allow_unused=True)):
        weight.grad = gradient
    torch.nn.utils.clip_grad_norm_(literal.weights, 0.1)
    literal.weight_optimizer.step()
    for one, other in zip(run.weights, literal.weights):
        torch.testing.assert_close(one, other)


def test_each_step_of_robnet_has_a_path_of_its_own_and_each_sample_keeps_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample begins without momentum, has `tune_epochs` at the last rates of the training, each in another order, and
    is ranked by robust accuracy on α's half, of equal ones the first."""
    run = robnet(batch_size=4, tune_epochs=2, rank_images=5)
    paths: list[Any] = []
    momentum: list[bool] = []
    rates: list[float] = []
    images: list[bytes] = []
    tuned: list[int] = []  # steps of a sample when the held-out images are classified

    def adversarial_step(batch: Any, noise: torch.Generator) -> torch.Tensor:
        paths.append(tuple(run.supernet.mixed()["cell"].weights.argmax(1).tolist()))
        momentum.append(bool(run.weight_optimizer.state))
        rates.append(run.weight_optimizer.param_groups[0]["lr"])
        images.append(batch[0].numpy().tobytes())
        run.weight_optimizer.state[run.weights[0]]["momentum_buffer"] = torch.zeros_like(run.weights[0])
        return torch.zeros(2)

    monkeypatch.setattr(run, "adversarial_step", adversarial_step)
    robust = iter([0.2, 0.5, 0.5])
    ranked: list[Any] = []

    def accuracies(supernet: Any, half: Any, count: int, *others: Any) -> dict[str, float]:
        if half is not run.held_out:
            ranked.append((half is run.alpha_half, count))
            value = next(robust)
            return {"val_accuracy": 1 - value, "val_robust_accuracy": value}
        return {"val_accuracy": 0.0, "val_robust_accuracy": 0.0}

    monkeypatch.setattr(selected_by_robnet, "accuracies", accuracies)
    monkeypatch.setattr(SupernetStrategy, "validation", lambda self: tuned.append(len(paths)) or {})
    run.train_epoch(0)
    assert len(set(paths)) == len(paths) == run.steps_per_epoch
    samples: list[Any] = []
    last = rates.copy()
    for epoch in (1, 2, 3):
        rates.clear()
        images.clear()
        paths.clear()
        momentum.clear()
        run.train_epoch(epoch)
        assert len(paths) == 2 * run.steps_per_epoch
        assert momentum == [False] + [True] * (len(momentum) - 1)
        assert len(set(paths)) == 1
        assert rates == last * 2
        assert images[: len(last)] != images[len(last) :]
        samples.append(paths[0])
    assert ranked == [(True, 5)] * 3
    assert tuned == [2 * run.steps_per_epoch] * 3
    best = run.supernet.path(run.space.parse(run.best))["cell"].argmax(1)
    assert tuple(best.tolist()) == samples[1] != samples[2]
    assert run.best_accuracy == 0.5
    again = robnet()
    again.load_state_dict(run.state_dict())
    assert (again.best, again.best_accuracy) == (run.best, 0.5)


def test_robnet_draws_connected_architectures() -> None:
    run, rng = robnet(), Random(0)
    assert all(run.space.connected(run.draw(rng), **run.settings) for _ in range(200))
    assert not all(run.space.connected(run.space.sample(rng), **run.settings) for _ in range(200))
