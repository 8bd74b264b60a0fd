"""Images and labels from Python: the type decides the layout, nothing is rounded, whatever does not fit is refused."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from nas.core.data import DataSettings, GivenArrays, attacked, load
from nas.core.data.checksum import digest
from nas.core.data.given import given_dataset, split_of_arrays, split_of_batches
from nas.core.errors import InputError
from nas.core.images import unit_range

BYTES = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
FLOATS = torch.rand(12, 3, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(12) % 4


def test_bytes_are_channels_last_and_floats_channels_first() -> None:
    of_bytes, of_floats = split_of_arrays(BYTES, LABELS), split_of_arrays(FLOATS, LABELS)
    assert of_bytes.images.dtype == torch.uint8
    assert of_bytes.images.numpy().tolist() == BYTES.transpose(0, 3, 1, 2).tolist()
    assert of_floats.images.dtype == torch.float32
    assert of_floats.images.equal(FLOATS)  # not rounded to bytes
    assert unit_range(of_floats.images).equal(FLOATS)
    assert of_floats.labels.dtype == torch.int64


def test_bytes_and_their_floats_are_the_same_images() -> None:
    of_bytes = split_of_arrays(BYTES, LABELS)
    scaled = torch.from_numpy(BYTES).permute(0, 3, 1, 2).float() / 255
    assert unit_range(of_bytes.images).equal(unit_range(split_of_arrays(scaled, LABELS).images))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, ">f4", torch.bfloat16, torch.float64])
def test_every_type_of_float(kind: Any) -> None:
    images = FLOATS.to(kind) if isinstance(kind, torch.dtype) else FLOATS.numpy().astype(kind)
    found = split_of_arrays(images, LABELS).images
    assert found.dtype == torch.float32
    assert found.allclose(FLOATS, atol=4e-3)


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.uint8, np.uint64, ">i8", torch.int16, list])
def test_every_type_of_whole_numbers(kind: Any) -> None:
    labels = LABELS.to(kind) if isinstance(kind, torch.dtype) else LABELS.numpy()
    labels = labels.tolist() if kind is list else labels if isinstance(kind, torch.dtype) else labels.astype(kind)
    assert split_of_arrays(FLOATS, labels).labels.equal(LABELS)


def test_the_arrays_are_copied() -> None:
    images, labels = FLOATS.clone().requires_grad_(), LABELS.clone()
    part = split_of_arrays(images, labels)
    part.images.zero_()
    part.labels.zero_()
    assert images.equal(FLOATS)
    assert labels.equal(LABELS)
    assert not part.images.requires_grad


def test_strides_do_not_matter() -> None:
    channels_last = FLOATS.contiguous(memory_format=torch.channels_last)
    backwards = split_of_arrays(BYTES[::-1], LABELS.numpy()[::-1])
    assert digest(split_of_arrays(channels_last, LABELS)) == digest(split_of_arrays(FLOATS, LABELS))
    assert backwards.images.numpy().tolist() == BYTES[::-1].transpose(0, 3, 1, 2).tolist()
    assert backwards.labels.tolist() == LABELS.tolist()[::-1]


def test_the_first_images_in_their_order() -> None:
    dataset = given_dataset(split_of_arrays(FLOATS, LABELS, 7), 4)
    assert attacked(dataset, 7).images.equal(FLOATS[:7])
    assert attacked(dataset, 3).labels.equal(LABELS[:3])
    assert dataset.mean == pytest.approx(FLOATS[:7].mean((0, 2, 3)).tolist())
    assert dataset.std == pytest.approx(FLOATS[:7].std((0, 2, 3), correction=0).tolist(), rel=1e-5)


WRONG_IMAGES = {
    "channels-first bytes": (
        BYTES.transpose(0, 3, 1, 2),
        r"uint8 images of shape \(N, H, W, 3\).*transpose\(0, 2, 3, 1",
    ),
    "channels-last floats": (FLOATS.permute(0, 2, 3, 1), r"float images of shape \(N, 3, H, W\).*permute\(0, 3, 1, 2"),
    "grey floats": (FLOATS[:, :1], "repeat the channel"),
    "grey bytes": (BYTES[..., 0], "repeat the channel"),
    "one image": (FLOATS[0], r"images\[None\]"),
    "levels as floats": (FLOATS * 255, "divide bytes by 255"),
    "normalised": ((FLOATS - 0.5) / 0.2, "do not normalise"),
    "a little beyond 1": (FLOATS + 0.01, r"in \[0, 1\]"),
    "whole numbers": (BYTES.astype(np.int64), "convert levels from 0 to 255 to uint8"),
    "truth values": (BYTES > 3, "uint8"),
    "complex": (FLOATS.to(torch.complex64), "complex64"),
    "NaN": (torch.where(FLOATS > 0.99, torch.nan, FLOATS), "NaN or infinite values"),
    "infinite": (torch.where(FLOATS > 0.99, torch.inf, FLOATS), "NaN or infinite values"),
    "not square": (FLOATS[..., :6], "square"),
    "texts": (np.array(["a"] * 12), "numpy array or a tensor"),
    "objects": (np.array([None] * 12), "numpy array or a tensor"),
    "ragged": ([[1.0], [2.0, 3.0]], "numpy array or a tensor"),
    "a number": (3, "numpy array or a tensor"),
    "masked": (np.ma.masked_less(FLOATS.numpy(), 0.1), "masked"),
    "too few": (FLOATS[:11], "11 images and 12 labels"),
    "none": (FLOATS[:0], "0 images"),
}


@pytest.mark.parametrize("name", WRONG_IMAGES)
def test_other_images_are_refused(name: str) -> None:
    images, message = WRONG_IMAGES[name]
    with pytest.raises(InputError, match=message):
        split_of_arrays(images, LABELS)


WRONG_LABELS = {
    "a column": (LABELS[:, None], r"labels.reshape\(-1\)"),
    "one-hot": (torch.eye(4)[LABELS], "index of the 1 of each one-hot label"),
    "floats": (LABELS.float(), "whole numbers"),
    "truth values": (LABELS > 1, "whole numbers"),
    "negative": (LABELS - 1, "from 0 on but got -1"),
    "texts": (["cat"] * 12, "numpy array or a tensor"),
    "none": ([], "whole numbers|0 labels"),
}


@pytest.mark.parametrize("name", WRONG_LABELS)
def test_other_labels_are_refused(name: str) -> None:
    labels, message = WRONG_LABELS[name]
    with pytest.raises(InputError, match=message):
        split_of_arrays(FLOATS, labels)


def test_no_images_are_refused() -> None:
    with pytest.raises(InputError, match="at least one image"):
        split_of_arrays(FLOATS[:0], LABELS[:0])
    with pytest.raises(InputError, match="at least one batch"):
        split_of_batches([])


@pytest.mark.parametrize("n", [0, -1, 13])
def test_more_images_than_there_are(n: int) -> None:
    with pytest.raises(InputError, match="between 1 and 12"):
        split_of_arrays(FLOATS, LABELS, n)


def test_a_label_of_no_class_is_refused() -> None:
    with pytest.raises(InputError, match=r"labels from 0 to 2.*but got 3"):
        given_dataset(split_of_arrays(FLOATS, LABELS), 3)


@pytest.mark.parametrize("images", [BYTES // 255, FLOATS / 255], ids=["bytes", "floats"])
def test_nearly_black_images_are_noticed(images: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "nas"):
        given_dataset(split_of_arrays(images, LABELS), 4)
    assert "nearly black" in caplog.text


def test_batches_are_taken_in_their_order() -> None:
    batches = DataLoader(TensorDataset(FLOATS, LABELS), batch_size=5)
    assert digest(split_of_batches(batches)) == digest(split_of_arrays(FLOATS, LABELS))
    assert digest(split_of_batches(batches, 7)) == digest(split_of_arrays(FLOATS, LABELS, 7))
    with pytest.raises(InputError, match="between 1 and 12"):
        split_of_batches(batches, 13)


def test_no_more_batches_are_read_than_needed() -> None:
    def batches() -> Any:
        yield FLOATS[:6], LABELS[:6]
        raise AssertionError

    assert len(split_of_batches(batches(), 6)) == 6


def test_a_shuffling_loader_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    split_of_batches(DataLoader(TensorDataset(FLOATS, LABELS), shuffle=True))
    assert "shuffle=False" in caplog.text


@pytest.mark.parametrize(
    "batches",
    [[{"image": FLOATS}], [(FLOATS, LABELS, LABELS)], [FLOATS], [(FLOATS[0], 1)]],
    ids=["dictionaries", "triples", "images alone", "single images"],
)
def test_other_batches_are_refused(batches: Any) -> None:
    with pytest.raises(InputError):
        split_of_batches(batches)


def test_batches_of_several_kinds_are_refused() -> None:
    with pytest.raises(InputError, match="one size and type"):
        split_of_batches([(FLOATS, LABELS), (BYTES, LABELS)])


def test_they_cannot_be_loaded_by_name() -> None:
    with pytest.raises(InputError, match=r"nas.evaluate\(\.\.\., data=\(images, labels\)\)"):
        load(DataSettings(GivenArrays.name))
