"""`nas resume`: go on with a run that was stopped."""

from __future__ import annotations

from pathlib import Path

import typer

from nas.cli.output import Json


def command(
    folder: Path = typer.Argument(..., metavar="RUN", help="The folder of the run."), as_json: bool = Json
) -> None:
    """Continue a stopped run of any command to the same result as if it had never been stopped.

    A finished run is left as it is and its result printed. Example: `nas resume runs/quickstart-1`.
    """
    from nas.cli.execution import carry_out
    from nas.drivers.run import reopen

    carry_out(reopen(folder), as_json)
