"""HW-NAS-Bench as CSV and as its own pickle: failed measurements, directions, damage in one line."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.core.errors import InputError
from nas.search_spaces import NASBench201
from nas.tables import read_latencies

A = "|none~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|nor_conv_1x1~2|"
TWIN = A.replace("none~1|+", "avg_pool_3x3~1|+")  # isomorphic to A
B = A.replace("nor_conv_3x3", "skip_connect")


def csv(folder: Path, text: str) -> Path:
    (folder / "hw.csv").write_text(text)
    return folder / "hw.csv"


def official(folder: Path, content: Any) -> Path:
    (folder / "HW-NAS-Bench-v1_0.pickle").write_bytes(pickle.dumps(content))
    return folder / "HW-NAS-Bench-v1_0.pickle"


def release(**columns: Any) -> dict[str, Any]:
    """The release's layout: configurations and numbers by index, per data set."""
    configs = [{"name": "infer.tiny", "C": 16, "N": 5, "arch_str": text} for text in (A, TWIN, B)]
    part = {"config": configs, "edgegpu_latency": [5.5, 6.5, np.float64(7.5)], **columns}
    other = {"config": configs, "edgegpu_latency": np.array([1.0, 2.0, 3.0])}
    return {"nasbench201": {"cifar10": part, "ImageNet16-120": other}, "fbnet": {"edgegpu_latency": {"x": 1.0}}}


def test_members_of_a_class_differ_and_failures_are_no_values(tmp_path: Path) -> None:
    text = f"arch_str,edgetpu_latency,fpga_energy,eyeriss_arithmetic_intensity\n{A},-1,2,3\n{TWIN},.5,0,4\n"
    table = read_latencies(csv(tmp_path, text), "cifar10")
    np.testing.assert_array_equal(table.values("edgetpu_latency", [A, TWIN, B]), [np.nan, 0.5, np.nan])
    np.testing.assert_array_equal(table.values("fpga_energy", [A, TWIN]), [2, np.nan])
    assert [table.direction(name) for name in table.names()] == [False, False, True]


def test_the_official_pickle(tmp_path: Path) -> None:
    path = official(tmp_path, release(fpga_energy=[1, -1, 2], average_hw_metric=[1, 2, 3]))
    table = read_latencies(path, "CIFAR10")
    assert table.architectures == (A, TWIN, B)
    assert table.names() == ["edgegpu_latency", "fpga_energy"]
    assert list(table.column("edgegpu_latency")) == [5.5, 6.5, 7.5]
    np.testing.assert_array_equal(table.column("fpga_energy"), [1, np.nan, 2])
    assert list(read_latencies(path, "imagenet16-120").values("edgegpu_latency", [B])) == [3]


def test_a_pickle_by_index_reads_the_same(tmp_path: Path) -> None:
    content = release()
    part = content["nasbench201"]["cifar10"]
    part["config"] = dict(enumerate(part["config"]))
    part["edgegpu_latency"] = dict(enumerate(part["edgegpu_latency"]))
    assert list(read_latencies(official(tmp_path, content), "cifar10").column("edgegpu_latency")) == [5.5, 6.5, 7.5]


class Foreign:
    def __reduce__(self) -> Any:
        return os.mkdir, ("should-not-be",)


BAD: dict[str, tuple[Any, str]] = {
    "another layout": ({"fbnet": {}}, "expected measurements"),
    "a list": ([1], "expected measurements"),
    "no data set": (release(), "'cifar100' in "),
    "no cells": ({"nasbench201": {"cifar100": {"edgegpu_latency": [1]}}}, "expected measurements"),
    "too few": (
        {"nasbench201": {"cifar100": {"config": [{"arch_str": A}], "edgegpu_latency": []}}},
        "edgegpu_latency does not have one number for each of 1 cells",
    ),
    "no latencies": ({"nasbench201": {"cifar100": {"config": [{"arch_str": A}], "x": [1]}}}, "no column is called"),
    "foreign code": (Foreign(), "which could run foreign code"),
}


@pytest.mark.parametrize(("content", "words"), BAD.values(), ids=BAD)
def test_a_bad_pickle_is_told_in_one_line(
    tmp_path: Path, content: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told(official(tmp_path, content), "cifar100", words)
    assert not (tmp_path / "should-not-be").exists()


def told(path: Path, dataset: str, words: str) -> None:
    with pytest.raises(InputError) as error:
        read_latencies(path, dataset)
    message = str(error.value)
    assert words in message
    assert str(path) in message
    assert "github.com/GATECH-EIC/HW-NAS-Bench" in message
    assert "\n" not in message


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    told(tmp_path / "none.csv", "cifar10", "there is no such file")
    told(tmp_path / "none.pickle", "cifar10", "there is no such file")
    told(csv(tmp_path, f"arch_str,zen\n{A},1\n"), "cifar10", "no column is called DEVICE_latency")
    told(csv(tmp_path, f"arch_str,fpga_latency\n{A},x\n{B},1\n"), "cifar10", "not a number")
    path = official(tmp_path, release())
    path.write_bytes(path.read_bytes()[:-20])
    told(path, "cifar10", "it is damaged")


def test_the_real_one(data_dir: Path) -> None:
    table = read_latencies(data_dir / "nasbench201/hw_nas_bench_cifar10.csv", "cifar10")
    assert len(table.architectures) == 15625
    lower = [name for name in table.names() if not table.direction(name)]
    assert len(table.names()) == 10
    assert set(table.names()) - set(lower) == {"eyeriss_arithmetic_intensity"}
    missing = {name: int(np.isnan(table.column(name)).sum()) for name in table.names()}
    assert {name: count for name, count in missing.items() if count} == {"edgetpu_latency": 4699}
    assert all(np.nanmin(table.column(name)) > 0 for name in table.names())
    assert (table.rows(NASBench201()) >= 0).all()
