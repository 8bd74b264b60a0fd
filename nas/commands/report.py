"""`nas report`: rewrite the reports of finished runs and print their results."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.commands import command_of
from nas.commands.base import Argument, Command, Option, Output
from nas.core.errors import InputError

if TYPE_CHECKING:
    from nas.core.io.records import Json


class Report(Command):
    """Rewrite report.html of each run and print the results; for several runs, also compare the evaluated networks.

    The comparison has every evaluated checkpoint of `nas run` and `nas eval`: a table, clean against robust accuracy,
    curves, and paired differences with p-values for networks that were attacked on the same images. The intervals are
    uncorrected; a difference is called shown if McNemar's test is significant after Holm's correction for all
    differences on the page, also for a run that an earlier version finished. With `--json`, several runs give `{"runs":
    [...], "comparison": {...}}`; the comparison is null if fewer than two checkpoints were evaluated.

    For a paper, `--latex`, `--csv` and `--bibtex` write tables, all numbers unrounded, and the sources of what the runs
    used. In a table, a number is bold if the differences on the page say that its network is better than all others;
    the differences have a table too. `--figures` writes the curves and cells of each page into the folder `figures` of
    its run, the curves of a comparison beside its page. With any of these options, `--json` gives `runs`, `comparison`
    and `files`, the paths by kind.
    Examples: `nas report runs/quickstart-1`; `nas report runs/eval-a-1 runs/eval-b-1 --out page.html`;
    `nas report runs/quickstart-1 --latex table.tex --bibtex sources.bib --csv numbers.csv`.
    """

    name, place = "report", 9
    arguments = (
        Argument("folders", "Folders of finished runs.", "RUN...", list[Path]),
        Option(
            "out",
            "The file of the comparison; by default comparison.html beside the folder of the first run.",
            type=Path,
        ),
        Option("latex", "Write tables, and below them the method as a comment.", "FILE.tex", Path),
        Option("csv", "Write a row for each model and metric.", "FILE.csv", Path),
        Option("bibtex", "Write the sources of everything that the runs used.", "FILE.bib", Path),
        Option("figures", "Write the figures as files of these kinds: svg, pdf, or both as svg,pdf.", "KINDS"),
    )

    def call(
        self,
        output: Output,
        folders: list[Path],
        out: Path | None,
        latex: Path | None,
        csv: Path | None,
        bibtex: Path | None,
        figures: str | None,
    ) -> None:
        from nas.report.compare import compare
        from nas.report.evaluated import count_checkpoints
        from nas.report.pages.comparison import PAGE, lines, write_comparison
        from nas.runs.differences import corrected
        from nas.runs.run_files import finished, malformed_as_input_error

        kinds = _kinds(figures)
        drawn: list[Path] = []
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
            if kinds:
                from nas.report.pages.comparison import values as shown
                from nas.report.paper.figures import write_figures

                drawn += write_figures(page.with_name(f"{page.stem}-figures"), shown(comparison), [], kinds)
        paths = {"latex": latex, "csv": csv, "bibtex": bibtex}
        if kinds or any(paths.values()):
            written, figures_of_runs = _write_paper(folders, paths, kinds)
            drawn = figures_of_runs + drawn
            files = {**written, **({"figures": [str(path) for path in drawn]} if kinds else {})}
            written |= {f"figure {number}": str(path) for number, path in enumerate(drawn, start=1)}
            texts.append("\n".join(f"{kind}: {path}" for kind, path in written.items()))
            output.emit({"runs": values, "comparison": compared, "files": files}, "\n\n".join(texts))
            return
        single = len(folders) == 1 and compared is None
        output.emit(values[0] if single else {"runs": values, "comparison": compared}, "\n\n".join(texts))


def _kinds(text: str | None) -> list[str]:
    """The kinds of files of `--figures`. Raises InputError if one is unknown."""
    from nas.report.figures.drawing import KINDS

    kinds = [] if text is None else [kind.strip() for kind in text.split(",")]
    for kind in kinds:
        if kind not in KINDS:
            raise InputError(f"Expected --figures {','.join(KINDS)} or one of these but got {text!r}.")
    return kinds


def _write_paper(
    folders: list[Path], paths: dict[str, Path | None], kinds: list[str]
) -> tuple[dict[str, str], list[Path]]:
    """Write the files for a paper on these runs: the paths of texts by kind, and those of figures."""
    from nas.report.evaluated import run_name
    from nas.report.pages.run import values
    from nas.report.paper.figures import write_figures
    from nas.report.paper.material import Material, Paper, with_different_names
    from nas.report.paper.write import write_paper
    from nas.report.run_data import read_run_data
    from nas.runs.run_files import finished, malformed_as_input_error

    materials, drawn = [], []
    for folder in {path.resolve(): path for path in folders}.values():
        with malformed_as_input_error(folder):
            command = command_of(folder)
            run = read_run_data(folder, finished(folder), command.repeat, command.acting)
            materials.append(Material(run_name(folder), run, folder))
            if kinds and run.command != "study":  # whose page has no figures
                drawn += write_figures(folder / "figures", values(run), run.evaluations, kinds)
    return write_paper(Paper.of(with_different_names(materials)), paths), drawn
