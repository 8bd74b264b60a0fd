"""Fixtures for `nas.evaluate`: digits as any caller may have them, and a network that knows them."""

from __future__ import annotations

import numpy as np
import pytest
from callers_networks import Nearest, nearest

from nas.core.data import Dataset, DataSettings, attacked, load


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load(DataSettings())


@pytest.fixture
def network(digits: Dataset) -> Nearest:
    return nearest(digits)


@pytest.fixture(scope="module")
def images(digits: Dataset) -> np.ndarray:
    """The first 24 images that `nas eval` attacks, as bytes."""
    return attacked(digits, 24).images.permute(0, 2, 3, 1).numpy()


@pytest.fixture(scope="module")
def labels(digits: Dataset) -> np.ndarray:
    return attacked(digits, 24).labels.numpy()
