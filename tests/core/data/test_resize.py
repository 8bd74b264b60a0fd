"""Images are resized as by torchvision's and timm's transforms, and data that were cropped before stay unchanged."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models
from torchvision.transforms import functional as F
from torchvision.transforms._presets import ImageClassification

from nas.core.data import DataSettings, load
from nas.core.data.resize import Resizing, resized

SIDES = [(40, 40), (64, 40), (41, 87), (33, 32), (32, 32), (20, 24), (300, 31)]  # width, height


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_CACHE", str(tmp_path / "cache"))


def picture(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos", "nearest"])
@pytest.mark.parametrize(("size", "side"), [(32, 36), (32, 32), (31, 35), (32, 33)])
def test_crop_is_torchvisions(size: int, side: int, interpolation: str) -> None:
    """The pixels are equal bit by bit."""
    mode = F.InterpolationMode(interpolation)
    ours = Resizing(size, "crop", size / side, interpolation)
    assert ours.side == side
    for sides in SIDES:
        image = picture(*sides)
        theirs = F.center_crop(F.resize(image, [side], mode, antialias=True), [size])
        assert np.array_equal(np.asarray(ours(image)), np.asarray(theirs)), sides


def test_crop_is_the_whole_transform_of_a_model() -> None:
    preset = ImageClassification(crop_size=32, resize_size=33, mean=(0.0,) * 3, std=(1.0,) * 3)
    image = picture(57, 41)
    ours = torch.from_numpy(np.array(Resizing(32, "crop", 32 / 33)(image))).permute(2, 0, 1) / 255
    assert torch.equal(ours, preset(image))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    ("how", "mode", "share"), [("crop", "center", 0.875), ("squash-crop", "squash", 0.9), ("squash", "squash", 1.0)]
)
def test_both_ways_are_timms(how: str, mode: str, share: float, interpolation: str) -> None:
    create = pytest.importorskip("timm.data").create_transform
    theirs = create(
        (3, 32, 32), interpolation=interpolation, mean=(0.0,) * 3, std=(1.0,) * 3, crop_pct=share, crop_mode=mode
    )
    ours = Resizing(32, how, share, interpolation)
    for sides in SIDES:
        image = picture(*sides)
        expected = (theirs(image) * 255).round().byte().permute(1, 2, 0).numpy()
        assert np.array_equal(np.asarray(ours(image)), expected), sides


def test_the_side_is_the_one_that_each_library_states_for_each_of_its_models() -> None:
    for name in models.list_models(module=models):
        for weights in models.get_model_weights(name):
            given = weights.transforms()
            (size,), (side,) = given.crop_size, given.resize_size
            assert Resizing(size, "crop", size / side).side == side, weights
    for size, side in ((a, b) for a in range(4, 300, 7) for b in range(a, 400)):
        assert Resizing(size, "crop", size / side).side == side, (size, side)
    timm = pytest.importorskip("timm")
    stated = {
        (config.input_size[-1], config.crop_pct) for config in map(timm.get_pretrained_cfg, timm.list_pretrained())
    }
    assert len(stated) > 20
    for size, share in stated:
        assert Resizing(size, "crop", share).side == math.floor(size / share), (size, share)


def test_arrays_are_resized_as_pictures_are() -> None:
    arrays = np.stack([np.asarray(image) for image in (picture(41, 57), picture(41, 57).transpose(0))])
    for resizing in (
        Resizing(16, "crop", 0.8, "bicubic"),
        Resizing(16, "squash", 1, "nearest"),
        Resizing(None, "crop"),
    ):
        found = resized(arrays.transpose(0, 3, 1, 2), resizing)
        for image, array in zip(found, arrays):
            assert np.array_equal(image.transpose(1, 2, 0), np.asarray(resizing(Image.fromarray(array))))


def write(root: Path, sides: list[tuple[int, int]]) -> DataSettings:
    for name in "ab":
        (root / name).mkdir(parents=True)
        for number, (width, height) in enumerate(sides):
            picture(width, height).save(root / name / f"{number}.png")
    return DataSettings("imagefolder", str(root), test="all")


def test_an_image_fits_where_both_sides_do() -> None:
    assert [Resizing(16, "crop").fits(*sides) for sides in ((16, 16), (16, 20), (20, 16))] == [True, False, False]


@pytest.mark.parametrize("how", ["crop", "squash-crop"])
def test_images_that_were_cut_before_are_left_alone(how: str, tmp_path: Path) -> None:
    """If all images have the size; if some do not, all are resized, as in the libraries."""
    settings = write(tmp_path / "cut", [(16, 16)] * 3)
    whole = load(settings)
    assert torch.equal(load(replace(settings, size=16, resize=how)).test.images, whole.test.images)
    mixed = write(tmp_path / "mixed", [(16, 16), (20, 16)])
    found = load(replace(mixed, size=16, resize=how)).test.images[0].permute(1, 2, 0).numpy()
    assert np.array_equal(found, np.asarray(Resizing(16, how, 0.875)(picture(16, 16))))
    assert not np.array_equal(found, np.asarray(picture(16, 16)))


WAYS: list[dict[str, Any]] = [
    {},
    {"resize": "crop"},
    {"resize": "crop", "crop_share": 0.5},
    {"resize": "crop", "interpolation": "bicubic"},
    {"resize": "squash-crop"},
    {"interpolation": "bicubic"},
    {"interpolation": "nearest"},
]


@pytest.mark.parametrize("kind", ["imagefolder", "npz"])
def test_each_way_is_another_entry_of_the_cache(kind: str, tmp_path: Path) -> None:
    settings = write(tmp_path / "images", [(20, 16), (20, 16)])
    if kind == "npz":
        images = np.stack([np.asarray(picture(20, 16))] * 4)
        np.savez(tmp_path / "a.npz", images=images, labels=np.arange(4) % 2)
        settings = DataSettings("npz", str(tmp_path / "a.npz"), test="all")
    for _ in range(2):
        found = [load(replace(settings, size=8, **way)).test.images[0].numpy().tobytes() for way in WAYS]
        assert len(set(found)) == len(WAYS)
    assert len(list((tmp_path / "cache" / "data").iterdir())) == len(WAYS)
    load(replace(settings, size=8, crop_share=0.5))  # without a crop, crop_share has no effect
    assert len(list((tmp_path / "cache" / "data").iterdir())) == len(WAYS)
