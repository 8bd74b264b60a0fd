"""Shared fixtures: where the real data is, a cache folder of the test's own, one thread, every search space."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from nas.search_spaces import SPACES, SearchSpace

# Without AVX-512, torch 2.14 and 2.15 crash in oneDNN on networks as tiny as those here (docs/reliability.md). Read at
# the first convolution, also by the processes that a test starts.
if torch.backends.cpu.get_cpu_capability() == "AVX2":
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX")

# Networks here are tiny: threads that wait for each other would take most of the time, also in fixtures and in the
# processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)

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


@pytest.fixture(autouse=True, scope="module")
def _short_collections() -> None:
    """Garbage collections pass over all objects from before the tests of a file, which are mostly those of libraries.

    Python collects by itself, and the program does so where memory runs short; with the objects of torch and
    scikit-learn to look through, each collection would take most of a second.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """The networks here are tiny; on a busy machine threads waiting for each other take most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=SPACES.names())
def space(request: pytest.FixtureRequest) -> SearchSpace:
    return SPACES.get(request.param)()
