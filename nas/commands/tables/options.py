"""What the commands on tables have in common: their options, and the files that they read and write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nas.commands.base import DEFAULT_SPACE, Option, Output
from nas.core.errors import InputError

if TYPE_CHECKING:
    from nas.core.execution.executor import ExecutorSettings
    from nas.tables import ArrayTable, Collection

SPACE = Option(
    "space",
    f"The search space of the architectures. With one other than {DEFAULT_SPACE}, --accuracy is any table: CSV with a "
    "column arch, or JSON of NDS or NAS-Bench-MR.",
    default=DEFAULT_SPACE,
)
DATASET = Option("dataset", "The data set of the tables.", default="cifar10")
LATENCY = Option("latency", "HW-NAS-Bench (CSV or pickle); columns edgegpu_latency, ...", "FILE", Path)
EXECUTOR = (
    Option("workers", "Number of processes, by default one per core; it does not change the results.", type=int),
    Option("executor", "Where to compute: local (this machine) or ray (a cluster).", default="local"),
    Option("address", "Address of the Ray cluster, or auto; by default a cluster is started here.", "HOST:PORT"),
)
ONE_WORKER = " with --workers 1"


def table_options(columns: str) -> tuple[Option, ...]:
    """The options that name tables; `columns` is what the command calls the columns of a table."""
    accuracies = (
        f"NAS-Bench-201 accuracies (CSV, or the file of NATS-Bench), or the table of another --space; {columns} "
        "accuracy:NAME."
    )
    return (
        Option("robustness", "The folder of the robustness dataset (Jung et al. 2023).", "DIR", Path),
        DATASET,
        Option("accuracy", accuracies, "FILE", Path),
        Option("robbench", f"NAS-RobBench-201; {columns} robbench:NAME.", "CSV", Path),
        SPACE,
    )


def output_options(csv: str, plot: str) -> tuple[Option, ...]:
    """The options for the files to write; `csv` and `plot` say in words what they contain."""
    return Option("csv", f"Write {csv} as CSV.", "FILE", Path), Option(
        "plot", f"{plot} (.png, .svg, .pdf).", "FILE", Path
    )


def names_in(text: str) -> list[str]:
    """The names in a text, separated by commas, without surrounding spaces; empty ones are left out."""
    return [name.strip() for name in text.split(",") if name.strip()]


def executor_settings(workers: int | None, executor: str, address: str | None) -> ExecutorSettings:
    """The settings of the executor. Raises InputError if the options do not fit together."""
    from nas.core.execution.executor import ExecutorSettings

    how = ExecutorSettings(name=executor, workers=workers, address=address)
    try:
        how.check()
    except InputError as error:
        message = str(error).replace("executor=", "--executor ").replace("executor.", "--")
        raise InputError(message) from error
    return how


@dataclass(frozen=True)
class Files:
    """The files of one call: tables (by option) and scores to read, of architectures of `space`, and files to write."""

    tables: dict[str, Path | None]
    scores: list[Path]
    csv: Path | None
    plot: Path | None
    space: str = DEFAULT_SPACE

    def check(self, purpose: str, with_scores: bool = False) -> None:
        """Raises InputError if no table is given, or a file to write is a folder, an input, or of no known kind.

        `purpose` says in the message what the table is for; with `with_scores`, scores alone are a table too.
        """
        from nas.studies.plots.drawing import SUFFIXES

        if not any(self.tables.values()) and not (with_scores and self.scores):
            *first, last = (f"--{name}" for name in (*self.tables, *(["scores"] if with_scores else [])))
            raise InputError(f"Expected a table {purpose} but got none; give {', '.join(first)} or {last}.")
        if self.plot is not None and self.plot.suffix.lower() not in SUFFIXES:
            raise InputError(f"Expected --plot to end in {', '.join(SUFFIXES)} but got {str(self.plot)!r}.")
        read = [path.resolve() for path in (*self.scores, *self.tables.values()) if path]
        for path in (self.csv, self.plot):
            if path is not None and path.is_dir():
                raise InputError(f"Expected a file to write but {path} is a folder; give a file in it.")
            if path is not None and path.resolve() in read:
                raise InputError(f"Expected a file to write but {path} is one to read; choose another.")

    def opened(self, dataset: str, with_scores: bool = False) -> Collection:
        """The tables; with `with_scores`, the scores are further columns. Raises InputError if one cannot be read."""
        from nas.tables import TableSettings

        paths = {name: str(path) for name, path in self.tables.items() if path is not None}
        scores = list(map(str, self.scores)) if with_scores else []
        return TableSettings(dataset=dataset, scores=scores, **paths).open(self.space)

    def named(self, dataset: str) -> str:
        """What results call the tables: by their data set, if it chose columns; else by the space or the file.

        A file of accuracies has the values of one data set, whatever `--dataset` says, and so has a CSV file of scores.
        """
        from nas.search_spaces import NASBench201

        given = [name for name, path in self.tables.items() if path is not None]
        if self.space != NASBench201.name:
            return self.space
        if not given and self.scores and not any(path.suffix.lower() == ".json" for path in self.scores):
            return ", ".join(path.stem for path in self.scores)
        accuracies = self.tables.get("accuracy")
        return accuracies.stem if accuracies is not None and given == ["accuracy"] else dataset

    def write(self, rows: Callable[[], str], picture: Callable[[str], bytes]) -> None:
        """Write the CSV file and the picture if they are wanted; `picture` gets its file's suffix, such as `.png`."""
        from nas.core.io.files import write_atomic, write_text

        if self.csv is not None:
            write_text(self.csv, rows())
        if self.plot is not None:
            drawn = picture(self.plot.suffix.lower())
            write_atomic(self.plot, lambda file: file.write(drawn))

    def read_scores(self, dataset: str) -> list[ArrayTable]:
        """The score files, each as a table. Raises InputError if one cannot be read."""
        from nas.search_spaces import SPACES
        from nas.tables import read_scores

        space = SPACES.get(self.space)()
        return [read_scores(path, dataset, space) for path in self.scores]

    def note(self, output: Output, tables: Collection) -> None:
        """Note what a user should know of the tables, and the files that were written."""
        for line in tables.remarks():
            output.note(line)
        for path in (self.csv, self.plot):
            if path is not None:
                output.note(f"written: {path}")
