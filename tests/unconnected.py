"""Cells with and without a path from the image to the logits, and small searches for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nas.core.execution.executor import Executor
from nas.core.storage.base import Store
from nas.runs.stages.context import Worker
from nas.search_spaces import NASBench201
from nas.searches.problem import SearchProblem
from nas.settings.schema import from_values

SPACE = NASBench201()
DEAD = str(SPACE.canonical(SPACE.parse("|none~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|none~2|")))
NOTHING = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
ALIVE = str(SPACE.canonical(SPACE.parse("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|")))
SMALL = (
    *("device=cpu", "data.size=8", "model.channels=4", "model.cells_per_stage=1", "scoring.channels=2"),
    *("scoring.cells_per_stage=1", "executor.workers=1", "proxies.eproxy.c_mid=4", "proxies.eproxy.c_out=3"),
    *("proxies.eproxy.batch_size=4", "proxies.grad_norm.batch_size=8", "proxies.jacob_fro.batch_size=8"),
)


def settings(*overrides: str) -> Any:
    return from_values({"name": "test"}, [*SMALL, *overrides])


def problem(*overrides: str, kept: Store | None = None, older: str | None = None) -> SearchProblem:
    worker = Worker(settings(*overrides), Path("a-run"))
    worker.open_store = None
    return SearchProblem(worker, kept, Executor(worker, 1, 1), older)


def outcomes(of: SearchProblem, *keys: str) -> dict[str, str | dict[str, float]]:
    """Of each architecture its metrics, or why there are none."""
    return {done.key: done.failure or done.result or {} for done in of.evaluate(keys, lambda: None)}


def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The cells of which networks are built from here on."""
    cells: list[str] = []
    build = NASBench201.build

    def noted(self: NASBench201, arch: Any, *args: Any, **others: Any) -> Any:
        cells.append(str(arch))
        return build(self, arch, *args, **others)

    monkeypatch.setattr(NASBench201, "build", noted)
    return cells
