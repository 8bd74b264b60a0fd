"""What a command gives back for a run that is finished already, as with `nas resume`: the stored result."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.results import Result
    from nas.runs.run_folder import Run


def result_of_finished(run: Run) -> Result | None:
    """The stored result of a finished run; None if the run is not finished.

    Logs a warning if an earlier version wrote the result, with verdicts of uncorrected intervals.
    """
    from nas.runs.differences import uncorrected
    from nas.runs.run_files import RESULT

    result = run.result()
    if result is not None and uncorrected(result):
        logging.getLogger("nas").warning(
            "%s was written by an earlier version: its `shown` is the verdict of an uncorrected interval. "
            "`nas report %s` corrects the verdicts for the number of differences.",
            run.folder / RESULT,
            run.folder,
        )
    return result
