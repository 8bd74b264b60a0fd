"""Which perturbed images count, by their distance up to rounding; and which images an evaluation uses."""

from __future__ import annotations

import hashlib
import math
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.core.data import Dataset, Split
from nas.core.data import checksum as data_checksum
from nas.core.data.checksum import checksums
from nas.core.errors import InputError, NasError
from nas.eval import Attack
from nas.eval.attacks.base import OWN, distance
from nas.eval.fingerprint import fingerprint


class Bounded(Attack):
    name: ClassVar[str] = "bounded"
    norms: ClassVar[tuple[str, ...]] = ("Linf", "L2")

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        return x

    def passes(self) -> float:
        return 1


class Unbounded(Bounded):
    name: ClassVar[str] = "unbounded"
    bounded: ClassVar[bool] = False


class Elsewhere(Bounded):
    name: ClassVar[str] = "elsewhere"

    def provider(self, x: Tensor) -> str | None:
        return OWN


def moved(norm: str, length: float, count: int = 2) -> tuple[Tensor, Tensor]:
    """Perturbed images at this distance, and the images, in float64, whose rounding is far below the tolerance."""
    x = torch.full((count, 3, 4, 4), 0.3, dtype=torch.float64)
    step = length if norm == "Linf" else length / math.sqrt(48)
    return x + step, x


@pytest.mark.parametrize("norm", ["Linf", "L2"])
@pytest.mark.parametrize("eps", [0.1, 0.5])
def test_a_ball_may_be_left_by_rounding_alone(norm: str, eps: float) -> None:
    """The tolerance is 1e-5 of the radius, plus 1e-5."""
    edge = eps * (1 + 1e-5) + 1e-5
    for length, inside in ((eps, True), (edge - 1e-7, True), (edge + 1e-7, False), (1.3 * eps, False)):
        x_adv, x = moved(norm, length)
        assert Unbounded(eps, norm=norm).admitted(x_adv, x).tolist() == [inside] * 2
        if inside:
            assert Bounded(eps, norm=norm).admitted(x_adv, x).tolist() == [True] * 2
        else:
            with pytest.raises(NasError, match="bounded left its ball"):
                Bounded(eps, norm=norm).admitted(x_adv, x)


@pytest.mark.parametrize("value", [-1e-6, 1 + 1e-6, math.nan])
def test_pixels_lie_between_0_and_1_without_rounding(value: float) -> None:
    x = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1).expand(2, 3, 2, 2).clone()
    assert Bounded(0.1).admitted(x, x).tolist() == [True, True]
    x_adv = x.clone()
    x_adv[1, 0 if value < 0 else 2, 1, 0] = value
    assert Unbounded(0.1).admitted(x_adv, x).tolist() == [True, False]
    with pytest.raises(NasError, match=r"\[0, 1\] \(or gave NaN\)"):
        Bounded(0.1).admitted(x_adv, x)


def test_images_of_another_shape_are_refused() -> None:
    x = torch.full((4, 3, 2, 2), 0.5)
    for attack in (Bounded(0.1), Unbounded(0.1)):
        with pytest.raises(NasError, match=r"of shape \(4, 3, 2, 2\), .* but got \(1, 3, 2, 2\)"):
            attack.admitted(x[:1], x)


def test_distances() -> None:
    a, b = torch.zeros(2, 1, 2, 2), torch.tensor([[[[0.3, -0.4], [0.0, 0.0]]], [[[0.0, 0.0], [0.0, 0.0]]]])
    assert distance(a, b, "Linf").tolist() == pytest.approx([0.4, 0.0])
    assert distance(a, b, "L2").tolist() == pytest.approx([0.5, 0.0])


def test_a_norm_that_is_not_of_an_attack_is_refused() -> None:
    with pytest.raises(InputError, match="bounded is defined for Linf and L2"):
        Bounded(0.1, norm="L1")


def test_what_an_attack_is_made_of() -> None:
    usual = Bounded(0.2)
    assert (usual.eps, usual.norm, usual.steps, usual.restarts, usual.stages) == (0.2, "Linf", None, 1, ("bounded",))
    assert usual.step_size == pytest.approx(0.05)  # a quarter of the radius
    said = Bounded(0.2, 0.07, 9, "L2", 3)
    assert (said.step_size, said.steps, said.norm, said.restarts) == (0.07, 9, "L2", 3)
    assert usual.walk() is None


def test_outcomes_of_this_project_are_kept_apart_where_it_matters() -> None:
    x = torch.zeros(1, 3, 2, 2)
    assert Bounded(0.1).provider(x) is None
    assert Bounded(0.1).kept_as("pgd/0", x) == "pgd/0"
    assert Elsewhere(0.1).kept_as("pgd/0", x) == "pgd/0/robust-nas"


# fingerprints of images


@pytest.fixture
def part() -> Split:
    images = torch.arange(2 * 3 * 2 * 2, dtype=torch.uint8).view(2, 3, 2, 2)
    return Split(images, torch.tensor([3, 1]))


def test_a_fingerprint_is_the_beginning_of_a_sha_256(part: Split) -> None:
    """It covers the shape, the bytes and the labels; results of other versions contain it."""
    content = b"(2, 3, 2, 2)" + bytes(range(24)) + np.array([3, 1], dtype="<i8").tobytes()
    whole = hashlib.sha256(content).hexdigest()
    assert fingerprint(part) == whole[:16]
    nothing = Split(part.images[:0], part.labels[:0])
    dataset = Dataset("data", part, nothing, part, 4, (0.0,) * 3, (1.0,) * 3)
    assert checksums(dataset) == {"train": whole, "test": whole}


def test_of_large_data_a_sample_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.arange(100, dtype=torch.uint8).view(100, 1, 1, 1).expand(100, 3, 1, 1).contiguous()
    part = Split(images, torch.arange(100))
    dataset = Dataset("data", part, part, part, 100, (0.0,) * 3, (1.0,) * 3)
    monkeypatch.setattr(data_checksum, "MAX_WHOLE_BYTES", 300)
    assert checksums(dataset).keys() == {"train", "validation", "test"}
    monkeypatch.setattr(data_checksum, "MAX_WHOLE_BYTES", 299)
    monkeypatch.setattr(data_checksum, "SAMPLE_IMAGES", 4)
    monkeypatch.setattr(data_checksum, "CHUNK_IMAGES", 3)
    content = b"(100, 3, 1, 1)" + b"".join(bytes([number]) * 3 for number in (0, 33, 66, 99))
    content += np.arange(100, dtype="<i8").tobytes()
    expected = hashlib.sha256(content).hexdigest()
    assert checksums(dataset) == dict.fromkeys(("train_sample", "validation_sample", "test_sample"), expected)
