"""`nas report`: write the report of finished runs again and print their results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from nas.cli.output import Json, output


def command(
    folders: list[Path] = typer.Argument(..., metavar="RUN...", help="Folders of finished runs."),
    as_json: bool = Json,
) -> None:
    """Write report.html of each run anew and print the results (a list where several runs are given).

    Example: `nas report runs/quickstart-1`.
    """
    from nas.cli.presentation import presented, text_of
    from nas.core.errors import InputError
    from nas.drivers.report import write_report
    from nas.drivers.run import described, result_of

    with output(as_json) as out:
        values: list[Any] = []
        texts = []
        for folder in folders:
            result = result_of(folder)
            if result is None:
                raise InputError(f"Expected a finished run but {folder} is not; finish it with `nas resume {folder}`.")
            path = write_report(folder, result)
            command = described(folder)["command"]
            values.append(presented(command, folder, result))
            text = text_of(command, folder, result)
            texts.append(text if command == "run" else f"{text}\nreport: {path}")
        out.emit(values[0] if len(values) == 1 else values, "\n\n".join(texts))
