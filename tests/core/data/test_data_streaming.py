"""Images larger than memory stay on disk: the same tensors, little memory, damage is reported, one process decodes."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from data_files import BUILDERS, Made, imagefolder, pixels, spread, write_folder
from forked import Fork, Say

from nas.core.data import LOADERS, Dataset, DataSettings, attacked, load
from nas.core.data import image_store as files
from nas.core.data.formats.imagefolder import Decoded
from nas.core.errors import InputError
from nas.core.execution import available_memory
from nas.strategies.supernet.halves import halves
from nas.train.batches import Batches

CACHED = [name for name in LOADERS.names() if LOADERS.get(name).cached]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(available_memory, "available", lambda: 1000)


def all_equal(one: Dataset, other: Dataset) -> bool:
    return (one.mean, one.std, one.num_classes) == (other.mean, other.std, other.num_classes) and all(
        torch.equal(a.images, b.images) and torch.equal(a.labels, b.labels)
        for a, b in zip((one.train, one.validation, one.test), (other.train, other.validation, other.test))
    )


@pytest.mark.parametrize("name", CACHED)
def test_mapped_or_in_memory_they_are_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = BUILDERS[name](tmp_path / "files").settings
    plain = load(settings, keep=False)
    first = load(settings)
    assert all_equal(first, plain)
    assert not first.train.on_disk
    monkeypatch.setattr(available_memory, "available", lambda: 1000)
    later = load(settings)
    assert later.train.on_disk
    assert all_equal(later, plain)
    index = torch.tensor([7, 0, 7, 3])
    assert torch.equal(later.train.select(index).images, plain.train.images[index])
    assert torch.equal(later.validation.select(index[1:2]).labels, plain.validation.labels[:1])
    assert torch.equal(attacked(later, 5).images, attacked(plain, 5).images)
    assert not attacked(later, 5).on_disk


def test_chunks_make_no_difference(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = imagefolder(tmp_path / "images")
    contents = []
    for chunk in (1, 432 * 7, 2**24):
        monkeypatch.setattr(files, "CHUNK", chunk)
        load(made.settings)
        (path,) = (cache / "data").iterdir()
        contents.append(path.read_bytes())
        path.unlink()
    assert contents[0] == contents[1] == contents[2]


def test_writing_into_a_tensor_changes_no_file(tmp_path: Path) -> None:
    made = imagefolder(tmp_path / "images")
    data = load(made.settings)
    before = data.train.images.clone()
    data.train.images.zero_()
    assert torch.equal(load(made.settings).train.images, before)


def test_where_the_system_gives_no_copies_the_pages_are_only_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    made = imagefolder(tmp_path / "images")
    plain, true_map = load(made.settings, keep=False), files.mmap.mmap

    def refuse(file: int, length: int, access: int) -> object:
        if access == files.mmap.ACCESS_COPY:
            raise OSError(12, "Cannot allocate memory")
        return true_map(file, length, access=access)

    monkeypatch.setattr(files.mmap, "mmap", refuse)
    assert all_equal(load(made.settings), plain)
    assert not recwarn.list


@pytest.mark.usefixtures("little_memory")
def test_a_damaged_image_is_told_when_it_is_used(tmp_path: Path, cache: Path) -> None:
    made = imagefolder(tmp_path / "images")
    order = load(made.settings).train.labels.clone()
    (path,) = (cache / "data").iterdir()
    with path.open("r+b") as file:
        file.seek(432 * 11 + 3)
        byte = file.read(1)[0]
        file.seek(432 * 11 + 3)
        file.write(bytes([byte ^ 1]))
    train = load(made.settings).train  # starts without reading the file
    others = torch.tensor([i for i in range(len(order)) if i != 11])
    assert torch.equal(train.select(others).labels, order[others])
    for _ in range(2):
        with pytest.raises(InputError, match="image 11") as caught:
            train.select(torch.tensor([3, 11]))
        assert str(path) in str(caught.value)
    with pytest.raises(InputError, match="image 11"):
        train.on(torch.device("meta"))


@pytest.mark.usefixtures("little_memory")
def test_larger_than_memory_and_disk_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = imagefolder(tmp_path / "images")
    monkeypatch.setattr("nas.core.data.cache.shutil.disk_usage", lambda path: type("Usage", (), {"free": 29_000}))
    with pytest.raises(InputError, match="NAS_CACHE") as caught:
        load(made.settings)
    message = str(caught.value)
    assert "\n" not in message
    for word in ("29808 bytes", "29000 bytes free", "data.size"):
        assert word in message
    with pytest.raises(InputError, match="dry run"):
        load(made.settings, keep=False)


def test_a_disk_too_small_is_a_warning_where_memory_is_enough(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = imagefolder(tmp_path / "images")
    monkeypatch.setattr("nas.core.data.cache.shutil.disk_usage", lambda path: type("Usage", (), {"free": 29_000}))
    assert len(load(made.settings).test) == 9
    assert "29000 bytes free" in caplog.text
    assert not list((cache / "data").iterdir())


@pytest.mark.usefixtures("little_memory")
def test_a_supernet_says_that_it_needs_memory(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data\.size"):
        halves(load(imagefolder(tmp_path / "images").settings).train, 3)


class Killed(BaseException):
    """Raised to end the writing of a file in the middle, like a signal."""


def test_an_interrupted_writing_goes_on(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = imagefolder(tmp_path / "images")
    whole = load(made.settings, keep=False)
    monkeypatch.setattr(files, "CHUNK", 432 * 10)
    true_decode, decoded = Decoded._decoded, []

    def counted(self: Decoded, path: str) -> np.ndarray:
        decoded.append(path)
        if len(decoded) == 45:
            raise Killed
        return true_decode(self, path)

    monkeypatch.setattr(Decoded, "_decoded", counted)
    with pytest.raises(Killed):
        load(made.settings)
    images, sums = sorted((cache / "data").iterdir(), key=lambda path: path.suffix, reverse=True)
    assert (images.suffix, sums.suffix) == (".unfinished", ".sums")
    done = images.stat().st_size // 432
    assert done == sums.stat().st_size // 4 == 40
    content = bytearray(images.read_bytes())
    content[432 * 25] ^= 1  # the third chunk did not reach the disk
    images.write_bytes(content + b"half an image")
    assert all_equal(load(made.settings), whole)
    assert len(decoded) - 45 - (69 - 20) in (0, 4)  # the next chunk, of 4, may have been begun
    assert len(list((cache / "data").iterdir())) == 1
    monkeypatch.setattr(LOADERS.get("imagefolder"), "read", lambda self: 1 / 0)
    assert all_equal(load(made.settings), whole)


def test_a_broken_image_leaves_nothing_behind(tmp_path: Path, cache: Path) -> None:
    made = imagefolder(tmp_path / "images")
    (tmp_path / "images" / "train" / "class_1" / "0021.png").write_bytes(b"hello")
    with pytest.raises(InputError, match=r"0021\.png"):
        load(made.settings)
    assert not list((cache / "data").iterdir())


def load_slowly(say: Say, root: Path, pause: float) -> None:
    """Report how many images this process decoded, and the sum of all pixels."""
    true_decode, count = Decoded._decoded, 0

    def slow(self: Decoded, path: str) -> np.ndarray:
        nonlocal count
        count += 1
        time.sleep(pause)
        return true_decode(self, path)

    Decoded._decoded = slow  # type: ignore[method-assign]
    data = load(DataSettings("imagefolder", str(root)))
    say(f"{count} {data.train.images.long().sum().item()}")


@pytest.mark.landing
def test_of_several_processes_one_decodes(tmp_path: Path) -> None:
    made = imagefolder(tmp_path / "images")
    with Fork(load_slowly, tmp_path / "images", 0.02) as one, Fork(load_slowly, tmp_path / "images", 0.02) as other:
        found = [process.lines.read().split() for process in (one, other)]
        assert [one.wait(), other.wait()] == [0, 0]
    total = load(made.settings).train.images.long().sum().item()
    assert sorted(found) == [["0", str(total)], ["69", str(total)]]


def test_a_killed_process_holds_nobody_up(tmp_path: Path, cache: Path) -> None:
    made = imagefolder(tmp_path / "images")
    with Fork(load_slowly, tmp_path / "images", 0.5) as first:
        limit = time.monotonic() + 60
        while not list(cache.rglob("*.unfinished")) and time.monotonic() < limit:
            time.sleep(0.05)
        first.kill()
        assert first.wait() == -signal.SIGKILL
    assert all_equal(load(made.settings), load(made.settings, keep=False))
    assert len(list((cache / "data").iterdir())) == 1


def anonymous() -> float:
    """MiB of memory that no file backs."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def read_once(say: Say, root: Path, size: int) -> None:
    available_memory.available = lambda: 20 * 2**20
    before = anonymous()
    data = load(DataSettings("imagefolder", str(root), size=size))
    peak = anonymous()
    batches = Batches(data.train, torch.device("cpu"))
    for _ in batches.of(torch.randperm(len(data.train)), 4, 0):
        peak = max(peak, anonymous())
    say(f"{batches.resident} {len(data.train) * data.train.images[0].numel() / 2**20} {peak - before}")


@pytest.mark.landing
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs /proc")
def test_memory_stays_far_below_the_size_of_the_images(tmp_path: Path) -> None:
    write_folder(tmp_path / "images", pixels(500, 8), spread(500, 2))
    with Fork(read_once, tmp_path / "images", 512) as reader:
        resident, size, memory = reader.lines.read().split()
        assert reader.wait() == 0
    assert resident == "False"
    assert float(size) > 250  # MiB of training images alone
    assert float(memory) < 0.4 * float(size)


def test_available_memory_is_less_than_the_machine_has(tmp_path: Path) -> None:
    assert 0 < available_memory.available() < 2**50
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    for name, text in (("memory.max", "1000"), ("memory.current", "700"), ("memory.stat", "anon 300\nfile 400\n")):
        (group / name).write_text(text)
    assert available_memory.available(tmp_path) == 700
    (group / "memory.max").write_text("max\n")
    assert available_memory.available(tmp_path) > 700
    assert available_memory.available(tmp_path / "none") > 700


def test_the_size_of_data_is_told_as_people_say_it() -> None:
    assert [available_memory.in_words(size) for size in (12, 3_400_000, 193_000_000_000)] == [
        "12 bytes",
        "3.4 MB",
        "193 GB",
    ]


def test_settings_without_a_root_still_load() -> None:
    assert not load(DataSettings()).train.on_disk  # the digits have no file that could be mapped


def test_other_sizes_are_told_before_all_is_read(tmp_path: Path) -> None:
    made: Made = imagefolder(tmp_path / "images")
    write_folder(tmp_path / "more", pixels(1, 9), np.zeros(1, np.int64))
    odd = tmp_path / "images" / "test" / "class_0" / "odd.png"
    (tmp_path / "more" / "class_0" / "0000.png").rename(odd)
    with pytest.raises(InputError, match="12 x 12"):
        load(made.settings)
