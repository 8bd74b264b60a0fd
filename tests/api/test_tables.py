"""`nas.open_tables`: columns by name, values by architecture."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import nas
from nas.api.tables import Tables
from nas.core.errors import InputError
from nas.results import FoundArchitecture
from nas.search_spaces import NASBench201
from nas.studies.table_search import table_search
from nas.studies.table_search_settings import TableSearchSettings
from nas.tables import RobustnessDataset

CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"  # the tables have another of its class
SCORES = f'arch,croze,snip\n"{CELL}",2.5,\n"{CELL.replace("skip_connect", "none")}",1.5,3\n'


@pytest.fixture
def scores(tmp_path: Path) -> Tables:
    (tmp_path / "mine.csv").write_text(SCORES)
    return nas.open_tables(scores=tmp_path / "mine.csv")


@pytest.fixture(scope="module")
def published(data_dir: Path) -> Tables:
    return nas.open_tables(robustness=data_dir / "robustness-dataset", dataset="cifar10")


def test_columns_are_those_of_the_table(published: Tables, data_dir: Path) -> None:
    table = RobustnessDataset(data_dir / "robustness-dataset", "cifar10")
    assert list(published) == table.names()
    assert len(published) == len(table.names())
    column = published["fgsm@1"]
    assert list(column.values()) == table.column("fgsm@1").tolist()
    assert published.architectures == table.architectures
    assert repr(column) == f"<Column: fgsm@1 of {len(table.architectures):,} architectures>"
    assert "hrs:fgsm@1" in published
    assert published.higher_is_better("fgsm@1")


def test_an_architecture_is_a_text_a_point_or_what_was_found(published: Tables) -> None:
    space = NASBench201()
    assert CELL not in published.architectures
    expected = published["clean"][str(space.canonical(space.parse(CELL)))]
    found = FoundArchitecture(CELL, str(space.canonical(space.parse(CELL))), {})
    assert published["clean"][CELL] == published["clean"][space.parse(CELL)] == expected
    assert published["clean"][found] == expected
    assert type(expected) is float


def test_unknown_names_are_key_errors_that_suggest(scores: Tables) -> None:
    with pytest.raises(InputError, match=r"did you mean 'croze'\?") as caught:
        scores["scores:crose"]
    assert isinstance(caught.value, KeyError)
    assert str(caught.value).startswith("Expected a column")
    assert "scores:crose" not in scores
    assert scores.get("clean") is None
    with pytest.raises(InputError, match="did you mean"):
        scores.higher_is_better("scores:crose")


def test_unknown_architectures_are_key_errors(scores: Tables) -> None:
    column = scores["scores:croze"]
    other = CELL.replace("nor_conv_1x1", "avg_pool_3x3")
    with pytest.raises(KeyError, match="has a row there"):
        column[other]
    with pytest.raises(KeyError) as caught:
        column[CELL.replace("skip_connect", "skip_conect")]
    assert "skip_connect" in str(caught.value)
    assert isinstance(caught.value, InputError)
    assert other not in column
    assert column.get("no cell") is None


def test_files_of_scores(scores: Tables) -> None:
    assert dict(scores["scores:croze"]) == dict(zip(scores.architectures, (2.5, 1.5)))
    assert math.isnan(scores["scores:snip"][CELL])
    assert repr(scores) == "<Tables: 2 columns of 2 architectures>"


def test_the_direction_of_scores_is_that_of_the_proxy(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(SCORES.replace("snip", "jacob_fro"))
    tables = nas.open_tables(scores=str(tmp_path / "mine.csv"))
    assert tables.higher_is_better("scores:croze")
    assert not tables.higher_is_better("scores:jacob_fro")


def test_the_data_set_is_that_of_the_call(data_dir: Path) -> None:
    with pytest.raises(InputError, match="dataset 'cifar11'"):
        len(nas.open_tables(robustness=data_dir / "robustness-dataset", dataset="cifar11"))


def test_no_table_or_a_missing_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Expected a table but got none"):
        nas.open_tables()
    with pytest.raises(InputError, match="gone"):
        nas.open_tables(robustness=tmp_path / "gone")


def test_frame(scores: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=dict))
    whole = scores.to_frame()
    assert list(whole) == ["arch", "scores:croze", "scores:snip"]
    assert list(whole["scores:croze"]) == [2.5, 1.5]
    assert list(scores.to_frame("scores:c*")) == ["arch", "scores:croze"]
    with pytest.raises(InputError, match="did you mean"):
        scores.to_frame("scores:crose")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match="Expected pandas"):
        scores.to_frame()


def test_studies_take_opened_tables(tmp_path: Path) -> None:
    cells = nas.space("nasbench201").draw(6, seed=1, unique=True)
    rows = [f'"{cell}",{number}' for number, cell in enumerate(cells)]
    (tmp_path / "mine.csv").write_text("\n".join(["arch,croze", *rows]) + "\n")
    tables = nas.open_tables(scores=tmp_path / "mine.csv")
    settings = TableSearchSettings(["scores:croze"], ["random"], queries=3, seeds=2)
    opened, collected = (table_search(one, settings).strategies["random"] for one in (tables, tables.collection))
    assert opened.columns == collected.columns
    steps: list[tuple[float, float, str]] = []
    limited = nas.table_search(
        tables,
        "scores:croze",
        "random",
        queries=3,
        seeds=2,
        limits=["scores:croze>=1"],
        progress=lambda *step: steps.append(step),
    )
    assert limited.limits == ["scores:croze>=1"]
    assert limited.strategies["random"].feasible is not None
    assert steps[-1][:2] == (2, 2)
    with pytest.raises(InputError, match=r"Expected what nas\.open_tables returns but got an object of type dict"):
        nas.table_search({}, "clean")
