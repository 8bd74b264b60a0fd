"""The contract of a benchmark."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from nas.bench.limits import Judged, Limit
from nas.core.io.records import Json


class Bench(ABC):
    """One benchmark: made without arguments and run once by `nas bench NAME`.

    The first line of a subclass's docstring is what `nas list benchmarks` says of it. `limits` are what its figures
    keep to on a quiet machine.
    """

    name: ClassVar[str]
    limits: ClassVar[tuple[Limit, ...]] = ()

    @abstractmethod
    def run(self, report: Callable[[str], None]) -> Json:
        """Measures and returns what `--json` prints; `report` takes one line of progress at a time."""

    def judged(self, result: Mapping[str, Any]) -> list[Judged]:
        """The figures of a result that have a limit, each beside it."""
        return [found for limit in self.limits if (found := limit.judged(result)) is not None]

    def missed(self, result: Mapping[str, Any]) -> list[str]:
        """The names of the figures that are beyond their limits."""
        return [found.figure for found in self.judged(result) if not found.kept]
