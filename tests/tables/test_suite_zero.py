"""NAS-Bench-Suite-Zero's own JSON: its order of edges, what is a score and what is not, and damage in one line."""

from __future__ import annotations

import json
import math
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.core.errors import InputError
from nas.search_spaces import NASBench201
from nas.tables import ArrayTable, read_scores

OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")  # their codes 0 to 4
THEIRS = ((1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4))
CODES = "(4, 0, 3, 1, 4, 3)"
CELL = "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|"  # as NASLib says


def codes(text: str) -> str:
    """The key of a cell, by way of its edges."""
    edges = {}
    for target, node in enumerate(text.split("+"), 2):
        for name, source in re.findall(r"\|(\w+)~(\d)", node):
            edges[int(source) + 1, target] = OPERATIONS.index(name)
    return str(tuple(edges[edge] for edge in THEIRS))


def layout(table: ArrayTable) -> dict[str, Any]:
    """A table as the release has it."""
    found = {}
    for row, text in enumerate(table.architectures):
        scores = {name: {"score": float(table.columns[name][row]), "time": 0.1} for name in table.names()}
        found[codes(text)] = {"id": row, **scores, "val_accuracy": 90.0 + row / 1e6}
    return found


def written(folder: Path, content: Any) -> Path:
    path = folder / "zc_nasbench201.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


SMALL: dict[str, Any] = {
    "cifar10": {
        CODES: {"nwot": {"score": 7.5, "time": 1}, "zen": 3, "val_accuracy": 84.5, "id": 3},
        "(1, 1, 1, 1, 1, 2)": {"nwot": {"score": None}, "zen": math.nan, "val_accuracy": 10},
    },
    "ImageNet16-120": {CODES: {"nwot": {"score": -1.5}, "val_accuracy": 20.0}},
}


def test_the_order_of_edges_and_what_is_a_score(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL)
    table = read_scores(path, "CIFAR10")
    only = "|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x3~2|"
    assert table.architectures == (CELL, only)
    assert table.names() == ["nwot", "zen"]
    np.testing.assert_array_equal(table.column("nwot"), [7.5, np.nan])
    np.testing.assert_array_equal(table.column("zen"), [3, np.nan])
    assert list(table.column("val_accuracy")) == [84.5, 10]
    with pytest.raises(InputError, match="'id'"):
        table.column("id")
    other = read_scores(path, "imagenet16-120")
    assert list(other.values("nwot", [CELL])) == [-1.5]


def test_every_cell_has_its_place(tmp_path: Path) -> None:
    cells = [str(arch) for arch in NASBench201()]
    path = written(tmp_path, {"x": {codes(text): {"at": {"score": row}} for row, text in enumerate(cells)}})
    table = read_scores(path, "x")
    assert table.architectures == tuple(cells)
    assert list(table.column("at")) == list(range(len(cells)))


@pytest.mark.landing
def test_the_published_scores_in_this_layout_read_back(data_dir: Path, tmp_path: Path) -> None:
    published = read_scores(data_dir / "nasbench201/zc_proxies_cifar10.csv")
    entries = layout(published)
    shuffled = random.Random(0).sample(sorted(entries), len(entries))
    path = written(
        tmp_path, {"cifar100": {CODES: {"nwot": {"score": 0}}}, "cifar10": {k: entries[k] for k in shuffled}}
    )
    table = read_scores(path, "cifar10")
    assert set(table.names()) == set(published.names())
    assert set(table.architectures) == set(published.architectures)
    for name in published.names():
        np.testing.assert_array_equal(table.values(name, published.architectures), published.column(name))
    accuracy = table.values("val_accuracy", published.architectures)
    np.testing.assert_array_equal(accuracy, 90.0 + np.arange(len(accuracy)) / 1e6)


def test_a_data_set_is_needed(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL)
    with pytest.raises(InputError, match=r"zc_nasbench201\.json but got none; name one of cifar10, ImageNet16-120"):
        read_scores(path)
    with pytest.raises(InputError, match=r"'cifar1' in .*zc_nasbench201\.json .*did you mean 'cifar10'.*NASLib"):
        read_scores(path, "cifar1")


CUT = json.dumps(SMALL)
DAMAGED: dict[str, tuple[Any, str]] = {
    "cut short": (CUT[: CUT.index("val_accuracy")], "is not JSON"),
    "seven codes": ({"cifar10": {"(4, 0, 3, 1, 4, 3, 3)": {}}}, "not six operation codes"),
    "an unknown code": ({"cifar10": {"(4, 0, 3, 1, 4, 5)": {}}}, "not six operation codes"),
    "no dictionary": ({"cifar10": {CODES: 3}}, "instead of scores"),
    "a word": ({"cifar10": {CODES: {"nwot": {"score": "x"}}}}, "'x' for 'nwot', not a number"),
    "true": ({"cifar10": {CODES: {"nwot": True}}}, "True for 'nwot', not a number"),
    "no score": ({"cifar10": {CODES: {"nwot": {"time": 1}}}}, "for 'nwot', not a number"),
    "too large": ({"cifar10": {CODES: {"nwot": 10**400}}}, "out of range for 'nwot'"),
    "a list": ({"x": {CODES: {}}, "cifar10": []}, "cifar10 has no scores"),
}


@pytest.mark.parametrize(("content", "words"), DAMAGED.values(), ids=DAMAGED)
def test_damage_is_told_in_one_line(tmp_path: Path, content: Any, words: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InputError) as error:
        read_scores(path, "cifar10")
    message = str(error.value)
    assert words in message
    assert str(path) in message
    assert "NASLib" in message
    assert "\n" not in message


def test_a_missing_file_says_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"zc_nasbench201\.json but there is no such file; .*NASLib"):
        read_scores(tmp_path / "zc_nasbench201.json", "cifar10")
