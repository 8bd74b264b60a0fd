"""Files of published tables: CSV, JSON, JSON lines, the robustness dataset's folder, HW-NAS-Bench's pickle."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from contract import SEPARATOR, Target, folder
from targets.notations import CELL

from nas.tables import (
    CORRUPTIONS,
    RobustnessDataset,
    Table,
    read_accuracies,
    read_latencies,
    read_robbench,
    read_scores,
)

OTHER = CELL.replace("nor_conv_3x3", "nor_conv_1x1")
FILES = ("meta.json", "small/clean_accuracy.json", "small/fgsm@Linf_accuracy.json", "small/fog_accuracy.json")


def ask(table: Table) -> None:
    """Ask all that a command asks of a table: the numbers of each column, and those of two cells."""
    for name in table.names():
        table.direction(name)
        assert table.column(name).shape == (len(table.architectures),)
        assert table.values(name, [CELL, OTHER]).shape == (2,)
    assert len(table.classes) == len(table.architectures)


def _file(name: str, doc: str, file: str, read: Callable[[Path], Table], *seeds: bytes) -> Target:
    """A target that reads one file."""

    def reads(data: bytes) -> None:
        with folder() as place:
            (place / file).write_bytes(data)
            ask(read(place / file))

    reads.__doc__ = doc
    return Target(name, reads, lambda: seeds)


def _csv(*columns: str) -> bytes:
    lines = [",".join(("arch_str", *columns)), *(",".join((arch, *["0.5"] * len(columns))) for arch in (CELL, OTHER))]
    return "\n".join(lines).encode()


def _rows() -> list[dict[str, Any]]:
    return [{"arch": CELL, "scores": {"nwot": 1.5, "snip": None}}, {"arch": OTHER, "scores": {"nwot": 2}}]


accuracies = _file(
    *("table-accuracies", "Accuracies as CSV.", "a.csv", read_accuracies),
    *(_csv("cifar10_test_acc"), _csv("index", "a", "b") + b"\n" + OTHER.encode() + b",,,"),
)
robbench = _file(
    *("table-robbench", "NAS-RobBench-201 as CSV.", "a.csv", lambda path: read_robbench(path, "cifar10")),
    *(_csv("val_acc", "val_fgsm_3_acc", "val_aa_acc"), _csv("cifar10#val_acc", "cifar100#val_acc")),
)
latencies = _file(
    *("table-latencies", "HW-NAS-Bench as CSV.", "a.csv", lambda path: read_latencies(path, "cifar10")),
    _csv("index", "edgegpu_latency", "eyeriss_energy"),
)
measured = {"config": [{"arch_str": CELL}, {"arch_str": OTHER}], "edgegpu_latency": [1.5, 2.5]}
pickled = _file(
    *("table-pickle", "HW-NAS-Bench's own pickle.", "a.pickle", lambda path: read_latencies(path, "cifar10")),
    *(pickle.dumps({"nasbench201": {"cifar10": measured}}, protocol) for protocol in (0, 2, 4)),
    pickle.dumps({"nasbench201": {"cifar10": {**measured, "edgegpu_latency": np.array([1.0, 2.0])}}}, 2),
)
scores_csv = _file(
    *("table-scores-csv", "Proxy scores as CSV.", "a.csv", read_scores),
    _csv("canonical", "nwot", "seconds"),
)
scores_jsonl = _file(
    *("table-scores-jsonl", "Proxy scores as JSON lines.", "a.jsonl", read_scores),
    "\n".join(map(json.dumps, _rows())).encode(),
)
scores_json = _file(
    *("table-scores-json", "Proxy scores as a JSON list.", "a.json", read_scores),
    json.dumps(_rows()).encode(),
)
suite_zero = _file(
    *("table-suite-zero", "NAS-Bench-Suite-Zero's JSON.", "a.json", lambda path: read_scores(path, "cifar10")),
    json.dumps(
        {
            "cifar10": {
                "(4, 0, 3, 1, 4, 3)": {"id": 1, "nwot": {"score": 1.5, "time": 0.4}, "val_accuracy": 84.9},
                "(1, 0, 3, 1, 2, 3)": {"id": 2, "nwot": {"score": None, "time": 0.4}, "val_accuracy": 1},
            },
            "cifar100": {},
        }
    ).encode(),
)


def _robustness(data: bytes) -> None:
    """The robustness dataset: meta.json and files of accuracies."""
    parts = data.split(SEPARATOR)
    with folder() as place:
        (place / "small").mkdir()
        for name, part in zip(FILES, parts):
            (place / name).write_bytes(part)
        table = RobustnessDataset(place, "Small")
        ask(table)
        for column in ("fgsm@8", "hrs:fgsm@8", "fog@3", "each:weather", "fog+snow", *CORRUPTIONS[:1]):
            if column.partition("@")[0].removeprefix("hrs:") in {name.partition("@")[0] for name in table.names()}:
                table.column(column)


def _release() -> Sequence[bytes]:
    ids = {"1": {"nb201-string": CELL, "isomorph": "1"}, "2": {"nb201-string": OTHER, "isomorph": "2"}}
    parts: list[Any] = [{"ids": ids, "epsilons": {"fgsm@Linf": [1, 8.0]}}]
    for key, value in (("clean", 0.5), ("fgsm@Linf", [0.5, 0.25]), ("fog", [0.5] * 5)):
        parts.append({"small": {key: {"accuracy": {"1": value, "2": value}}}})
    return [SEPARATOR.join(json.dumps(part).encode() for part in parts[:count]) for count in (4, 2)]


robustness = Target("table-robustness", _robustness, _release)
