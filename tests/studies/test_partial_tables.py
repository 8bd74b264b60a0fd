"""A search on a table that does not hold every class of its space is a search in its rows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nas.core.errors import InputError
from nas.search_spaces import SPACES, NASBench201
from nas.searches import table_rows
from nas.searches.table_rows import check_strategy, is_partial
from nas.strategies import STRATEGIES
from nas.studies.table_search import table_search
from nas.studies.table_search_settings import TableSearchSettings
from nas.tables import Collection, TableSettings

ROWS = 30


@pytest.fixture
def tables(tmp_path: Path) -> Collection:
    """30 networks of transnas-macro; accuracy falls from row to row."""
    archs = SPACES.get("transnas-macro")().draw(ROWS, seed=1)
    lines = ["arch,val", *(f"{arch},{90 - row}" for row, arch in enumerate(archs))]
    (tmp_path / "part.csv").write_text("\n".join(lines))
    return TableSettings(accuracy=str(tmp_path / "part.csv")).open("transnas-macro")


@pytest.mark.landing
@pytest.mark.parametrize(
    ("strategy", "options"),
    [
        ("random", ()),
        ("guided", ("guided.init=5", "guided.batch=5", "guided.predictor=kernel")),
        ("bananas", ("bananas.init=5", "bananas.members=1", "bananas.layers=1", "bananas.epochs=2")),
    ],
)
def test_strategies_that_choose_find_every_row(strategy: str, options: tuple[str, ...], tables: Collection) -> None:
    settings = TableSearchSettings(["accuracy:val"], [strategy], queries=ROWS, seeds=1, options=options)
    found = table_search(tables, settings).strategies[strategy]
    assert found.regret[-1] == 0
    assert found.regret[0] <= ROWS - 1
    assert found.columns["accuracy:val"].mean == 90


def test_strategies_that_move_to_neighbours_are_refused(tables: Collection) -> None:
    settings = TableSearchSettings(["accuracy:val"], ["local"], queries=5, seeds=1)
    with pytest.raises(InputError, match="got local, which moves to neighbours") as refusal:
        table_search(tables, settings)
    moving = {"evolution", "evolution-naszilla", "evolution-ranks", "local", "local-naszilla", "nsga2", "warmup-move"}
    for name, kind in STRATEGIES.components.items():
        if name in moving:
            with pytest.raises(
                InputError, match="a row; take random." if name in ("evolution-ranks", "nsga2") else f"got {name}"
            ):
                check_strategy(kind)
        else:
            check_strategy(kind)
            assert re.search(f"take .*{name}[, .]", str(refusal.value)), "the message names what can be taken"


def test_a_table_of_nearly_all_classes_is_no_partial_one() -> None:
    space = SPACES.get("transnas-macro")()
    classes = list(map(str, space))
    assert not is_partial(space, classes[1:])  # the published table lacks one of 3,256
    assert is_partial(space, classes[: len(classes) * 9 // 10])
    assert is_partial(NASBench201(), [])


def test_of_a_space_too_large_to_count_some_draws_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    space = SPACES.get("transnas-macro")()
    classes = list(map(str, space))
    assert is_partial(SPACES.get("nasbench101")(), classes)
    monkeypatch.setattr(table_rows, "MAX_COUNTED", 3000)
    assert not is_partial(space, classes[1:])
    assert is_partial(space, classes[: len(classes) * 4 // 5])
