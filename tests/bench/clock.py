"""A clock in the place of the real one, so that what a benchmark measures does not depend on the machine."""

from __future__ import annotations


class Clock:
    """Seconds that go on only where a test says so."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time

    def go_on(self, seconds: float) -> None:
        self.time += seconds
