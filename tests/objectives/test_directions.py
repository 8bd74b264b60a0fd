"""A goal that sounds like a cost, but is searched for its highest values, is remarked."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import nas
from nas.objectives.directions import direction_remarks
from nas.objectives.notation import parse


@pytest.mark.parametrize(
    ("objective", "remarked"),
    [
        ("scores:my_error", ["scores:my_error"]),
        ("scores:a.csv:valLoss", ["scores:a.csv:valLoss"]),
        ("scores:my_error:min", []),
        ("scores:my_error:max", []),
        ("scores:my_accuracy", []),
        ("scores:params", []),  # the registry of proxies has its direction
        ("scores:error+scores:latency+clean", ["scores:error", "scores:latency"]),
        ("scores:a.csv:params", []),
        ("scores:neg_loss", []),
        ("params", []),
        ("edgegpu_latency", []),  # its table has its direction
    ],
)
def test_which_goals_are_remarked(objective: str, remarked: list[str]) -> None:
    said = direction_remarks(parse(objective))
    assert [line.split()[4].rstrip(",") for line in said] == remarked
    assert all(f"write {name}:min" in line for name, line in zip(remarked, said))


def test_both_kinds_of_search_say_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    archs = nas.space("nasbench201").draw(4, seed=0, unique=True)
    file = tmp_path / "mine.csv"
    file.write_text("arch,my_error\n" + "".join(f"{arch},{n}\n" for n, arch in enumerate(archs)))
    tables = nas.open_tables(scores=file)
    for search in (
        lambda: nas.search(
            objective="scores:my_error", strategy="random", budget=2, settings={"tables.scores": str(file)}
        ),
        lambda: nas.table_search(tables, objective="scores:my_error", strategy="random", queries=2, seeds=1),
    ):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "nas"):
            search()
        assert "Higher is better for scores:my_error, as for every column of scores" in caplog.text
