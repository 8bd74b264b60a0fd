"""Checkpoints are whole or refused, never run code, and a full disk is reported."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from forked import Fork, Say

from nas.core.errors import InputError
from nas.core.io import checkpoint

PAYLOAD: dict[str, Any] = {
    "kind": "network",
    "weights": {"a": torch.arange(5000.0).view(50, 100), "b": torch.tensor([1, 2])},
    "history": [{"loss": 0.5, "best": float("-inf")}],
    "name": "ü",
    "none": None,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "deep/a.pt"
    checkpoint.save(path, PAYLOAD)
    return path


def refused(path: Path, kind: str = "network") -> str:
    with pytest.raises(InputError) as caught:
        checkpoint.load(path, kind)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    return text


def test_everything_comes_back(path: Path) -> None:
    loaded = checkpoint.load(path, "network")
    assert loaded.keys() == PAYLOAD.keys()
    for name, tensor in PAYLOAD["weights"].items():
        assert torch.equal(loaded["weights"][name], tensor)
        assert loaded["weights"][name].dtype == tensor.dtype
    assert loaded["history"] == PAYLOAD["history"]
    assert loaded["name"] == "ü"


def test_memory_format_and_shared_memory_survive(tmp_path: Path) -> None:
    tensor = torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last)
    checkpoint.save(tmp_path / "a.pt", {"kind": "x", "t": tensor})
    loaded = checkpoint.load(tmp_path / "a.pt", "x")["t"]
    assert torch.equal(loaded, tensor)
    assert loaded.stride() == tensor.stride()


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "a.pt")
    assert "no such file" in refused(tmp_path)


def test_another_kind_is_told(path: Path, tmp_path: Path) -> None:
    assert "'training'" in refused(path, "training")
    torch.save([1, 2], tmp_path / "list.pt")
    assert "something else" in refused(tmp_path / "list.pt")
    torch.save({"weights": {}}, tmp_path / "plain.pt")
    assert "something else" in refused(tmp_path / "plain.pt")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_told(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "damaged" in refused(path)


def test_a_flipped_bit_in_any_part_is_told(path: Path) -> None:
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        parts = [(info.filename, info.header_offset, info.file_size) for info in archive.infolist()]
    flipped = 0
    for name, offset, size in parts:
        if size == 0:
            continue
        extra = int.from_bytes(content[offset + 28 : offset + 30], "little")
        start = offset + 30 + int.from_bytes(content[offset + 26 : offset + 28], "little") + extra
        damaged = bytearray(content)
        damaged[start + size // 2] ^= 0x10
        path.write_bytes(damaged)
        assert "damaged" in refused(path), name
        flipped += 1
    assert flipped >= 3  # including the pickle and both tensors
    path.write_bytes(content)
    checkpoint.load(path, "network")


@pytest.mark.parametrize("content", [b"", b"PK", b"not a checkpoint" * 100, b"PK\x03\x04" + b"\0" * 100])
def test_something_else_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    assert "damaged" in refused(tmp_path / "a.pt")


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("old_format", [False, True])
def test_code_in_a_checkpoint_is_never_run(tmp_path: Path, old_format: bool) -> None:
    path, ran = tmp_path / "a.pt", tmp_path / "ran"
    torch.save({"kind": "network", "x": Evil(ran)}, path, _use_new_zipfile_serialization=not old_format)
    refused(path)
    assert not ran.exists()
    torch.load(path, weights_only=False)  # this would have run the code
    assert ran.exists()


def test_a_bare_pickle_is_never_run(tmp_path: Path) -> None:
    path, ran = tmp_path / "a.pt", tmp_path / "ran"
    path.write_bytes(pickle.dumps({"kind": "network", "x": Evil(ran)}))
    refused(path)
    assert not ran.exists()


def save_forever(say: Say, path: Path, save: Callable[[Path, dict[str, Any]], None]) -> None:
    say("ready")
    n = 0
    while True:
        save(path, {"kind": "training", "n": n, "w": torch.full((200_000,), float(n))})
        n += 1


def kill_while_saving(path: Path, save: Callable[[Path, dict[str, Any]], None], seconds: float) -> None:
    with Fork(save_forever, path, save) as writer:
        assert writer.lines.readline() == "ready\n"
        time.sleep(seconds)
        writer.kill()
        assert writer.wait() == -signal.SIGKILL


def test_a_killed_writer_leaves_a_whole_checkpoint(path: Path) -> None:
    checkpoint.save(path, {"kind": "training", "n": -1, "w": torch.full((1,), -1.0)})
    seen = []
    for seconds in (0.07, 0.2):
        kill_while_saving(path, checkpoint.save, seconds)
        loaded = checkpoint.load(path, "training")
        assert (loaded["w"] == loaded["n"]).all()
        seen.append(loaded["n"])
    assert max(seen) >= 0


def save_where_files_are_small(say: Say, path: Path) -> None:
    for room in (0, 300, 5_000, 20_000, 399_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        try:
            checkpoint.save(path, {"kind": "network", "w": torch.zeros(100_000)})
        except InputError as error:
            say(error)


def test_a_disk_that_fills_up_while_writing_is_told(path: Path) -> None:
    with Fork(save_where_files_are_small, path) as writer:
        said = writer.lines.read()
        assert writer.wait() == 0
    assert said.count("the disk is full") == 5, said
    assert checkpoint.load(path, "network")["name"] == "ü"  # the old one
    assert os.listdir(path.parent) == ["a.pt"]


# the previous checkpoint


def number(n: int) -> dict[str, Any]:
    return {"kind": "training", "n": n, "w": torch.full((500,), float(n))}


def kept(path: Path) -> list[int]:
    return [payload["n"] for payload in checkpoint.load_newest_valid(path, "training")]


@pytest.mark.parametrize("links", [True, False])
def test_the_newest_and_the_one_before_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError("no links here")))
    path = tmp_path / "last.pt"
    assert kept(path) == []
    for n in range(4):
        checkpoint.save_rotating(path, number(n))
        assert kept(path) == [n, n - 1][: n + 1]
    assert sorted(os.listdir(tmp_path)) == ["last.previous.pt", "last.pt"]


def test_a_damaged_one_is_named_and_put_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "last.pt"
    for n in range(2):
        checkpoint.save_rotating(path, number(n))
    path.write_bytes(path.read_bytes()[:-200])
    assert kept(path) == [0]
    (warning,) = caplog.records
    assert str(path) in warning.getMessage()
    assert "continues from last.previous.pt" in warning.getMessage()
    assert sorted(os.listdir(tmp_path)) == ["last.damaged-1.pt", "last.previous.pt"]
    checkpoint.save_rotating(path, number(2))
    assert kept(path) == [2, 0]  # a damaged file never becomes the previous one
    path.write_bytes(b"")
    (tmp_path / "last.previous.pt").write_bytes(b"PK")
    assert kept(path) == []
    assert "continues from the start" in caplog.records[-1].getMessage()


def test_another_kind_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    checkpoint.save_rotating(path, PAYLOAD)
    with pytest.raises(InputError, match="something else"):
        kept(path)


def test_a_flipped_bit_anywhere_is_told_or_changes_nothing(path: Path) -> None:
    import random

    content, rng = path.read_bytes(), random.Random(0)
    told = 0
    for _ in range(300):
        broken = bytearray(content)
        broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
        path.write_bytes(broken)
        try:
            loaded = checkpoint.load(path, "network")
        except InputError:
            told += 1
            continue
        assert loaded["name"] == PAYLOAD["name"]
        assert loaded["history"] == PAYLOAD["history"]
        assert all(torch.equal(loaded["weights"][name], tensor) for name, tensor in PAYLOAD["weights"].items())
    assert told > 250  # the others hit the padding between the parts, or bytes that no reader uses


def test_a_kill_at_any_moment_of_keeping_leaves_a_good_one(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    for seconds in (0.03, 0.12):
        kill_while_saving(path, checkpoint.save_rotating, seconds)
        assert all((payload["w"] == payload["n"]).all() for payload in checkpoint.load_newest_valid(path, "training"))
        assert path.is_file() or not (tmp_path / "last.previous.pt").exists()
