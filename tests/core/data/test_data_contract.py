"""What every registered data set must have: the right pixels, fixed stratified splits, the right statistics."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from data_files import BUILDERS, imagefolder

from nas.core.data import LOADERS, Dataset, DataSettings, Split, attacked, load, shape_of
from nas.core.errors import InputError


def keys(images: np.ndarray | torch.Tensor) -> list[bytes]:
    return [np.asarray(image).tobytes() for image in images]


def same(a: Dataset, b: Dataset) -> bool:
    return all(
        torch.equal(getattr(a, part).images, getattr(b, part).images)
        and torch.equal(getattr(a, part).labels, getattr(b, part).labels)
        for part in ("train", "validation", "test")
    )


@pytest.fixture(params=LOADERS.names())
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_every_data_set_has_files_to_test_it_with() -> None:
    assert LOADERS.names() == sorted(BUILDERS)
    assert all(LOADERS.get(n).doc for n in LOADERS.names())


def test_contract(name: str, tmp_path: Path) -> None:
    made = BUILDERS[name](tmp_path)
    data = load(made.settings)
    assert (data.name, data.num_classes, data.image_size) == (name, made.num_classes, made.images.shape[-1])
    assert shape_of(made.settings) in (None, (data.num_classes, data.image_size))
    for part in (data.train, data.validation, data.test):
        assert isinstance(part, Split)
        assert part.images.dtype == torch.uint8
        assert part.labels.dtype == torch.int64
        assert part.images.is_contiguous()
        assert part.images.shape == (len(part), 3, data.image_size, data.image_size)
        assert part.labels.shape == (len(part),)

        # Every image is in exactly one part, with its own label and unchanged pixels.
    images = [made.images] + ([] if made.test_images is None else [made.test_images])
    labels = [made.labels] + ([] if made.test_labels is None else [made.test_labels])
    wanted = sorted(zip(keys(np.concatenate(images)), np.concatenate(labels).tolist()))
    parts = (data.train, data.validation, data.test)
    got = sorted(p for part in parts for p in zip(keys(part.images), part.labels.tolist()))
    assert got == wanted

    # The shares are exact in total and to within one image in each class.
    rest = len(made.labels)
    if made.test_images is None:
        assert len(data.test) == (rest * 20 + 50) // 100
        for k, n in enumerate(np.bincount(made.labels)):
            assert abs((data.test.labels == k).sum() - 0.2 * n) <= 1
        rest -= len(data.test)
    else:
        assert keys(data.test.images) == keys(made.test_images)  # an official test part keeps its order
    assert len(data.validation) == (rest * 10 + 50) // 100
    for k in range(data.num_classes):
        inside, left = (data.validation.labels == k).sum(), (data.train.labels == k).sum()
        assert left >= 1
        assert abs(inside - 0.1 * (inside + left)) <= 1

    loader = LOADERS.get(name)
    if loader.mean is None:
        scaled = data.train.images.double() / 255
        assert torch.allclose(torch.tensor(data.mean).double(), scaled.mean((0, 2, 3)), atol=1e-6)
        std = scaled.std((0, 2, 3), correction=0).clamp(min=1e-3)
        assert torch.allclose(torch.tensor(data.std).double(), std, atol=1e-6)
    else:
        assert (data.mean, data.std) == (loader.mean, loader.std)


def test_same_whatever_the_random_state(name: str, tmp_path: Path) -> None:
    made = BUILDERS[name](tmp_path)
    first = load(made.settings)
    torch.manual_seed(123)
    np.random.seed(123)
    random.seed(123)
    state = torch.get_rng_state()
    assert same(first, load(made.settings))
    assert torch.equal(state, torch.get_rng_state())


def test_resized(name: str, tmp_path: Path) -> None:
    made = BUILDERS[name](tmp_path)
    data, plain = load(replace(made.settings, size=10)), load(made.settings)
    assert data.image_size == 10
    assert torch.equal(data.train.labels, plain.train.labels)  # the same images in the same parts
    small = torch.nn.functional.interpolate(plain.test.images.double(), (10, 10), mode="bilinear", antialias=True)
    assert (small - data.test.images).abs().max() <= 1.01


def test_attacked_is_a_fixed_order(name: str, tmp_path: Path) -> None:
    data = load(BUILDERS[name](tmp_path).settings)
    few, all_of_them = attacked(data, 5), attacked(data, len(data.test))
    assert torch.equal(few.images, all_of_them.images[:5])
    assert sorted(keys(all_of_them.images)) == sorted(keys(data.test.images))
    for wrong in (0, len(data.test) + 1):
        with pytest.raises(InputError, match=str(len(data.test))):
            attacked(data, wrong)


def test_digits_pinned() -> None:
    """The split must never change: otherwise numbers of different versions would be about different images."""
    data = load(DataSettings())
    assert (len(data.train), len(data.validation), len(data.test), data.image_size) == (1294, 144, 359, 16)
    assert data.test.labels[:8].tolist() == [6, 1, 1, 8, 5, 1, 8, 9]
    assert attacked(data, 8).labels.tolist() == [4, 9, 9, 7, 7, 0, 5, 1]


def test_cifar_planes_are_red_green_blue(tmp_path: Path) -> None:
    """In the official layout the first 1,024 bytes are the red plane, row by row."""
    from data_files import write_pickle

    row = np.concatenate([np.full(1024, 200), np.full(1024, 100), np.arange(1024) % 256]).astype(np.uint8)
    for f in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        write_pickle(tmp_path / f, {b"data": np.tile(row, (20, 1)), b"labels": list(range(10)) * 2})
    image = load(DataSettings("cifar10", str(tmp_path))).test.images[0]  # the root may be that folder itself
    assert image[0].unique().tolist() == [200]
    assert image[1].unique().tolist() == [100]
    assert image[2, 0].tolist() == list(range(32))


def test_folder_without_a_test_part(tmp_path: Path) -> None:
    made = imagefolder(tmp_path, with_test=False)
    data = load(made.settings)
    assert (len(data.train), len(data.validation), len(data.test)) == (43, 5, 12)


def test_no_image_need_be_withheld_also_where_nothing_is_kept(tmp_path: Path) -> None:
    made = BUILDERS["imagefolder"](tmp_path)
    data = load(replace(made.settings, validation=0), keep=False)
    assert len(data.validation) == 0
    assert data.validation.images.shape[1:] == data.train.images.shape[1:]


def test_images_of_all_kinds_become_rgb(tmp_path: Path) -> None:
    from PIL import Image

    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for i, mode in enumerate(("L", "RGBA", "P", "1", "RGB")):
            Image.new(mode, (8 + i, 8), 1).save(tmp_path / label / f"{i}.png")
        Image.new("L", (8, 8), 77).save(tmp_path / label / "9.JPG")
    (tmp_path / "a" / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden").mkdir()
    assert load(DataSettings("imagefolder", str(tmp_path), size=8)).train.images.shape[1:] == (3, 8, 8)


@pytest.mark.parametrize("shape", [(30, 8, 8), (30, 8, 8, 1)])
def test_grey_npz(tmp_path: Path, shape: tuple[int, ...]) -> None:
    grey = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.savez(tmp_path / "g.npz", images=grey, labels=np.arange(30) % 2, test_images=grey, test_labels=[0, 1] * 15)
    test = load(DataSettings("npz", str(tmp_path / "g.npz"))).test
    assert np.array_equal(test.images[:, 2].numpy(), grey.reshape(30, 8, 8))
    assert torch.equal(test.images[:, 0], test.images[:, 1])


def test_real_cifar10_images(data_dir: Path) -> None:
    path = data_dir / "cifar10_train_first4000.npz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    data = load(DataSettings("npz", str(path)))
    assert (len(data.train), len(data.validation), len(data.test)) == (2880, 320, 800)
    for measured, known in zip(data.mean + data.std, (0.4914, 0.4822, 0.4465, 0.2470, 0.2435, 0.2616)):
        assert measured == pytest.approx(known, abs=0.01)
    with np.load(path) as file:
        wanted = {image.tobytes() for image in file["images"].transpose(0, 3, 1, 2)}
    assert set(keys(data.train.images)) <= wanted


@pytest.mark.parametrize(
    ("name", "shape"),
    [("cifar10", (10, 32)), ("cifar100", (100, 32)), ("imagenet16-120", (120, 16)), ("digits", (10, 16))],
)
def test_classes_and_size_are_known_by_name(name: str, shape: tuple[int, int]) -> None:
    assert shape_of(DataSettings(name)) == shape
    assert shape_of(DataSettings(name, size=12)) == (shape[0], 12)


def test_they_are_not_known_of_ones_own_data() -> None:
    assert shape_of(DataSettings("npz")) is shape_of(DataSettings("imagefolder")) is None


def test_what_a_loader_reads_is_declared(name: str, tmp_path: Path) -> None:
    read: set[str] = set()

    class Recorded(DataSettings):
        def __getattribute__(self, key: str) -> object:
            read.add(key)
            return super().__getattribute__(key)

    settings = BUILDERS[name](tmp_path).settings
    recorded = Recorded(**vars(settings))
    read.clear()
    loader = LOADERS.get(name)(recorded)
    loader.sources()
    loader.read()
    declared = vars(LOADERS.get(name))["reads"]
    assert read & {"root", "download"} <= declared
    assert "root" in read or "root" not in declared
