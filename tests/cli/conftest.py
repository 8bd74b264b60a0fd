"""A small data set for runs in processes of their own."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a job in the background; commands would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def few_digits(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The override that names 300 real digits of 8 by 8 pixels in an .npz file."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    path: Path = tmp_path_factory.mktemp("data") / "digits.npz"
    images = np.rint(digits.images[:300] * (255 / 16)).astype(np.uint8)
    np.savez(path, images=images, labels=digits.target[:300].astype(np.uint8))
    return f"data.root={path}"
