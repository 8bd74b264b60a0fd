"""Published facts about the data sets, and the defaults and limits of `data`, written down from their sources."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10, CIFAR100

from nas.core.data import LOADERS, Dataset, DataSettings, Split, attacked, shape_of
from nas.core.data.channel_statistics import channel_statistics
from nas.core.data.splits import split
from nas.core.errors import InputError

DEFAULTS = {
    "name": "digits",
    "root": None,
    "size": None,
    "download": True,
    "validation": 0.1,
    "order": "numeric",
    "resize": "squash",
    "crop_share": 0.875,  # 224 of 256 pixels, as for ImageNet since Krizhevsky et al. 2012
    "interpolation": "bilinear",
    "test": "part",
}


def test_defaults() -> None:
    settings = DataSettings()
    settings.check()
    assert vars(settings) == DEFAULTS


@pytest.mark.parametrize(
    ("key", "allowed", "refused"),
    [
        ("size", [4, 1024, None], [3, 1025, 8.0, True]),
        ("crop_share", [0.1, 1.0, 1], [0.099, 1.001, True]),
        ("validation", [0, 0.5, 1, 5000, 5000.0], [-0.1, 1.5, float("nan"), True]),
        ("order", ["numeric", "text"], ["size"]),
        ("resize", ["squash", "crop", "squash-crop"], ["pad"]),
        ("interpolation", ["bilinear", "bicubic", "lanczos", "nearest"], ["area"]),
        ("test", ["part", "all"], ["none"]),
    ],
)
def test_limits(key: str, allowed: list[Any], refused: list[Any]) -> None:
    for value in allowed:
        DataSettings(**{key: value}).check()
    for value in refused:
        with pytest.raises(InputError, match=rf"data\.{key}\b"):
            DataSettings(**{key: value}).check()


# the mean and standard deviation that the field normalises with, classes, side, first and last label in the files
PUBLISHED: dict[str, tuple[tuple[float, ...], tuple[float, ...], int, int, int, int]] = {
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010), 10, 32, 0, 9),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762), 100, 32, 0, 99),
    # Dong and Yang, ICLR 2020: 122.68, 116.66, 104.01 and 63.22, 61.26, 65.09 of 255
    "imagenet16-120": ((0.481098, 0.457490, 0.407882), (0.247922, 0.240235, 0.255255), 120, 16, 1, 1000),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_constants_of_published_sets(name: str) -> None:
    mean, std, classes, side, first, last = PUBLISHED[name]
    kind: Any = LOADERS.get(name)
    assert kind.mean == pytest.approx(mean, abs=1e-6)
    assert kind.std == pytest.approx(std, abs=1e-6)
    assert (kind.num_classes, kind.side, kind.first_label, kind.last_label) == (classes, side, first, last)
    assert shape_of(DataSettings(name)) == (classes, side)
    assert shape_of(DataSettings(name, size=24)) == (classes, 24)


def test_the_files_of_cifar_are_those_of_torchvision() -> None:
    for name, official in (("cifar10", CIFAR10), ("cifar100", CIFAR100)):
        kind: Any = LOADERS.get(name)
        assert list(kind.train_files.items()) == [tuple(pair) for pair in official.train_list]
        assert list(kind.test_files.items()) == [tuple(pair) for pair in official.test_list]
        assert kind.inner == official.base_folder
    assert LOADERS.get("cifar10").label_key == "labels"
    assert LOADERS.get("cifar100").label_key == "fine_labels"


def test_the_files_of_imagenet16_are_the_published_ones() -> None:
    """The checksums of NAS-Bench-201's code for the files of Chrabaszcz et al. 2017."""
    kind: Any = LOADERS.get("imagenet16-120")
    assert list(kind.train_files.items()) == [
        ("train_data_batch_1", "27846dcaa50de8e21a7d1a35f30f0e91"),
        ("train_data_batch_2", "c7254a054e0e795c69120a5727050e3f"),
        ("train_data_batch_3", "4333d3df2e5ffb114b05d2ffc19b1e87"),
        ("train_data_batch_4", "1620cdf193304f4a92677b695d70d10f"),
        ("train_data_batch_5", "348b3c2fdbb3940c4e9e834affd3b18d"),
        ("train_data_batch_6", "6e765307c242a1b3d7d5ef9139b48945"),
        ("train_data_batch_7", "564926d8cbf8fc4818ba23d2faac7564"),
        ("train_data_batch_8", "f4755871f718ccb653440b9dd0ebac66"),
        ("train_data_batch_9", "bb6dd660c38c58552125b1a92f86b5d4"),
        ("train_data_batch_10", "8f03f34ac4b42271a294f91bf480f29b"),
    ]
    assert kind.test_files == {"val_data": "3410e3017fdaefba8d5073aaa65e4bd6"}


def test_digits_are_sixteen_pixels_wide_unless_asked_otherwise() -> None:
    assert shape_of(DataSettings()) == (10, 16)
    assert shape_of(DataSettings(size=8)) == (10, 8)


def test_what_is_done_to_digits_stays_out_of_those_read_next() -> None:
    first = LOADERS.get("digits")(DataSettings()).read()
    images, labels = first.images.copy(), first.labels.copy()
    first.images[:], first.labels[:] = 0, 0
    again = LOADERS.get("digits")(DataSettings()).read()
    assert np.array_equal(again.images, images)
    assert np.array_equal(again.labels, labels)
    assert images.any()
    assert labels.any()


def test_a_fifth_is_the_test_part_and_a_tenth_of_the_rest_validation() -> None:
    labels = np.arange(1000) % 10
    train, validation, test = split(labels, 10, (), has_test=False)
    assert (len(train), len(validation), len(test)) == (720, 80, 200)
    train, validation, test = split(labels, 10, (), has_test=True)
    assert (len(train), len(validation), len(test)) == (900, 100, 0)


def test_the_images_that_are_attacked_stay_the_same_in_every_version() -> None:
    """With another seed other images would be attacked, and numbers of two versions could not be compared."""
    part = Split(torch.arange(50, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 2, 2), torch.arange(50))
    dataset = Dataset("numbers", part, part, part, 50, (0.0,) * 3, (1.0,) * 3)
    assert attacked(dataset, 8).labels.tolist() == ATTACKED
    assert attacked(dataset, 50).labels[:8].tolist() == ATTACKED
    for count in (0, 51):
        with pytest.raises(InputError, match="between 1 and 50"):
            attacked(dataset, count)


ATTACKED = [43, 12, 48, 27, 8, 49, 37, 19]


def test_the_standard_deviation_is_that_of_the_population_and_never_zero() -> None:
    images = np.zeros((2, 3, 1, 2), dtype=np.uint8)
    images[:, 0] = [[[0, 255]], [[255, 255]]]
    images[:, 1] = 51
    mean, std = channel_statistics(images)
    assert mean == pytest.approx((0.75, 0.2, 0.0))
    assert std == pytest.approx((3**0.5 / 4, 1e-3, 1e-3))
