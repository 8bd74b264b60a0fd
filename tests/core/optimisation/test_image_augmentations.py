"""Augmentation of a batch equals a slow loop over its images."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms import functional as reference

from nas.core.optimisation.image_augmentations import color_jitter, cutout, random_crop, random_flip, resized_crop
from nas.core.optimisation.shards import BatchShard


def batch(count: int = 5, side: int = 6, dtype: torch.dtype = torch.uint8) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(1, 256, (count, 3, side, side), generator=generator)  # never 0
    return images.to(dtype)


def seed(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(0, 4), st.sampled_from([torch.uint8, torch.float32]))
def test_crop_equals_a_loop_over_images(number: int, padding: int, dtype: torch.dtype) -> None:
    images = batch(dtype=dtype)
    got = random_crop(images, padding, seed(number))
    assert (got.shape, got.dtype) == (images.shape, images.dtype)
    top, left = torch.randint(0, 2 * padding + 1, (2, len(images)), generator=seed(number)).tolist()
    for i, image in enumerate(images):
        for row in range(6):
            for column in range(6):
                r, c = row + top[i] - padding, column + left[i] - padding
                within = 0 <= r < 6 and 0 <= c < 6
                expected = image[:, r, c].tolist() if within else [0, 0, 0]
                assert got[i, :, row, column].tolist() == expected


def test_crop_reaches_every_shift_and_each_image_its_own() -> None:
    images = batch(1).expand(2000, 3, 6, 6)
    got = random_crop(images, 1, seed(0))
    kinds = {tuple(image.flatten().tolist()): 0 for image in got}
    for image in got:
        kinds[tuple(image.flatten().tolist())] += 1
    assert len(kinds) == 9
    assert min(kinds.values()) > 150  # 222 are expected; 5 standard deviations


def test_no_padding_moves_nothing() -> None:
    assert torch.equal(random_crop(batch(), 0, seed(0)), batch())


def test_flip_mirrors_half_of_the_images() -> None:
    images = batch(1000)
    got = random_flip(images, seed(0))
    assert (got.shape, got.dtype) == (images.shape, images.dtype)
    flipped = 0
    for before, after in zip(images, got):
        mirrored = before[:, :, [5, 4, 3, 2, 1, 0]]
        if torch.equal(after, mirrored):
            flipped += 1
        else:
            assert torch.equal(after, before)
    assert 420 < flipped < 580  # 5 standard deviations


def test_flipped_are_those_whose_draw_is_below_one_half() -> None:
    """As in torchvision's RandomHorizontalFlip; a seed must flip the same images in every version."""
    images = batch(200)
    drawn = torch.rand(200, generator=seed(0)).tolist()
    for before, after, number in zip(images, random_flip(images, seed(0)), drawn):
        assert torch.equal(after, before[:, :, [5, 4, 3, 2, 1, 0]] if number < 0.5 else before)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(1, 8))
def test_cutout_blanks_one_square_around_its_centre(number: int, side: int) -> None:
    images = batch(dtype=torch.float32) / 255
    fill = torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1)
    got = cutout(images, side, fill, seed(number))
    generator = seed(number)
    rows = torch.randint(0, 6, (5, 1), generator=generator).flatten().tolist()
    columns = torch.randint(0, 6, (5, 1), generator=generator).flatten().tolist()
    for i in range(5):
        for row in range(6):
            for column in range(6):
                blank = all(
                    centre - side // 2 <= at < centre - side // 2 + side
                    for at, centre in ((row, rows[i]), (column, columns[i]))
                )
                expected = fill[0, :, 0, 0] if blank else images[i, :, row, column]
                assert torch.equal(got[i, :, row, column], expected)


def test_a_whole_square_has_its_area() -> None:
    images = torch.ones(500, 3, 9, 9)
    blank = (cutout(images, 3, torch.zeros(1, 3, 1, 1), seed(0)) == 0).sum((1, 2, 3))
    assert blank.max() == 3 * 3 * 3
    assert set((blank // 3).tolist()) == {9, 6, 4}  # in the middle, at an edge, in a corner


@pytest.mark.parametrize(
    "augment",
    [
        lambda images, generator: random_crop(images, 2, generator),
        random_flip,
        lambda images, generator: cutout(images, 3, torch.zeros(1, 3, 1, 1), generator),
    ],
    ids=["crop", "flip", "cutout"],
)
def test_the_generator_decides_and_the_images_stay(augment: object) -> None:
    assert callable(augment)
    images, before = batch(64), batch(64)
    state = torch.random.get_rng_state()
    first = augment(images, seed(1))
    assert torch.equal(first, augment(images, seed(1)))
    assert not torch.equal(first, augment(images, seed(2)))
    assert torch.equal(images, before)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    "augment",
    [
        lambda images, generator, shard: random_crop(images, 2, generator, shard),
        lambda images, generator, shard: random_flip(images, generator, shard),
        lambda images, generator, shard: cutout(images, 3, torch.zeros(1, 3, 1, 1), generator, shard),
        lambda images, generator, shard: resized_crop(images.float(), 4, generator, shard),
        lambda images, generator, shard: color_jitter(images / 255, [0.4, 0.4, 0.4, 0.2], generator, shard),
    ],
    ids=["crop", "flip", "cutout", "resized_crop", "jitter"],
)
def test_a_share_of_a_batch_is_augmented_as_in_the_whole(augment: object) -> None:
    assert callable(augment)
    images, index = batch(12), torch.tensor([1, 4, 5, 11])
    whole = augment(images, seed(2), None)
    torch.testing.assert_close(augment(images[index], seed(2), BatchShard(12, index)), whole[index])


@pytest.mark.parametrize(
    "strength", [(0.4, 0.4, 0.4, 0.2), (0.9, 0, 0, 0), (0, 0.9, 0, 0), (0, 0, 1, 0), (0, 0, 0, 0.5)]
)
def test_colour_jitter_is_torchvisions_with_the_drawn_amounts(strength: tuple[float, ...]) -> None:
    images = batch(8, 5) / 255
    got = color_jitter(images, strength, seed(4))
    drawn = (2 * torch.rand((8, 4), generator=seed(4)) - 1) * torch.tensor(strength)
    for image, one, (brightness, contrast, saturation, hue) in zip(images, got, drawn.tolist()):
        expected = reference.adjust_brightness(image, 1 + brightness)
        expected = reference.adjust_contrast(expected, 1 + contrast)
        expected = reference.adjust_saturation(expected, 1 + saturation)
        torch.testing.assert_close(one, reference.adjust_hue(expected, hue), atol=2e-3, rtol=0)


def test_a_resized_crop_of_the_whole_image_is_the_image() -> None:
    images = batch(4, 6, torch.float32)
    torch.testing.assert_close(resized_crop(images, 6, seed(0), area=(1.0, 1.0), ratio=(1.0, 1.0)), images)


def test_a_resized_crop_shows_the_rectangle_that_was_drawn() -> None:
    """If two planes of an image are its coordinates, the crop itself shows its area, shape and place."""
    side, out = 64, 16
    row, column = torch.meshgrid(torch.arange(side) + 0.5, torch.arange(side) + 0.5, indexing="ij")
    images = torch.stack([row, column, row]).expand(400, 3, side, side)
    got = resized_crop(images, out, seed(1))
    drawn = torch.rand((400, 4), generator=seed(1)).double()
    area, shape = 0.08 + 0.92 * drawn[:, 0], (drawn[:, 1] * 2 - 1).mul(torch.tensor(4 / 3).log()).exp()
    tall, wide = (side * (area / shape).sqrt()).clamp(max=side), (side * (area * shape).sqrt()).clamp(max=side)
    top, left = drawn[:, 3] * (side - tall), drawn[:, 2] * (side - wide)
    middle = (torch.arange(out) + 0.5) / out
    rows = (top[:, None] + middle * tall[:, None]).clamp(
        0.5, side - 0.5
    )  # the border repeats beyond the last pixel centre
    columns = (left[:, None] + middle * wide[:, None]).clamp(0.5, side - 0.5)
    torch.testing.assert_close(got[:, 0, :, 3].double(), rows, rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(got[:, 1, 5, :].double(), columns, rtol=1e-4, atol=1e-2)
    assert 0.08 <= area.min() < 0.15
    assert area.max() > 0.9
