"""The percentile ranks of an architecture in a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.results import PercentileRank
from nas.searches.percentile_ranks import percentile_ranks
from nas.tables import TableSettings

CELLS = [
    f"|{op}~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"
    for op in ("nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3", "skip_connect")
]


def test_percentiles(tmp_path: Path) -> None:
    path = tmp_path / "latencies.csv"
    rows = zip(CELLS, (4.0, 1.0, 1.0, 2.0), ("9", "8", "7", ""))
    path.write_text(
        "arch_str,edgegpu_latency,eyeriss_arithmetic_intensity\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows)
    )
    tables = TableSettings(latency=str(path)).open()
    names = ["edgegpu_latency", "eyeriss_arithmetic_intensity"]
    found = [percentile_ranks(tables, cell, names) for cell in CELLS]
    assert [one["edgegpu_latency"].percentile for one in found] == [12.5, 75.0, 75.0, 37.5]  # lower is better
    assert found[0]["eyeriss_arithmetic_intensity"] == PercentileRank(9.0, pytest.approx(100 * 2.5 / 3))
    assert found[3]["eyeriss_arithmetic_intensity"] == PercentileRank(None, None)


def test_the_best_of_the_robustness_dataset(data_dir: Path) -> None:
    tables = TableSettings(robustness=str(data_dir / "robustness-dataset")).open()
    classes = tables.classes(["fgsm@1"])
    best = max(classes, key=lambda text: tables.values("fgsm@1", [text])[0])
    found = percentile_ranks(tables, best)
    assert set(found) >= {"clean", "fgsm@1", "pgd@1", "hrs:fgsm@1"}
    assert found["fgsm@1"].percentile == pytest.approx(100, abs=0.05)
