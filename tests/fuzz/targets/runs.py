"""The folder of a run: its configuration and its result, as `nas report`, `nas train` and `nas resume` read them."""

from __future__ import annotations

import functools
import json

from contract import folder, target
from targets.notations import CELL

from nas.core import config
from nas.core.goal import Goal
from nas.results import FoundArchitecture, Result, SearchResult
from nas.runs.run_config import CONFIG, read_config
from nas.runs.run_files import RESULT, result_of
from nas.runs.run_folder import reopen
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
        assert isinstance(read_config(place).settings, dict)
        with reopen(place) as run:
            assert isinstance(run.command, str)


def _result() -> SearchResult:
    top = [FoundArchitecture(CELL, CELL, {"croze": 1.5})]
    return SearchResult(
        objective="croze",
        goals=[Goal("croze")],
        top=top,
        evaluated=3,
        failed=0,
        exhausted=False,
        seconds={"search": 1.0},
    )


@target("run-result", lambda: [json.dumps(_result().to_json()).encode()])
def run_result(data: bytes) -> None:
    """The result.json of a run."""
    with folder() as place:
        (place / CONFIG).write_bytes(_configuration())
        (place / RESULT).write_bytes(data)
        assert isinstance(result_of(place), Result)
