"""The benchmarks' clock."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from clock import Clock

from nas.bench.measuring import spread, timing


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time that `seconds` and `spread` read in the test; the processor works for a quarter of it."""
    found = Clock()
    monkeypatch.setattr(timing, "perf_counter", found)
    names = SimpleNamespace(monotonic=found, perf_counter=found, process_time=lambda: found() / 4, sleep=found.go_on)
    monkeypatch.setattr(spread, "time", names)
    return found
