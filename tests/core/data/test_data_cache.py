"""The cache replaces a second reading, notices changed files and damage, and never stops a run."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from data_files import BUILDERS, Made, imagefolder

from nas.core.data import LOADERS, load
from nas.core.data.cache import key
from nas.core.data.checksum import checksums
from nas.core.data.formats import base
from nas.core.data.formats.base import Loader, Source
from nas.core.errors import InputError

CACHED = [n for n in LOADERS.names() if LOADERS.get(n).cached]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class ReadAgain(Exception):
    """Raised if the originals are read although the cache has the images."""


def forbid_reading(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def refuse(self: Loader) -> None:
        raise ReadAgain

    monkeypatch.setattr(LOADERS.get(name), "read", refuse)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return imagefolder(tmp_path / "images")


@pytest.mark.parametrize("name", CACHED)
def test_second_start_reads_no_original(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = BUILDERS[name](tmp_path / "files").settings
    first = load(settings)
    forbid_reading(monkeypatch, name)
    second = load(settings)
    assert torch.equal(first.train.images, second.train.images)
    assert torch.equal(first.test.labels, second.test.labels)
    assert (first.mean, first.std) == (second.mean, second.std)
    settings.size = 24
    with pytest.raises(ReadAgain):  # another size is another entry
        load(settings)


def test_no_file_is_opened_on_a_hit(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    load(made.settings)
    monkeypatch.setattr("PIL.Image.open", lambda file, formats: 1 / 0)
    load(made.settings)


@pytest.mark.parametrize("change", ["time", "content", "name", "more", "fewer"])
def test_a_changed_file_is_read_again(made: Made, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    load(made.settings)
    path = sorted(Path(made.settings.root or "").rglob("*.png"))[0]
    status = path.stat()
    if change == "time":
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1000))
    elif change == "content":
        path.write_bytes(path.read_bytes() + b"\0")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif change == "name":
        path.rename(path.with_name("zzz.png"))
    elif change == "more":
        path.with_name("zzz.png").write_bytes(path.read_bytes())
    else:
        path.unlink()
    forbid_reading(monkeypatch, "imagefolder")
    with pytest.raises(ReadAgain):
        load(made.settings)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "label", "sum", "description", "text"])
def test_damage_is_noticed_and_mended(
    made: Made, cache: Path, damage: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(made.settings).train.images.clone()
    (path,) = (cache / "data").iterdir()
    content = bytearray(path.read_bytes())
    pixels = 69 * 3 * 12 * 12
    places = {"flip": 432 * 5, "label": pixels, "sum": pixels + 69 * 8, "description": len(content) - 40}
    if damage in places:
        content[places[damage]] ^= 1
    path.unlink()  # images that are mapped already stay readable
    path.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "text": b"hello"}.get(damage, content))
    caplog.set_level(logging.WARNING, "nas")
    assert torch.equal(load(made.settings).train.images, first)
    assert caplog.text.count("damaged") == 1
    if damage == "flip":
        assert "image 5 has changed" in caplog.text
    forbid_reading(monkeypatch, "imagefolder")
    load(made.settings)  # the file was written again


@pytest.mark.parametrize("error", [28, 30, 5])
def test_a_cache_that_cannot_be_written_only_warns(
    made: Made, cache: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """The error numbers: 28 disk full, 30 read-only, 5 input/output error."""

    def refuse(number: int) -> None:
        raise OSError(error, os.strerror(error))

    first = load(made.settings)
    (path,) = (cache / "data").iterdir()
    path.unlink()
    monkeypatch.setattr(os, "fsync", refuse)
    again = load(made.settings)
    assert torch.equal(again.train.images, first.train.images)
    assert (again.mean, again.std) == (first.mean, first.std)
    assert os.strerror(error) in caplog.text
    assert "NAS_CACHE" in caplog.text
    assert not list((cache / "data").iterdir())


def test_a_file_where_the_cache_should_be_only_warns(made: Made, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache.write_text("in the way")
    assert len(load(made.settings).test) == 9
    assert "NAS_CACHE" in caplog.text


def test_where_no_home_folder_is_known_a_run_only_warns(
    made: Made, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("NAS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", unknown)
    assert len(load(made.settings).test) == 9
    assert "no home folder is known" in caplog.text
    assert "NAS_CACHE" in caplog.text


def test_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from nas.core.data.cache import folder

    assert folder() == tmp_path / "cache"
    monkeypatch.delenv("NAS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert folder() == tmp_path / "xdg" / "nas"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert folder() == tmp_path / ".cache" / "nas"


def test_where_the_number_of_cores_is_not_known_files_are_hashed_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = BUILDERS["cifar10"](tmp_path / "files")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    sources = LOADERS.get("cifar10")(made.settings).sources()
    assert [Path(source.path).name for source in sources] == [
        *(f"data_batch_{number}" for number in range(1, 6)),
        "test_batch",
    ]


# the key


def test_another_split_is_another_file(made: Made, cache: Path) -> None:
    """A cache file contains a split, so the file of another share must not be used."""
    counts = {}
    for validation in (0.1, 0, 0.5, 6, 20, 0, 0.1, 6.0):
        data = load(replace(made.settings, validation=validation))
        counts[validation] = len(data.validation)
        assert len(data.train) == 60 - len(data.validation)
    assert counts == {0.1: 6, 0: 0, 0.5: 30, 6: 6, 20: 20}
    assert len(list((cache / "data").iterdir())) == 5, "equal settings share a file"


def with_another_pixel(name: str, path: Path) -> bytes:
    """The content of a data file with one pixel changed."""
    if name == "npz":
        with np.load(path) as file:
            arrays = dict(file)
        arrays["images"][0, 0, 0, 0] ^= 1
        written = io.BytesIO()
        np.savez(written, **arrays)
        return written.getvalue()
    if name == "imagefolder":
        from PIL import Image

        with Image.open(path) as image:
            pixels = np.array(image)
        pixels[0, 0] ^= 1
        written = io.BytesIO()
        Image.fromarray(pixels).save(written, "bmp")
        return written.getvalue()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    return bytes(content)


@pytest.mark.parametrize("large", [False, True], ids=["hashed", "too large to hash"])
@pytest.mark.parametrize("name", CACHED)
def test_a_corrected_file_of_the_same_path_size_and_time_gives_its_own_images(
    name: str, large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        monkeypatch.setattr(base, "MAX_HASHED_BYTES", 10)
    settings = BUILDERS[name](tmp_path / "files").settings
    before = checksums(load(settings))
    sources = LOADERS.get(name)(settings).sources()
    assert all(bool(source.sha256) == (name != "imagefolder" and not large) for source in sources)
    path = Path(sources[-1 if name == "imagefolder" else 0].path)  # a bmp, whose size stays the same
    status = path.stat()
    time.sleep(0.02)  # the clock of the file system ticks
    path.write_bytes(with_another_pixel(name, path))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    after = checksums(load(settings))
    assert after != before
    assert after == checksums(load(settings, keep=False))


@pytest.mark.parametrize("name", ["npz", "cifar10"])
def test_the_same_content_elsewhere_is_not_read_again(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = BUILDERS[name](tmp_path / "files").settings
    load(settings)
    (tmp_path / "files").rename(tmp_path / "moved")
    forbid_reading(monkeypatch, name)
    load(replace(settings, root=str(settings.root).replace("files", "moved")))


def test_a_source_is_told_by_its_content_or_by_size_and_both_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    source = Source.of(path)
    assert source.sha256 == hashlib.sha256(b"abc").hexdigest()
    monkeypatch.setattr(base, "MAX_HASHED_BYTES", 3)
    assert Source.of(path).sha256
    monkeypatch.setattr(base, "MAX_HASHED_BYTES", 2)
    large = Source.of(path)
    assert (large.sha256, large) == ("", Source.listed(str(path), path.stat()))
    keys = {key("npz", None, Fraction(1, 10), [source]), key("npz", None, Fraction(1, 10), [large])}
    for field in ("path", "size", "modified", "changed"):
        different = large._replace(**{field: "b" if field == "path" else 1})
        keys.add(key("npz", None, Fraction(1, 10), [different]))
    assert len(keys) == 6
    with pytest.raises(InputError, match="Expected to read"):
        Source.of(tmp_path / "nowhere")


# files of earlier versions


def test_files_of_an_old_format_are_named_once_and_left_alone(
    made: Made, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = cache / "data"
    folder.mkdir(parents=True)
    old = [folder / f"{name}-{number * 32}.images" for name, number in (("cifar10", "a"), ("imagefolder", "1"))]
    old.append(folder / f"npz-v2-{'b' * 32}.images")
    for path in old:
        path.write_bytes(b"kept by version 0.1")
    for _ in range(3):
        load(made.settings)
    assert caplog.text.count("may delete") == 1
    assert all(caplog.text.count(path.name) == 1 for path in old)
    assert all(path.read_bytes() == b"kept by version 0.1" for path in old)
    (new,) = set(folder.iterdir()) - set(old)
    assert new.name not in caplog.text


def test_no_word_where_nothing_is_old(made: Made, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    (cache / "data").mkdir(parents=True)
    (cache / "data" / f".npz-v2-{'b' * 32}.images.unfinished").touch()  # another process is writing it
    load(made.settings)
    load(replace(made.settings, validation=0))
    assert "delete" not in caplog.text
