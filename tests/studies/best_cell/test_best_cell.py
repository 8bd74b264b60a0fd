"""The study of what finds the best cell: its plan, rows that resume, and tables."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from nas.search_spaces import SPACES
from nas.studies.best_cell import __main__ as command
from nas.studies.best_cell import runs as runs_module
from nas.studies.best_cell.comparisons import MIN_PAIRS, compared, mean_interval
from nas.studies.best_cell.page import page
from nas.studies.best_cell.plan import (
    CONTROL_SEEDS,
    MORE,
    OBJECTIVE,
    QUERIES,
    SEEDS,
    VARIANTS,
    Block,
    Task,
    Variant,
    blocks,
)
from nas.studies.best_cell.published import best, within_limit
from nas.studies.best_cell.runs import Data, Row, Rows, compute, run
from nas.studies.table_search_runs import SearchRuns
from nas.studies.table_search_settings import TableSearchSettings

RANDOM, EVOLUTION = (next(one for one in VARIANTS if one.name == name) for name in ("random", "evolution"))
LIMIT = "edgegpu_latency<=4"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Accuracies of all cells that are as good as random, and latencies that grow with the number of convolutions."""
    folder = tmp_path_factory.mktemp("tables")
    space = SPACES.get("nasbench201")()
    rng = np.random.default_rng(0)
    accuracies, latencies = ["arch_str,val,test"], ["arch_str,edgegpu_latency"]
    for arch, value in zip(map(str, space), rng.uniform(30, 45, len(space))):
        accuracies.append(f"{arch},{value:.4f},{value + 1:.4f}")
        latencies.append(f"{arch},{1 + 2 * arch.count('conv_3x3')}")
    (folder / "nasbench201_ImageNet16-120.csv").write_text("\n".join(accuracies))
    (folder / "hw_nas_bench_ImageNet16-120.csv").write_text("\n".join(latencies))
    return Data([folder / "nowhere", folder])


def test_every_strategy_begins_with_the_same_random_strings(data: Data) -> None:
    """So pairs of runs with one seed share them. No model is fitted within so few queries."""
    view = data.view(Task("ImageNet16-120"))
    first: dict[str, list[int]] = {}
    for variant in VARIANTS:
        settings = TableSearchSettings([OBJECTIVE], [variant.strategy], queries=10, count="strings")
        first[variant.name] = SearchRuns(settings, view, {}).history(OBJECTIVE, variant.strategy, 3).tolist()
    assert len(set(first["random"])) == 10
    assert all(rows == first["random"] for rows in first.values())


def test_a_row_has_the_best_so_far_and_its_test_value(data: Data) -> None:
    task = Task("ImageNet16-120", queries=MORE)
    view = data.view(task)
    row = run(RANDOM, task, view, 0)
    settings = TableSearchSettings([OBJECTIVE], ["random"], queries=MORE, count="strings")
    history = SearchRuns(settings, view, {}).history(OBJECTIVE, "random", 0)
    val = view.values[OBJECTIVE][history]
    assert {after: val[:after].max() for after in (96, 192, 400)} == row.val
    assert row.test[96] == pytest.approx(val[:96].max() + 1)
    assert row.feasible == 1
    top = view.values[OBJECTIVE].max()
    assert row.optimum == (val.tolist().index(top) + 1 if top in val else None)
    assert Row.of(row.values) == row


def test_more_queries_begin_with_those_of_a_shorter_run(data: Data) -> None:
    task = Task("ImageNet16-120")
    short, long = (run(EVOLUTION, one, data.view(task), 1) for one in (task, task._replace(queries=MORE)))
    assert (short.val[96], short.val[192], short.val[400]) == (long.val[96], long.val[192], None)


def test_only_what_is_within_the_limit_counts(data: Data) -> None:
    task = Task("ImageNet16-120", LIMIT)
    view = data.view(task)
    row = run(RANDOM, task, view, 0)
    inside = view.values["edgegpu_latency"] <= 4
    assert row.feasible == pytest.approx(inside.mean(), abs=0.1)
    assert 0 < inside.mean() < 1
    assert row.val[QUERIES] is not None
    assert row.val[QUERIES] <= view.values[OBJECTIVE][inside].max()
    some = run(RANDOM, task._replace(limit="edgegpu_latency>=12"), view, 0)
    assert (some.val[96] is None, some.feasible) == (True, 0)  # one cell of 15,625 has six convolutions


def test_rows_are_made_once_and_continue(data: Data, tmp_path: Path) -> None:
    lines: list[str] = []
    block = Block(RANDOM, Task("ImageNet16-120"), range(3))
    compute(block._replace(seeds=range(2)), Rows(tmp_path, write=True), data, lines.append)
    file = tmp_path / "random.csv"
    file.write_bytes(file.read_bytes()[:-4])  # killed while it wrote the second row
    kept = file.read_text().splitlines()[:3]
    compute(block, Rows(tmp_path, write=True), data, lines.append)
    assert len(lines) == 2 + 2
    assert file.read_text().splitlines()[:3] == kept
    assert list(Rows(tmp_path).of(RANDOM, block.task)) == [0, 1, 2]
    compute(block._replace(seeds=range(9)), Rows(tmp_path / "late", write=True), data, lines.append, until=0.0)
    assert len(lines) == 4  # the time was over


def test_rows_are_read_whichever_library_made_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    xgb = next(one for one in VARIANTS if one.name == "xgb")
    row = Row({96: 1.0, 192: 2.0, 400: None}, {96: 1.0, 192: 2.0, 400: None}, 1.0, None, 3.0)
    for library in ("xgboost", "scikit-learn"):
        monkeypatch.setattr(runs_module, "_library", lambda variant, name=library: name)
        Rows(tmp_path / library, write=True).add(xgb, Task("cifar10"), 0, row)
        monkeypatch.undo()
        assert Rows(tmp_path / library).of(xgb, Task("cifar10")) == {0: row}


def test_the_plan_has_the_cheap_runs_first_and_each_run_once() -> None:
    made = blocks()
    keys = [(one.variant.name, one.task, seed) for one in made for seed in one.seeds]
    assert len(keys) == len(set(keys))
    names = [one.variant.name for one in made]
    assert set(names[: names.index("bananas")]) == {"random", "local", "evolution"}
    assert names.index("guided") < names.index("agnet") < names.index("agnet, marginals")
    of_images = [(name, task, seed) for name, task, seed in keys if task == Task("cifar10")]
    assert sum(name == "agnet" for name, _, _ in of_images) == SEEDS
    assert sum(name == "agnet, marginals" for name, _, _ in of_images) == CONTROL_SEEDS
    assert len({one.name for one in VARIANTS}) == len(VARIANTS)


def test_comparisons_are_paired_by_seed_and_corrected() -> None:
    rng = np.random.default_rng(0)
    base = {seed: float(value) for seed, value in enumerate(rng.normal(size=20))}
    found = {
        "a": base,
        "worse": {seed: value - 0.1 - seed / 1e4 for seed, value in base.items()},
        "same": dict(base),
        "few": dict.fromkeys(range(MIN_PAIRS - 1), 0.0),
    }
    worse, same = compared("a", found)
    assert (worse.other, worse.runs, same.other) == ("worse", 20, "same")
    assert worse.difference == pytest.approx(0.10095)
    assert worse.paired == pytest.approx(2 * 2 / 2**20, rel=0.01)  # all of 20 signs equal, times two comparisons
    assert worse.unpaired > 0.1  # the spread over seeds hides it
    assert same.paired == same.unpaired == 1
    mean, low, high = mean_interval([1.0, 2.0, 3.0])
    assert (mean, high) == (2.0, pytest.approx(2 + 4.30265 / 3**0.5, abs=1e-4))
    assert low == pytest.approx(2 - 4.30265 / 3**0.5, abs=1e-4)


def test_the_command_makes_runs_and_prints_the_page(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = [Block(one, Task("ImageNet16-120", limit), range(2)) for one in (RANDOM, EVOLUTION) for limit in ("", LIMIT)]
    monkeypatch.setattr(command, "blocks", lambda: [*few, Block(RANDOM, Task("cifar10"), range(1))])
    monkeypatch.setattr(command, "torch", type("Torch", (), {"set_num_threads": staticmethod(lambda count: None)}))
    common = ["best_cell", "--data", str(data.folders[1]), "--rows", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [*common, "--compute", "--only", "random"])
    command.main()
    assert capsys.readouterr().out.count("\n") == 4
    assert [file.name for file in tmp_path.iterdir()] == ["random.csv"]
    monkeypatch.setattr(sys, "argv", common)
    command.main()
    shown = capsys.readouterr().out
    assert "| random | 2 | " in shown
    assert "| 45.87 |" in shown
    assert "(published 41.7, 0.22)" in shown
    assert "evolution | 2" not in shown


def test_published_figures_are_those_of_the_paper() -> None:
    """Typed again."""
    assert [best("agnet", images) for images in ("cifar10", "cifar100", "ImageNet16-120")] == [
        *((91.60, 94.37), (73.49, 73.51), (46.64, 46.43))
    ]
    assert best("xgb-rank", "cifar10") == (91.48, 94.25)
    assert best("bananas", "ImageNet16-120") == (46.65, 46.51)
    assert best("bo", "cifar100") == (73.26, 73.22)
    assert best("xgb", "cifar100") == (73.10, 72.93)
    assert best("random", "cifar10") == (91.12, 93.89)
    assert best("guided", "cifar10") is None
    images = "ImageNet16-120"
    assert within_limit("agnet", "edgegpu_latency<=6", True, images) == (45.0, 0.79)
    assert within_limit("agnet", "edgegpu_latency<=2", False, images) == (39.7, 0.29)
    assert within_limit("random", "edgegpu_latency<=8", False, images) == (45.7, 1.0)
    assert within_limit("agnet", "pixel3_latency<=2", False, images) is None
    assert within_limit("agnet", "edgegpu_latency<=2", False, "cifar100") is None


def test_variants_are_strategies_with_options_that_exist() -> None:
    for variant in (*VARIANTS, Variant("x", "agnet")):
        settings = TableSearchSettings(
            [OBJECTIVE], [variant.strategy], options=tuple(f"{variant.strategy}.{one}" for one in variant.options)
        )
        assert settings.options_of


def test_few_runs_have_no_interval_and_are_no_reference_of_tests(data: Data, tmp_path: Path) -> None:
    rows = Rows(tmp_path, write=True)
    for variant, count, first in ((RANDOM, MIN_PAIRS, 40.0), (EVOLUTION, MIN_PAIRS, 42.0), (VARIANTS[1], 2, 45.0)):
        for seed in range(count):
            values = {96: first, 192: first + seed / 10, 400: None}
            rows.add(variant, Task("ImageNet16-120"), seed, Row(values, values, 1.0, None, 1.0))
    shown = page(rows, data)
    assert "| random | 6 | 40.25 [40.05, 40.45] | 45.87 |" in shown
    assert "| local | 2 | 45.05 | – |" in shown
    assert "| evolution − random | 6 | +2.000 | 0.031 | 0.0022 |" in shown
    assert "local −" not in shown


def test_the_page_of_no_rows_has_only_the_plan(data: Data, tmp_path: Path) -> None:
    assert "| agnet, marginals | 0 of 20 | – |" in page(Rows(tmp_path), data)
    assert "###" not in page(Rows(tmp_path), data)
