"""The dominant eigenvalue of α's Hessian, against the whole Hessian, and the search that it ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional
from toy_search import (
    FAST,
    dataset,
    noise,
    search,
    skip_everywhere,
)

from nas.search_spaces import DARTS
from nas.strategies.supernet.early_stopping import loss_sharpness
from nas.strategies.supernet.variants import DARTSFirstOrder, RNASUniform


@pytest.mark.landing
def test_the_eigenvalue_is_the_dominant_one_of_the_whole_hessian() -> None:
    run = search()
    run.supernet.double()
    skip_everywhere(run)
    x, y = run.alpha_half.images[:8].double() / 255, run.alpha_half.labels[:8]
    x_adv = run.loss.perturbed(run.supernet, x, noise())
    name = "alphas.cell"

    def loss(alpha: Tensor) -> Tensor:
        clean = functional_call(run.supernet, {name: alpha}, (x,))
        return functional.cross_entropy(clean, y) + run.loss.f(
            clean, functional_call(run.supernet, {name: alpha}, (x_adv,))
        )

    alpha = run.alphas[0]
    hessian = torch.autograd.functional.hessian(loss, alpha.detach()).reshape(30, 30)  # type: ignore[arg-type]
    values = torch.linalg.eigvalsh(hessian)
    expected = values[values.abs().argmax()].item()
    total = run.loss.at(run.supernet, x, x_adv, y).total
    got = loss_sharpness(total, [alpha], noise(), iterations=200, tolerance=1e-7)
    assert got == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("other", "rounds"), [(-0.98, 20), (0.5, 5)])
def test_the_power_method_ends_within_a_hundredth_or_after_twenty_rounds(other: float, rounds: int) -> None:
    """Of ½(x² + other·y²) from the start that the generator draws, written out."""
    x, y = torch.randn(2, generator=noise(5), dtype=torch.float64).tolist()
    values: list[float] = [0.0]
    while len(values) <= 20:
        value = (x**2 + other * y**2) / (x**2 + y**2)
        x, y = x, other * y
        values.append(value)
        if abs(values[-1] - values[-2]) <= 0.01 * abs(value):
            break
    assert len(values) - 1 == rounds
    point = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    loss = (point**2 @ torch.tensor([1.0, other], dtype=torch.float64)) / 2
    assert loss_sharpness(loss, [point], noise(5)) == pytest.approx(values[-1], rel=1e-9)


@pytest.mark.slow
def test_the_eigenvalue_of_darts_is_finite_and_repeats() -> None:
    """Through the second derivatives of the depthwise convolutions."""
    run = RNASUniform(DARTS(), dataset(), 0, RNASUniform.Options(**FAST), {"channels": 2, "cells": 3})
    first = run.eigenvalue()
    assert first == first  # not a NaN
    assert first != 0
    assert run.eigenvalue() == first
    assert all(parameter.grad is None for parameter in run.supernet.parameters())


@pytest.mark.landing
def test_a_sharpening_loss_ends_the_search_with_the_architecture_of_five_epochs_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = search(DARTSFirstOrder, epochs=40, warm_up=1, validation_images=0, stop_eigenvalue=True)
    values: Iterator[float] = iter([1.0] * 10 + [1.5, 2.0, 3.0] + [9.0] * 20)
    monkeypatch.setattr(run, "eigenvalue", lambda: next(values))
    while not run.done:
        run.step()
    assert run.epochs_done == 14  # the warm-up and 13 more; mean(1, 1, 1.5, 2, 3) is the first above 4/3
    assert run.stopped is not None
    assert run.result().epoch == run.epochs_done - 5
    assert run.result().arch == run.history[-6].arch
