"""Folders of images by class: the order of the classes, which folders are classes, and the report of skipped files."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Callable
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from data_files import npz, pixels
from PIL import Image

from nas.core.data import DataSettings, load
from nas.core.data.cache import key
from nas.core.data.formats.base import DATA_NOTES, Source
from nas.core.data.formats.class_order import ordered, other_order
from nas.core.data.formats.folder_listing import layout
from nas.core.errors import InputError
from nas.core.execution.worker_pool import mute_data_notes

NUMBERS = [str(number) for number in range(12)]
AS_TEXT = ["0", "1", "10", "11", "2", "3", "4", "5", "6", "7", "8", "9"]
COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "data"


def write(root: Path, names: list[str], count: int = 5) -> None:
    """`count` images of 4 x 4 in each class; every pixel of class k has the level 200 + k."""
    for label, name in enumerate(names):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.new("RGB", (4, 4), (200 + label,) * 3).save(root / name / f"{number}.png")


def of(root: Path, **more: object) -> DataSettings:
    return DataSettings("imagefolder", str(root), **more)  # type: ignore[arg-type]


def refused(settings: DataSettings, *words: str) -> None:
    with pytest.raises(InputError) as caught:
        load(settings)
    for word in words:
        assert word in str(caught.value)


# the order


@pytest.mark.parametrize(("order", "names"), [("numeric", NUMBERS), ("text", AS_TEXT)])
def test_the_order_of_whole_numbers(
    order: str, names: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "images", NUMBERS)
    data = load(of(tmp_path / "images", order=order))
    assert data.classes == tuple(names)
    for part in (data.train, data.validation, data.test):
        levels = part.images[:, 0, 0, 0].tolist()
        assert [names[label] for label in part.labels] == [NUMBERS[level - 200] for level in levels]
    assert caplog.text.count("whole numbers") == 1
    assert f"class 2 is {names[2]!r}. With data.order={'text' if order == 'numeric' else 'numeric'}" in caplog.text
    assert f"class 2 would be {'10' if order == 'numeric' else '2'!r}" in caplog.text


@pytest.mark.parametrize(
    ("names", "numeric"),
    [
        (["10", "9", "x"], ["10", "9", "x"]),
        (["010", "9", "0"], ["0", "9", "010"]),
        (["-1", "-2", "10", "1"], ["-2", "-1", "1", "10"]),
        (["2", "02", "1"], ["1", "02", "2"]),
        (["1.5", "10", "2"], ["1.5", "10", "2"]),
        (["class_10", "class_9"], ["class_10", "class_9"]),
        ([f"n{number:08}" for number in (3, 20)], ["n00000003", "n00000020"]),
    ],
)
def test_which_names_are_counted(names: list[str], numeric: list[str]) -> None:
    assert ordered(names, "numeric") == numeric
    assert ordered(names, "text") == sorted(names)
    other = other_order(numeric)
    assert (other is None) == (numeric == sorted(names))
    if other is not None:
        assert other == ("text", [sorted(names).index(name) for name in numeric])
        assert other_order(sorted(names)) == ("numeric", [numeric.index(name) for name in sorted(names)])


def test_both_orders_are_kept_apart_and_what_was_kept_before_stays_valid(tmp_path: Path, cache: Path) -> None:
    write(tmp_path / "images", NUMBERS)
    write(tmp_path / "words", ["a", "b", "c"])
    for order in ("numeric", "text", "numeric", "text"):
        assert load(of(tmp_path / "images", order=order)).classes == tuple(NUMBERS if order == "numeric" else AS_TEXT)
        load(of(tmp_path / "words", order=order))
    names = [path.name for path in cache.iterdir()]
    assert len(names) == 3, "of words both orders are the same"
    for folder in ("images", "words"):
        parts = layout(tmp_path / folder, "text", False).parts
        files = [source for part in parts for listed in part.values() for source in listed]
        digest = sha256(repr((3, "imagefolder", None, "1/10")).encode())  # the key of versions before 0.3.0
        for source in files:
            digest.update(f"\n{source.state!r}".encode())
        assert f"imagefolder-v3-{digest.hexdigest()[:32]}.images" in names
    source = Source("a", 1, 2)
    keys = {key("a", 8, Fraction(1, 10), [source], more) for more in ((), ("numeric",), ("all",), ("crop", "x", 0.5))}
    assert len(keys) == 4


# which folders are classes


def test_both_forms_of_an_accent_are_one_class(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "train", ["a", COMPOSED, "z"])
    write(tmp_path / "test", ["a", DECOMPOSED, "z"])
    if not (tmp_path / "test" / DECOMPOSED).is_dir() or (tmp_path / "test" / COMPOSED).is_dir():
        pytest.skip("this file system writes accents in one way")
    data = load(of(tmp_path))
    assert data.classes == ("a", COMPOSED, "z")
    assert set(zip(data.test.labels.tolist(), data.test.images[:, 0, 0, 0].tolist())) == {(0, 200), (1, 201), (2, 202)}
    write(tmp_path / "one" / "b", [COMPOSED, DECOMPOSED, "d"])
    (found,) = layout(tmp_path / "one" / "b", "numeric", False).parts
    assert {name: len(files) for name, files in found.items()} == {COMPOSED: 10, "d": 5}
    assert not caplog.text


def test_composed_names_are_sorted_the_same_on_every_system(tmp_path: Path) -> None:
    for folder, name in (("composed", COMPOSED), ("decomposed", DECOMPOSED)):
        write(tmp_path / folder, [name, "cafz"])  # in text order, one comes before `name` and one after it
        assert layout(tmp_path / folder, "numeric", False).classes == ("cafz", COMPOSED)
    assert layout(tmp_path / "decomposed", "text", False).classes == (COMPOSED, "cafz"), "as it was before"


def test_what_archivers_and_systems_add_is_no_class_and_no_image(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "images"
    write(root / "train", ["a", "b"])
    write(root, ["__MACOSX", ".thumbnails"])
    write(root / "train", ["__MACOSX", ".git"])
    (root / "train" / "a" / "._0.png").write_bytes(b"not an image")
    (root / "train" / "a" / ".DS_Store").write_bytes(b"x")
    data = load(of(root))
    assert (data.classes, sum(map(len, (data.train, data.validation, data.test)))) == (("a", "b"), 10)
    assert not caplog.text


def test_a_class_may_be_called_train(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tmp_path / "images"
    write(root, ["bus", "car", "train"])
    data = load(of(root))
    assert data.classes == ("bus", "car", "train")
    assert "train holds images and lies beside class folders" in caplog.text
    (root / "train" / "old").mkdir()
    assert load(of(root)).num_classes == 3
    write(root, ["test"])
    assert load(of(root)).classes == ("bus", "car", "test", "train")


def test_a_class_called_train_may_hold_a_folder_of_images(tmp_path: Path) -> None:
    write(tmp_path, ["bus", "train"])
    write(tmp_path / "train", ["old"])
    assert layout(tmp_path, "numeric", only_tests=False).classes == ("bus", "train")


def test_a_class_of_a_part_may_be_called_train(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tmp_path / "images"
    for part in ("train", "test"):
        write(root / part, ["test", "train"])
    assert load(of(root)).classes == ("test", "train")
    assert not caplog.text


def test_parts_stay_parts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Also with a stray image in them, or another folder of images beside them, which is reported."""
    root = tmp_path / "images"
    write(root / "train", ["a", "b"])
    Image.new("RGB", (4, 4)).save(root / "train" / "stray.png")
    write(root, ["more"])
    write(root / "val", ["a", "b"])
    assert load(of(root)).classes == ("a", "b")
    for words in ("more is not used.", "val is not used; name it `test`", "1 beside class folders"):
        assert words in caplog.text
    write(root / "test", ["a", "b"])
    load(of(root))
    assert "val is not used." in caplog.text
    write(root / "flat", ["train", "test"])
    refused(of(root / "flat"), "at least two class folders")


# skipped files


def test_files_that_are_passed_over_are_counted_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tmp_path / "images"
    write(root / "train", ["a", "b"])
    write(root / "train" / "a", ["deep", "deeper/still"])
    for name in ("1.tif", "2.TIF", "notes.txt", "README"):
        (root / "train" / "b" / name).write_text("x")
    Image.new("RGB", (4, 4)).save(root / "train" / "c.png")
    for _ in range(2):  # the second time from the cache
        caplog.clear()
        data = load(of(root))
        assert sum(map(len, (data.train, data.validation, data.test))) == 10
        (record,) = caplog.records
        for words in (
            f"15 files in {root} are skipped",
            "10 in 2 folders inside class folders",
            "4 with other suffixes (.tif 2, .txt 1, none 1)",
            "1 beside class folders",
        ):
            assert words in record.getMessage()


def test_a_class_whose_images_lie_deeper_says_where(tmp_path: Path) -> None:
    write(tmp_path, ["a", "b/images"])
    refused(of(tmp_path), str(tmp_path / "b"), "files in inner folders (5) are not read")


def test_unused_arrays_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = npz(tmp_path)
    load(made.settings)
    assert not caplog.text
    with np.load(str(made.settings.root)) as file:
        arrays = dict(file)
    np.savez(str(made.settings.root), **arrays, val_images=arrays["images"], val_labels=arrays["labels"])
    for _ in range(2):
        caplog.clear()
        load(made.settings)
        (record,) = caplog.records
        assert "not used: 'val_images', 'val_labels'" in record.getMessage()


def test_a_helping_process_says_nothing_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tmp_path / "images"
    write(root, NUMBERS)
    log = logging.getLogger(DATA_NOTES)
    before = log.level
    try:
        mute_data_notes()
        load(of(root))
    finally:
        log.setLevel(before)
    assert not caplog.text


# test images only


@pytest.mark.parametrize("inner", ["", "test"])
def test_a_folder_of_test_images(inner: str, tmp_path: Path) -> None:
    root = tmp_path / "val"
    write(root / inner, ["a", "b", "train"], count=1)
    for keep in (False, True, True):
        data = load(of(root, test="all"), keep)
        assert (len(data.train), len(data.validation), len(data.test)) == (0, 0, 3)
        assert data.test.labels.tolist() == [0, 1, 2]
        assert data.image_size == 4
        assert data.mean[0] == pytest.approx(201 / 255)
        assert data.example is data.test
    assert len(data.train.images) == 0


def test_test_images_of_a_file(tmp_path: Path) -> None:
    images = pixels(4, 6)
    np.savez(tmp_path / "a.npz", images=images.transpose(0, 2, 3, 1), labels=np.array([0, 1, 2, 1]))
    settings = DataSettings("npz", str(tmp_path / "a.npz"), test="all")
    data = load(settings)
    assert np.array_equal(data.test.images.numpy(), images)
    assert data.test.labels.tolist() == [0, 1, 2, 1]
    with pytest.raises(InputError, match="at least 3 images"):
        load(DataSettings("npz", str(tmp_path / "a.npz")))


def _with_parts(root: Path) -> DataSettings:
    write(root / "train", ["a", "b"])
    write(root / "test", ["a", "b"])
    return of(root)


def _with_test_arrays(root: Path) -> DataSettings:
    arrays = {"images": np.full((10, 4, 4, 3), 255, np.uint8), "labels": np.arange(10) % 2}
    np.savez(root / "a.npz", **arrays, **{f"test_{name}": value for name, value in arrays.items()})
    return DataSettings("npz", str(root / "a.npz"))


@pytest.mark.parametrize("made", [_with_parts, _with_test_arrays])
def test_training_images_never_become_test_images(made: Callable[[Path], DataSettings], tmp_path: Path) -> None:
    settings = made(tmp_path)
    load(settings)
    settings.test = "all"
    refused(settings, "data.test")


def test_a_test_folder_alone_says_what_to_do(tmp_path: Path) -> None:
    write(tmp_path / "test", ["a", "b"])
    refused(of(tmp_path), "data.test=all", str(tmp_path / "train"))


@pytest.mark.parametrize(
    ("key", "value"), [("order", "number"), ("resize", "cut"), ("interpolation", "cubic"), ("test", "al")]
)
def test_choices_are_checked(key: str, value: str) -> None:
    refused(DataSettings(**{key: value}), f"data.{key}", "did you mean" if key != "resize" else "squash or crop")  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [0, 0.05, 1.01, float("nan"), True])
def test_the_share_is_checked(share: float) -> None:
    refused(DataSettings(crop_share=share), "data.crop_share")
