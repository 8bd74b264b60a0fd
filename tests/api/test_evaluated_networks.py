"""Which networks `nas.evaluate` takes: those of callers in any form, and the ones that it refuses or remarks on."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from callers_networks import Nearest
from torch import nn

import nas
from nas.core.errors import InputError

FAST: dict[str, Any] = {"attacks": ["fgsm", "pgd5"], "eps": 0.03}


def test_classes_that_do_not_fit(network: Nearest, images: np.ndarray, labels: np.ndarray) -> None:
    few = nn.Sequential(nn.Flatten(), nn.Linear(768, 5))
    with pytest.raises(InputError, match="labels from 0 to 4, the classes of the network, but got 9"):
        nas.evaluate(few, data=(images, labels), **FAST)
    with pytest.raises(InputError, match="labels from 0 on"):
        nas.evaluate(network, data=(images, labels.astype(int) - 1), **FAST)


def test_many_more_classes_than_labels_are_noticed(
    images: np.ndarray, labels: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    many = nn.Sequential(nn.Flatten(), nn.Linear(768, 1000))
    nas.evaluate(many, data=(images, labels), attacks="fgsm")
    assert "The largest label is 9, but Sequential has 1000 classes" in caplog.text


class Tuple(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        return x.flatten(1)[:, :10], x


class One(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)[:, :1]


class Squeezed(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :, :4, :4].flatten(1)[:, :10].squeeze()


class NoGradient(nn.Module):
    @torch.no_grad()
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)[:, :10]


ODD: dict[str, tuple[nn.Module, str]] = {
    "several outputs": (Tuple(), "let it return the logits alone"),
    "a single output": (One(), r"torch.cat\(\[0 \* y, y\], dim=1\)"),
    "maps": (nn.Conv2d(3, 10, 1), "one row for each image"),
    "squeezed": (Squeezed(), "keep the dimension of the batch"),
    "no gradient": (NoGradient(), "Expected a gradient of NoGradient"),
    "another size": (nn.Sequential(nn.Flatten(), nn.Linear(48, 10)), "16x16 images"),
    "no weights yet": (nn.Sequential(nn.Flatten(), nn.LazyLinear(10)), "call it once"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_networks_are_refused(name: str, images: np.ndarray, labels: np.ndarray) -> None:
    network, message = ODD[name]
    with pytest.raises(InputError, match=message):
        nas.evaluate(network, data=(images, labels), **FAST)


@pytest.mark.parametrize("thing", [None, 3, torch.nn.functional.relu, object()])
def test_what_is_no_network(thing: Any, images: np.ndarray, labels: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"Expected what nas.train_model returned"):
        nas.evaluate(thing, data=(images, labels), **FAST)


def test_a_network_of_normalised_images(network: Nearest, images: np.ndarray, labels: np.ndarray) -> None:
    class Shifted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.network(x * 0.25 + 0.5)

    settings = {"eval.mean": [0.5], "eval.std": [0.25]}
    report = nas.evaluate(Shifted(), data=(images, labels), settings=settings, **FAST)
    assert report.clean == nas.evaluate(network, data=(images, labels), **FAST).clean > 0.7
    assert report.normalised is not None
    assert report.normalised.by == "settings"


def test_probabilities_are_noticed(
    network: Nearest, images: np.ndarray, labels: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    nas.evaluate(nn.Sequential(network, nn.Softmax(1)), data=(images, labels), **FAST)
    assert "logits: all outputs lie in [0, 1], as probabilities do" in caplog.text


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_a_network_of_another_type(kind: torch.dtype, network: Nearest, images: np.ndarray, labels: np.ndarray) -> None:
    expected = nas.evaluate(network, data=(images, labels), **FAST).clean
    report = nas.evaluate(network.to(kind), data=(images, labels), **FAST)
    assert report.clean == pytest.approx(expected, abs=0.1)
    assert next(network.parameters()).dtype == kind


@pytest.mark.landing
def test_torchscript_and_exported_programs(network: Nearest, images: np.ndarray, labels: np.ndarray) -> None:
    expected = nas.evaluate(network, data=(images, labels), **FAST)
    network.eval()
    x = torch.rand(2, 3, 16, 16)
    batch = torch.export.Dim("batch", min=1, max=1000)
    program = torch.export.export(network, (x,), dynamic_shapes=({0: batch},))
    for form in (torch.jit.trace(network, x), torch.jit.script(network), program.module()):
        report = nas.evaluate(form, data=(images, labels), **FAST)
        assert [one.tolist() for one in report.correct.values()] == [one.tolist() for one in expected.correct.values()]
    with pytest.raises(InputError, match=r"give its .module\(\)"):
        nas.evaluate(program, data=(images, labels), **FAST)


def test_what_another_process_cannot_import(
    network: Nearest, images: np.ndarray, labels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Local(nn.Sequential):
        pass

    with pytest.raises(InputError, match="define it at the top level of a module, or leave workers at 1"):
        nas.evaluate(Local(network), data=(images, labels), workers=2, **FAST)
    with pytest.raises(InputError, match="leave workers at 1"):
        nas.evaluate(
            torch.jit.trace(network.eval(), torch.rand(2, 3, 16, 16)), data=(images, labels), workers=2, **FAST
        )
    monkeypatch.setattr(Nearest, "__module__", "__main__")
    with pytest.raises(InputError, match="Nearest is defined in the script or notebook itself"):
        nas.evaluate(network, data=(images, labels), workers=2, **FAST)
    assert nas.evaluate(network, data=(images, labels), **FAST).n_test == 24


@pytest.mark.landing
def test_warnings_are_logged(network: Nearest, images: np.ndarray, labels: np.ndarray, caplog: Any) -> None:
    limit = images[:2].mean((1, 2, 3)).max() / 255 + 1e-3

    class NaN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits = self.network(x)
            return torch.where(x.mean((1, 2, 3))[:, None] > limit, torch.nan, logits)

    with caplog.at_level(logging.WARNING, "nas"):
        report = nas.evaluate(NaN(), data=(images, labels), attacks="fgsm")
    assert "NaN or infinite logit, each counted as wrong" in caplog.text
    assert report.non_finite["clean"]
