"""Small data sets in their official layouts, which the data tests write into a folder."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nas.core.data import DataSettings


@dataclass
class Made:
    """A written data set: the settings that load it, and the images (N, 3, H, W) and labels that loading must give."""

    settings: DataSettings
    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray | None
    test_labels: np.ndarray | None
    num_classes: int


def pixels(count: int, side: int, seed: int = 0) -> np.ndarray:
    """Random images, all different, uint8 (count, 3, side, side)."""
    return np.random.default_rng(seed).integers(0, 256, (count, 3, side, side), dtype=np.uint8)


def spread(count: int, classes: int) -> np.ndarray:
    return np.arange(count, dtype=np.int64) % classes


def write_pickle(path: Path, value: Any, protocol: int = 2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(value, protocol=protocol))


def cifar10(root: Path) -> Made:
    """CIFAR-10 as Python 2 wrote it: keys are byte strings, protocol 2."""
    images, labels = pixels(200, 32), spread(200, 10)
    test_images, test_labels = pixels(30, 32, seed=1), spread(30, 10)
    folder = root / "cifar-10-batches-py"
    for i in range(5):
        part = slice(40 * i, 40 * (i + 1))
        content = {b"data": images[part].reshape(40, -1), b"labels": labels[part].tolist()}
        write_pickle(folder / f"data_batch_{i + 1}", content)
    write_pickle(folder / "test_batch", {b"data": test_images.reshape(30, -1), b"labels": test_labels.tolist()})
    return Made(DataSettings("cifar10", str(root)), images, labels, test_images, test_labels, 10)


def cifar100(root: Path) -> Made:
    images, labels = pixels(300, 32), spread(300, 100)
    test_images, test_labels = pixels(100, 32, seed=1), spread(100, 100)
    for name, x, y in (("train", images, labels), ("test", test_images, test_labels)):
        content = {b"data": x.reshape(len(x), -1), b"fine_labels": y.tolist(), b"coarse_labels": [0] * len(x)}
        write_pickle(root / "cifar-100-python" / name, content)
    return Made(DataSettings("cifar100", str(root)), images, labels, test_images, test_labels, 100)


def imagenet16(root: Path) -> Made:
    """ImageNet16 with text keys and labels from 1; images with labels above 120 must be dropped."""
    images = pixels(1000, 16)
    labels = np.tile(np.r_[np.arange(1, 121), 121, 122, 999, 1000, 500], 8)
    test_images, test_labels = pixels(125, 16, seed=1), labels[:125]
    for i in range(10):
        part = slice(100 * i, 100 * (i + 1))
        content = {"data": images[part].reshape(100, -1), "labels": labels[part].tolist()}
        write_pickle(root / f"train_data_batch_{i + 1}", content, protocol=4)
    write_pickle(root / "val_data", {"data": test_images.reshape(125, -1), "labels": test_labels.tolist()})
    kept, test_kept = labels <= 120, test_labels <= 120
    return Made(
        DataSettings("imagenet16-120", str(root)),
        images[kept],
        labels[kept] - 1,
        test_images[test_kept],
        test_labels[test_kept] - 1,
        120,
    )


def write_folder(folder: Path, images: np.ndarray, labels: np.ndarray, suffix: str = "png") -> None:
    from PIL import Image

    for i, (image, label) in enumerate(zip(images, labels)):
        path = folder / f"class_{label}" / f"{i:04}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(path)


def imagefolder(root: Path, with_test: bool = True) -> Made:
    """A folder of images, in the order of a listing: class by class."""
    images, labels = pixels(60, 12), np.sort(spread(60, 3))
    if not with_test:
        write_folder(root, images, labels)
        return Made(DataSettings("imagefolder", str(root)), images, labels, None, None, 3)
    test_images, test_labels = pixels(9, 12, seed=1), np.sort(spread(9, 3))
    write_folder(root / "train", images, labels)
    write_folder(root / "test", test_images, test_labels, "bmp")
    return Made(DataSettings("imagefolder", str(root)), images, labels, test_images, test_labels, 3)


def npz(root: Path) -> Made:
    images, labels = pixels(100, 20), spread(100, 4)
    root.mkdir(parents=True, exist_ok=True)
    np.savez(root / "mine.npz", images=images.transpose(0, 2, 3, 1), labels=labels.astype(np.uint8))
    return Made(DataSettings("npz", str(root / "mine.npz")), images, labels, None, None, 4)


def digits(root: Path) -> Made:
    from sklearn.datasets import load_digits

    data = load_digits()
    grey = np.rint(data.images * 255 / 16).astype(np.uint8)
    return Made(DataSettings("digits", size=8), np.stack([grey] * 3, 1), data.target, None, None, 10)


BUILDERS = {
    "cifar10": cifar10,
    "cifar100": cifar100,
    "digits": digits,
    "imagefolder": imagefolder,
    "imagenet16-120": imagenet16,
    "npz": npz,
}
