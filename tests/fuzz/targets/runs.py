"""The folder of a run: its configuration and its result, as `nas report`, `nas train` and `nas resume` read them."""

from __future__ import annotations

import functools
import json
from typing import Any

from contract import folder, target
from targets.notations import CELL

from nas.core import config
from nas.runs.run_folder import CONFIG, RESULT, described, reopen, result_of
from nas.settings.schema import load


@functools.cache
def _configuration() -> bytes:
    settings = config.plain(load("quickstart", []))
    return json.dumps({"version": "0.1", "command": "search", "extra": {}, "settings": settings}).encode()


@target("run-config", lambda: [_configuration()])
def run_config(data: bytes) -> None:
    """The config.json of a run."""
    with folder() as place:
        (place / CONFIG).write_bytes(data)
        assert isinstance(described(place)["settings"], dict)
        with reopen(place) as run:
            assert isinstance(run.command, str)


def _result() -> dict[str, Any]:
    best = [{"arch": CELL, "metrics": {"croze": 1.5}, "params": 5}]
    return {"best": best, "evaluated": 3, "failed": 0, "goals": [{"name": "croze"}], "seconds": {"search": 1.0}}


@target("run-result", lambda: [json.dumps(_result()).encode()])
def run_result(data: bytes) -> None:
    """The result.json of a run."""
    with folder() as place:
        (place / CONFIG).write_bytes(_configuration())
        (place / RESULT).write_bytes(data)
        assert isinstance(result_of(place), dict)
