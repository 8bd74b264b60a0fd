"""Load a data set by name: find its loader, read or recall its arrays, resize, split, measure."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import torch

from nas.core.data import cache
from nas.core.data.dataset import Dataset, Split
from nas.core.data.loader import Loader, Raw
from nas.core.data.resize import resized
from nas.core.data.settings import DataSettings
from nas.core.data.splits import split
from nas.core.data.statistics import channel_statistics
from nas.core.errors import InputError
from nas.core.registry import Registry, is_concrete_subclass

LOADERS: Registry[type[Loader]] = Registry("data set", "nas.core.data", is_concrete_subclass(Loader))


def located(settings: DataSettings) -> DataSettings:
    """The same settings with an absolute `root`, so that a run resumes from any working directory."""
    root = settings.root or LOADERS.get(settings.name).default_root
    return settings if root is None else replace(settings, root=os.path.abspath(os.path.expanduser(root)))


def load(settings: DataSettings, keep: bool = True) -> Dataset:
    """The data set that `settings` names: same settings and files, same tensors, on every machine.

    Decoded images are kept in the user's cache folder unless `keep` is false.
    """
    settings.check()
    loader = LOADERS.get(settings.name)(settings)
    sources = loader.sources()
    raw = None
    key = cache.key(loader.name, loader.size, sources) if loader.cached and sources else None
    if key is not None:
        raw = cache.recall(loader.name, key)
    if raw is None:
        raw = _same_size(loader, loader.read())
        _check(loader, raw)
        if key is not None and keep:
            cache.keep(loader.name, key, raw)
    return _assemble(loader, raw)


def _same_size(loader: Loader, raw: Raw) -> Raw:
    test = None if raw.test_images is None else resized(raw.test_images, loader.size)
    return Raw(resized(raw.images, loader.size), raw.labels, raw.num_classes, test, raw.test_labels, raw.classes)


def _check(loader: Loader, raw: Raw) -> None:
    """Raise `InputError` where the arrays are not what every later stage relies on."""
    height, width = raw.images.shape[2:]
    shapes = {raw.images.shape[2:]} | (set() if raw.test_images is None else {raw.test_images.shape[2:]})
    if height != width or len(shapes) > 1:
        told = " and ".join(f"{w} x {h}" for h, w in sorted(shapes))
        raise InputError(
            f"Expected square images of one size in {loader.name!r} but got {told} pixels; set data.size=."
        )
    if raw.num_classes < 2:
        raise InputError(f"Expected at least two classes in {loader.name!r} but got {raw.num_classes}.")
    for part, images, labels in (
        ("training", raw.images, raw.labels),
        ("test", raw.test_images, raw.test_labels),
    ):
        if images is None or labels is None:
            continue
        if len(images) == 0 or len(images) != len(labels):
            raise InputError(
                f"Expected one label for each {part} image of {loader.name!r} but got {len(images)} images "
                f"and {len(labels)} labels."
            )
        if labels.min() < 0 or labels.max() >= raw.num_classes:
            raise InputError(
                f"Expected {part} labels of {loader.name!r} in 0..{raw.num_classes - 1} but got "
                f"{labels.min()}..{labels.max()}."
            )


def _assemble(loader: Loader, raw: Raw) -> Dataset:
    has_test = raw.test_images is not None
    train, validation, test = split(raw.labels, raw.num_classes, raw.classes, has_test)
    train_part = _pick(raw, train)
    if raw.test_images is None or raw.test_labels is None:
        test_part = _pick(raw, test)
    else:
        test_part = Split(torch.from_numpy(raw.test_images), torch.from_numpy(raw.test_labels))
    if loader.mean is not None and loader.std is not None:
        mean, std = loader.mean, loader.std
    else:
        mean, std = channel_statistics(train_part.images)
    return Dataset(loader.name, train_part, _pick(raw, validation), test_part, raw.num_classes, mean, std)


def _pick(raw: Raw, index: np.ndarray) -> Split:
    return Split(torch.from_numpy(raw.images[index]), torch.from_numpy(raw.labels[index]))
