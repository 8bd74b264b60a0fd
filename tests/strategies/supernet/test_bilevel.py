"""The bilevel search: who learns from what, literal gradients, resuming to the same bits, stopping."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from nas.core.config import checked
from nas.core.data import Dataset, Split
from nas.core.errors import InputError, NasError
from nas.core.io import checkpoint
from nas.core.optimisation.lr_schedule import cosine
from nas.results import SupernetEpoch
from nas.search_spaces import DARTS, NASBench201
from nas.search_spaces.supernet import Supernet, batch_statistics
from nas.strategies import STRATEGIES
from nas.strategies.supernet import SUPERNET_STRATEGIES, Bilevel, BilevelOptions, SupernetStrategy, unrolled
from nas.strategies.supernet.curvature import loss_sharpness
from nas.strategies.supernet.halves import halves
from nas.strategies.supernet.kinds import DARTSFirstOrder, RNASMax, RNASUniform
from nas.strategies.supernet.losses import Terms
from nas.strategies.supernet.unrolled import unrolled_gradient

TINY = {"channels": 2, "cells_per_stage": 1}


class OneCell(NASBench201):
    """Its supernet ends after the first of its three stages: what a search does is the same at a third of the cost."""

    def supernet(self, num_classes: int = 10, **settings: Any) -> Supernet:  # type: ignore[override]
        network = super().supernet(num_classes, **settings)
        network.blocks = network.blocks[:1]
        network.last = nn.Sequential(batch_statistics(nn.BatchNorm2d(TINY["channels"])), nn.ReLU())
        network.classifier = nn.Linear(TINY["channels"], num_classes)
        return network


FAST: dict[str, Any] = {"epochs": 3, "warm_up": 1, "batch_size": 8, "steps": 2, "crop": 1, "validation_images": 6}


def split(count: int, seed: int) -> Split:
    """Noise, each class brighter in another colour."""
    images = torch.randint(0, 200, (count, 3, 8, 8), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    labels = torch.arange(count) % 3
    images[torch.arange(count), labels] += 55
    return Split(images, labels)


def dataset(train: Split | None = None) -> Dataset:
    std = (0.25, 0.25, 0.25)
    return Dataset("toy", train or split(34, 0), split(12, 1), split(3, 2), 3, (0.5, 0.5, 0.5), std)


def search(
    kind: type[SupernetStrategy] = RNASUniform, seed: int = 0, data: Dataset | None = None, **options: Any
) -> SupernetStrategy:
    return kind(OneCell(), data or dataset(), seed, kind.Options(**{**FAST, **options}), TINY)


def snapshot(parameters: list[nn.Parameter]) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in parameters]


def same(first: list[Any], second: list[Any]) -> bool:
    return len(first) == len(second) and all(torch.equal(a, b) for a, b in zip(first, second))


def pixels(image: Tensor) -> bytes:
    return image.contiguous().numpy().tobytes()


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def first_batches(run: Bilevel) -> tuple[Any, Any]:
    return next(iter(run.batches(0)))


# the halves


def test_halves_are_disjoint_whole_and_class_by_class() -> None:
    data = dataset()
    first, second = halves(data.train, 3)
    one, other = (set(map(pixels, half.images)) for half in (first, second))
    assert len(one) == len(other) == 17
    assert not one & other
    assert one | other == set(map(pixels, data.train.images))
    assert (first.labels.bincount() - second.labels.bincount()).abs().max() <= 2
    assert all(torch.equal(a.images, b.images) for a, b in zip(halves(data.train, 3), (first, second)))


def test_each_level_sees_its_own_half_once_an_epoch() -> None:
    run = search(crop=0, flip=False)
    known = [
        {pixels(image / 255): label.item() for image, label in zip(half.images, half.labels)}
        for half in (run.weight_half, run.alpha_half)
    ]
    orders = []
    for epoch in (0, 1):
        pairs = list(run.batches(epoch))
        assert len(pairs) == run.steps_per_epoch == 2
        for level in (0, 1):
            seen = [pixels(image) for pair in pairs for image in pair[level][0]]
            labels = torch.cat([pair[level][1] for pair in pairs]).tolist()
            assert len(set(seen)) == 16
            assert [known[level][image] for image in seen] == labels
        orders.append(torch.cat([pair[0][0] for pair in pairs]))
    assert not torch.equal(*orders)


def ways(image: Tensor, crop: int) -> dict[bytes, tuple[int, int, bool]]:
    """Every window of the image with a black margin of `crop` pixels, mirrored or not -> row, column, mirrored."""
    side = image.shape[1]
    padded = torch.zeros(3, side + 2 * crop, side + 2 * crop)
    padded[:, crop : crop + side, crop : crop + side] = image / 255
    found = {}
    for row in range(2 * crop + 1):
        for column in range(2 * crop + 1):
            window = padded[:, row : row + side, column : column + side]
            found[pixels(window)] = (row, column, False)
            found[pixels(window.flip(2))] = (row, column, True)
    return found


@pytest.mark.parametrize(("crop", "flip"), [(2, True), (2, False), (0, True)])
@pytest.mark.parametrize("level", [0, 1])
def test_both_halves_are_cropped_and_mirrored(level: int, crop: int, flip: bool) -> None:
    """As in the release of DARTS: a window of the image with a black margin, all alike; half of them mirrored."""
    run = search(crop=crop, flip=flip)
    half = (run.weight_half, run.alpha_half)[level]
    known = {way: place for image in half.images for way, place in ways(image, crop).items()}
    seen = [known[pixels(image)] for epoch in range(20) for pair in run.batches(epoch) for image in pair[level][0]]
    assert {place[0] for place in seen} == {place[1] for place in seen} == set(range(2 * crop + 1))
    assert sum(place[2] for place in seen) / len(seen) == pytest.approx(0.5 if flip else 0.0, abs=0.1 * flip)


def test_a_level_does_not_depend_on_the_other_ones_images() -> None:
    data = dataset()
    plain = search(data=data)
    for level in (0, 1):
        changed = search(data=data)
        half = (changed.weight_half, changed.alpha_half)[level]
        half.images.copy_(255 - half.images.clone())
        weight_batch, alpha_batch = first_batches(plain)
        weight_changed, alpha_changed = first_batches(changed)
        assert same(list(weight_batch), list(weight_changed)) == (level == 1)
        assert same(list(alpha_batch), list(alpha_changed)) == (level == 0)
        ours, _ = plain.alpha_gradient(alpha_batch, weight_batch, noise())
        theirs, _ = changed.alpha_gradient(alpha_changed, weight_changed, noise())
        assert same(ours, theirs) == (level == 0)
        other = search(data=data)
        for run, batch in ((other, weight_batch), (changed, weight_changed)):
            run.weight_step(batch, run.loss, noise())
        assert same(other.weights, changed.weights) == (level == 1)


def test_the_same_seed_shows_every_strategy_the_same_images() -> None:
    runs = [search(DARTSFirstOrder), search(RNASUniform), search(RNASMax)]
    for run in runs:
        run.step()
    batches = [[*first[0], *first[1]] for first in (next(iter(run.batches(1))) for run in runs)]
    assert same(batches[0], batches[1])
    assert same(batches[0], batches[2])
    assert not same(batches[0], [*next(iter(search(seed=1).batches(1)))[0]] * 2)


# the two steps


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
def test_the_alpha_step_is_the_literal_one_and_leaves_nothing_on_the_weights(kind: type[SupernetStrategy]) -> None:
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
    literal.loss(literal.supernet, x, y, noise()).total.backward()  # all gradients, only α's used
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
        literal.loss(literal.supernet, x, y, noise(number)).total.backward()
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


# second order


class Smooth(Supernet):
    """Two mixed layers without kinks, so that finite differences are nearly exact."""

    operations: ClassVar[tuple[str, ...]] = ("none", "skip_connect", "tanh")
    derived_edges: ClassVar[int] = 2

    def __init__(self) -> None:
        super().__init__({"cell": 2})
        self.first, self.second = nn.Linear(12, 6), nn.Linear(6, 6)
        self.classifier = nn.Linear(6, 3)

    def logits(self, x: Tensor, probabilities: dict[str, Tensor]) -> Tensor:
        x = x.flatten(1)
        for layer, row in zip((self.first, self.second), probabilities["cell"]):
            y = layer(x)
            x = row[1] * y + row[2] * y.tanh()
        return self.classifier(x)

    def derive(self) -> str:
        return "".join(self.operations[column] for column in self.alphas["cell"][:, 1:].argmax(1).tolist())

    def skips(self) -> dict[str, int]:
        return {"cell": 0}


def double_backward(
    network: Supernet, alpha_batch: Any, weight_batch: Any, optimizer: torch.optim.SGD
) -> tuple[list[Tensor], list[Tensor]]:
    """∇_α CE(w'(α), α) by differentiating through the step, and the part of it that is direct."""
    parameters: dict[str, Tensor] = dict(network.named_parameters())
    alphas = network.architecture_parameters()
    group = optimizer.param_groups[0]

    def cross_entropy(values: dict[str, Tensor], batch: Any) -> Tensor:
        return functional.cross_entropy(functional_call(network, values, (batch[0],)), batch[1])

    names = [name for name in parameters if not name.startswith("alphas.")]
    slope = torch.autograd.grad(
        cross_entropy(parameters, weight_batch), [parameters[n] for n in names], create_graph=True
    )
    moved = dict(parameters)
    for name, gradient in zip(names, slope):
        buffer = optimizer.state[parameters[name]].get("momentum_buffer")
        step = gradient + group["weight_decay"] * parameters[name]
        step = step if buffer is None else step + group["momentum"] * buffer
        moved[name] = parameters[name] - group["lr"] * step
    whole = torch.autograd.grad(cross_entropy(moved, alpha_batch), alphas, retain_graph=True)
    fixed = {name: value if name.startswith("alphas.") else value.detach() for name, value in moved.items()}
    return list(whole), list(torch.autograd.grad(cross_entropy(fixed, alpha_batch), alphas))


@pytest.mark.parametrize(("smooth", "radius", "error"), [(True, 0.01, 1e-4), (False, 1e-6, 1e-4)])
def test_the_second_order_gradient_is_that_through_the_step(
    smooth: bool, radius: float, error: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to the finite difference: with ReLUs its two sides must be near enough to lie on the same side of all."""
    monkeypatch.setattr(unrolled, "RADIUS", radius)
    torch.manual_seed(0)
    network: Supernet = Smooth() if smooth else NASBench201().supernet(3, channels=2, cells_per_stage=1)
    network = network.double()
    generator = torch.Generator().manual_seed(1)
    side = 2 if smooth else 8
    batches = [
        (torch.rand((6, 3, side, side), generator=generator, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1, 2]))
        for _ in range(3)
    ]
    optimizer = torch.optim.SGD(network.weights(), 0.5, 0.9, weight_decay=3e-4)
    functional.cross_entropy(network(batches[2][0]), batches[2][1]).backward()
    optimizer.step()  # there is momentum now
    optimizer.zero_grad(set_to_none=True)
    for alpha in network.architecture_parameters():
        alpha.grad = None
    before, state = snapshot(list(network.parameters())), copy.deepcopy(optimizer.state_dict())

    def loss(batch: Any) -> Terms:
        total = functional.cross_entropy(network(batch[0]), batch[1])
        return Terms(total, total, total, total)

    got, _ = unrolled_gradient(network, lambda: loss(batches[0]), lambda: loss(batches[1]), optimizer)
    expected, direct = double_backward(network, batches[0], batches[1], optimizer)
    second_order = [a - b for a, b in zip(expected, direct)]
    for ours, first, second in zip(got, direct, second_order):
        assert second.norm() > 0.01 * first.norm()  # there is something to find
        assert ((ours - first) - second).norm() < error * second.norm()
    assert same(before, list(network.parameters()))
    assert all(parameter.grad is None for parameter in network.parameters())
    now = optimizer.state_dict()["state"]
    assert all(torch.equal(now[key]["momentum_buffer"], state["state"][key]["momentum_buffer"]) for key in now)


@pytest.mark.parametrize("perturbation", ["uniform", "pgd"])
def test_second_order_goes_with_the_regulariser(perturbation: str) -> None:
    run = search(second_order=True, perturbation=perturbation, warm_up=0)
    first = search(perturbation=perturbation, warm_up=0)
    weight_batch, alpha_batch = first_batches(run)
    weights = snapshot(run.weights)
    ours, _ = run.alpha_gradient(alpha_batch, weight_batch, noise())
    theirs, _ = first.alpha_gradient(alpha_batch, weight_batch, noise())
    assert same(weights, run.weights)
    assert all(gradient.isfinite().all() for gradient in ours)
    assert not same(ours, theirs)


# a whole run


def without_times(history: list[SupernetEpoch]) -> list[SupernetEpoch]:
    return [replace(epoch, seconds=0.0) for epoch in history]


@pytest.mark.parametrize("options", [{"perturbation": "pgd"}, {"second_order": True}, {"stop_eigenvalue": True}])
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


def test_a_half_smaller_than_a_batch_is_one_batch() -> None:
    run = search(data=dataset(split(7, 3)), batch_size=64)
    ((x, _), (x_alpha, _)) = first_batches(run)
    assert len(x) == len(x_alpha) == 3
    run.step()


# ending


def test_a_loss_that_is_not_a_number_is_told() -> None:
    run = search(warm_up=0)
    with torch.no_grad():
        run.supernet.get_parameter("classifier.bias").fill_(float("nan"))
    with pytest.raises(NasError, match=r"diverged: the loss of the weights became nan in epoch 1; lower strategy\.lr"):
        run.step()


def skip_everywhere(run: Bilevel) -> None:
    with torch.no_grad():
        run.supernet.alphas["cell"][:, 1] = 5.0


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


def test_the_eigenvalue_is_the_dominant_one_of_the_whole_hessian() -> None:
    run = search()
    run.supernet.double()
    skip_everywhere(run)
    x, y = run.alpha_half.images[:8].double() / 255, run.alpha_half.labels[:8]
    x_adv = run.loss.perturbed(run.supernet, x, noise())
    name = "alphas.cell"

    def loss(alpha: Tensor) -> Tensor:
        clean = functional_call(run.supernet, {name: alpha}, (x,))
        return functional.cross_entropy(clean, y) + run.loss.regulariser(
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


# names and options


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


def test_the_strategies_by_name() -> None:
    assert SUPERNET_STRATEGIES.names() == ["darts", "darts-second-order", "rnas-max", "rnas-uniform"]
    published = BilevelOptions()
    for name in SUPERNET_STRATEGIES.names():
        options = SUPERNET_STRATEGIES.get(name).Options()
        options.check()
        assert (options.coefficient == 0) == name.startswith("darts")
        assert options.second_order == (name == "darts-second-order")
        assert (options.lr, options.batch_size, options.epochs) == (0.025, 64, 50) == (
            published.lr, published.batch_size, published.epochs
        )  # fmt: skip
        assert checked({"epochs": 2, "eps": "8/255"}, type(options)).eps == 8 / 255
    assert SUPERNET_STRATEGIES.get("rnas-max").Options().perturbation == "pgd"
    assert SUPERNET_STRATEGIES.get("rnas-uniform").Options().perturbation == "uniform"


def test_the_supernet_normalises_by_the_data_set() -> None:
    data = replace(dataset(), mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    supernet = search(data=data).supernet
    torch.testing.assert_close(supernet.mean.flatten(), torch.tensor([0.1, 0.2, 0.3]))
    torch.testing.assert_close(supernet.std.flatten(), torch.tensor([0.4, 0.5, 0.6]))


def test_the_finite_difference_has_the_radius_of_the_release() -> None:
    """Liu et al., ICLR 2019: .01 over the norm of the gradient."""
    assert unrolled.RADIUS == 0.01


def test_ask_tell_strategies_are_not_disturbed() -> None:
    assert not set(STRATEGIES.names()) & set(SUPERNET_STRATEGIES.names())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"coefficient": -1.0}, "strategy.coefficient"),
        ({"batch_size": 1}, "strategy.batch_size"),
        ({"step_size": 0.0}, "strategy.step_size"),
        ({"regulariser": "correlatio"}, "did you mean 'correlation'"),
        ({"perturbation": "pdg"}, "did you mean 'pgd'"),
        ({"stop_skips": 0}, "strategy.stop_skips"),
        ({"precision": "fp8"}, "strategy.precision"),
    ],
)
def test_bad_options_are_told(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        BilevelOptions(**options).check()


def test_too_few_images_are_told() -> None:
    with pytest.raises(InputError, match="at least 4 training images"):
        search(data=dataset(split(3, 0)))


# without held-out images


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


def test_halves_of_all_images() -> None:
    """With data.validation=0 the two levels share out all of the 50,000 training images of CIFAR-10."""
    labels = torch.arange(50_000) % 10
    first, second = halves(Split(torch.zeros(50_000, 3, 1, 1, dtype=torch.uint8), labels), 10)
    for half in (first, second):
        assert len(half) == 25_000
        assert half.labels.bincount().tolist() == [2500] * 10
