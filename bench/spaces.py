"""The time of methods that a search calls thousands of times, and of refusing malformed texts: `nas bench spaces`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from random import Random
from statistics import median
from typing import Any, ClassVar

from nas.bench.base import Bench, Limit
from nas.bench.measuring.timing import seconds
from nas.core.io.records import Json
from nas.search_spaces import SPACES, SearchSpace
from nas.search_spaces.literal import NotationError, Reader

CELLS = 100
ROUNDS = 5  # of each measurement; their median counts
FIRST = 5000  # architectures that are iterated over
LETTERS = 200_000  # in a text
PARTS = ("[", "(", "{'a':", "'", '"', "\\'", "f(", "-", "[*", "1,", "#", " ", "a.", "'a' ", "9")
MOST = {"canonical_ms": 5.0, "connected_ms": 2.0, "features_ms": 3.0, "iteration_seconds": 2.0}


class SpacesBench(Bench):
    """Milliseconds for the canonical form, the features and the connectedness of a cell; seconds to refuse odd texts.

    For each space, the time per cell (median over rounds of 100 random cells) and the seconds of iterating over the
    first 5,000; `longest_text_seconds` is the longest time to refuse a text of 200,000 letters that repeats one part.
    """

    name: ClassVar[str] = "spaces"
    limits: ClassVar[tuple[Limit, ...]] = (
        *(
            Limit(f"{figure}.{space}", at_most=most)
            for figure, most in MOST.items()
            for space in ("nasbench201", "darts")
        ),
        Limit("longest_text_seconds", at_most=3.0),
    )
    cells: int = CELLS
    first: int = FIRST
    letters: int = LETTERS

    def run(self, report: Callable[[str], None]) -> Json:
        result: Json = {figure: {} for figure in MOST}
        for name, kind in SPACES.components.items():
            for figure, value in self.measure(kind()).items():
                result[figure][name] = value
                report(f"{name} {figure}: {value:g}")
        result["longest_text_seconds"] = float(f"{max(map(self.reading, PARTS)):.3g}")
        report(f"longest_text_seconds: {result['longest_text_seconds']:g}")
        return result

    def measure(self, space: SearchSpace[Any]) -> dict[str, float]:
        """The figures of one space."""
        rng = Random(0)
        rounds = [[space.sample(rng) for _ in range(self.cells)] for _ in range(ROUNDS)]  # new: answers are cached

        def each(action: Callable[[Any], object]) -> float:
            action(space.largest())  # makes tables that are cached
            return 1000 * median(seconds(list, map(action, cells)) for cells in rounds) / self.cells

        figures = {
            "canonical_ms": each(space.canonical),
            "connected_ms": each(space.connected),
            "features_ms": each(space.features),
            "iteration_seconds": seconds(lambda: list(islice(space, self.first))),
        }
        return {figure: float(f"{value:.3g}") for figure, value in figures.items()}

    def reading(self, part: str) -> float:
        """Seconds until a text that only repeats this part is refused."""
        text = "[" + part * (self.letters // len(part))

        def read() -> None:
            with suppress(NotationError):
                Reader(text).value()

        return seconds(read)
