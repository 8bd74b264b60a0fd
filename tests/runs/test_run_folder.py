"""The copies in a run's folder that repair damage, and the provenance in its result."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import result_factory
import torch

from nas.core import provenance
from nas.core.data import Dataset, Split
from nas.core.errors import InputError
from nas.core.io.files import DamagedError, write_with_checksum
from nas.core.storage import backup
from nas.results import Provenance, Result
from nas.runs.run_config import read_config
from nas.runs.run_files import result_of
from nas.runs.run_folder import create, reopen
from nas.searches.search_stage import depends_on_images
from nas.settings.schema import load


def settings(folder: Path, *overrides: str) -> Any:
    return load("quickstart", [f"run.dir={folder}", "device=cpu", *overrides])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with create("search", settings(tmp_path / "run")):
        pass
    return tmp_path / "run"


def facts(path: Path) -> dict[str, Any]:
    """The facts of a store, read without changing it."""
    with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as connection:
        return {key: json.loads(value) for key, value, _ in connection.execute("SELECT * FROM facts")}


def test_a_new_folder_has_a_store_and_a_good_copy(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "config.json.sha256", "lock", "store.sqlite", "store.good.sqlite",
    }  # fmt: skip
    assert facts(folder / "store.good.sqlite")["config"] == read_config(folder).to_json()


def test_the_end_of_a_stage_renews_the_good_copy(folder: Path) -> None:
    with reopen(folder) as run:
        with run.stage("search"):
            run.store.put("found", 1)
        assert facts(folder / "store.good.sqlite")["found"] == 1
        run.store.put("found", 2)
        with pytest.raises(KeyError), run.stage("train"):
            raise KeyError
        assert facts(folder / "store.good.sqlite")["found"] == 1


def test_a_stage_under_way_renews_it_now_and_then(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with reopen(folder) as run, run.stage("search") as stage:
        run.store.put("found", 1)
        stage.start -= 3
        stage.flush()
        assert "found" not in facts(folder / "store.good.sqlite")
    monkeypatch.setattr(backup, "MINUTES_BETWEEN_COPIES", 0.0)
    with reopen(folder) as run, run.stage("search") as stage:
        run.store.put("found", 1)
        stage.start -= 3
        stage.flush()
        assert facts(folder / "store.good.sqlite")["found"] == 1


def test_a_stage_that_fails_stores_its_time_and_leaves_the_good_copy(folder: Path) -> None:
    before = (folder / "store.good.sqlite").read_bytes()
    with reopen(folder) as run:
        run.store.put("found", 1)
        with pytest.raises(InputError, match="its own"), run.stage("search"):
            raise InputError("its own")
        assert (folder / "store.good.sqlite").read_bytes() == before
        assert "search" in run.seconds()
        assert run.store.get("found") == 1
        with run.stage("search"):
            pass
    assert facts(folder / "store.good.sqlite")["found"] == 1


def test_damage_that_comes_up_while_running_ends_in_an_action(folder: Path) -> None:
    with sqlite3.connect(folder / "store.sqlite") as connection:
        connection.execute("UPDATE facts SET value = '[]' WHERE key = 'config'")
    connection.close()
    with reopen(folder) as run:  # repaired when it is opened
        assert run.store.get("config") == read_config(folder).to_json()
        run.store.connection.execute("UPDATE facts SET value = '[]' WHERE key = 'config'")
        with pytest.raises(DamagedError, match=r"store\.sqlite is damaged .*'config'.*nas resume"):
            run.store.get("config")
    assert (folder / "store.damaged-1.sqlite").exists()


def test_a_folder_that_is_no_run_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no config"), reopen(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_result_comes_back_and_a_damaged_one_is_none(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with reopen(folder) as run:
        assert run.result() is None
        written = run.finish(result_factory.searched(evaluated=1))
        assert result_of(folder) == run.result() == written
        path = folder / "result.json"
        path.write_text(path.read_text().replace('"evaluated": 1', '"evaluated": 2'))
        with pytest.raises(DamagedError, match="nas resume"):
            result_of(folder)
        assert run.result() is None
        assert "result.damaged-1.json" in caplog.text
        assert run.result() is None
        assert run.finish(result_factory.searched(evaluated=1)) == written


def origin(tmp_path: Path, name: str, *overrides: str) -> Provenance:
    with create("search", settings(tmp_path / name, *overrides)) as run:
        return origin_of(run.finish(result_factory.searched()))


def origin_of(result: Result) -> Provenance:
    assert result.provenance is not None
    return result.provenance


def test_the_origin_depends_on_what_matters(tmp_path: Path) -> None:
    plain = origin(tmp_path, "a")
    assert plain == origin(tmp_path, "b", "executor.workers=2", "executor.retries=9", "name=other")
    assert plain.settings_sha256 != origin(tmp_path, "c", "search.budget=7").settings_sha256
    other = origin(tmp_path, "d", "executor.deterministic=true")
    assert (plain.deterministic, other.deterministic) == (False, True)


def test_sessions_elsewhere_are_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with reopen(folder) as run:
        run.begin()
        run.begin()
    first = provenance.environment(torch.device("cpu"))
    monkeypatch.setattr(provenance, "revision", lambda: {"commit": "another", "changed": False})
    with reopen(folder) as run:
        run.begin()
        about = origin_of(run.finish(result_factory.searched()))
    assert about.source is not None
    assert about.source.commit == "another"
    assert [one.to_json() for one in about.earlier] == [first]


def dataset() -> Dataset:
    part = Split(torch.zeros(4, 3, 2, 2, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64))
    return Dataset("x", part, part, part, 2, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_a_run_goes_on_with_the_data_it_began_with(folder: Path) -> None:
    with reopen(folder) as run:
        run.check_data_unchanged(dataset())
    with reopen(folder) as run:
        run.check_data_unchanged(dataset())
        other = dataset()
        other.test.labels[1] = 1
        with pytest.raises(InputError, match="checksums differ"):
            run.check_data_unchanged(other)
        found = origin_of(run.finish(result_factory.searched()))
    assert found.data_sha256 is not None
    assert found.data_sha256.keys() == {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], True),
        (["search.objective=latency"], False),
        (["search.objective=latency+nwot"], True),
        (["search.objective=latency", "search.cheap=synflow"], True),
        (["search.objective=latency", "search.features=graph,nwot"], True),
        (["search.objective=trained:clean"], True),
    ],
)
def test_which_searches_depend_on_images(tmp_path: Path, overrides: list[str], expected: bool) -> None:
    assert depends_on_images(settings(tmp_path, *overrides)) == expected


def test_a_run_of_before_goes_on_with_a_tenth(folder: Path) -> None:
    about = json.loads((folder / "config.json").read_text())
    assert about["settings"]["data"].pop("validation") == 0.1
    write_with_checksum(folder / "config.json", about)
    with reopen(folder) as run:
        assert run.settings.data.validation == 0.1
