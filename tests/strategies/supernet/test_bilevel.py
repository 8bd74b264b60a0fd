"""Whole bilevel searches: resuming to the same bits, the log of an epoch, accuracies, passes, endings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from slowly import slow_but
from toy_search import (
    dataset,
    same,
    search,
    skip_everywhere,
    split,
)

from nas.core.data import Split
from nas.core.errors import NasError
from nas.core.io import checkpoint
from nas.core.optimisation.lr_schedule import cosine
from nas.results import SupernetEpoch
from nas.strategies.supernet.variants import DARTSFirstOrder, RNASMax, RNASUniform


def without_times(history: list[SupernetEpoch]) -> list[SupernetEpoch]:
    return [replace(epoch, seconds=0.0) for epoch in history]


@pytest.mark.parametrize(
    "options",
    slow_but(
        [{"perturbation": "pgd"}, {"second_order": True}, {"stop_eigenvalue": True}],
        [{"perturbation": "pgd"}],
        pytest.mark.landing,
    ),
)
def test_continuing_after_any_epoch_gives_the_same_bits(options: dict[str, Any], tmp_path: Path) -> None:
    whole = search(**options)
    states = []
    while not whole.done:
        whole.step()
        states.append(tmp_path / f"{whole.epochs_done}.pt")
        checkpoint.save(states[-1], {"kind": "search", **whole.state_dict()})
    for path in states:
        torch.manual_seed(12345)  # nothing depends on torch's global generator
        resumed = search(**options)
        resumed.load_state_dict(checkpoint.load(path, "search"))
        while not resumed.done:
            resumed.step()
        assert same(list(resumed.supernet.parameters()), list(whole.supernet.parameters()))
        assert without_times(resumed.history) == without_times(whole.history)
        assert resumed.result() == whole.result()


def test_the_global_generator_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    search(RNASMax).step()
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_row_tells_what_happened() -> None:
    run = search(epochs=2)
    assert run.result().epoch == 0
    run.step()
    row = run.step()
    supernet = run.supernet
    assert run.done
    assert row.epoch == 2
    assert row.arch == str(supernet.derive())
    assert row.skips["skips_cell"] == supernet.skips()["cell"]
    assert row.entropy["entropy_cell"] == supernet.entropy()["cell"]
    for level, means in (("weight", row.weight), ("alpha", row.alpha)):
        terms = means[f"{level}_cross_entropy"] + means[f"{level}_disagreement"]
        assert means[f"{level}_loss"] == pytest.approx(terms, rel=1e-5)
    assert row.lr == pytest.approx(cosine(3, 4, 0.025, 0.001))
    assert 0 <= row.validation["val_robust_accuracy"] <= row.validation["val_accuracy"] <= 1
    assert row.seconds > 0
    assert run.result() == (row.arch, 2, None)


def test_validation_is_of_the_held_out_images_and_the_same_for_every_strategy() -> None:
    data = dataset()
    run = search(data=data, eps=0.0, validation_images=1000)
    accuracies = run.validation()
    assert accuracies["val_accuracy"] == accuracies["val_robust_accuracy"]  # no room for an attack
    x, y = data.validation.images.float() / 255, data.validation.labels
    with torch.no_grad():
        right = sum((run.supernet(x[part]).argmax(1) == y[part]).sum() for part in (slice(0, 6), slice(6, 12)))
    assert accuracies["val_accuracy"] == pytest.approx(int(right) / 12)
    attacked = [search(kind, data=data, eps=0.2, step_size=0.05) for kind in (DARTSFirstOrder, RNASUniform, RNASMax)]
    found = [run.validation() for run in attacked]
    assert found[0] == found[1] == found[2] == attacked[0].validation()  # the same start, too
    assert search(validation_images=0).validation() == {}
    assert all(parameter.grad is None for parameter in run.supernet.parameters())


@pytest.mark.landing
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"perturbation": "pgd"},
        {"coefficient": 0.0},
        {"warm_up_regularised": False},
        {"second_order": True},
        {"second_order": True, "perturbation": "pgd"},
        {"second_order": True, "coefficient": 0.0},
    ],
)
def test_passes_are_counted(options: dict[str, Any]) -> None:
    run = search(**options, validation_images=0)
    counted = 0

    def count(*_: Any) -> None:
        nonlocal counted
        counted += 1

    run.supernet.register_forward_pre_hook(count)
    while not run.done:
        run.step()
    assert counted == run.passes()


def test_a_loss_that_is_not_a_number_is_told() -> None:
    run = search(warm_up=0)
    with torch.no_grad():
        run.supernet.get_parameter("classifier.bias").fill_(float("nan"))
    with pytest.raises(NasError, match=r"diverged: the loss of the weights became nan in epoch 1; lower strategy\.lr"):
        run.step()


def test_too_many_skip_connections_end_the_search_but_not_in_the_warm_up() -> None:
    run = search(stop_skips=6)
    skip_everywhere(run)
    assert run.step().warning == "mostly skip connections in: cell"
    assert not run.done
    run.step()
    assert run.done
    assert run.result().stopped == "6 skip connections in the cell cell"
    assert run.result().epoch == 2
    resumed = search(stop_skips=6)
    resumed.load_state_dict(run.state_dict())
    assert resumed.done
    assert resumed.result() == run.result()
    never = search()
    skip_everywhere(never)
    while not never.done:
        never.step()
    assert never.result() == (never.history[-1].arch, 3, None)


def test_without_held_out_images_there_are_no_accuracies_and_the_last_epoch_is_taken() -> None:
    whole = split(34, 0)
    data = replace(dataset(whole), validation=Split(whole.images[:0], whole.labels[:0]))
    run, watched = search(data=data), search()
    for one in (run, watched):
        while not one.done:
            one.step()
    assert run.validation() == {"val_accuracy": None, "val_robust_accuracy": None}
    for row, other in zip(run.history, watched.history, strict=True):
        assert (row.validation["val_accuracy"], row.validation["val_robust_accuracy"]) == (None, None)
        assert other.validation["val_accuracy"] is not None
        assert row.arch == other.arch
        assert row.weight["weight_loss"] == other.weight["weight_loss"]
    assert run.result().epoch == run.options.epochs
    assert search(data=data, validation_images=0).validation() == {}


def test_the_sharpness_of_the_warm_up_is_not_measured() -> None:
    """Its eigenvalues would count among those that end the search."""
    run = search(stop_eigenvalue=True)
    assert [run.step().eigenvalue is None for _ in range(2)] == [True, False]
