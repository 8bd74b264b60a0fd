"""A search on a table that does not hold every class of its space is a search in its rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.core.errors import InputError
from nas.search_spaces import SPACES, NASBench201
from nas.searches.table_rows import is_partial
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


@pytest.mark.parametrize("strategy", ["evolution", "local"])
def test_strategies_that_move_to_neighbours_are_refused(strategy: str, tables: Collection) -> None:
    settings = TableSearchSettings(["accuracy:val"], [strategy], queries=5, seeds=1)
    with pytest.raises(InputError, match=f"got {strategy}, which moves to neighbours"):
        table_search(tables, settings)


def test_a_table_of_nearly_all_classes_is_no_partial_one() -> None:
    space = SPACES.get("transnas-macro")()
    classes = list(map(str, space))
    assert not is_partial(space, classes[1:])  # the published table lacks one of 3,256
    assert is_partial(space, classes[: len(classes) * 9 // 10])
    assert is_partial(SPACES.get("nasbench101")(), classes)
    assert not is_partial(NASBench201(), [])
