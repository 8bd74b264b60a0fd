"""NAS-Bench-MR: notation, domain, changes; the networks are in `test_nasbench_mr_network.py`."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from nas.core.errors import InputError
from nas.search_spaces.nasbench_mr import Configuration, NASBenchMR

SPACE = NASBenchMR()
SETTING: dict[str, Any] = {
    "input_channel": [16, 24],
    "inverted_residual_setting": [
        [1, [1], [24]],
        [2, [1, 2], [32, 40]],
        [2, [1, 2], [32, 40]],
        [3, [2, 1, 1], [24, 48, 64]],
        [4, [2, 1, 1, 1], [48, 64, 32, 8]],
    ],
    "last_channel": 8,
}
EMBEDDING = (16, 24, 1, 1, 24, 2, 1, 2, 32, 40, 1, 2, 1, 1, 24, 48, 64, 1, 2, 1, 1, 1, 48, 64, 32, 8, 8)


def changed(*path: Any, to: Any) -> str:
    """The setting with another value somewhere in it."""
    copy = json.loads(json.dumps(SETTING))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return json.dumps(copy)


def test_the_notation_is_the_benchmarks() -> None:
    arch = SPACE.parse(json.dumps(SETTING))
    assert arch == Configuration(EMBEDDING)
    assert str(arch) == json.dumps(SETTING)


def test_it_is_read_as_users_have_it() -> None:
    rows = SETTING["inverted_residual_setting"]
    numpy = {**SETTING, "input_channel": [np.int64(16), np.int64(24)]}
    texts = [
        json.dumps(SETTING, separators=(",", ":")),
        json.dumps(SETTING, indent=4),
        json.dumps(dict(reversed(SETTING.items()))),
        json.dumps({"mIoU": 76.09, "params": 28.3, "flops": 13.727426866, **SETTING, "embedding": list(EMBEDDING)}),
        json.dumps([SETTING, 76.09]),
        str(SETTING),
        str({**SETTING, "inverted_residual_setting": tuple(map(tuple, rows))}),
        str(numpy),
        f"dict(model={SETTING})",
        changed("last_channel", to=8.0),
        f"\ufeff {json.dumps(SETTING)}\n",
    ]
    for text in texts:
        assert SPACE.parse(text) == Configuration(EMBEDDING), text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (changed("input_channel", to=[16]), "1 widths of the stem instead of 2"),
        (changed("input_channel", 0, to=0), "0 where a width from 1 to 4096 should be"),
        (changed("last_channel", to="8"), '"8" where a width from 1 to 4096 should be'),
        (changed("inverted_residual_setting", to=[]), "rows of 1 to 0 instead of 1 to 4 branches"),
        (changed("inverted_residual_setting", 4, to=[3, [2, 1, 1], [24, 48, 64]]), "rows of 1 to 3 instead of"),
        (
            changed("inverted_residual_setting", 0, to=[2, [1, 2], [32, 40]]),
            "a row of 2 branches before those of 1 branch",
        ),
        (changed("inverted_residual_setting", 4, to=[1, [1], [24]]), "a row of 1 branch after those of 3 branches"),
        (changed("inverted_residual_setting", 2, 2, 0, to=48), "a row that differs from the row of 2 branches before"),
        (changed("inverted_residual_setting", 1, 1, to=[1]), "blocks of 1 instead of 2 branches"),
        (changed("inverted_residual_setting", 1, 2, to=[8, 8, 8]), "widths of 3 instead of 2 branches"),
        (changed("inverted_residual_setting", 1, to=[2, [1, 2]]), r"2 entries instead of \[branches, blocks, widths\]"),
        (changed("inverted_residual_setting", 1, 0, to=5), "5 where a number of branches from 1 to 4 should be"),
        (
            changed("inverted_residual_setting", 1, 1, 1, to=True),
            "true where a number of blocks from 1 to 64",
        ),
        (changed("inverted_residual_setting", 1, 1, 1, to=1.5), "1.5 where a number of blocks"),
        (json.dumps({"input_channel": [8, 8]}), "no 'inverted_residual_setting' in the object"),
        (changed("input_channels", to=[8, 8]), r"the unknown key 'input_channels' \(did you mean 'input_channel'"),
        (f"{SETTING} {SETTING}", "two objects, the second"),
        (json.dumps(SETTING)[:-30], "the end where"),
    ],
)
def test_a_wrong_configuration_is_told(text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"Expected a configuration of nasbench-mr but got {message}.*; write it as"):
        SPACE.parse(text)


def test_values_that_are_not_drawn_can_be_read() -> None:
    """The benchmark has stems of 128 channels."""
    arch = SPACE.parse(changed("input_channel", to=[128, 128]))
    assert arch.stem == (128, 128)
    assert SPACE.parse(str(arch)) == arch
    assert arch not in SPACE.neighbors(arch)
    assert len(SPACE.neighbors(arch)) == 223, "two numbers have one more other value"


def test_the_domain_is_the_benchmarks() -> None:
    rng = Random(0)
    drawn = np.array([SPACE.sample(rng).embedding for _ in range(1500)])
    names = SPACE.feature_names()
    assert drawn.shape == (1500, 27)
    for place, column in enumerate(drawn.T):
        is_count = place in {2, 3, 5, 6, 7, 10, 11, 12, 13, 17, 18, 19, 20, 21}
        values = range(1, 5) if is_count else range(8, 65, 8) if place < 2 else range(8, 129, 8)
        assert set(column.tolist()) == set(values)
        counts = [int((column == value).sum()) for value in values]
        assert min(counts) > 0.6 * 1500 / len(values), "uniform"
    assert SPACE.__len__() == 8**2 * 16**11 * 4**14
    assert sum(name.startswith("log2 ") for name in names) == 29


def test_a_mutation_changes_one_number() -> None:
    rng = Random(1)
    arch = SPACE.sample(rng)
    places = set()
    for _ in range(400):
        child = SPACE.mutate(arch, rng)
        (place,) = [i for i, (a, b) in enumerate(zip(arch.embedding, child.embedding)) if a != b]
        places.add(place)
    assert places == set(range(27))
    assert len(SPACE.neighbors(arch)) == 2 * 7 + 14 * 3 + 11 * 15


def test_every_record_is_read_and_written(data_dir: Path) -> None:
    records = json.loads((data_dir / "benchmarks" / "nasbench_mr_cls-50-1000.json").read_text())
    assert len(records) == 2507
    for setting, _ in records:
        assert str(SPACE.parse(json.dumps(setting))) == json.dumps(setting)


def test_edges_show_the_fusions_and_the_blocks() -> None:
    graphs = SPACE.edges(Configuration(EMBEDDING))
    names = ["1 branch, 1 module", "2 branches, 2 modules", "3 branches, 1 module", "4 branches, 1 module"]
    assert list(graphs) == names
    assert graphs["2 branches, 2 modules"] == [
        ("in 1", "sum 1", "conv 3×3"),
        ("in 2", "sum 1", "conv 1×1 upsampled"),
        ("sum 1", "out 1", "1 × 32 wide"),
        ("in 1", "sum 2", "conv 3×3 stride 2"),
        ("in 2", "sum 2", "conv 3×3"),
        ("sum 2", "out 2", "2 × 40 wide"),
    ]


def test_features_are_the_numbers() -> None:
    arch = Configuration(EMBEDDING)
    found = dict(zip(SPACE.feature_names(), SPACE.features(arch).tolist(), strict=True))
    assert (found["width of part 2 branch 2 is 40"], found["width of part 2 branch 2 is 48"]) == (1, 0)
    assert (found["log2 width 1 of the stem"], found["log2 modules of part 2"], found["log2 last width"]) == (4, 1, 3)
    assert (found["blocks of part 2"], found["blocks"]) == (6, 1 + 6 + 4 + 5)
    assert found["log2 weights"] == pytest.approx(np.log2(SPACE.cost(arch).params))
