"""Archives are unpacked only inside their folder, and only files and folders."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from nas.core.errors import InputError
from nas.core.io.unpack import unpack


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, 0o4777
    return info


def archive(path: Path, *members: tarfile.TarInfo, content: bytes = b"abc") -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info in members:
            info.size = len(content) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(content))
    return path


def test_files_and_folders_are_written(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar.gz", member("top", tarfile.DIRTYPE), member("top/a"), member("other/deep/b"))
    unpack(path, tmp_path / "out", 100)
    found = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert found == ["other/deep/b", "top/a"]
    assert (tmp_path / "out/top/a").read_bytes() == b"abc"
    assert not (tmp_path / "out/top/a").stat().st_mode & 0o7111


@pytest.mark.parametrize(
    "info",
    [
        member("/tmp/absolute"),
        member("../outside"),
        member("a/../../outside"),
        member("a\\..\\b"),
        member("C:b"),
        member("link", tarfile.SYMTYPE, "/etc"),
        member("link", tarfile.SYMTYPE, "inside"),
        member("link", tarfile.LNKTYPE, "first"),
        member("pipe", tarfile.FIFOTYPE),
        member("device", tarfile.CHRTYPE),
        member("device", tarfile.BLKTYPE),
    ],
    ids=lambda info: f"{info.name} {info.type!r}",
)
def test_what_leads_elsewhere_is_refused(tmp_path: Path, info: tarfile.TarInfo) -> None:
    path = archive(tmp_path / "a.tar.gz", member("first"), info)
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="could write elsewhere"):
        unpack(path, tmp_path / "out", 100)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.tar.gz", "first", "out"]


def test_an_archive_that_grows_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar.gz", member("zeros"), content=bytes(2**20))
    assert path.stat().st_size < 5000
    with pytest.raises(InputError, match="1,000 bytes"):
        unpack(path, tmp_path / "out", 1000)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("keep", [0, 10, 60])
def test_a_damaged_archive_is_told(tmp_path: Path, keep: int) -> None:
    path = archive(tmp_path / "a.tar.gz", member("a"))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="damaged"):
        unpack(path, tmp_path / "out", 1000)
