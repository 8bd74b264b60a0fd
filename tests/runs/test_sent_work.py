"""Objects that a process has loaded for its work are not sent with the work to another process."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas.core.storage.sqlite import SqliteStore
from nas.runs.stages import transfer
from nas.runs.stages.context import Worker
from nas.settings.schema import Settings, load

MAKERS: dict[str, Callable[[Settings, Path], Any]] = {
    "worker": lambda settings, folder: Worker(settings, folder, keep=False),
    "transfer": lambda settings, folder: transfer.TransferWorker(settings, {}, folder, keep=False),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_work_is_sent_without_its_data(kind: str, tmp_path: Path) -> None:
    work = MAKERS[kind](load("quickstart", ["data.size=8", "device=cpu"]), tmp_path)
    assert len(work.dataset.train) > 0
    work.open_store = None  # as on a cluster, where an actor has the store
    again = pickle.loads(pickle.dumps(work))
    assert type(again) is type(work)
    assert "dataset" not in vars(again)
    assert (again.settings, again.keep, again.open_store) == (work.settings, True, None)


@pytest.mark.parametrize("kind", MAKERS)
def test_work_opens_the_same_store_elsewhere(kind: str, tmp_path: Path) -> None:
    work = MAKERS[kind](load("quickstart", ["device=cpu"]), tmp_path)
    again = pickle.loads(pickle.dumps(work))
    with work.open_store() as store:
        store.put("key", 5)
    with again.open_store() as store:
        assert isinstance(store, SqliteStore)
        assert store.get("key") == 5
