"""The error for bad data names the file and says what to do, in one line; code in a pickle never runs."""

from __future__ import annotations

import logging
import os
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_files import cifar10, cifar100, imagefolder, imagenet16, pixels, spread, write_folder, write_pickle

from nas.core.data import DataSettings, load
from nas.core.data.splits import split
from nas.core.errors import InputError
from nas.core.io.unpickle import read_pickle


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_CACHE", str(tmp_path / "cache"))


def fails(settings: DataSettings, *words: str) -> None:
    with pytest.raises(InputError) as caught:
        load(settings)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


# --- settings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [3, 1025, -1, 0, 8.5, True, "16"])
def test_size(size: Any) -> None:
    fails(DataSettings(size=size), "data.size")


def test_unknown_name() -> None:
    fails(DataSettings("cifar11"), "cifar10", "did you mean")


@pytest.mark.parametrize("name", ["imagenet16-120", "imagefolder", "npz"])
def test_root_is_needed_and_must_be_there(name: str, tmp_path: Path) -> None:
    fails(DataSettings(name), "data.root")
    fails(DataSettings(name, str(tmp_path / "nowhere")), "data.root", "nowhere")


# --- pickled batches --------------------------------------------------------------------------------------


class Evil:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_foreign_code_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    made = cifar10(tmp_path)
    path = tmp_path / "cifar-10-batches-py" / "data_batch_3"
    write_pickle(path, {b"data": Evil(tmp_path / "ran"), b"labels": []}, protocol)
    fails(made.settings, "data_batch_3", "system")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy.core.multiarray\nfromfile\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x0cndarray.view\x93.",
        b"c_codecs\ndecode\n.",
    ],
)
def test_other_names_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(InputError, match="asks for"):
        read_pickle(tmp_path / "f")
    write_pickle(tmp_path / "g", Counter())
    with pytest.raises(InputError, match="Counter"):
        read_pickle(tmp_path / "g")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_come_through(tmp_path: Path, protocol: int) -> None:
    value = {
        "data": pixels(2, 4),
        "n": np.int64(7),
        "f": np.float32(0.5),
        "text": "ä",
        "bytes": b"\xff",
        "l": [1, (2,)],
    }
    if protocol >= 5:
        value["data"] = value["data"].tolist()  # numpy's _frombuffer would make in-band buffers of protocol 5
    write_pickle(tmp_path / "f", value, protocol)
    back = read_pickle(tmp_path / "f")
    assert np.array_equal(back.pop("data"), value.pop("data"))
    assert back == value


def test_python_2_strings(tmp_path: Path) -> None:
    """The official files contain byte strings of Python 2, also as the contents of arrays."""
    raw = bytes(range(250, 256))
    content = (
        b"\x80\x02}q\x00(U\x04dataq\x01cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85"
        b"U\x01b\x87Rq\x04(K\x01K\x01K\x06\x86cnumpy\ndtype\nq\x05U\x02u1K\x00K\x01\x87Rq\x06(K\x03U\x01|NNN"
        b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x06" + raw + b"tbU\x06labelsq\x07]q\x08K\x01au."
    )
    (tmp_path / "f").write_bytes(content)
    back = read_pickle(tmp_path / "f")
    assert back["labels"] == [1]
    assert back["data"].dtype == np.uint8
    assert back["data"].tobytes() == raw


@pytest.mark.parametrize("keep", [0, 1, 50, 1000, 100_000])
def test_truncated(tmp_path: Path, keep: int) -> None:
    made = cifar10(tmp_path)
    path = tmp_path / "cifar-10-batches-py" / "data_batch_2"
    path.write_bytes(path.read_bytes()[:keep])
    fails(made.settings, "data_batch_2", "damaged")


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bytes_never_crash(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    good = bytearray(pickle.dumps({b"data": pixels(1, 2).reshape(1, -1), b"labels": [1]}, protocol=2))
    for i in rng.integers(0, len(good), 3):
        good[i] = rng.integers(0, 256)
    (tmp_path / "f").write_bytes(good)
    try:
        read_pickle(tmp_path / "f")
    except InputError as error:
        told = str(error)
    else:
        told = str(tmp_path / "f")  # the changed bit has no effect
    assert str(tmp_path / "f") in told


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ([1, 2], "dictionary"),
        ({b"labels": [0]}, "'data'"),
        ({b"data": np.zeros((1, 3072), np.uint8)}, "'labels'"),
        ({b"data": np.zeros((1, 3072), np.float32), b"labels": [0]}, "float32"),
        ({b"data": np.zeros((1, 3071), np.uint8), b"labels": [0]}, "3071"),
        ({b"data": np.zeros(3072, np.uint8), b"labels": [0]}, "3072"),
        ({b"data": "text", b"labels": [0]}, "str"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0]}, "2 whole-number labels"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [0.5]}, "labels"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": "0"}, "labels"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [10]}, "0..9"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [-1]}, "0..9"),
    ],
)
def test_batches_are_checked(tmp_path: Path, content: Any, word: str) -> None:
    made = cifar10(tmp_path)
    write_pickle(tmp_path / "cifar-10-batches-py" / "test_batch", content)
    fails(made.settings, "test_batch", word)


def test_imagenet16_labels_start_at_one(tmp_path: Path) -> None:
    made = imagenet16(tmp_path)
    write_pickle(tmp_path / "val_data", {"data": np.zeros((1, 768), np.uint8), "labels": [0]})
    fails(made.settings, "val_data", "1..1000")
    (tmp_path / "val_data").unlink()
    fails(made.settings, "val_data", "missing", "data.root")


def test_missing_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = cifar100(tmp_path)
    (tmp_path / "cifar-100-python" / "test").unlink()
    fails(made.settings, str(Path("cifar-100-python") / "test"), "data.root=", "data.name=imagefolder")
    fails(DataSettings("cifar10", str(tmp_path), download=False), "data_batch_1", "missing")
    monkeypatch.chdir(tmp_path)
    fails(DataSettings("cifar10", download=False), str(Path("data") / "cifar-10-batches-py" / "data_batch_1"))


@pytest.mark.parametrize("error", [OSError("no network"), RuntimeError("File not found or corrupted.")])
def test_a_failing_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("torchvision.datasets.utils.download_url", refuse)
    fails(DataSettings("cifar10", str(tmp_path)), "data_batch_1", str(error)[:10], "data.name=imagefolder")


def test_a_download_is_unpacked_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tarfile

    made = cifar100(tmp_path / "there")

    def fetch(url: str, root: str, filename: str, md5: str) -> None:
        print("Downloading", url)
        with tarfile.open(Path(root) / filename, "w:gz") as archive:
            archive.add(tmp_path / "there" / "cifar-100-python", "cifar-100-python")

    monkeypatch.setattr("torchvision.datasets.utils.download_url", fetch)
    data = load(DataSettings("cifar100", str(tmp_path / "new")))
    assert len(data.test) == len(made.test_labels)  # type: ignore[arg-type]
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == [
        "cifar-100-python",
        "cifar-100-python.tar.gz",
    ]


def test_an_unknown_checksum_warns(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "nas")
    load(cifar10(tmp_path).settings)
    assert sum("MD5" in record.message for record in caplog.records) == 6


# --- folders of images ------------------------------------------------------------------------------------


def test_classes_must_agree(tmp_path: Path) -> None:
    made = imagefolder(tmp_path)
    (tmp_path / "test" / "class_1").rename(tmp_path / "test" / "clas_1")
    fails(made.settings, "same classes", "'clas_1'", "'class_1'")


def test_folder_shapes(tmp_path: Path) -> None:
    settings = DataSettings("imagefolder", str(tmp_path))
    fails(settings, "at least two class folders")
    write_folder(tmp_path, pixels(5, 8), np.zeros(5, np.int64))
    fails(settings, "only 'class_0'")
    (tmp_path / "class_1").mkdir()
    fails(settings, "class_1", "got none")
    (tmp_path / "test" / "class_0").mkdir(parents=True)
    fails(settings, str(tmp_path / "train"))
    (tmp_path / "file").write_text("")
    fails(DataSettings("imagefolder", str(tmp_path / "file")), "is a file")


def test_images_of_different_sizes(tmp_path: Path) -> None:
    root = tmp_path / "images"
    write_folder(root, pixels(10, 8), spread(10, 2))
    write_folder(root / "class_0", pixels(1, 9), np.zeros(1, np.int64))
    (root / "class_0" / "class_0" / "0000.png").rename(root / "class_0" / "odd.png")
    fails(DataSettings("imagefolder", str(root)), "odd.png", "9 x 9", "set data.size.")
    assert load(DataSettings("imagefolder", str(root), size=8)).image_size == 8


def test_oblong_images(tmp_path: Path) -> None:
    write_folder(tmp_path, pixels(10, 8)[..., :6], spread(10, 2))
    fails(DataSettings("imagefolder", str(tmp_path)), "6 x 8", "set data.size.")


@pytest.mark.parametrize("kind", ["text", "cut", "deep", "empty"])
def test_broken_image(tmp_path: Path, kind: str) -> None:
    from PIL import Image

    made = imagefolder(tmp_path)
    path = tmp_path / "train" / "class_2" / "0050.png"
    if kind == "deep":
        Image.fromarray(np.full((12, 12), 40_000, np.uint16)).save(path)
    else:
        path.write_bytes({"text": b"hello", "cut": path.read_bytes()[:200], "empty": b""}[kind])
    fails(made.settings, "0050.png")


def test_an_unused_validation_folder_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = imagefolder(tmp_path)
    (tmp_path / "test").rename(tmp_path / "val")
    assert len(load(made.settings).test) == 12
    assert "val is not used" in caplog.text


# --- npz --------------------------------------------------------------------------------------------------

GOOD = {"images": np.zeros((20, 8, 8, 3), np.uint8), "labels": np.arange(20) % 2}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"images": None}, "'images'"),
        ({"labels": None}, "'labels'"),
        ({"test_images": GOOD["images"]}, "'test_labels'"),
        ({"test_labels": GOOD["labels"]}, "'test_images'"),
        ({"images": np.zeros((20, 8, 8, 3), np.float32)}, "float32"),
        ({"images": np.linspace(-2, 2.5, 3840, dtype=np.float32).reshape(20, 8, 8, 3)}, "from -2 to 2.5; store bytes"),
        ({"images": np.full((20, 8, 8, 3), 65535, np.uint16)}, "from 65535 to 65535"),
        ({"images": np.array([["a"] * 8] * 20)}, "<U1; store bytes"),
        ({"images": np.ones((20, 8, 8, 3), bool)}, "bool; store bytes"),
        ({"images": np.zeros((20, 3, 8, 8), np.uint8)}, "transpose"),
        ({"images": np.zeros((20, 64), np.uint8)}, "(20, 64)"),
        ({"images": np.zeros((20, 0, 0, 3), np.uint8)}, "(20, 0, 0, 3)"),
        ({"images": np.zeros((20, 8, 9, 3), np.uint8)}, "set data.size."),
        ({"labels": np.arange(19) % 2}, "(19,)"),
        ({"labels": np.arange(20) / 2}, "float64"),
        ({"labels": np.arange(20)[:, None] % 2}, "(20, 1); store labels.reshape(-1)"),
        ({"labels": np.eye(2, dtype=np.uint8)[np.arange(20) % 2]}, "labels.argmax(axis=1)"),
        ({"labels": np.eye(2, dtype=np.float32)[np.arange(20) % 2]}, "labels.argmax(axis=1)"),
        ({"labels": np.eye(2, dtype=bool)[np.arange(20) % 2]}, "labels.argmax(axis=1)"),
        ({"labels": np.arange(20) % 2 - 1}, "-1..0"),
        ({"labels": np.arange(20, dtype=np.uint64) + 2**63}, "count from 0"),
        ({"labels": np.arange(20) % 2 * 999}, "renumber"),
        ({"labels": np.zeros(20, int)}, "two classes"),
        ({"labels": np.array([0] * 18 + [1] * 2)}, "class 1"),
        ({"labels": np.arange(20) % 2 * 2}, "class 1"),
        ({"labels": np.array([object()] * 20)}, "plain arrays"),
        ({"test_images": np.zeros((2, 9, 9, 3), np.uint8), "test_labels": np.array([0, 1])}, "set data.size."),
        ({"test_images": np.zeros((2, 8, 8, 3), np.uint8), "test_labels": np.array([0, 2])}, "class 2"),
        ({"test_images": np.zeros((0, 8, 8, 3), np.uint8), "test_labels": np.zeros(0, int)}, "test_images"),
    ],
)
def test_npz_is_checked(tmp_path: Path, change: dict[str, Any], word: str) -> None:
    parts: dict[str, Any] = {k: v for k, v in (GOOD | change).items() if v is not None}
    np.savez(tmp_path / "x.npz", **parts)
    fails(DataSettings("npz", str(tmp_path / "x.npz")), word)


def test_an_npz_of_test_images_alone(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", test_images=np.zeros((4, 8, 8, 3), np.uint8), test_labels=np.arange(4))
    fails(
        DataSettings("npz", str(tmp_path / "x.npz")), "it holds test_images, test_labels; if there are", "data.test=all"
    )


def test_not_an_npz(tmp_path: Path) -> None:
    fails(DataSettings("npz", str(tmp_path)), "folder")
    path = tmp_path / "x.npz"
    for content in (b"", b"hello", b"PK\x03\x04nothing"):
        path.write_bytes(content)
        fails(DataSettings("npz", str(path)), "x.npz")
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    fails(DataSettings("npz", str(path)), "single array")
    np.savez(path, **GOOD)  # type: ignore[arg-type]
    path.write_bytes(path.read_bytes()[:900])
    fails(DataSettings("npz", str(path)), "x.npz")


# --- splits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("has_test", "least"), [(True, 2), (False, 3)])
def test_a_small_class_is_named(has_test: bool, least: int) -> None:
    labels = np.array([0] * 20 + [1] * (least - 1))
    with pytest.raises(InputError, match=f"at least {least} images of class 'cat'"):
        split(labels, 2, ("dog", "cat"), has_test)
    train, validation, test = split(np.append(labels, 1), 2, ("dog", "cat"), has_test)
    assert {*np.append(labels, 1)[train]} == {0, 1}
    assert sorted(np.concatenate([train, validation, test])) == list(range(20 + least))


def test_a_set_too_small_to_split() -> None:
    with pytest.raises(InputError, match="at least 5 images"):
        split(np.array([0, 0, 1, 1]), 2, (), True)


@pytest.mark.parametrize("seed", range(30))
def test_every_class_keeps_a_training_image(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(3, 12, 40)
    labels = rng.permutation(np.repeat(np.arange(40), sizes))
    for has_test in (True, False):
        train, validation, test = split(labels, 40, (), has_test)
        assert sorted(np.concatenate([train, validation, test])) == list(range(len(labels)))
        assert set(labels[train]) == set(range(40))
        assert len(test) == (0 if has_test else (len(labels) * 20 + 50) // 100)


def test_an_image_may_have_as_many_pixels_as_the_limit_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = imagefolder(tmp_path)
    height, width = load(made.settings, keep=False).train.images.shape[-2:]
    monkeypatch.setattr("nas.core.data.formats.image_decoding.MAX_PIXELS", height * width)
    load(made.settings, keep=False)
    monkeypatch.setattr("nas.core.data.formats.image_decoding.MAX_PIXELS", height * width - 1)
    with pytest.raises(InputError, match="make it smaller"):
        load(made.settings, keep=False)
