"""What a training does to its images: each augmentation where its option asks for it, never to validation images."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nas.core.data import Dataset
from nas.train import TrainedNetwork, TrainSettings, train
from nas.train.training import Classification

CPU = torch.device("cpu")
Describe = Callable[..., TrainedNetwork]
Recipe = Callable[..., TrainSettings]
NOTHING: dict[str, Any] = {"crop": 0, "flip": False, "cutout": 0, "jitter": [], "resized_crop": 0}
EVERYTHING: dict[str, Any] = {"crop": 2, "flip": True, "cutout": 3, "jitter": [0.4, 0.4, 0.4, 0.2], "resized_crop": 8}
FILL = torch.tensor([0.5, 0.4, 0.45]).view(3, 1, 1)  # the data's mean, which the network subtracts


@pytest.fixture
def pairs(dataset: Dataset, describe: Describe, recipe: Recipe) -> Callable[..., Iterator[tuple[Tensor, Tensor]]]:
    """Images as they are in the data, each with what an epoch of training made of it."""

    def made(epochs: int = 1, **options: Any) -> Iterator[tuple[Tensor, Tensor]]:
        settings = recipe(batch_size=20, **{**NOTHING, **options})
        task = Classification(describe().build(), dataset, settings, describe(), CPU, 0)
        for epoch in range(epochs):
            task.begin_epoch(epoch, torch.Generator().manual_seed(epoch))
            made = torch.cat([x for x, _, _ in task.batches(0)])
            originals = dataset.train.images[task.order].float() / 255
            assert len(made) == len(originals) == 60
            yield from zip(originals, made)

    return made


def mirrored(image: Tensor) -> Tensor:
    return image[:, :, torch.arange(image.shape[2] - 1, -1, -1)]


def shift_of(image: Tensor, moved: Tensor, padding: int) -> tuple[int, int]:
    """By how many rows and columns the image lies further down and right, black where it came from outside."""
    black = F.pad(image, (padding,) * 4)
    size = image.shape[-1]
    for down in range(-padding, padding + 1):
        for right in range(-padding, padding + 1):
            top, left = padding - down, padding - right
            if torch.equal(black[:, top : top + size, left : left + size], moved):
                return down, right
    raise AssertionError("not the image, however it is moved")


def test_without_options_the_images_stay(pairs: Any) -> None:
    for image, made in pairs():
        assert torch.equal(image, made)


@pytest.mark.parametrize("padding", [1, 3])
def test_crop_moves_each_image_by_up_to_the_padding_in_both_directions(pairs: Any, padding: int) -> None:
    shifts = [shift_of(image, made, padding) for image, made in pairs(epochs=4, crop=padding)]
    every = set(range(-padding, padding + 1))
    assert {down for down, _ in shifts} == {right for _, right in shifts} == every
    assert len(set(shifts[:20])) > 5  # of one batch
    assert {abs(down - right) for down, right in shifts} == set(range(2 * padding + 1))  # one does not tell the other


def test_flip_mirrors_left_and_right_with_probability_one_half(pairs: Any) -> None:
    flips = []
    for image, made in pairs(epochs=6, flip=True):
        flips.append(torch.equal(made, mirrored(image)))
        assert flips[-1] or torch.equal(made, image)
    assert 130 < sum(flips) < 230  # of 360: 180, five standard deviations
    assert {sum(flips[start : start + 20]) for start in range(0, 360, 20)} - {0, 20}


@pytest.mark.parametrize("side", [2, 3])
def test_cutout_puts_the_mean_into_one_square_of_each_image(pairs: Any, side: int) -> None:
    corners, areas = set(), Counter[int]()
    for image, made in pairs(epochs=4, cutout=side):
        blank = (made != image).any(0)
        assert torch.equal(torch.where(blank, FILL, image), made)
        rows, columns = blank.any(1).nonzero().flatten().tolist(), blank.any(0).nonzero().flatten().tolist()
        assert len(rows) <= side
        assert len(columns) <= side
        assert int(blank.sum()) == len(rows) * len(columns) == (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
        corners.add((rows[0], columns[0]))
        areas[int(blank.sum())] += 1
    assert areas.most_common(1)[0][0] == side * side
    assert len(corners) > 30
    assert len({row for row, _ in corners}) == len({column for _, column in corners}) > 8 - side


def luma(image: Tensor) -> Tensor:
    return 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]


def test_jitter_of_brightness_multiplies_each_image_by_its_own_factor(pairs: Any) -> None:
    factors = []
    for image, made in pairs(epochs=2, jitter=[0.1, 0.0, 0.0, 0.0]):
        factors.append((made.sum() / image.sum()).item())
        assert made == pytest.approx((image * factors[-1]).numpy(), abs=1e-5)
    assert 0.9 - 1e-4 <= min(factors) < 0.92
    assert 1.08 < max(factors) <= 1.1 + 1e-4
    assert len({round(factor, 4) for factor in factors[:20]}) > 15


def test_jitter_of_contrast_moves_each_image_from_its_mean_luma(pairs: Any) -> None:
    factors = []
    for image, made in pairs(epochs=2, jitter=[0.0, 0.1, 0.0, 0.0]):
        mean = luma(image).mean()
        inside = (made > 0) & (made < 1)
        factor = ((made - mean)[inside].norm() / (image - mean)[inside].norm()).item()
        torch.testing.assert_close(made[inside], (mean + factor * (image - mean))[inside], rtol=0, atol=1e-4)
        factors.append(factor)
    assert 0.9 - 1e-3 <= min(factors) < 0.92
    assert 1.08 < max(factors) <= 1.1 + 1e-3


def test_jitter_of_saturation_keeps_the_luma_of_each_pixel(pairs: Any) -> None:
    changed = 0
    for image, made in pairs(jitter=[0.0, 0.0, 0.3, 0.0]):
        inside = ((made > 0) & (made < 1)).all(0)
        torch.testing.assert_close(luma(made)[inside], luma(image)[inside], rtol=0, atol=1e-5)
        changed += int(not torch.allclose(image, made, atol=1e-3))
    assert changed > 50


def test_jitter_of_hue_keeps_the_largest_and_the_least_value_of_each_pixel(pairs: Any) -> None:
    changed = 0
    for image, made in pairs(jitter=[0.0, 0.0, 0.0, 0.3]):
        torch.testing.assert_close(made.amax(0), image.amax(0), rtol=0, atol=1e-5)
        torch.testing.assert_close(made.amin(0), image.amin(0), rtol=0, atol=1e-5)
        changed += int(not torch.allclose(image, made, atol=1e-3))
    assert changed > 50


@pytest.mark.parametrize("side", [6, 8])
def test_a_resized_crop_is_a_part_of_the_image_at_the_side_asked_for(
    dataset: Dataset, describe: Describe, recipe: Recipe, side: int
) -> None:
    """The levels of these images rise along both axes, so that a crop's corners tell where it lies."""
    ramp = torch.arange(8, dtype=torch.uint8)
    dataset.train.images[:, 0], dataset.train.images[:, 1] = 30 * ramp[:, None], 30 * ramp[None]
    settings = recipe(batch_size=60, **{**NOTHING, "resized_crop": side})
    task = Classification(describe().build(), dataset, settings, describe(), CPU, 0)
    task.begin_epoch(0, torch.Generator().manual_seed(0))
    ((x, _, _),) = task.batches(0)
    assert x.shape == (60, 3, side, side)
    tall, wide = ((x[:, 0, -1, 0] - x[:, 0, 0, 0]) * 255 / 30, (x[:, 1, 0, -1] - x[:, 1, 0, 0]) * 255 / 30)
    assert min(tall.min().item(), wide.min().item()) > 0
    assert max(tall.max().item(), wide.max().item()) <= 7 + 1e-4
    assert len({round(value, 3) for value in tall.tolist()}) > 40
    assert not torch.allclose(tall, wide, atol=0.3)


def test_all_at_once_end_with_the_cutout(pairs: Any) -> None:
    """Jitter after it would change the colour of the square."""
    for _, made in pairs(**EVERYTHING):
        assert bool(torch.isclose(made, FILL, atol=1e-6).all(0).any())
        assert 0 <= made.min() <= made.max() <= 1


@pytest.mark.parametrize("method", ["standard", "pgd"])
def test_validation_images_are_never_augmented(
    dataset: Dataset, describe: Describe, recipe: Recipe, method: str
) -> None:
    settings = recipe(method=method, **EVERYTHING)
    task = Classification(describe().build(), dataset, settings, describe(), CPU, 0)
    seen: list[Tensor] = []
    task.model.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].detach().clone()))
    task.validate(0)
    images = dataset.validation.images.float() / 255
    assert torch.equal(seen[0], images)
    assert len(seen) == (1 if method == "standard" else 2 + settings.validation_steps)
    for other in seen[1:]:
        assert 0 < (other - images).abs().max() <= settings.eps + 1e-6


def test_the_defaults_are_a_crop_of_four_pixels_and_a_flip(
    dataset: Dataset, describe: Describe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What every published recipe for CIFAR does, NAS-Bench-201's among them; nothing else unless it is asked for."""
    seen: list[Tensor] = []
    batches = Classification.batches

    def watched(task: Classification, start: int) -> Iterator[Any]:
        for number, batch in enumerate(batches(task, start)):
            order = task.order[number * task.batch_size : (number + 1) * task.batch_size]
            for image, made in zip(dataset.train.images[order].float() / 255, batch[0]):
                try:
                    shift, flipped = shift_of(image, made, 4), False
                except AssertionError:
                    shift, flipped = shift_of(image, mirrored(made), 4), True
                seen.append(torch.tensor([*shift, flipped]))
            yield batch

    monkeypatch.setattr(Classification, "batches", watched)
    train(describe(), dataset, TrainSettings(epochs=2, batch_size=60), tmp_path, 0, CPU)
    found = torch.stack(seen)
    assert len(found) == 120
    assert found.amin(0).tolist() == [-4, -4, 0]
    assert found.amax(0).tolist() == [4, 4, 1]
    assert 35 < found[:, 2].sum() < 85


# the loss of the auxiliary head


def test_the_auxiliary_loss_is_smoothed_too_and_weighs_0_4(
    dataset: Dataset, describe: Describe, recipe: Recipe
) -> None:
    """Weight of Liu et al., ICLR 2019 (DARTS), section 3.2; smoothing of Szegedy et al., CVPR 2016: (1 - s, s/K)."""
    torch.manual_seed(0)
    network = describe("darts", auxiliary=True).build().train()
    x, y = dataset.train.images[:12].float() / 255, dataset.train.labels[:12]
    logits, auxiliary = network.with_auxiliary(x)
    assert auxiliary is not None

    def smoothed(values: Tensor, share: float) -> float:
        log = values.detach().double().log_softmax(1)
        return -((1 - share) * log[range(12), y] + share * log.mean(1)).mean().item()

    for smoothing in (0.0, 0.1, 0.5):
        task = Classification(
            network, dataset, recipe(label_smoothing=smoothing, batch_size=12), describe("darts"), CPU, 0
        )
        got = task.gradients((x, y, x), lambda loss: loss).item()
        expected = smoothed(logits, smoothing) + 0.4 * smoothed(auxiliary, smoothing)
        assert got == pytest.approx(expected, rel=1e-4)
    assert not math.isclose(smoothed(auxiliary, 0.5), smoothed(auxiliary, 0.0), rel_tol=1e-2)
