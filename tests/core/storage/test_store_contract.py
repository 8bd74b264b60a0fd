"""What every store must do: in a file, in memory, as a part of another store, and behind an actor of a cluster."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nas.core.execution import ray_pool
from nas.core.execution.ray_pool import RemoteStore, StoreActor
from nas.core.storage.base import FactStore, PrefixedFacts, Store, TaskResult
from nas.core.storage.memory import InMemoryStore
from nas.core.storage.sqlite import SqliteStore


def sqlite(folder: Path) -> Store:
    return SqliteStore(folder / "store.sqlite")


def memory(folder: Path) -> Store:
    return InMemoryStore()


def prefixed(folder: Path) -> FactStore:
    whole = InMemoryStore({"b": "of others", "pb": "of others"})
    return PrefixedFacts(whole, "part/")


def behind_an_actor(folder: Path) -> FactStore:
    """A remote store without a cluster: calls and answers are pickled as they are there."""
    actor = StoreActor(folder / "store.sqlite")

    def call(*words: Any) -> Any:
        return pickle.loads(pickle.dumps(actor.call(*pickle.loads(pickle.dumps(words)))))

    return RemoteStore(SimpleNamespace(call=SimpleNamespace(remote=call)))


@pytest.fixture(params=[sqlite, memory, prefixed, behind_an_actor], ids=lambda make: make.__name__)
def facts(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FactStore]:
    monkeypatch.setattr(ray_pool, "optional", lambda *names: SimpleNamespace(get=lambda answer: answer))
    with request.param(tmp_path) as opened:
        yield opened


@pytest.fixture(params=[sqlite, memory], ids=lambda make: make.__name__)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with request.param(tmp_path) as opened:
        yield opened


def test_the_last_value_of_a_fact_is_kept(facts: FactStore) -> None:
    assert facts.get("a") is None
    assert facts.get("a", 5) == 5
    for value in (None, 0, [1, "two", {"three": 3.0}], {"a": [None]}):
        facts.put("a", value)
        assert facts.get("a", 5) == value


def test_facts_under_a_prefix_come_in_the_order_of_their_keys_without_it(facts: FactStore) -> None:
    for key in ("p/b", "p/a", "p", "q/p/a", "p/", "P/c", "p%", "p_c"):
        facts.put(key, key)
    assert list(facts.under("p/").items()) == [("", "p/"), ("a", "p/a"), ("b", "p/b")]
    assert facts.under("none") == {}
    assert len(facts.under("")) == 8


GOOD = TaskResult("a|b~0|", {"croze": 1.5, "params": 3.0}, None, 0.25)
BAD = TaskResult[str, Any]("b", None, "ValueError: no", 1.0)


def test_evaluations_come_back_as_they_were(store: Store) -> None:
    store.record(GOOD)
    store.record(BAD)
    assert store.evaluation(GOOD.key) == GOOD
    assert store.evaluation("b") == BAD
    assert store.evaluation("c") is None
    again = TaskResult("b", {"croze": 2.0}, None, 2.0)
    store.record(again)
    assert store.evaluation("b") == again
    assert sorted(store.evaluations(), key=lambda one: one.key) == [GOOD, again]


def test_the_history_is_in_the_order_of_telling(store: Store) -> None:
    assert store.history_length() == 0
    for key in "edcba":
        store.record(TaskResult(key, {"x": 1.0}, None, 0.0))
    with store.transaction():
        for key in "dca":
            store.append_history(key)
    assert [evaluation.key for evaluation in store.history()] == ["d", "c", "a"]  # b and e belong to an unfinished step
    assert store.history_length() == 3
    assert store.from_history("c") == store.evaluation("c")
    assert store.from_history("b") is None
    assert store.from_history("z") is None


def test_a_class_is_told_once(store: Store) -> None:
    store.record(GOOD)
    store.append_history(GOOD.key)
    with pytest.raises(Exception, match=r"already|UNIQUE"):
        store.append_history(GOOD.key)
    assert store.history_length() == 1


def test_seconds_of_a_stage_add_up(store: Store) -> None:
    for seconds in (1.5, 2.0):
        store.add_seconds("search", seconds)
    store.add_seconds("train", 1.0)
    assert store.under("seconds/") == {"search": 3.5, "train": 1.0}


def test_which_outlives_the_process(tmp_path: Path) -> None:
    assert sqlite(tmp_path).durable
    assert not memory(tmp_path).durable
