"""Where λ·f acts: on one level alone, late, on feature maps, and with dropout on skip connections."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from test_supernet_contract import counted
from toy_search import FAST, TINY, OneCell, dataset, first_batches, noise, same, search, snapshot

from nas.core.errors import InputError
from nas.search_spaces.supernet import Supernet
from nas.strategies.supernet.compared.selection import DARTSPT
from nas.strategies.supernet.options import CONDITIONS, BilevelOptions
from nas.strategies.supernet.variants import DARTSFirstOrder, DARTSOptions, RNASMax

SHORT: dict[str, Any] = {"epochs": 2, "warm_up": 0, "validation_images": 0}


@pytest.mark.parametrize(("coefficient", "own", "levels"), [(0.0, 1.0, ["alpha"]), (1.0, 0.0, ["weight"])])
def test_either_level_can_have_the_robust_term_alone(coefficient: float, own: float, levels: list[str]) -> None:
    run = search(coefficient=coefficient, alpha_coefficient=own, **SHORT)
    row = run.step()
    found = [name for name, means in (("weight", row.weight), ("alpha", row.alpha)) if f"{name}_disagreement" in means]
    assert found == levels


def test_the_step_of_alpha_has_its_own_coefficient() -> None:
    run, literal, plain = search(alpha_coefficient=0.3), search(coefficient=0.3), search(DARTSFirstOrder)
    late = search(alpha_coefficient_after=1)
    weight_batch, alpha_batch = first_batches(run)
    before = snapshot(run.alphas)
    for one in (run, literal, plain, late):
        one.alpha_step(alpha_batch, weight_batch, noise())
    assert same(run.alphas, literal.alphas)
    assert same(late.alphas, plain.alphas)
    assert not same(run.alphas, plain.alphas)
    assert not same(run.alphas, before)


@pytest.mark.parametrize(
    "options",
    [
        {"alpha_coefficient_after": 1},
        {"coefficient": 0.0, "alpha_coefficient": 1.0, "perturbation": "pgd"},
        {"alpha_coefficient": 0.0, "second_order": True, "perturbation": "pgd"},
        {"regulariser": "features", "perturbation": "pgd"},
    ],
)
def test_passes_are_counted_where_the_levels_differ(options: dict[str, Any]) -> None:
    run, passes = search(**options, **SHORT), 0
    while not run.done:
        with counted() as seen:
            row = run.step()
        passes += len(seen)
        late = row.epoch <= run.options.alpha_coefficient_after
        assert ("alpha_disagreement" in row.alpha) == (not late and run.options.alpha_coefficient != 0)
    assert passes == run.passes()


# feature maps


def test_the_last_feature_map_is_what_the_classifier_gets() -> None:
    run = search()
    (x, y), _ = first_batches(run)
    logits, features = run.supernet.with_features(x)
    assert features.shape == (8, 2, 8, 8)
    assert torch.equal(run.supernet.classifier(features.mean((2, 3))), logits)
    assert torch.equal(run.supernet(x), logits)
    assert run.supernet.feature_maps is None
    of_features = search(regulariser="features")
    moved = (x + 0.1).clamp(0, 1)
    first, second = features.flatten(1), run.supernet.with_features(moved)[1].flatten(1)
    expected = ((first - second) ** 2).sum(1) / ((first**2).sum(1) + (second**2).sum(1))
    terms = of_features.loss.at(of_features.supernet, x, moved, y)
    assert terms.disagreement.item() == pytest.approx(expected.mean().item(), rel=1e-4)


def test_a_supernet_that_does_not_show_its_features_is_refused() -> None:
    class Closed(OneCell):
        def supernet(self, num_classes: int = 10, **settings: Any) -> Supernet:  # type: ignore[override]
            network = super().supernet(num_classes, **settings)
            network.classify = lambda features: network.classifier(features.mean((2, 3)))  # type: ignore[method-assign]
            return network

    options = RNASMax.Options(**{**FAST, "regulariser": "features"})
    with pytest.raises(InputError, match=r"shows its last feature map but NASBench201Supernet does not"):
        RNASMax(Closed(), dataset(), 0, options, TINY).step()


# dropout on skip connections


def test_equal_images_agree_in_spite_of_dropout() -> None:
    run = search(RNASMax, skip_dropout=0.5, eps=0.0, **SHORT)
    row = run.step()
    assert row.weight["weight_disagreement"] == row.alpha["alpha_disagreement"] == 0.0
    assert run.supernet.skip_output is None
    assert row.weight["weight_loss"] != search(RNASMax, eps=0.0, **SHORT).step().weight["weight_loss"]


def test_each_step_drops_other_elements_in_all_of_its_passes() -> None:
    run, dropped = search(RNASMax, skip_dropout=0.5, steps=1, **SHORT), []

    def note(supernet: Any, _: Any) -> None:
        drop = supernet.skip_output()
        dropped.append(drop(torch.ones(64)).tolist())

    run.supernet.register_forward_pre_hook(note)
    run.step()
    steps = [dropped[at : at + 3] for at in range(0, len(dropped), 3)]  # x, one step of PGD, x'
    assert all(one == other == third for one, other, third in steps)
    assert len({tuple(first) for first, _, _ in steps}) == len(steps) == 4
    rates = [search(skip_dropout=0.5, epochs=4, warm_up=2).skip_dropout(epoch) for epoch in range(4)]
    assert rates == pytest.approx([0.375, 0.25, 0.5, 0.5 * 0.8187308])


# selection


@pytest.mark.landing
def test_a_supernet_that_was_trained_with_the_robust_term_chooses_by_removal() -> None:
    options = {
        "epochs": 1,
        "warm_up": 0,
        "tune_epochs": 1,
        "coefficient": 1.0,
        "steps": 1,
        "validation_images": 0,
        "batch_size": 16,
    }
    run, passes = search(DARTSPT, **options), 0
    while not run.done:
        with counted() as seen:
            row = run.step()
        passes += len(seen)
        assert row.weight["weight_disagreement"] > 0
        assert row.alpha["alpha_disagreement"] > 0
    assert passes == run.passes()
    assert run.supernet.kept is not None
    assert run.supernet.kept["cell"].sum(1).tolist() == [1] * 6


# conditions


@pytest.mark.parametrize(
    ("options", "key", "acts"),
    [
        (BilevelOptions(), "regulariser_temperature", False),
        (BilevelOptions(regulariser="kl"), "regulariser_temperature", True),
        (BilevelOptions(), "alpha_coefficient_after", True),
        (BilevelOptions(alpha_coefficient=0.0), "alpha_coefficient_after", False),
        (DARTSOptions(), "alpha_coefficient_after", False),
        (DARTSOptions(alpha_coefficient=1.0), "alpha_coefficient_after", True),
        (DARTSOptions(alpha_coefficient=1.0), "regulariser", True),
        (DARTSOptions(), "regulariser", False),
    ],
)
def test_options_without_effect_are_known(options: BilevelOptions, key: str, acts: bool) -> None:
    condition = CONDITIONS[key]
    assert condition.holds(options, None) == acts
    assert condition.why(options)


def test_a_scale_free_measure_says_why_it_has_no_temperature() -> None:
    why = CONDITIONS["regulariser_temperature"].why
    assert why(BilevelOptions()) == "with strategy.regulariser=correlation, which is the same at any scale"
    assert why(DARTSOptions()) == "with strategy.coefficient=0"
