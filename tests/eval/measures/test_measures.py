"""What is measured of a network agrees with closed forms, full Hessians and Jacobians, and survives a stop."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import hessian, jacobian
from torch.nn import functional as F

from nas.core.eigenvalues import largest_eigenvalue
from nas.core.errors import InputError, NasError
from nas.core.storage.memory import InMemoryStore
from nas.eval import ATTACKS, Attack, EvalSettings
from nas.eval.measures import MEASURES, measure, measure_passes, measure_ticks
from nas.eval.measures.curvature import input_hessian
from nas.eval.measures.jacobian import jacobian_norms
from nas.eval.measures.landscape import axis, surfaces
from nas.eval.metrics import calibration
from nas.eval.networks.layout import ChannelsLast
from nas.search_spaces import NASBench201

CPU = torch.device("cpu")
SIDE = 5


def _small(activation: nn.Module, classes: int = 4) -> nn.Module:
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        activation,
        nn.Flatten(),
        nn.Linear(6 * SIDE**2, classes),
    ]
    network = nn.Sequential(*layers)
    network(torch.rand(20, 3, SIDE, SIDE))  # running statistics unlike those at the start
    return network.eval().requires_grad_(False)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(6, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def labels() -> Tensor:
    return torch.tensor([0, 1, 2, 3, 0, 1])


# curvature


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Tanh(), nn.Softplus(beta=5)])
def test_largest_eigenvalue_is_that_of_the_full_hessian(activation: nn.Module, images: Tensor, labels: Tensor) -> None:
    network = _small(activation).double()
    x = images.double()
    start = torch.randn(len(x), 3 * SIDE**2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    found, error = largest_eigenvalue(input_hessian(network, x, labels), start, steps=40)
    for image, label, value in zip(x, labels, found):
        full = hessian(lambda z, y=label: F.cross_entropy(network(z.view(1, 3, SIDE, SIDE)), y[None]), image.flatten())
        assert value.item() == pytest.approx(torch.linalg.eigvalsh(full)[-1].item(), rel=1e-6)
    assert error.max() < 1e-5 * found.max()


def test_relu_networks_need_no_more_steps_than_classes_in_single_precision(images: Tensor, labels: Tensor) -> None:
    network = _small(nn.ReLU())
    start = torch.randn(len(images), 3 * SIDE**2, generator=torch.Generator().manual_seed(2))
    few, _ = largest_eigenvalue(input_hessian(network, images, labels), start, steps=5)
    many, _ = largest_eigenvalue(input_hessian(network, images, labels), start, steps=30)
    assert torch.allclose(few, many, rtol=1e-4)
    assert (many > 0).all()


def test_images_do_not_disturb_each_other(images: Tensor, labels: Tensor) -> None:
    network = _small(nn.Tanh())
    start = torch.randn(len(images), 3 * SIDE**2, generator=torch.Generator().manual_seed(2))
    together, _ = largest_eigenvalue(input_hessian(network, images, labels), start)
    alone, _ = largest_eigenvalue(input_hessian(network, images[:1], labels[:1]), start[:1])
    assert together[0].item() == pytest.approx(alone.item(), rel=1e-4)


def test_a_built_network_behind_the_layout_wrapper_has_a_hessian() -> None:
    space = NASBench201()
    torch.manual_seed(1)
    cell = space.parse("|nor_conv_3x3~0|+|avg_pool_3x3~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|")
    network = space.build(cell, 4, channels=4, cells_per_stage=1).eval().requires_grad_(False)
    x, y = torch.rand(3, 3, 8, 8), torch.tensor([0, 1, 2])
    v = torch.randn(3, 3 * 64)
    wrapped = input_hessian(ChannelsLast(network.to(memory_format=torch.channels_last)), x, y)(v)
    gradients = []
    for sign in (1, -1):  # the central difference of gradients along v
        z = (x.double() + sign * 1e-6 * v.double().view_as(x)).requires_grad_(True)
        gradients.append(torch.autograd.grad(F.cross_entropy(network.double()(z), y, reduction="sum"), z)[0])
    network.float()
    expected = (gradients[0] - gradients[1]).flatten(1) / 2e-6
    assert torch.allclose(wrapped.double(), expected, rtol=1e-3, atol=1e-3 * expected.abs().max().item())


# Jacobian


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Tanh()])
def test_jacobian_norm_is_that_of_the_full_jacobian(activation: nn.Module, images: Tensor) -> None:
    network = _small(activation).double()
    found = jacobian_norms(network, images.double())
    for image, norm in zip(images.double(), found):
        full: Any = jacobian(network, image[None])
        assert norm.item() == pytest.approx(full.norm().item(), rel=1e-9)


# calibration


def test_calibration_error_by_hand_and_by_a_plain_loop() -> None:
    found = calibration([0.95, 0.95, 0.55, 0.55], [1, 0, 1, 1])
    assert found.ece == pytest.approx(0.5 * 0.45 + 0.5 * 0.45)
    rng = np.random.default_rng(0)
    said = np.concatenate([rng.uniform(0, 1, 500), np.arange(16) / 15])  # edges belong to the bin below
    true = rng.integers(0, 2, len(said))
    expected = 0.0
    for number in range(15):
        low, high = number / 15, (number + 1) / 15
        inside = [i for i, s in enumerate(said) if (low < s <= high) or (number == 0 and s == 0)]
        if inside:
            gap = abs(sum(true[i] for i in inside) - sum(said[i] for i in inside)) / len(inside)
            expected += len(inside) / len(said) * gap
    found = calibration(said, true)
    assert found.ece == pytest.approx(expected, abs=1e-12)
    assert sum(one.count for one in found.bins) == len(said)
    assert calibration([1.0, 1.0], [1, 1]).ece == 0.0
    for number, one in enumerate(found.bins):
        inside = [i for i, s in enumerate(said) if (number / 15 < s <= (number + 1) / 15) or (number == 0 and s == 0)]
        assert one.count == len(inside)
        assert one.to_json() == pytest.approx(
            {"count": len(inside), "confidence": said[inside].mean(), "accuracy": true[inside].mean()}
        )
    for wrong in ([], [1.5], [math.nan]):
        with pytest.raises(ValueError, match="confidences"):
            calibration(wrong, [1] * len(wrong))


def test_calibration_has_the_fifteen_bins_of_its_paper() -> None:
    """Guo et al. 2017: M = 15; a confidence of 0 is in the first, one of 1 in the last, and empty bins say 0."""
    found = calibration([0.0, 1.0, 1.0, 1 / 15, 0.4], [0, 1, 0, 1, 1])
    assert [one.count for one in found.bins] == [2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert [one.confidence for one in found.bins] == pytest.approx([1 / 30, *[0] * 4, 0.4, *[0] * 8, 1.0])
    assert [one.accuracy for one in found.bins] == [0.5, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0.5]
    assert found.ece == pytest.approx(0.4 * (0.5 - 1 / 30) + 0.2 * 0.6 + 0.4 * 0.5)
    assert calibration([0.3, 0.9], [1, 1], bins=2).ece == pytest.approx(0.5 * 0.7 + 0.5 * 0.1)


# landscape


def test_landscape_is_the_loss_at_the_moved_images(images: Tensor, labels: Tensor) -> None:
    network = _small(nn.Tanh())
    along = axis(0.1, 2.0, 5)
    assert along == pytest.approx([-0.2, -0.1, 0.0, 0.1, 0.2])
    torch.manual_seed(4)
    loss, right = surfaces(network, images, labels, along)
    torch.manual_seed(4)
    second = torch.randint(0, 2, images.shape).float() * 2 - 1
    x = images.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(F.cross_entropy(network(x), labels, reduction="sum"), x)
    for row, column in ((2, 2), (4, 2), (2, 4), (0, 3)):
        moved = (images + along[row] * gradient.sign() + along[column] * second).clamp(0, 1)
        for number in range(len(images)):
            logits = network(moved[number : number + 1])
            expected = F.cross_entropy(logits, labels[number : number + 1]).item()
            assert loss[row, column, number].item() == pytest.approx(expected, rel=1e-4)
            assert bool(right[row, column, number]) == (int(logits.argmax()) == int(labels[number]))
    assert loss[4, 2].mean() > loss[2, 2].mean() > loss[0, 2].mean()


def test_landscape_coordinates_are_radii_of_the_norm() -> None:
    """Of the mean pixel as the loss, a step of radius a moves by a (L∞) or a/√pixels (L2)."""

    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mean = x.mean((1, 2, 3))
            return torch.stack([mean, -mean], 1)

    x, y, root = torch.full((2, 3, 4, 4), 0.5), torch.zeros(2, dtype=torch.long), math.sqrt(48)
    for norm, moved in (("Linf", 0.1), ("L2", 0.1 / root)):
        loss, _ = surfaces(Mean(), x, y, axis(0.1, 1.0, 3), norm)
        assert loss[2, 1].tolist() == pytest.approx([math.log1p(math.exp(-2 * (0.5 - moved)))] * 2)


# measured together


def _settings(**more: Any) -> EvalSettings:
    values: dict[str, Any] = {
        "attacks": ["fgsm"], "eps": 0.1, "n_test": 6, "batch_size": 4, "measures": [*MEASURES, "classes"],
        "measure_images": 5, "measure_attack": "pgd3", "landscape_points": 3,
    }  # fmt: skip
    return EvalSettings(**{**values, **more})


def _measured(
    images: Tensor, labels: Tensor, settings: EvalSettings, outcomes: InMemoryStore, **more: Any
) -> dict[str, Any]:
    network = more.pop("network", None) or _small(nn.ReLU())
    correct = {"clean": np.array([1, 1, 0, 1, 1, 1]) == 1, "fgsm": np.array([1, 0, 0, 1, 0, 0]) == 1}
    return measure(network, images, labels, settings, 3, CPU, outcomes, correct, **more).to_json()


def test_every_measure_reports_what_its_parts_compute(images: Tensor, labels: Tensor) -> None:
    network = _small(nn.ReLU())
    result = _measured(images, labels, _settings(), InMemoryStore(), network=network)
    assert list(result) == [*MEASURES, "classes"]
    assert result["jacobian"]["mean"] == pytest.approx(jacobian_norms(network, images[:5]).mean().item(), rel=1e-5)
    assert list(result["jacobian"]["quantiles"]) == ["5", "25", "50", "75", "95"]
    median = jacobian_norms(network, images[:5]).median().item()
    assert result["jacobian"]["quantiles"]["50"] == pytest.approx(median, rel=1e-5)
    start = torch.randn(5, 3 * SIDE**2)
    values, _ = largest_eigenvalue(input_hessian(network, images[:5], labels[:5]), start)
    assert result["hessian"]["mean"] == pytest.approx(values.mean().item(), rel=1e-3)
    assert result["hessian"]["largest_error"] < 1e-2 * result["hessian"]["quantiles"]["95"]
    confidence, predicted = network(images[:5]).softmax(1).max(1)
    expected = calibration(confidence, (predicted == labels[:5]).int())
    assert result["calibration"]["clean"]["ece"] == pytest.approx(expected.ece, abs=1e-6)
    assert result["calibration"]["attacked"]["accuracy"] <= result["calibration"]["clean"]["accuracy"]
    losses = F.cross_entropy(network(images[:5]), labels[:5])
    assert result["landscape"]["loss"][1][1] == pytest.approx(losses.item(), rel=1e-4)
    assert result["landscape"]["accuracy"][1][1] == result["calibration"]["clean"]["accuracy"]
    assert np.shape(result["landscape"]["examples"]) == (3, 3, 3)
    assert [row["n"] for row in result["classes"]] == [2, 2, 1, 1]  # of all images, not only the first five
    assert {result[name]["images"] for name in MEASURES} == {5}


def test_a_stopped_measurement_continues_to_the_same_end(images: Tensor, labels: Tensor) -> None:
    whole = InMemoryStore()
    expected = _measured(images, labels, _settings(), whole)
    assert len(whole.facts) == 2 * len(MEASURES)
    for stop in range(len(whole.facts)):
        assert _measured(images, labels, _settings(), InMemoryStore(dict(list(whole.facts.items())[:stop]))) == expected


def test_nothing_is_done_twice_and_progress_adds_up(images: Tensor, labels: Tensor) -> None:
    kept, told = InMemoryStore(), []
    expected = _measured(images, labels, _settings(), kept, tick=lambda passes, note: told.append(passes))
    assert sum(told) == pytest.approx(measure_ticks(_settings(), 6, 4))
    calls = []

    class Counting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            calls.append(len(x))
            return torch.zeros(len(x), 4)

    assert _measured(images, labels, _settings(), kept, network=Counting()) == expected
    assert calls == [1]  # the number of classes


@pytest.mark.parametrize(
    ("name", "more", "passes"),
    [
        ("calibration", {}, 21),  # PGD-20; three passes without a gradient are one with it
        ("calibration", {"measure_attack": "fgsm"}, 2),
        ("hessian", {}, 1 + 4 * 20 / 3),
        ("jacobian", {}, (1 + 10) / 3),
        ("landscape", {}, 1 + 21 * 21 / 3),
        ("landscape", {"landscape_points": 5}, 1 + 25 / 3),
        ("classes", {}, 0),
    ],
)
def test_what_a_measure_costs(name: str, more: dict[str, Any], passes: float) -> None:
    settings = EvalSettings(measures=[name], **more)
    assert measure_passes(settings, 10) == pytest.approx(passes)
    assert measure_ticks(settings, 1000, 10) == pytest.approx(passes)  # 200 images are one batch of 250
    assert measure_ticks(settings, 100, 10) == pytest.approx(passes)
    settings = EvalSettings(measures=[name], measure_images=501, **more)
    assert measure_ticks(settings, 1000, 10) == pytest.approx(3 * passes)
    assert measure_ticks(settings, 500, 10) == pytest.approx(2 * passes)


def test_quantiles_and_steps_are_those_that_are_said(images: Tensor, labels: Tensor) -> None:
    result = _measured(images, labels, _settings(measures=["jacobian", "hessian"]), InMemoryStore())
    norms = sorted(jacobian_norms(_small(nn.ReLU()), images[:5]).tolist())
    quantiles = {"5": 0.8 * norms[0] + 0.2 * norms[1], "25": norms[1], "50": norms[2], "75": norms[3]}
    quantiles["95"] = 0.2 * norms[3] + 0.8 * norms[4]
    assert result["jacobian"]["quantiles"] == pytest.approx(quantiles, rel=1e-5)
    assert result["jacobian"]["mean"] == pytest.approx(sum(norms) / 5, rel=1e-5)
    assert result["hessian"]["steps"] == 20


def test_only_what_is_asked_for_is_measured(images: Tensor, labels: Tensor) -> None:
    assert set(_measured(images, labels, _settings(measures=["jacobian"]), InMemoryStore())) == {"jacobian"}


class TwoStages(Attack):
    """Darkens in the first stage and then, what is left, brightens."""

    name: ClassVar[str] = "two-stages"
    seen: ClassVar[list[int]] = []

    @property
    def stages(self) -> tuple[str, ...]:
        return ("dark", "bright")

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        self.seen.append(len(x))
        network.train()
        return (x + (self.eps if stage == "bright" else -self.eps)).clamp(0, 1)

    def passes(self) -> float:
        return 1


def test_later_stages_of_an_attack_take_what_is_still_right(
    images: Tensor, labels: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ATTACKS.components, "two-stages", TwoStages)
    monkeypatch.setattr(TwoStages, "seen", [])
    network = _small(nn.ReLU())
    settings = _settings(measures=["calibration"], measure_attack="two-stages", measure_images=6, batch_size=6)
    result = _measured(images, labels, settings, InMemoryStore(), network=network)["calibration"]
    dark = (images - 0.1).clamp(0, 1)
    left = network(dark).argmax(1) == labels
    bright = (images + 0.1).clamp(0, 1)
    final = torch.where(left[:, None, None, None], bright, dark)
    assert TwoStages.seen == [6, int(left.sum())]
    assert result["attacked"]["accuracy"] == pytest.approx((network(final).argmax(1) == labels).double().mean().item())
    assert result["attacked"]["confidence"] == pytest.approx(network(final).softmax(1).amax(1).mean().item(), rel=1e-5)
    assert not any(part.training for part in network.modules())


def test_a_network_without_finite_gradients_is_an_error(images: Tensor, labels: Tensor) -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1)[:, :4] * math.inf

    with pytest.raises(NasError, match="jacobian is not finite"):
        _measured(images, labels, _settings(measures=["jacobian"]), InMemoryStore(), network=Broken())


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"measures": ["hesian"]}, "did you mean 'hessian'"),
        ({"measures": ["jacobian", "jacobian"]}, "once"),
        ({"measure_images": 0}, "measure_images"),
        ({"landscape_points": 4}, "odd"),
        ({"landscape_points": 1}, "odd"),
        ({"landscape_reach": 0.0}, "landscape_reach"),
        ({"measure_attack": "pdg"}, "pgd"),
    ],
)
def test_wrong_settings_are_told(more: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        _settings(**more).check()
    _settings().check()
