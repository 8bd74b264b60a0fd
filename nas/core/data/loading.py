"""Load a data set by name: take its images from the cache, or read, resize, split and cache them."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from nas.core.data import cache
from nas.core.data.channel_statistics import channel_statistics
from nas.core.data.dataset import Dataset, Split
from nas.core.data.formats.base import Loader, Pictures, Raw, Triple, log, notes_log
from nas.core.data.formats.class_order import NUMERIC, other_order
from nas.core.data.given import GivenArrays
from nas.core.data.image_store import Content, Part, bytes_needed
from nas.core.data.resize import resized
from nas.core.data.seen import Levels, Seen
from nas.core.data.settings import ALL, DataSettings
from nas.core.data.splits import split
from nas.core.errors import InputError
from nas.core.execution import available_memory
from nas.core.execution.available_memory import in_words
from nas.core.registry import Registry, is_concrete_subclass

LOADERS: Registry[type[Loader]] = Registry(
    "data set", "nas.core.data.formats", "nas.data", is_concrete_subclass(Loader)
)


def loader_type(name: str) -> type[Loader]:
    """The loader of the data set that has this name in settings. Raises `InputError` if there is none."""
    return GivenArrays if name == GivenArrays.name else LOADERS.get(name)


def located(settings: DataSettings) -> DataSettings:
    """The same settings with an absolute `root`, so that a run can be resumed from any working directory.

    Raises `InputError` if no data set has the name in the settings.
    """
    root = settings.root or loader_type(settings.name).default_root
    return settings if root is None else replace(settings, root=os.path.abspath(os.path.expanduser(root)))


def shape_of(settings: DataSettings) -> tuple[int, int] | None:
    """Number of classes and image size of the data set if they are known without opening a file, else `None`.

    Raises `InputError` if no data set has the name in the settings.
    """
    return loader_type(settings.name)(settings).shape


def load(settings: DataSettings, keep: bool = True) -> Dataset:
    """The data set that `settings` name. The same settings and files give the same tensors on every machine.

    Decoded images are kept in the user's cache folder and mapped from there, unless `keep` is false; images that do not
    fit in memory stay on disk. Notes for the user (on skipped files, squashed images) are logged at every call.
    Raises `InputError` if files are missing or damaged, or do not suit the settings.
    """
    settings.check()
    loader = loader_type(settings.name)(settings)
    sources = loader.sources()
    read = functools.cache(lambda: _read(loader))
    stored, reason = None, "a dry run keeps nothing"
    cached = loader.cached and bool(sources) and loader.name not in LOADERS.added  # whose code may change
    if cached:
        key = cache.key(loader.name, loader.size, settings.withheld, sources, _unusual(loader))
        stored = cache.find(loader.name, key)
        if stored is None and keep:
            try:
                stored = cache.store(loader.name, key, read)
            except OSError as error:
                reason = error.strerror or str(error)
    if stored is None:
        dataset, seen = _in_memory(loader, read(), reason, warn=keep and cached)
    else:
        about = stored.description
        mean, std = _constants(loader) or (about.mean, about.std)
        dataset = Dataset(loader.name, *stored.parts, about.num_classes, mean, std, loader.classes)
        seen = about.seen if about.seen.levels else _inspect(loader, stored.parts)
    total = sum(map(len, (dataset.train, dataset.validation, dataset.test)))
    for note in (*loader.notes, *seen.notes(total, loader.resizing)):
        notes_log.warning("%s", note)
    return dataset


def _unusual(loader: Loader) -> tuple[Any, ...]:
    """The settings that make images or labels differ from those of versions that did not have these settings.

    With other values they are not part of the cache's key, so data that an earlier version cached are still found.
    """
    other = other_order(loader.classes)
    order = () if other is None or other[0] == NUMERIC else (NUMERIC,)
    return (*order, *loader.resizing.key, *((ALL,) if loader.settings.test == ALL else ()))


def _inspect(loader: Loader, parts: Sequence[Split]) -> Seen:
    """What is noticed about images whose cache is of a version that stored no `Seen`."""
    if any(part.on_disk for part in parts):
        return loader.glance()
    return replace(loader.glance(), levels=_levels([part.images.numpy() for part in parts]))


def _levels(images: Sequence[np.ndarray]) -> tuple[int, ...]:
    levels = Levels(list(map(len, images)))
    for part in images:
        levels.add(part)
    return levels.largest


def _read(loader: Loader) -> Content:
    """What the loader has read, with images resized as the settings say."""
    raw = loader.read()
    if loader.settings.test == ALL and raw.test_images is not None:
        raise InputError(
            f"Expected data.test=part for {loader.name!r}, which has a test part of its own, but got data.test=all; "
            "leave it out."
        )
    pictures = [raw.images, *([] if raw.test_images is None else [raw.test_images])]
    oblong = sum(len(one) for one in pictures if isinstance(one, np.ndarray) and one.shape[2] != one.shape[3])
    test = None if raw.test_images is None else _resized(raw.test_images, loader)
    raw = replace(raw, images=_resized(raw.images, loader), test_images=test)
    _check(loader, raw)
    pictures = [raw.images, *([] if test is None else [test])]

    def seen() -> Seen:
        """What was noticed about the images decoded so far."""
        flags = [flag for one in pictures for flag in getattr(one, "noted", ())]
        return Seen.of(flags) if flags else Seen(sum(map(len, pictures)), oblong=oblong)

    return Content(_parts(raw, loader.settings), raw.num_classes, seen)


def _resized(images: Pictures, loader: Loader) -> Pictures:
    return resized(images, loader.resizing) if isinstance(images, np.ndarray) else images


def _check(loader: Loader, raw: Raw) -> None:
    """Raises `InputError` if the arrays are not as all later stages expect them."""
    height, width = raw.images.shape[2:]
    shapes = {raw.images.shape[2:]} | (set() if raw.test_images is None else {raw.test_images.shape[2:]})
    if height != width or len(shapes) > 1:
        sizes = " and ".join(f"{w} x {h}" for h, w in sorted(shapes))
        raise InputError(
            f"Expected square images of one size in {loader.name!r} but got {sizes} pixels; set data.size."
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


def _parts(raw: Raw, settings: DataSettings) -> list[Part]:
    """The training, validation and test part, each in its order; with `data.test=all`, the first two are empty."""
    if settings.test == ALL:
        none = np.empty(0, dtype=np.int64)
        order = np.arange(len(raw.labels))
        return [Part(raw.images, index, raw.labels[index]) for index in (none, none, order)]
    has_test = raw.test_images is not None
    train, validation, test = split(raw.labels, raw.num_classes, raw.classes, has_test, settings.withheld)
    parts = [Part(raw.images, index, raw.labels[index]) for index in (train, validation)]
    if raw.test_images is None or raw.test_labels is None:
        return [*parts, Part(raw.images, test, raw.labels[test])]
    return [*parts, Part(raw.test_images, np.arange(len(raw.test_labels)), raw.test_labels)]


def _in_memory(loader: Loader, content: Content, reason: str, warn: bool) -> tuple[Dataset, Seen]:
    """The data set in memory. Raises `InputError` if it does not fit. `reason` says why it is not cached."""
    parts = content.parts
    if not isinstance(parts[0].pictures, np.ndarray) and not available_memory.fits(bytes_needed(parts)):
        raise InputError(
            f"Expected the decoded images of {loader.name!r} ({in_words(bytes_needed(parts))}) to fit in half of the "
            f"memory that is left ({in_words(available_memory.available())}) or in the cache folder but they do not "
            f"({reason}); set NAS_CACHE to a folder with room, or data.size to fewer pixels."
        )
    if warn:
        log.warning(
            "The decoded data could not be cached (%s); the next start reads the originals again. "
            "Set NAS_CACHE to a folder with room to avoid that.",
            reason,
        )
    images = [np.ascontiguousarray(part.pictures[part.order]) for part in parts]
    mean, std = _constants(loader) or channel_statistics(next(filter(len, images)))
    splits = [Split(torch.from_numpy(x), torch.from_numpy(part.labels)) for x, part in zip(images, parts)]
    dataset = Dataset(loader.name, splits[0], splits[1], splits[2], content.num_classes, mean, std, loader.classes)
    return dataset, replace(content.seen(), levels=_levels(images))


def _constants(loader: Loader) -> tuple[Triple, Triple] | None:
    return None if loader.mean is None or loader.std is None else (loader.mean, loader.std)
