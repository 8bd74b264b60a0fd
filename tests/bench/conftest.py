"""The benchmarks' clock."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from clock import Clock

from nas.bench import spread, timing


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What `nas.bench.timing.seconds` and `nas.bench.spread` read in the test; the processor works a quarter of it."""
    found = Clock()
    monkeypatch.setattr(timing, "perf_counter", found)
    names = SimpleNamespace(monotonic=found, perf_counter=found, process_time=lambda: found() / 4, sleep=found.go_on)
    monkeypatch.setattr(spread, "time", names)
    return found
