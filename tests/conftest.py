"""Shared fixtures: where the real data is, and a cache folder of the test's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("NAS_TEST_DATA", ROOT / "../shared/data")).resolve()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data for tests; skips where there is none."""
    if not DATA.is_dir():
        pytest.skip(f"no test data at {DATA}; set NAS_TEST_DATA to the folder that holds it")
    return DATA


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
