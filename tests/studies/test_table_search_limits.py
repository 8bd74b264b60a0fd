"""Searches on a table within limits, and those that count strings instead of classes."""

from __future__ import annotations

import csv
import pickle
from random import Random

import numpy as np
import pytest
from searched_classes import SPACE, compared, worth

from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.studies.string_space import string_space
from nas.studies.table_search import table_search
from nas.studies.table_search_result import TableSearchResult, csv_rows
from nas.tables import Collection


def test_limits_are_known_only_after_a_query(tables: Collection) -> None:
    settings = compared(queries=12, seeds=5, seed=3, limit_texts=("noise<=300",), columns=("clean",))
    result = table_search(tables, settings)
    best, shares, found_any = [], [], 0
    for number in range(5):
        rng, found = Random(derive(3, "table search", number)), []
        while len(found) < 12:
            name = str(SPACE.canonical(SPACE.sample(rng)))
            found += [name] if name not in found else []
        within = [derive(0, text) % 1000 <= 300 for text in found]
        shares.append(np.cumsum(within) / np.arange(1, 13))
        best += [max(worth(text) for text, good in zip(found, within) if good)] if any(within) else []
        found_any += any(within)
    random = result.strategies["random"]
    assert random.feasible is not None
    assert random.feasible.share == pytest.approx(np.mean(shares, axis=0)[-1])
    np.testing.assert_allclose(random.feasible.shares, np.mean(shares, axis=0))
    assert random.feasible.runs == found_any / 5
    assert random.feasible.best[-1] == pytest.approx(np.mean(best))
    assert random.columns["clean"].mean == pytest.approx(np.mean(best))
    assert result.limits == ["noise<=300"]
    row = next(csv.DictReader(csv_rows(result).splitlines()))
    within = result.strategies["random"].feasible
    assert within is not None
    assert (float(row["feasible"]), float(row["runs_within"])) == (within.share, within.runs)
    assert result.optimum["noise"] == pytest.approx(
        min(value for value in map(float, tables.values("noise", tables.classes(["noise"])))), abs=300
    )
    assert TableSearchResult.from_json(result.to_json()) == result
    assert "limits" not in table_search(tables, compared(seeds=1)).to_json()


@pytest.mark.parametrize(
    ("limits", "words"),
    [("params<=3", "search.constraints"), ("noise<3%", "such as"), ("noise<=-1", "some class"), ("nose<=3", "nose")],
)
def test_impossible_limits_are_told(tables: Collection, limits: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        table_search(tables, compared(limit_texts=(limits,)))
    with pytest.raises(InputError, match="leave --joint out"):
        compared(joint=True).check()


def test_strings_are_counted_one_by_one(tables: Collection) -> None:
    """The queries are the different strings drawn; the row of each is that of its class."""
    result = table_search(tables, compared(queries=30, seeds=2, count="strings", strategies=["random", "bo"]))
    assert (result.n_classes, result.count) == (len(SPACE), "strings")
    best = []
    for number in range(2):
        rng, found = Random(derive(0, "table search", number)), []
        while len(found) < 30:
            name = str(SPACE.sample(rng))
            found += [name] if name not in found else []
        best.append(max(worth(str(SPACE.canonical(SPACE.parse(name)))) for name in found))
    assert result.strategies["random"].columns["clean"].mean == pytest.approx(np.mean(best))
    with pytest.raises(InputError, match="classes or strings"):
        compared(count="cells").check()


def test_a_space_of_strings_travels_to_other_processes() -> None:
    space = string_space(SPACE)
    cell = SPACE.parse("|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x3~2|")
    assert pickle.loads(pickle.dumps(space)).canonical(cell) == space.canonical(cell) == cell
    assert SPACE.canonical(cell) != cell
