"""`nas report`: rewrite the reports of finished runs and print their results."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.commands import command_of
from nas.commands.base import Argument, Command, Option, Output

if TYPE_CHECKING:
    from nas.core.io.records import Json


class Report(Command):
    """Rewrite report.html of each run and print the results; for several runs, also compare the evaluated networks.

    The comparison has every evaluated checkpoint of `nas run` and `nas eval`: a table, clean against robust accuracy,
    curves, and paired differences with p-values for networks that were attacked on the same images. The intervals are
    uncorrected; a difference is called shown if McNemar's test is significant after Holm's correction for all
    differences on the page, also for a run that an earlier version finished. With `--json`, several runs give `{"runs":
    [...], "comparison": {...}}`; the comparison is null if fewer than two checkpoints were evaluated.
    Examples: `nas report runs/quickstart-1`; `nas report runs/eval-a-1 runs/eval-b-1 --out page.html`.
    """

    name, place = "report", 9
    arguments = (
        Argument("folders", "Folders of finished runs.", "RUN...", list[Path]),
        Option(
            "out",
            "The file of the comparison; by default comparison.html beside the folder of the first run.",
            type=Path,
        ),
    )

    def call(self, output: Output, folders: list[Path], out: Path | None) -> None:
        from nas.report.compare import compare, count_checkpoints
        from nas.report.pages.comparison import PAGE, lines, write_comparison
        from nas.runs.differences import corrected
        from nas.runs.run_files import finished, malformed_as_input_error

        values: list[Any] = []
        texts = []
        for folder in folders:
            result = finished(folder)
            with malformed_as_input_error(folder):
                result = corrected(result)
                command = command_of(folder)
                path = command.report(folder, result)
                values.append(command.presented(folder, result))
                text = "\n".join(command.summary(folder, result))
            line = f"report: {path}"
            texts.append(text if line in text.splitlines() else f"{text}\n{line}")
        compared: Json | None = None
        if out is not None or (len(folders) > 1 and count_checkpoints(folders) > 1):
            comparison = compare(folders)
            page = write_comparison(out or Path(os.path.relpath(folders[0].resolve().parent / PAGE)), comparison)
            compared = {**comparison.to_json(), "page": str(page)}
            texts.append("\n".join([*lines(comparison), f"comparison: {page}"]))
        single = len(folders) == 1 and compared is None
        output.emit(values[0] if single else {"runs": values, "comparison": compared}, "\n\n".join(texts))
