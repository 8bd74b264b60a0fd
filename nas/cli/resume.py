"""`nas resume`: go on with a run that was stopped."""

from __future__ import annotations

from pathlib import Path

import typer

from nas.cli.arguments import only_overrides
from nas.cli.output import Json


def command(
    folder: Path = typer.Argument(..., metavar="RUN", help="The folder of the run."),
    overrides: list[str] = typer.Argument(None, metavar="[KEY=VALUE]...", help="executor.workers, data.root, ..."),
    as_json: bool = Json,
) -> None:
    """Continue a stopped run of any command to the same result as if it had never been stopped.

    A finished run is left as it is and its result printed. The number of workers and the place of the data may change.
    Examples: `nas resume runs/quickstart-1`; `nas resume runs/quickstart-1 executor.workers=1`.
    """
    from nas.cli.execution import carry_out
    from nas.runs.run_folder import reopen
    from nas.runs.torchrun import follow, together

    with together() as first:
        carry_out(reopen(folder, only_overrides(overrides)), as_json) if first else follow()
