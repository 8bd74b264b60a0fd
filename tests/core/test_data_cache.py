"""The cache spares the second reading, notices changed files and damage, and never stops a run."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import torch
from data_files import BUILDERS, Made, imagefolder

from nas.core.data import LOADERS, load
from nas.core.data.loader import Loader

CACHED = [n for n in LOADERS.names() if LOADERS.get(n).cached]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class ReadAgain(Exception):
    """Raised where the originals are read though the cache should have served."""


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
    monkeypatch.setattr("nas.core.data.imagefolder._decode", lambda path, size: 1 / 0)
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
    path.unlink()  # what the first start has mapped stays
    path.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "text": b"hello"}.get(damage, content))
    caplog.set_level(logging.WARNING, "nas")
    assert torch.equal(load(made.settings).train.images, first)
    assert caplog.text.count("damaged") == 1
    if damage == "flip":
        assert "image 5 has changed" in caplog.text
    forbid_reading(monkeypatch, "imagefolder")
    load(made.settings)  # it was written anew


@pytest.mark.parametrize("error", [28, 30, 5])
def test_a_cache_that_cannot_be_written_only_warns(
    made: Made, cache: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """28 disk full, 30 read-only, 5 input/output error."""

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


def test_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from nas.core.data.cache import folder

    assert folder() == tmp_path / "cache"
    monkeypatch.delenv("NAS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert folder() == tmp_path / "xdg" / "nas"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert folder() == tmp_path / ".cache" / "nas"
