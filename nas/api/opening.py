"""`nas.open_run` and `nas.space`: open a finished run, or a search space."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nas.api.execution import RunRecord
from nas.api.results import outcome
from nas.api.run_files import RunFiles
from nas.commands import command_of
from nas.report.run_data import read_run_data
from nas.runs.differences import corrected
from nas.runs.run_files import finished, malformed_as_input_error
from nas.search_spaces import SPACES, SearchSpace


def space(name: str) -> SearchSpace[Any]:
    """The search space of this name (`nas list spaces`): its points, networks, costs and features.

    Raises InputError if there is no such space.

    >>> import nas
    >>> space = nas.space("nasbench201")
    >>> cell = space.draw(1, seed=1)[0]
    >>> len(space), space.cost(cell).params
    (15625, 615386)
    """
    return SPACES.get(name)()


def open_run(run: str | os.PathLike[str]) -> Any:
    """The result of a finished run of any command, by its folder.

    A search gives what `nas.search` returns, and so on; `nas run` gives its search and its evaluated networks.
    Raises InputError if the folder is no run or the run is not finished.

    >>> import nas
    >>> found = nas.search(objective="params:min", strategy="random", budget=4, run="runs/small")
    >>> nas.open_run("runs/small") == found
    True
    """
    folder = Path(run).expanduser()
    result = finished(folder)
    with malformed_as_input_error(folder):
        command = command_of(folder)
        data = read_run_data(folder, corrected(result), command.repeat, command.acting)
    return outcome(data.result, RunRecord(data, RunFiles.of(folder, temporary=False)))
