"""How much memory is available for data, on a simulated system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from nas.core.data import Split
from nas.core.execution import available_memory
from nas.core.execution.available_memory import available


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root folder of a system without files about its memory."""
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 700, "SC_PAGE_SIZE": 4096}.__getitem__)
    (tmp_path / "proc").mkdir()
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    return tmp_path


def test_linux_says_what_is_available(system: Path) -> None:
    lines = ["MemTotal:       16000 kB", "MemFree:         1000 kB", "MemAvailable:    9000 kB", "Buffers:   20 kB"]
    (system / "proc/meminfo").write_text("\n".join(lines))
    assert available(system) == 9000 * 1024


def test_another_unix_says_how_much_there_is(system: Path) -> None:
    assert available(system) == 700 * 4096
    (system / "proc/meminfo").write_text("MemTotal: 16000 kB")
    assert available(system) == 700 * 4096


def test_a_container_may_have_less(system: Path) -> None:
    group = system / "sys/fs/cgroup"
    (group / "memory.current").write_text("0\n")
    (group / "memory.stat").write_text("anon 0\n")
    for limit, expected in ((1000, 1000), (10**9, 700 * 4096)):
        (group / "memory.max").write_text(f"{limit}\n")
        assert available(system) == expected


def test_where_nothing_says_anything_everything_fits(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(os, "sysconf", unknown)
    assert available(system) == 9_223_372_036_854_775_807  # the largest number of bytes that a system can report


def test_data_may_take_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(available_memory, "available", lambda: 1000)
    assert available_memory.fits(500)
    assert not available_memory.fits(501)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"memory.max": "5000", "memory.current": "3000", "memory.stat": "anon 100\nfile 400\n"}, 2400),
        ({"memory.max": "5000", "memory.current": "3000", "memory.stat": "anon 100\n"}, 2000),
        ({"memory.max": "5000", "memory.current": "9000", "memory.stat": "file 10\n"}, 0),
        ({"memory.max": "max\n", "memory.current": "3000", "memory.stat": "file 400\n"}, None),
        ({"memory.max": "5000"}, None),
        ({"memory.max": "much", "memory.current": "1", "memory.stat": "file 1"}, None),
        ({}, None),
    ],
)
def test_what_a_control_group_leaves(files: dict[str, str], expected: int | None, system: Path) -> None:
    for name, text in files.items():
        (system / "sys/fs/cgroup" / name).write_text(text)
    assert available(system) == (700 * 4096 if expected is None else expected)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (999_999, "999999 bytes"),
        (1_000_000, "1 MB"),
        (123_400_000, "123 MB"),
        (990_000_000, "990 MB"),
        (1_000_000_000, "1 GB"),
        (2_340_000_000, "2.34 GB"),
    ],
)
def test_sizes_in_words(size: int, words: str) -> None:
    assert available_memory.in_words(size) == words


def test_a_part_in_memory_goes_to_any_device() -> None:
    part = Split(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.tensor([1, 0]))
    assert not part.on_disk
    assert part.on(torch.device("meta")).images.device.type == "meta"
    assert part.on(torch.device("cpu")).images.data_ptr() == part.images.data_ptr()
    assert part.select(torch.tensor([1])).labels.tolist() == [0]
