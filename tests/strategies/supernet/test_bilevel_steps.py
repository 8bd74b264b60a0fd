"""One step of α and one of the weights, against the same step written out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from toy_search import (
    FAST,
    TINY,
    dataset,
    first_batches,
    noise,
    same,
    search,
    snapshot,
)

from nas.core.optimisation.lr_schedule import cosine
from nas.search_spaces import DARTS, NASBench201
from nas.strategies.supernet import BilevelOptions
from nas.strategies.supernet.bilevel import Bilevel
from nas.strategies.supernet.perturbations import PERTURBATIONS
from nas.strategies.supernet.variants import DARTSFirstOrder, RNASMax, RNASUniform


def test_the_warm_up_leaves_alpha_untouched() -> None:
    run = search()
    alphas, weights = snapshot(run.alphas), snapshot(run.weights)
    row = run.step()
    assert row.warm_up
    assert same(alphas, run.alphas)
    assert not same(weights, run.weights)
    assert row.alpha == {}
    row = run.step()
    assert not row.warm_up
    assert not same(alphas, run.alphas)


def test_whether_the_warm_up_is_regularised_is_an_option() -> None:
    regularised, plain = search(), search(warm_up_regularised=False)
    assert "weight_disagreement" in regularised.step().weight
    assert "weight_disagreement" not in plain.step().weight
    assert not same(regularised.weights, plain.weights)
    assert "weight_disagreement" in plain.step().weight


class Backwards(TorchDispatchMode):
    """Notes of each convolution's backward whether it computes the gradients of input and weight."""

    def __init__(self) -> None:
        super().__init__()
        self.masks: list[list[bool]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.convolution_backward.default:
            self.masks.append(list(args[-1])[:2])
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", [DARTSFirstOrder, RNASUniform, RNASMax])
def test_the_alpha_step_is_the_literal_one_and_leaves_nothing_on_the_weights(kind: type[Bilevel]) -> None:
    run, literal = search(kind), search(kind)
    weight_batch, alpha_batch = first_batches(run)
    weights = snapshot(run.weights)
    with Backwards() as seen:
        run.alpha_step(alpha_batch, weight_batch, noise())
    assert seen.masks
    assert all(mask == [True, False] for mask in seen.masks)  # no weight's gradient
    assert all(parameter.grad is None for parameter in run.supernet.parameters())
    assert same(weights, run.weights)

    adam = torch.optim.Adam(literal.alphas, 3e-4, (0.5, 0.999), weight_decay=1e-3)
    x, y = alpha_batch
    literal.robust_loss((x, y), literal.loss, noise()).total.backward()  # all gradients, only α's used
    adam.step()
    assert all(weight.grad is not None for weight in literal.weights)
    for ours, theirs in zip(run.alphas, literal.alphas):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("clip", [5.0, 0.01])
def test_the_weight_step_is_the_literal_one_and_leaves_nothing_on_alpha(clip: float) -> None:
    run, literal = search(clip=clip), search(clip=clip)
    (x, y), _ = first_batches(run)
    alphas = snapshot(run.alphas)
    sgd = torch.optim.SGD(literal.weights, 0.025, 0.9, weight_decay=3e-4)
    for number in range(2):
        run.weight_step((x, y), run.loss, noise(number))
        sgd.zero_grad()
        literal.robust_loss((x, y), literal.loss, noise(number)).total.backward()
        nn.utils.clip_grad_norm_(literal.weights, clip)
        sgd.step()
    assert all(parameter.grad is None for parameter in run.supernet.parameters())
    assert same(alphas, run.alphas)
    for ours, theirs in zip(run.weights, literal.weights):
        torch.testing.assert_close(ours, theirs)


def test_without_a_coefficient_rnas_uniform_is_first_order_darts_to_the_bit() -> None:
    """Against the loop of DARTS written out, and against the strategy of that name."""
    options: dict[str, Any] = {"coefficient": 0.0, "warm_up": 0, "epochs": 2}
    run, darts, literal = search(RNASUniform, **options), search(DARTSFirstOrder, epochs=2), search(**options)
    darts.options.warm_up = 0
    network, total = literal.supernet, 2 * literal.steps_per_epoch
    sgd = torch.optim.SGD(literal.weights, 0.025, 0.9, weight_decay=3e-4)
    adam = torch.optim.Adam(literal.alphas, 3e-4, (0.5, 0.999), weight_decay=1e-3)
    step = 0
    for epoch in range(2):
        run.step()
        darts.step()
        for (x, y), (x_valid, y_valid) in literal.batches(epoch):
            for alpha, gradient in zip(
                literal.alphas,
                torch.autograd.grad(functional.cross_entropy(network(x_valid), y_valid), literal.alphas),
            ):
                alpha.grad = gradient
            adam.step()
            for group in sgd.param_groups:
                group["lr"] = cosine(step, total, 0.025, 0.001)
            for weight, gradient in zip(
                literal.weights, torch.autograd.grad(functional.cross_entropy(network(x), y), literal.weights)
            ):
                weight.grad = gradient
            nn.utils.clip_grad_norm_(literal.weights, 5.0)
            sgd.step()
            step += 1
        parameters = list(network.parameters())
        assert same(list(run.supernet.parameters()), parameters)
        assert same(list(darts.supernet.parameters()), parameters)


def test_the_disagreement_of_an_image_with_itself_is_zero_in_the_mode_that_is_used() -> None:
    for space, settings in ((NASBench201(), TINY), (DARTS(), {"channels": 2, "cells": 3})):
        run = RNASMax(space, dataset(), 0, BilevelOptions(**FAST), settings)
        (x, y), _ = first_batches(run)
        assert run.loss.at(run.supernet, x, x.clone(), y).disagreement.item() == 0.0


def test_the_attack_is_worse_than_noise() -> None:
    rows = [search(kind, warm_up=0, steps=10, epochs=1).step().to_json() for kind in (RNASUniform, RNASMax)]
    for level in ("weight", "alpha"):
        assert rows[1][f"{level}_disagreement"] > 2 * rows[0][f"{level}_disagreement"] > 0


@pytest.mark.landing
@pytest.mark.parametrize("space", [NASBench201, pytest.param(DARTS, marks=pytest.mark.slow)])
def test_in_half_precision_the_search_stays_close(space: Any) -> None:
    settings = TINY if space is NASBench201 else {"channels": 4, "cells": 3}
    runs = []
    for precision in ("fp32", "bf16"):
        options = RNASMax.Options(**{**FAST, "warm_up": 0, "epochs": 1, "precision": precision})
        runs.append(RNASMax(space(), dataset(), 0, options, settings))
    rows = [run.step() for run in runs]
    assert rows[0].weight["weight_cross_entropy"] != rows[1].weight["weight_cross_entropy"]  # it was used
    assert rows[1].weight["weight_cross_entropy"] == pytest.approx(rows[0].weight["weight_cross_entropy"], rel=0.05)
    kinds = {value.dtype for value in runs[1].supernet.state_dict().values()}
    assert kinds == {torch.float32}
    (x, _), _ = first_batches(runs[1])
    seen = []
    for run in runs:
        for module in run.supernet.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(lambda _m, _i, output: seen.append(output.dtype))
        assert run.supernet(x).dtype == torch.float32
    assert {torch.float32, torch.bfloat16} <= set(seen)


def test_the_supernet_normalises_by_the_data_set() -> None:
    data = replace(dataset(), mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    supernet = search(data=data).supernet
    torch.testing.assert_close(supernet.mean.flatten(), torch.tensor([0.1, 0.2, 0.3]))
    torch.testing.assert_close(supernet.std.flatten(), torch.tensor([0.4, 0.5, 0.6]))


@pytest.mark.parametrize("perturbation", PERTURBATIONS.names())
def test_clean_logits_are_computed_once(perturbation: str) -> None:
    run = search(perturbation=perturbation)
    inputs: list[Tensor] = []
    run.supernet.register_forward_pre_hook(lambda module, args: inputs.append(args[0].detach().clone()))
    batch, _ = first_batches(run)
    run.robust_loss(batch, run.loss, noise())
    assert sum(torch.equal(seen, batch[0]) for seen in inputs) == 1
    assert len(inputs) == run.loss.loss_passes + run.loss.attack_passes


def test_given_perturbed_images_give_the_same_loss() -> None:
    run = search(perturbation="pgd")
    (x, y), _ = first_batches(run)
    x_adv = run.loss.perturbed(run.supernet, x, noise())
    assert torch.equal(run.loss.at(run.supernet, x, x_adv, y).total, run.robust_loss((x, y), run.loss, noise()).total)


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        (DARTSFirstOrder, [4.991068854e-4, 1.445712172e-3, -2.046728740e-3, -1.552564790e-3, 2.388245426e-3]),
        (RNASUniform, [4.993533363e-4, 1.446975511e-3, -2.047022339e-3, -1.564399339e-3, 2.399420366e-3]),
        (RNASMax, [5.148281343e-4, 1.445844420e-3, -2.046979265e-3, -1.546686748e-3, 2.411936643e-3]),
    ],
)
def test_searches_have_the_numbers_of_version_0_2(kind: type[Bilevel], first: list[float]) -> None:
    """α of the first edge after four steps, before other mixtures, penalties and stages were options."""
    run = search(kind, epochs=2, warm_up=0, validation_images=0)
    while not run.done:
        run.step()
    assert run.alphas[0][0].tolist() == pytest.approx(first, rel=1e-4)
