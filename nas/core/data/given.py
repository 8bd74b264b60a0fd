"""Images and labels that a call from Python gives: arrays, tensors, or an iterable of batches such as a DataLoader."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from nas.core.data.channel_statistics import SMALLEST_STD, channel_statistics
from nas.core.data.dataset import Dataset, Split
from nas.core.data.formats.base import Loader, Raw, Source, Triple, log
from nas.core.data.label_blocks import in_blocks
from nas.core.data.resize import Resizing
from nas.core.data.seen import Seen
from nas.core.errors import InputError
from nas.core.images import check_unit_range
from nas.core.reasons import reason

CHANNELS = 3
LEVELS = 255


class GivenArrays(Loader):
    """Stands in settings for images that no file holds and that cannot be loaded again."""

    name = "arrays given in Python"
    doc = "images and labels that nas.evaluate was given"
    reads: ClassVar[frozenset[str] | None] = frozenset()
    cached = False

    def sources(self) -> list[Source]:
        raise _given_in_python()

    def read(self) -> Raw:
        raise _given_in_python()


def _given_in_python() -> InputError:
    return InputError(
        "Expected the name of a data set but the images of these settings were given in Python; evaluate on them "
        "with nas.evaluate(..., data=(images, labels))."
    )


def split_of_arrays(images: Any, labels: Any, n: int | None = None) -> Split:
    """The first `n` images and labels (by default all) as copies.

    Images are uint8 (N, H, W, 3), or floats in [0, 1] (N, 3, H, W), which are not rounded to bytes. Raises InputError
    for anything else, and unless there is one whole number from 0 on for each image.
    """
    (first, count), (first_labels, label_count) = _first(images, n, "images"), _first(labels, n, "labels")
    pictures, answers = _images(first), _labels(first_labels)
    if count != label_count:
        raise InputError(
            f"Expected a label for each image but got {count} images and {label_count} labels; check data=."
        )
    if count == 0:
        raise InputError("Expected at least one image in data= but got none.")
    if n is not None and not 1 <= n <= count:
        raise InputError(f"Expected n_test between 1 and {count}, the images in data=, but got {n}.")
    pictures, answers = pictures.clone(memory_format=torch.contiguous_format), answers.to(torch.int64, copy=True)
    if pictures.is_floating_point():
        pictures = pictures.float()
        _check_range(pictures)
    if (low := int(answers.min())) < 0:
        raise InputError(f"Expected labels from 0 on but got {low}; leave out images without a class.")
    return Split(pictures, answers)


def split_of_batches(batches: Iterable[Any], n: int | None = None) -> Split:
    """The first `n` images (by default all) of batches of (images, labels), in their order; see `split_of_arrays`."""
    if isinstance(getattr(batches, "sampler", None), torch.utils.data.RandomSampler):
        log.warning(
            "The DataLoader shuffles its images: report.correct has them in the order in which they came this time. "
            "With shuffle=False the same positions are the same images each time."
        )
    parts: list[Split] = []
    count = 0
    for batch in batches:
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            got = (
                f"{type(batch).__name__} of {len(batch)}" if isinstance(batch, (tuple, list)) else type(batch).__name__
            )
            raise InputError(
                f"Expected batches of (images, labels) in data= but got a {got}; give a DataLoader of pairs."
            )
        part = split_of_arrays(*batch)
        if parts and (part.images.shape[1:], part.images.dtype) != (parts[0].images.shape[1:], parts[0].images.dtype):
            raise InputError("Expected batches of images of one size and type in data= but they differ.")
        parts.append(part)
        count += len(part)
        if n is not None and count >= n:
            break
    if not parts:
        raise InputError("Expected at least one batch in data= but got none.")
    if n is not None and count < n:
        raise InputError(f"Expected n_test between 1 and {count}, the images in data=, but got {n}.")
    return Split(torch.cat([part.images for part in parts])[:n], torch.cat([part.labels for part in parts])[:n])


def first_of_sorted(labels: Tensor, all_labels: Any = None, total: int | None = None) -> str | None:
    """A remark if these `labels` are the first of more that come sorted by class, and so those of no sample; else None.

    `all_labels` are the labels of all images, or else `total` their number, where they are known.
    """
    known = None if all_labels is None else _labels(_first(all_labels, None, "labels")[0])
    count = total if known is None else len(known)
    if count == len(labels) or not in_blocks(labels.numpy(), None if known is None else known.numpy()):
        return None
    return (
        f"The images come sorted by class, and n_test takes the first {len(labels):,}, which are no sample of all: "
        "shuffle them once before the call, or leave n_test out."
    )


def given_dataset(part: Split, num_classes: int, remark: str | None = None) -> Dataset:
    """The images as the test part of a data set of `num_classes` classes, attacked in their own order.

    A `remark` on them becomes one of the evaluation's. Logs a warning if the images are nearly black. Raises InputError
    if a label belongs to no class.
    """
    largest = int(part.labels.max())
    if largest >= num_classes:
        raise InputError(
            f"Expected labels from 0 to {num_classes - 1}, the classes of the network, but got {largest}; number the "
            "classes from 0, or give another network."
        )
    if part.images.is_floating_point():
        mean, std = _statistics(part.images)
        level = round(float(part.images.max()) * LEVELS)
    else:
        mean, std = channel_statistics(part.images.numpy())
        level = int(part.images.max())
    for note in Seen(levels=(-1, -1, level)).notes(len(part), Resizing(None)):
        log.warning("%s", note)
    nothing = Split(part.images[:0], part.labels[:0])
    remarks = () if remark is None else (remark,)
    return Dataset(GivenArrays.name, nothing, nothing, part, num_classes, mean, std, in_order=True, remarks=remarks)


def _statistics(images: Tensor) -> tuple[Triple, Triple]:
    of_channel = images.double().transpose(0, 1).flatten(1)
    means = of_channel.mean(1).tolist()
    stds = of_channel.std(1, correction=0).clamp(min=SMALLEST_STD).tolist()
    return (means[0], means[1], means[2]), (stds[0], stds[1], stds[2])


def _first(value: Any, n: int | None, what: str) -> tuple[Tensor, int]:
    """The first `n` values as a tensor in this process's memory, which may be that of `value`; and the number of all.

    Raises InputError if the values are not numbers.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise InputError(f"Expected {what} without masked values in data= but got some; fill them.")
    try:
        if isinstance(value, Tensor):
            dense = value.detach().to_dense() if value.layout != torch.strided else value.detach()
            return dense[:n].cpu(), len(dense)
        array = np.asarray(value)
        return torch.from_numpy(np.array(array[:n], dtype=array.dtype.newbyteorder("="))), len(array)
    except (IndexError, TypeError, ValueError, RuntimeError) as error:  # objects, texts, lists of several lengths
        raise InputError(
            f"Expected {what} as a numpy array or a tensor in data= but got {type(value).__name__} ({reason(error)}); "
            f"those of a single image are images[:1] and labels[:1]."
        ) from error


def _images(images: Tensor) -> Tensor:
    """The images in the layout (N, 3, H, W)."""
    shape = tuple(images.shape)
    got = f"{str(images.dtype).removeprefix('torch.')} of shape {shape}"
    if images.dtype == torch.uint8:
        expected, fits, swapped = "(N, H, W, 3)", shape[3:] == (CHANNELS,), shape[1:2] == (CHANNELS,)
        advice = "images.permute(0, 2, 3, 1) of a tensor, images.transpose(0, 2, 3, 1) of an array"
    elif images.is_floating_point():
        expected, fits, swapped = "(N, 3, H, W)", shape[1:2] == (CHANNELS,), shape[3:] == (CHANNELS,)
        advice = "images.permute(0, 3, 1, 2) of a tensor, images.transpose(0, 3, 1, 2) of an array"
    else:
        raise InputError(
            f"Expected images as uint8 (N, H, W, 3) or as floats in [0, 1] (N, 3, H, W) but got {got}; "
            "convert levels from 0 to 255 to uint8."
        )
    if len(shape) != 4 or not fits:
        if len(shape) == 4 and swapped:
            what = advice
        elif len(shape) == 3 and CHANNELS in (shape[0], shape[2]) and shape[1] > CHANNELS:
            what = "images[None] is a batch of one image"
        else:
            what = "repeat the channel of grey images three times"
        raise InputError(
            f"Expected {'uint8' if images.dtype == torch.uint8 else 'float'} images of shape {expected} but got "
            f"{got}; {what}."
        )
    images = images.permute(0, 3, 1, 2) if images.dtype == torch.uint8 else images
    height, width = images.shape[2:]
    if height != width or height == 0:
        raise InputError(f"Expected square images but got {height} x {width} pixels; crop or resize them.")
    return images


def _check_range(images: Tensor) -> None:
    odd = int((~images.isfinite()).flatten(1).any(1).sum())
    if odd:
        raise InputError(f"Expected images in [0, 1] but {odd} of {len(images)} have NaN or infinite values.")
    check_unit_range(images)


def _labels(labels: Tensor) -> Tensor:
    """The labels as whole numbers (N,)."""
    got = f"{str(labels.dtype).removeprefix('torch.')} of shape {tuple(labels.shape)}"
    if labels.dim() != 1:
        one_hot = labels.dim() == 2 and labels.shape[1] != 1
        advice = "the index of the 1 of each one-hot label" if one_hot else "labels.reshape(-1) of a column"
        raise InputError(f"Expected labels of shape (N,) but got {got}; give {advice}.")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise InputError(f"Expected labels as whole numbers from 0 on but got {got}; convert them to int64.")
    return labels
