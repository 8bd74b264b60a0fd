"""Made-up scores and accuracies of cells of NAS-Bench-201."""

from __future__ import annotations

import numpy as np

from nas.search_spaces import NASBench201
from nas.tables import ArrayTable

SPACE = NASBench201()
N = 400


class Levels(ArrayTable):
    """A table with a column of three levels, as corruptions have."""

    def _levels(self, name: str) -> np.ndarray:
        return (
            self.columns["severe"][:, None] * [1, 0, 0] + super()._levels("clean") * [0, 1, -1]
            if name == "fog"
            else super()._levels(name)
        )


def sizes(texts: list[str]) -> np.ndarray:
    return np.array([SPACE.cost(SPACE.parse(text)).params for text in texts], dtype=float)


def table(cells: list[str], numbers: dict[str, np.ndarray], *names: str) -> ArrayTable:
    return ArrayTable("scores.csv", cells, {name: numbers[name] for name in names})
