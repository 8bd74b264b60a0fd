"""The promise itself: `nas run quickstart` and its numbers. Minutes, so slow; its time: `nas bench quickstart`."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import nas_json


@pytest.mark.slow
def test_quickstart(tmp_path: Path) -> None:
    result = nas_json("run", "quickstart", cwd=tmp_path)
    assert result["search"]["evaluated"] >= 100
    models = {model["name"]: model for model in result["models"]}
    assert all(model["n_test"] >= 100 for model in models.values())
    for cell in ("best", "random"):
        assert models[f"{cell}-standard"]["clean"] >= 0.9
        (gain,) = [
            row
            for row in result["differences"]
            if (row["first"], row["second"], row["metric"]) == (f"{cell}-pgd", f"{cell}-standard", "autoattack")
        ]
        assert gain["interval"][0] > 0
