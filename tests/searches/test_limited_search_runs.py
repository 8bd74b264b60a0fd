"""`search.limits` of a run: what is outside costs an evaluation, and the best is within."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

import nas
from nas.core.errors import InputError, NasError
from nas.core.seeds import derive
from nas.search_spaces import NASBench201
from nas.strategies.predictors.boosted_trees import BoostedTrees

SPACE = NASBench201()


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 classes with the columns `good` and `slow`, numbers below 100 without relation."""
    path = tmp_path_factory.mktemp("limits") / "scores.csv"
    rows = [f"{arch},{derive(0, str(arch)) % 100},{derive(1, str(arch)) % 100}" for arch in SPACE.draw(24, unique=True)]
    path.write_text("\n".join(["arch,good,slow", *rows]) + "\n")
    return path


def searched(scores: Path, limit: str, **more: Any) -> Any:
    settings = {"tables.scores": str(scores), "search.ask": 4, **more}
    return nas.search(objective="scores:good:max", strategy="random", budget=10, limits=[limit], settings=settings)


def test_a_run_says_what_was_within_and_its_best_is_within(scores: Path) -> None:
    found = searched(scores, "scores:slow<=50")
    limited = found.limited
    assert [one.evaluated for one in limited.rounds] == [4, 8, 10]
    assert all(one.metrics["scores:slow"] <= 50 for one in found.top)
    steps = found._record.data.steps
    within = [step for step in steps if step.value is not None and derive(1, step.arch) % 100 <= 50]
    assert 0 < len(within) < 10
    assert limited.feasible == len(within) / 10
    assert limited.rounds[-1].feasible == len(within)
    assert limited.rounds[-1].best == found.best.metrics["scores:good"] == max(step.value for step in within)
    assert steps[-1].best == found.best.metrics["scores:good"]
    assert found.to_json()["limited"]["limits"] == ["scores:slow<=50"]


def test_a_run_without_an_architecture_within_says_so(scores: Path) -> None:
    with pytest.raises(NasError, match=r"none of the 10 evaluated ones is; loosen search\.limits"):
        searched(scores, "scores:slow<=-1")


@pytest.mark.parametrize(
    ("limit", "words"),
    [("params<=1e6", r"search\.constraints"), ("croze>=1", "latency or table columns"), ("slow<1%", "such as")],
)
def test_limits_are_on_what_only_an_evaluation_tells(scores: Path, limit: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        searched(scores, limit)


def test_joint_needs_limits_and_a_column_needs_its_table() -> None:
    with pytest.raises(InputError, match=r"without search\.limits"):
        nas.search(strategy="random", joint=True)
    with pytest.raises(InputError, match="edgegpu_latency"):
        nas.search(strategy="random", settings={"search.limits": ["edgegpu_latency<=4"]})


def test_who_evaluates_by_hand_tells_none_instead() -> None:
    with pytest.raises(InputError, match=r"only the values of the objective are told.*; tell None"):
        nas.open_search(strategy="random", settings={"search.limits": ["latency<=4"]})


def test_a_predictor_whose_library_matters_is_named(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("arch,accuracy\n" + "".join(f"{arch},{str(arch).count('3x3')}\n" for arch in SPACE.draw(6)))
    for model, expected in (("boosted-trees", BoostedTrees().library), ("gp", None)):
        settings = {"predicted.labels": str(labels), "predicted.model": model}
        found = nas.search(objective="predicted", strategy="random", budget=2, settings=settings)
        assert found.library == expected


def test_a_search_says_what_it_dropped_of_a_table(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    archs = [str(arch) for arch in nas.space("nasbench201").draw(4, seed=0)]
    file = tmp_path / "mine.csv"
    file.write_text("arch,good\n" + "".join(f"{arch},{n}\n" for n, arch in enumerate([*archs, archs[0]])))
    with caplog.at_level(logging.WARNING, "nas"):
        nas.search(objective="scores:good:max", strategy="random", budget=2, settings={"tables.scores": str(file)})
    assert f"{file}: of an architecture the first row counts; rows that repeat one: 1" in caplog.messages


def test_a_search_says_which_rows_are_no_candidates(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    same = [
        "|none~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|",
        "|none~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|avg_pool_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    ]
    assert len({str(SPACE.canonical(SPACE.parse(text))) for text in same}) == 1
    others = [str(arch) for arch in SPACE.draw(3, seed=0, unique=True)]
    file = tmp_path / "mine.csv"
    file.write_text("arch,good\n" + "".join(f"{arch},{n}\n" for n, arch in enumerate([*same, *others])))
    merged = f"{file}: 5 rows are 4 classes of isomorphic architectures; a class has one value"
    within = "Only architectures with params<=99% are evaluated; search.constraints=[] allows all."
    chosen = {"tables.scores": str(file), "search.constraints": ["params<=99%"]}
    with caplog.at_level(logging.WARNING, "nas"):
        nas.search(objective="scores:good:max", strategy="random", budget=2, settings=chosen)
        assert any(line.startswith(merged) for line in caplog.messages)
        assert within in caplog.messages
        caplog.clear()
        tables = nas.open_tables(scores=file)
        for count, said in (("classes", True), ("strings", False)):
            caplog.clear()
            nas.table_search(tables, "scores:good:max", "random", queries=2, seeds=1, count=count)
            assert any(line.startswith(merged) for line in caplog.messages) == said
    assert nas.open_tables(scores=file)._collection.class_remarks([]) == []
