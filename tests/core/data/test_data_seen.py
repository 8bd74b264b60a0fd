"""Every start, also from the cache, reports what decoding changes or ignores: proportions, EXIF, alpha, levels."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nas.core.data import DataSettings, load
from nas.core.data.image_store import _TAIL, MAGIC
from nas.core.data.resize import Resizing
from nas.core.data.seen import Levels, Seen


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "data"


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[DataSettings], str]:
    """The log about the data, which is the same without a cache, when the cache is written, and when it is read."""

    def told(settings: DataSettings) -> str:
        texts = []
        for keep in (False, True, True):
            caplog.clear()
            load(settings, keep)
            texts.append(" ".join(record.getMessage() for record in caplog.records))
        assert texts[0] == texts[1] == texts[2]
        return texts[0]

    return told


def write(root: Path, images: list[Image.Image], **more: object) -> DataSettings:
    for name in "ab":
        (root / name).mkdir(parents=True)
        for number, image in enumerate(images):
            image.save(root / name / f"{number}.png", **more)  # type: ignore[arg-type]
    return DataSettings("imagefolder", str(root), validation=0)


def plain(width: int = 8, height: int = 8) -> Image.Image:
    levels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    levels[0, 0] = 255
    return Image.fromarray(levels)


def test_nothing_is_said_of_ordinary_images(tmp_path: Path, said: Callable[[DataSettings], str]) -> None:
    opaque = plain().convert("RGBA")
    assert said(write(tmp_path / "a", [plain()] * 3 + [opaque])) == ""
    assert said(replace(write(tmp_path / "b", [plain()] * 4), size=16)) == ""


def test_squashed_images_are_counted(tmp_path: Path, said: Callable[[DataSettings], str]) -> None:
    settings = replace(write(tmp_path / "images", [plain(), plain(9, 8), plain(8, 20)]), size=8)
    assert "4 of 6 images are not square and were squashed to 8 x 8; data.resize=crop" in said(settings)
    assert said(replace(settings, resize="crop")) == ""
    images = np.stack([np.asarray(plain(9, 8))] * 10)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(10) % 2)
    settings = DataSettings("npz", str(tmp_path / "a.npz"), size=8)
    assert "10 of 10 images are not square" in said(settings)
    assert said(replace(settings, resize="crop")) == ""


def test_images_are_read_as_they_are_stored_whatever_exif_says(
    tmp_path: Path, said: Callable[[DataSettings], str]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    settings = write(tmp_path / "turned", [plain()] * 3, exif=exif)
    assert "6 of 6 images should be turned according to their EXIF data; they are read as they are stored" in said(
        settings
    )
    upright = write(tmp_path / "upright", [plain()] * 3)
    assert torch.equal(load(settings).train.images, load(upright).train.images)
    exif[0x0112] = 1
    assert said(write(tmp_path / "said", [plain()] * 3, exif=exif)) == ""


def test_broken_exif_breaks_no_image(tmp_path: Path, said: Callable[[DataSettings], str]) -> None:
    assert said(write(tmp_path / "images", [plain()] * 3, exif=b"Exif\0\0II*\0\xff\xff\xff\xffnonsense")) == ""


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "key"])
def test_transparency_is_left_out_and_said(mode: str, tmp_path: Path, said: Callable[[DataSettings], str]) -> None:
    opaque, more = plain(), {}
    if mode == "P":
        opaque = opaque.convert("P", palette=Image.Palette.ADAPTIVE, colors=16)
        more = {"transparency": 3}
    elif mode == "key":
        more = {"transparency": (255, 255, 255)}
    seen = opaque.convert("L") if mode == "LA" else opaque
    image = seen
    if mode in ("RGBA", "LA"):
        image = seen.convert(mode)
        image.putalpha(Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)))
    settings = write(tmp_path / "a", [image] * 3, **more)
    assert "6 of 6 images have transparent pixels; these are read as if they were opaque" in said(settings)
    expected = np.asarray(seen.convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(load(settings).train.images[0].numpy(), expected)


def test_a_single_pixel_that_is_nearly_opaque_is_transparent(
    tmp_path: Path, said: Callable[[DataSettings], str]
) -> None:
    image = plain().convert("RGBA")
    image.putpixel((3, 4), (0, 0, 0, 254))
    assert "6 of 6 images have transparent pixels" in said(write(tmp_path / "a", [image] * 3))


# levels


def arrays(path: Path, train: int, test: int | None = None) -> DataSettings:
    parts = {"images": np.full((10, 4, 4, 3), 0, np.uint8), "labels": np.arange(10) % 2}
    parts["images"][5, 1, 2, 1] = train
    if test is not None:
        parts |= {
            "test_images": np.full((3, 4, 4), test, np.uint8)[..., None].repeat(3, -1),
            "test_labels": np.arange(3) % 2,
        }
    np.savez(path, **parts)
    return DataSettings("npz", str(path))


@pytest.mark.parametrize(
    ("train", "test", "words"),
    [
        (16, 16, ["training images is 16 of 255", "test images is 16 of 255"]),
        (1, 255, ["training images is 1 of 255"]),
        (255, 0, ["test images is 0 of 255"]),
        (127, 200, ["training images is 127 of 255"]),
        (128, 128, []),
        (255, 255, []),
    ],
)
def test_images_that_are_nearly_black_are_said(
    train: int, test: int, words: list[str], tmp_path: Path, said: Callable[[DataSettings], str]
) -> None:
    text = said(arrays(tmp_path / "a.npz", train, test))
    assert text.count("The largest level") == len(words)
    assert all(word in text for word in words)


@pytest.mark.parametrize(("levels", "count"), [((16, 200, 255), 0), ((16, 17, 255), 1), ((-1, -1, 16), 1), ((), 0)])
def test_validation_images_are_training_images(levels: tuple[int, ...], count: int) -> None:
    assert len(list(Seen(10, levels=levels).notes(10, Resizing()))) == count


def test_so_are_files_of_such_images(tmp_path: Path, said: Callable[[DataSettings], str]) -> None:
    dark = Image.new("RGB", (4, 4), (1, 0, 1))
    text = said(write(tmp_path / "images", [dark] * 5))
    assert "training images is 1 of 255" in text
    assert "test images is 1 of 255" in text


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_levels_of_parts_in_chunks(chunk: int) -> None:
    images = np.random.default_rng(1).integers(0, 256, (20, 3, 2, 2), dtype=np.uint8)
    levels = Levels([11, 0, 9])
    for start in range(0, 20, chunk):
        levels.add(images[start : start + chunk])
    assert levels.largest == (images[:11].max(), -1, images[11:].max())


# cache files of earlier versions


def without_seen(path: Path) -> None:
    """Turn a cache file into one of a version before 0.3.0."""
    content = path.read_bytes()
    length, _, _ = _TAIL.unpack(content[-_TAIL.size :])
    about = json.loads(content[-_TAIL.size - length : -_TAIL.size])
    del about["seen"]
    text = json.dumps(about).encode()
    path.unlink()
    path.write_bytes(content[: -_TAIL.size - length] + text + _TAIL.pack(len(text), zlib.crc32(text), MAGIC))


def test_files_of_before_are_used_and_what_can_be_told_is_said(
    tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(write(tmp_path / "images", [Image.new("RGB", (9, 8), (16,) * 3)] * 5), size=8)
    first = load(settings)
    (path,) = cache.iterdir()
    without_seen(path)
    monkeypatch.setattr("nas.core.data.formats.imagefolder.ImageFolder.read", lambda self: 1 / 0)
    caplog.clear()
    assert torch.equal(load(settings).train.images, first.train.images)
    assert "10 of 10 images are not square" in caplog.text
    assert "training images is 16 of 255" in caplog.text
