"""DrNAS and P-DARTS: what changes from stage to stage."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional
from toy_search import FAST, TINY, OneCell, dataset, skip_everywhere

from nas.core.errors import InputError
from nas.core.optimisation.lr_schedule import cosine
from nas.search_spaces import DARTS
from nas.strategies.supernet.compared.drnas import DrNAS, DrNASOptions, widened
from nas.strategies.supernet.compared.p_darts import PDARTS, PDARTSOptions


def drnas(**options: Any) -> DrNAS:
    small = {**FAST, "epochs": 5, "stage_operations": [3, 2], "stage_partial": [2, 1, 1], "validation_images": 0}
    return DrNAS(OneCell(), dataset(), 0, DrNASOptions(**{**small, **options}), TINY)


def p_darts(**options: Any) -> PDARTS:
    small = {**FAST, "epochs": 5, "stage_operations": [3], "stage_cells": [3, 4], "stage_skip_dropout": [0.1, 0.4]}
    settings = {"channels": 2, "cells": 3}
    return PDARTS(DARTS(), dataset(), 0, PDARTSOptions(**{**small, "warm_up": 2, **options}), settings)


def watch(run: PDARTS, seen: list[Any]) -> None:
    """Note in each pass what is done to skip connections."""
    run.supernet.register_forward_pre_hook(lambda supernet, _: seen.append(supernet.skip_output))


def test_stages_have_equal_lengths_and_each_begins_with_a_warm_up() -> None:
    run = drnas(epochs=8)
    assert [run.stage_of(epoch) for epoch in range(8)] == [0, 0, 1, 1, 2, 2, 2, 2]
    assert [run.searches(epoch) for epoch in range(8)] == [False, True, False, True, False, True, True, True]


def test_a_stage_keeps_the_operations_with_the_largest_alpha_and_mixes_more_channels() -> None:
    run = drnas()
    assert run.supernet.probabilities()["cell"][:, 0].tolist() == [0.0] * 6  # `none` is not mixed
    first = run.supernet
    run.step()
    alpha = run.alphas[0].detach().clone()
    row = run.step()
    assert row.warm_up
    assert run.supernet is not first
    assert (first.blocks[0].partial, run.supernet.blocks[0].partial) == (2, 1)
    kept = run.supernet.kept["cell"]
    assert kept.sum(1).tolist() == [3] * 6
    best = alpha[:, 1:].topk(3).indices + 1
    assert all(kept[edge, columns].all() for edge, columns in enumerate(best))
    assert torch.equal(run.alphas[0], alpha)  # which stays
    weights = run.supernet.mixed()["cell"].weights
    torch.testing.assert_close(weights.sum(1), torch.ones(6))
    assert not weights[~kept].any()
    assert all(one is other for one, other in zip(run.weight_optimizer.param_groups[0]["params"], run.weights))
    run.step()
    assert run.supernet.kept["cell"].sum(1).tolist() == [2] * 6
    assert not (run.supernet.kept["cell"] & ~kept).any()


def test_a_stage_keeps_no_operation_that_was_not_mixed() -> None:
    run = drnas(stage_operations=[5, 4])
    kept = run.best_kept(5)["cell"]
    assert kept.sum(1).tolist() == [4] * 6
    assert not kept[:, 0].any()  # `none`


def test_a_wider_convolution_does_the_same_with_repeated_channels() -> None:
    weights, x = torch.randn(2, 3, 3, 3), torch.randn(1, 3, 5, 5)
    wider = widened(weights, torch.Size((5, 7, 3, 3)))
    chosen = torch.arange(7) % 3
    torch.testing.assert_close(
        functional.conv2d(x[:, chosen], wider), functional.conv2d(x, weights)[:, torch.arange(5) % 2]
    )
    assert torch.equal(widened(weights, weights.shape), weights)
    assert torch.equal(widened(weights, torch.Size((1, 3, 3, 3))), weights[:1])


@pytest.mark.landing
def test_p_darts_begins_anew_in_a_deeper_supernet() -> None:
    run = p_darts(epochs=2, warm_up=0, batch_size=16, validation_images=0)
    before = run.supernet
    run.step()
    kept, dropped = run.best_kept(3), []
    enter, run.enter = run.enter, lambda *of: (enter(*of), watch(run, dropped))  # type: ignore[assignment]
    run.step()
    assert (len(before.cells), len(run.supernet.cells)) == (3, 4)
    assert all(torch.equal(run.supernet.kept[cell], kept[cell]) for cell in kept)
    assert not torch.equal(before.alphas["normal"], run.supernet.alphas["normal"])
    assert all(dropped)  # the first epoch of a stage has dropout too
    assert dropped


def test_the_rates_of_p_darts() -> None:
    run = p_darts(epochs=10, stage_skip_dropout=[0.5, 0.4])
    rates = [run.skip_dropout(epoch) for epoch in range(6)]
    assert rates == pytest.approx([0.4, 0.3, 0.5, 0.5 * math.exp(-0.2), 0.5 * math.exp(-0.4), 0.32])
    steps = run.steps_per_epoch
    for step, done in ((0, 0), (5 * steps - 1, 5 * steps - 1), (5 * steps, 0), (7 * steps, 2 * steps)):
        run.set_learning_rate(step)
        assert run.weight_optimizer.param_groups[0]["lr"] == pytest.approx(cosine(done, 5 * steps, 0.025, 0.0))
    longer = p_darts(epochs=5, warm_up=9, stage_skip_dropout=[0.1, 0.3])  # stages of two and of three epochs
    assert [longer.skip_dropout(epoch) for epoch in range(5)] == pytest.approx([0.05, 0.0, 0.2, 0.1, 0.0])
    longer.set_learning_rate(4 * longer.steps_per_epoch)
    assert longer.weight_optimizer.param_groups[0]["lr"] == pytest.approx(cosine(2, 3, 0.025, 0.0))


def test_the_output_of_skip_connections_drops_out_in_training_only() -> None:
    run = p_darts(epochs=1, stage_operations=[], stage_cells=[3], stage_skip_dropout=[0.5], warm_up=0, batch_size=16)
    seen: list[Any] = []
    watch(run, seen)
    run.train_epoch(0)
    assert seen
    dropped = seen[0]()(torch.ones(20_000))
    assert sorted(set(dropped.tolist())) == [0.0, 2.0]
    assert dropped.mean().item() == pytest.approx(1, abs=0.05)
    assert run.supernet.skip_output is None


def test_at_most_two_skip_connections_are_derived_in_the_normal_cell() -> None:
    run = p_darts()
    skip_column = run.supernet.operations.index("skip_connect")
    with torch.no_grad():
        for alpha in run.supernet.alphas.values():
            alpha.zero_()
            alpha[:, skip_column] = 2.0 + torch.arange(len(alpha)) / 10  # later edges have larger ones
            alpha[:, 4] = 1.0
    assert run.supernet.skips() == {"normal": 8, "reduce": 8}
    arch, skips = run.derived()
    assert skips == {"normal": 2, "reduce": 8}
    derived = DARTS().parse(arch)
    assert [op for op, _ in derived.normal] == ["sep_conv_3x3"] * 6 + ["skip_connect"] * 2
    assert run.supernet.forbidden is None
    run.options.max_skips = None
    assert run.derived()[1]["normal"] == 8


def test_p_darts_needs_a_supernet_of_cells_in_a_row() -> None:
    from nas.search_spaces import NASBench201

    with pytest.raises(InputError, match=r"supernet takes cells for strategy\.name=p-darts but got nasbench201"):
        PDARTS(NASBench201(), dataset(), 0, PDARTSOptions(**FAST), TINY)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (DrNASOptions(stage_operations=[4, 5], stage_partial=[6, 4, 4]), "do not rise"),
        (DrNASOptions(stage_operations=[1]), "2 or more"),
        (DrNASOptions(stage_partial=[6]), "stage_partial with 2 values"),
        (DrNASOptions(stage_partial=[6, 0]), "stage_partial of 1 or more"),
        (DrNASOptions(epochs=1), r"epochs >= 2"),
        (PDARTSOptions(stage_cells=[5]), "stage_cells with 3 values"),
        (PDARTSOptions(stage_skip_dropout=[0.1, 0.4, 1.0]), "below 1"),
        (PDARTSOptions(max_skips=-1), "max_skips"),
    ],
)
def test_impossible_stages_are_told(options: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        options.check()


def test_a_cell_of_skip_connections_is_seen_in_a_stage() -> None:
    run = drnas()
    skip_everywhere(run)
    assert run.derived()[1] == {"cell": 6}
