"""NATS-Bench's and NAS-Bench-201's own files through their packages, which are imitated here; and the kept numbers."""

from __future__ import annotations

import bz2
import logging
import os
import pickle
import re
import sys
import time
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from nas.core.errors import InputError
from nas.tables import read_accuracies

ARCHITECTURES = (
    "|none~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|nor_conv_1x1~2|",
    "|none~0|+|skip_connect~0|none~1|+|none~0|none~1|nor_conv_1x1~2|",
    "|none~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|none~2|",
)


class Api:
    """What `nats_bench.create` and `NASBench201API` give, as far as it is asked for; files are loaded when needed."""

    architectures: tuple[str, ...] = ARCHITECTURES

    def __init__(self, path: str, fast_mode: bool) -> None:
        self.path, self.fast_mode = path, fast_mode
        self.arch2infos_dict: dict[int, Any] = {}
        self.most = 0

    def __len__(self) -> int:
        return len(self.architectures)

    def arch(self, index: int) -> str:
        return self.architectures[index]

    def get_more_info(
        self, index: int, dataset: str, iepoch: int | None = None, hp: str = "12", is_random: bool = True
    ) -> dict[str, Any]:
        assert (hp, is_random, iepoch) == ("200", False, None)
        if self.fast_mode and not (Path(self.path) / f"{index:06d}.pickle.pbz2").exists():
            raise AssertionError(f"invalid data path :\n{index:06d}")
        self.arch2infos_dict[index] = {}
        self.most = max(self.most, len(self.arch2infos_dict))
        info: dict[str, Any] = {"train-accuracy": 99.0, "comment": "..."}
        if dataset == "cifar10":
            return {**info, "test-accuracy": 90.0 + index}
        if dataset == "cifar10-valid":
            return {**info, "valid-accuracy": 80.0 + index, "test-accuracy": 85.0}
        return {**info, "valid-accuracy": 60.0 + index, "test-accuracy": 70.0 + index, "valtest-accuracy": 65.0}


class Packages:
    """Both packages, and the APIs they have made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[Api] = []
        nats, nb201 = ModuleType("nats_bench"), ModuleType("nas_201_api")
        self.read = ""  # the name of a file that the package loads by itself

        def create(path: str, search_space: str, fast_mode: bool = False, verbose: bool = True) -> Api:
            assert isinstance(path, str)
            assert search_space in ("tss", "topology")
            assert fast_mode == os.path.isdir(path)
            return self.api(path, fast_mode, verbose)

        def old(path: str, verbose: bool = True) -> Api:
            return self.api(path, False, verbose)

        nats.create, nb201.NASBench201API = create, old  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "nats_bench", nats)
        for name in ("api_utils", "api_topology"):
            part = ModuleType(f"nats_bench.{name}")
            part.pickle_load = lambda path, ext="": pickle.loads(Path(path).read_bytes())  # type: ignore[attr-defined]
            monkeypatch.setitem(sys.modules, f"nats_bench.{name}", part)
        monkeypatch.setitem(sys.modules, "nas_201_api", nb201)

    def api(self, path: str, fast_mode: bool, verbose: bool) -> Api:
        assert not verbose
        if self.read:
            for name in ("api_utils", "api_topology"):
                sys.modules[f"nats_bench.{name}"].pickle_load(self.read)  # type: ignore[attr-defined]
        self.made.append(Api(path, fast_mode))
        return self.made[-1]


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> Packages:
    return Packages(monkeypatch)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache/tables"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "NATS-tss-v1_0-3ffb9-simple"
    folder.mkdir()
    for name in ("meta", *(f"{index:06d}" for index in range(3))):
        (folder / f"{name}.pickle.pbz2").write_text("x")
    return folder


def file(tmp_path: Path, name: str) -> Path:
    (tmp_path / name).write_text("x")
    return tmp_path / name


@pytest.mark.parametrize("kind", ["folder", "NATS-tss-v1_0-3ffb9.pickle.pbz2", "NAS-Bench-201-v1_1-096897.pth"])
def test_accuracies_of_each_kind(kind: str, packages: Packages, folder: Path, tmp_path: Path) -> None:
    path = folder if kind == "folder" else file(tmp_path, kind)
    table = read_accuracies(path, "CIFAR10")
    assert table.architectures == ARCHITECTURES
    assert table.names() == ["cifar10_test_acc", "cifar10_valid_acc"]
    assert list(table.column("cifar10_test_acc")) == [90, 91, 92]
    assert list(table.column("cifar10_valid_acc")) == [80, 81, 82]
    assert packages.made[0].most == (1 if kind == "folder" else 3)
    other = read_accuracies(path, "imagenet16-120")
    assert list(other.column("ImageNet16-120_test_acc")) == [70, 71, 72]
    assert list(other.column("ImageNet16-120_valid_acc")) == [60, 61, 62]


def test_what_was_read_is_kept(
    packages: Packages, folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = read_accuracies(folder, "cifar10")
    monkeypatch.setitem(sys.modules, "nats_bench", None)  # it is not needed a second time
    again = read_accuracies(folder, "cifar10")
    assert len(packages.made) == 1
    assert again.architectures == first.architectures
    assert again.names() == first.names()
    np.testing.assert_array_equal(again.levels("cifar10_test_acc"), first.levels("cifar10_test_acc"))
    with pytest.raises(InputError, match="package nats_bench"):
        read_accuracies(folder, "cifar100")  # was not read
    Packages(monkeypatch)
    (folder / "000001.pickle.pbz2").write_text("changed")
    read_accuracies(folder, "cifar10")
    assert len(list(cache.iterdir())) == 2
    for kept in cache.iterdir():
        kept.write_bytes(kept.read_bytes()[:100])
    with caplog.at_level(logging.WARNING, "nas"):
        assert list(read_accuracies(folder, "cifar10").column("cifar10_test_acc")) == [90, 91, 92]
    assert "is damaged" in caplog.text


def test_a_cache_that_cannot_be_written_stops_nothing(
    packages: Packages, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NAS_CACHE", str(file(tmp_path, "a-file")))
    with caplog.at_level(logging.WARNING, "nas"):
        assert len(read_accuracies(folder, "cifar10").architectures) == 3
    assert "could not be cached" in caplog.text


@pytest.mark.parametrize(
    ("name", "package", "pip"),
    [
        ("NATS.pickle.pbz2", "nats_bench", "pip install nats_bench"),
        ("a.pth", "nas_201_api", "pip install nas-bench-201"),
    ],
)
def test_a_missing_package_is_named(
    name: str, package: str, pip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"package {package} to read .*{name}.*`{pip}`.*CSV.* cifar10_test_acc"):
        read_accuracies(file(tmp_path, name), "cifar10")


def told(path: Path, words: str, dataset: str = "cifar10") -> None:
    with pytest.raises(InputError) as error:
        read_accuracies(path, dataset)
    message = str(error.value)
    assert words in message
    assert str(path) in message
    assert "github.com/D-X-Y" in message
    assert "\n" not in message


def test_damage_is_told_in_one_line(
    packages: Packages, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(tmp_path / "none.pth", "there is no such file")
    told(tmp_path / "none.pickle.pbz2", "there is no such file")
    told(folder, "did you mean 'cifar10'", dataset="cifar")
    (folder / "000002.pickle.pbz2").unlink()
    told(folder, "nats_bench could not read it (AssertionError: invalid data path : 000002)")
    (folder / "meta.pickle.pbz2").unlink()
    told(folder, "it has no meta.pickle.pbz2")
    monkeypatch.setattr(Api, "architectures", ("64:64:64:64:64",))
    told(file(tmp_path, "NATS-sss.pickle.pbz2"), "no cells of NAS-Bench-201's space")
    monkeypatch.setattr(Api, "architectures", ())
    told(file(tmp_path, "empty.pth"), "no accuracies of cifar10")


class Harmful:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("harmful", [False, True])
def test_the_package_reads_by_the_reader_that_runs_nothing(
    harmful: bool, packages: Packages, folder: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "was here"
    content: Any = Harmful(mark) if harmful else {"all_results": OrderedDict({("cifar10", 777): 1.5}), "names": {"x"}}
    (tmp_path / "one.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(content)))
    packages.read = str(tmp_path / "one.pickle")  # the package leaves the ending out
    if not harmful:
        assert len(read_accuracies(folder, "cifar10").architectures) == 3
        return
    with pytest.raises(InputError, match="which could run foreign code"):
        read_accuracies(folder, "cifar10")
    assert not mark.exists()


@pytest.mark.parametrize("before", [None, "0"])
def test_the_old_package_loads_tensors_only(
    packages: Packages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    if before is not None:
        monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", before)
    seen = []
    packages.api = lambda *given: seen.append(os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"]) or Api(given[0], given[1])  # type: ignore[method-assign,func-returns-value]
    read_accuracies(file(tmp_path, "NAS-Bench-201-v1_1-096897.pth"), "cifar10")
    assert seen == ["1"]
    assert os.environ.get("TORCH_FORCE_WEIGHTS_ONLY_LOAD") == before


@pytest.mark.parametrize("kind", ["folder", "NATS-tss-v1_0-3ffb9.pickle.pbz2"])
def test_a_corrected_file_of_the_same_size_and_time_is_read_again(
    kind: str, packages: Packages, folder: Path, tmp_path: Path
) -> None:
    path = folder if kind == "folder" else file(tmp_path, kind)
    read_accuracies(path, "cifar10")
    read_accuracies(path, "cifar10")
    assert len(packages.made) == 1
    changed = folder / "000001.pickle.pbz2" if kind == "folder" else path
    status = changed.stat()
    time.sleep(0.02)  # the clock of the file system ticks
    changed.write_text("y")
    os.utime(changed, ns=(status.st_atime_ns, status.st_mtime_ns))
    read_accuracies(path, "cifar10")
    assert len(packages.made) == 2


def test_kept_numbers_of_an_old_format_are_named(
    packages: Packages, folder: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache.mkdir(parents=True)
    old = cache / f"{'a' * 32}.npz"
    old.write_bytes(b"kept by version 0.1")
    read_accuracies(folder, "cifar10")
    read_accuracies(folder, "cifar10")
    assert caplog.text.count(old.name) == 1
    assert old.read_bytes() == b"kept by version 0.1"


def test_kept_numbers_are_named_by_their_format_and_half_a_checksum(
    packages: Packages, folder: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read_accuracies(folder, "cifar10")
    (kept,) = cache.iterdir()
    assert re.fullmatch(r"v2-[0-9a-f]{32}\.npz", kept.name)
    assert kept.name not in caplog.text  # as one of another version
