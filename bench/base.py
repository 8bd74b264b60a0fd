"""The contract of a benchmark."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar


class Bench(ABC):
    """One benchmark: made without arguments and run once by `nas bench NAME`.

    The first line of a subclass's docstring is what `nas list benchmarks` says of it.
    """

    name: ClassVar[str]

    @abstractmethod
    def run(self, report: Callable[[str], None]) -> dict[str, Any]:
        """Measures and returns what `--json` prints; `report` takes one line of progress at a time."""
