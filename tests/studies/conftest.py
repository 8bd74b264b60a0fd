"""Made-up tables of NAS-Bench-201 for tests of studies."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from scipy import stats
from scored_cells import N, sizes, table
from searched_classes import SPACE, worth

from nas.core.seeds import derive
from nas.tables import ArrayTable, Collection, LatencyTable


@pytest.fixture(scope="session")
def cells() -> list[str]:
    """Representatives of different classes."""
    rng = Random(0)
    found: dict[str, None] = {}
    while len(found) < N:
        found[str(SPACE.canonical(SPACE.sample(rng)))] = None
    return list(found)


@pytest.fixture(scope="session")
def numbers(cells: list[str]) -> dict[str, np.ndarray]:
    """Accuracies that come from size and quality in equal parts, and proxies that know of one or the other."""
    rng = np.random.default_rng(0)
    size = stats.rankdata(sizes(cells)) / N
    quality = rng.permutation(N) / N
    return {
        "clean": np.round(size + quality, 2),
        "severe": rng.permutation(N) / N,
        "only_size": size**3,
        "noisy_size": size + 0.7 * rng.normal(size=N),
        "insight": quality + 0.5 * size,
        "nothing": rng.normal(size=N),
    }


@pytest.fixture(scope="session")
def accuracies(cells: list[str], numbers: dict[str, np.ndarray]) -> Collection:
    return Collection({"": table(cells, numbers, "clean", "severe")})


@pytest.fixture(scope="session")
def classes() -> list[str]:
    return sorted({str(SPACE.canonical(cell)) for cell in SPACE})


@pytest.fixture(scope="session")
def tables(classes: list[str]) -> Collection:
    """All classes with three columns, and a latency that some of them lack."""
    clean = np.array(list(map(worth, classes)))
    columns = {"clean": clean, "fgsm@1": clean**2, "noise": np.array([derive(0, text) % 1000 for text in classes])}
    missing = np.array([derive(1, text) % 50 == 0 for text in classes])
    latency = LatencyTable("devices", classes, {"edgegpu_latency": np.where(missing, np.nan, 1 + 9 * clean)})
    return Collection({"": ArrayTable("table", classes, columns)}, [latency])
