"""All measures of a network: what each reports and costs, and how it continues after a kill."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from small_network import SIDE, small
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.eigenvalues import largest_eigenvalue
from nas.core.errors import InputError, NasError
from nas.core.storage.memory import InMemoryStore
from nas.eval import ATTACKS, Attack, EvalSettings
from nas.eval.measures import MEASURES, measure, measure_passes, measure_ticks
from nas.eval.measures.curvature import input_hessian
from nas.eval.measures.jacobian import jacobian_norms
from nas.eval.metrics import calibration
from nas.results import Measures

CPU = torch.device("cpu")


def _settings(**more: Any) -> EvalSettings:
    values: dict[str, Any] = {
        "attacks": ["fgsm"], "eps": 0.1, "n_test": 6, "batch_size": 4, "measures": [*MEASURES, "classes"],
        "measure_images": 5, "measure_attack": "pgd3", "landscape_points": 3,
    }  # fmt: skip
    return EvalSettings(**{**values, **more})


def _measured(images: Tensor, labels: Tensor, settings: EvalSettings, outcomes: InMemoryStore, **more: Any) -> Measures:
    network = more.pop("network", None) or small(nn.ReLU())
    correct = {"clean": np.array([1, 1, 0, 1, 1, 1]) == 1, "fgsm": np.array([1, 0, 0, 1, 0, 0]) == 1}
    return measure(network, images, labels, settings, 3, CPU, outcomes, correct, **more)


def test_every_measure_reports_what_its_parts_compute(images: Tensor, labels: Tensor) -> None:
    network = small(nn.ReLU())
    result = _measured(images, labels, _settings(), InMemoryStore(), network=network)
    assert list(result.to_json()) == [*MEASURES, "classes"]
    jacobian, hessian, reliability, landscape = result.jacobian, result.hessian, result.calibration, result.landscape
    assert jacobian is not None
    assert hessian is not None
    assert reliability is not None
    assert landscape is not None
    assert jacobian.mean == pytest.approx(jacobian_norms(network, images[:5]).mean().item(), rel=1e-5)
    assert list(jacobian.quantiles) == ["5", "25", "50", "75", "95"]
    median = jacobian_norms(network, images[:5]).median().item()
    assert jacobian.quantiles["50"] == pytest.approx(median, rel=1e-5)
    start = torch.randn(5, 3 * SIDE**2)
    values, _ = largest_eigenvalue(input_hessian(network, images[:5], labels[:5]), start)
    assert hessian.mean == pytest.approx(values.mean().item(), rel=1e-3)
    assert (hessian.largest_error or 0) < 1e-2 * hessian.quantiles["95"]
    confidence, predicted = network(images[:5]).softmax(1).max(1)
    expected = calibration(confidence, (predicted == labels[:5]).int())
    assert reliability.clean.ece == pytest.approx(expected.ece, abs=1e-6)
    assert reliability.attacked.accuracy <= reliability.clean.accuracy
    losses = F.cross_entropy(network(images[:5]), labels[:5])
    assert landscape.loss[1][1] == pytest.approx(losses.item(), rel=1e-4)
    assert landscape.accuracy[1][1] == reliability.clean.accuracy
    assert np.shape(landscape.examples) == (3, 3, 3)
    assert [row.n for row in result.classes or []] == [2, 2, 1, 1]  # for all images, not only the first five
    assert {getattr(result, name).images for name in MEASURES} == {5}


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
        ("calibration", {}, 21),  # PGD-20, and three passes without a gradient, which cost as much as one with it
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
    norms = sorted(jacobian_norms(small(nn.ReLU()), images[:5]).tolist())
    quantiles = {"5": 0.8 * norms[0] + 0.2 * norms[1], "25": norms[1], "50": norms[2], "75": norms[3]}
    quantiles["95"] = 0.2 * norms[3] + 0.8 * norms[4]
    assert result.jacobian is not None
    assert result.hessian is not None
    assert result.jacobian.quantiles == pytest.approx(quantiles, rel=1e-5)
    assert result.jacobian.mean == pytest.approx(sum(norms) / 5, rel=1e-5)
    assert result.hessian.steps == 20


def test_only_what_is_asked_for_is_measured(images: Tensor, labels: Tensor) -> None:
    assert set(_measured(images, labels, _settings(measures=["jacobian"]), InMemoryStore()).to_json()) == {"jacobian"}


class TwoStages(Attack):
    """Darkens images in the first stage, and brightens in the second those that are still correct."""

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
    network = small(nn.ReLU())
    settings = _settings(measures=["calibration"], measure_attack="two-stages", measure_images=6, batch_size=6)
    result = _measured(images, labels, settings, InMemoryStore(), network=network).calibration
    assert result is not None
    dark = (images - 0.1).clamp(0, 1)
    left = network(dark).argmax(1) == labels
    bright = (images + 0.1).clamp(0, 1)
    final = torch.where(left[:, None, None, None], bright, dark)
    assert TwoStages.seen == [6, int(left.sum())]
    assert result.attacked.accuracy == pytest.approx((network(final).argmax(1) == labels).double().mean().item())
    assert result.attacked.confidence == pytest.approx(network(final).softmax(1).amax(1).mean().item(), rel=1e-5)
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
