"""`nas.open_tables`: columns of published benchmarks, looked up by architecture."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.api.tabular import frame
from nas.core.errors import InputError
from nas.objectives.columns import TableColumns
from nas.search_spaces import NASBench201
from nas.tables import Collection, Table, TableSettings

Files = str | os.PathLike[str]


class UnknownNameError(InputError, KeyError):
    """There is no column or architecture of this name. It is a KeyError too, so that `in` and `get` work."""

    def __str__(self) -> str:
        return Exception.__str__(self)  # KeyError would put the message in quotes


class Column(Mapping[str, float]):
    """One column of a table: its value for each architecture.

    An architecture is a text, a point of the space or what a search found. If it has no row of its own, it has the
    value of its class: isomorphic cells compute the same function. NaN stands for a value that the table does not have.

    >>> import numpy as np
    >>> from nas.tables import ArrayTable
    >>> identity = "|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    >>> column = Column("clean", ArrayTable("a table", [identity], {"clean": np.array([0.5])}), np.array([0.5]))
    >>> column[identity], len(column), list(column) == [identity]
    (0.5, 1, True)
    """

    def __init__(self, name: str, table: Table, values: Any) -> None:
        self.name = name
        self._table, self._values = table, values

    def __getitem__(self, arch: Any) -> float:
        text = str(getattr(arch, "arch", arch))
        try:
            row = int(self._table.rows([text])[0])
        except InputError as error:
            raise UnknownNameError(str(error)) from error
        if row < 0:
            raise UnknownNameError(
                f"Expected an architecture of {self._table.source} but got {text}: neither it nor its class has a row "
                "there; `architectures` lists those that have one."
            )
        return float(self._values[row])

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.architectures)

    def __len__(self) -> int:
        return len(self._table.architectures)

    def __repr__(self) -> str:
        return f"<Column: {self.name} of {len(self):,} architectures>"


class Tables(Mapping[str, Column]):
    """What `nas.open_tables` returns: columns by their name. Each is read when it is needed.

    Iteration does not give every column: there are also `hrs:NAME`, single severities such as `fog@3`, and so on.
    `nas tables correlate --help` names them.

    >>> "scores:flops" in tables, tables.get("fgsm@1") is None
    (True, True)
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    @property
    def collection(self) -> Collection:
        """The same tables as the functions of `nas.studies` see them; these take what `nas.open_tables` returns, too.

        >>> tables.collection.labels
        ['scores:params', 'scores:flops']
        """
        return self._collection

    def __getitem__(self, column: str) -> Column:
        try:
            table, values = self._collection.column(str(column))
        except InputError as error:
            raise UnknownNameError(str(error)) from error
        return Column(str(column), table, values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._collection.labels)

    def __len__(self) -> int:
        return len(self._collection.labels)

    def __repr__(self) -> str:
        return f"<Tables: {len(self)} columns of {len(self.architectures):,} architectures>"

    @property
    def architectures(self) -> tuple[str, ...]:
        """The architectures that have a row of their own in a table, each once.

        >>> len(tables.architectures)
        1
        """
        return self._collection.architectures

    def higher_is_better(self, column: str) -> bool:
        """Whether higher values of a column are better; for a score, as its proxy says.

        Raises InputError if there is no such column, or if its name does not say it (`accuracy_time`).

        >>> tables.higher_is_better("scores:flops")
        True
        """
        name = self[column].name
        return TableColumns(self._collection, [name]).higher_is_better(name)

    def unit(self, column: str) -> str:
        """The unit of a column: `fraction` (from 0 to 1), `percent`, `seconds`, ...; empty where it is not known.

        Raises InputError if there is no such column.

        >>> tables.unit("scores:flops")
        ''
        """
        return self._collection.unit(self[column].name)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What to know of the files: how many rows are used, which are not and why, what the columns hold.

        >>> tables.remarks
        ()
        """
        return tuple(self._collection.remarks())

    def to_frame(self, *columns: str) -> Any:
        """Columns as a `pandas.DataFrame` with a row for each architecture; NaN where a table has no value.

        Args:
            columns: names or patterns such as `"fgsm@*"`, or `"all"`; by default a selection.

        Raises InputError if there is no such column, or if pandas is not installed.

        >>> tables.to_frame("scores:*").columns  # doctest: +SKIP
        Index(['arch', 'scores:flops'], dtype='object')
        """
        names = self._collection.chosen(columns)
        archs = self.architectures
        return frame({"arch": archs, **{name: self._collection.values(self[name].name, archs) for name in names}})


def open_tables(
    *,
    robustness: Files | None = None,
    dataset: str = "cifar10",
    accuracy: Files | None = None,
    robbench: Files | None = None,
    latency: Files | None = None,
    scores: Files | Sequence[Files] = (),
    space: str = NASBench201.name,
) -> Tables:
    """Open published benchmarks and files of scores, as the commands `nas tables` do.

    Args:
        robustness: the folder of the robustness dataset: columns `clean`, `fgsm@1`, `pgd@8`, `fog`, ...
        dataset: the data set of all tables.
        accuracy: accuracies of NAS-Bench-201 (CSV) or the file of NATS-Bench: `accuracy:cifar10_test_acc`, ...
        robbench: NAS-RobBench-201 (CSV): `robbench:pgd@8`, ...
        latency: HW-NAS-Bench (CSV or pickle): `edgegpu_latency`, ...
        scores: a file of `nas score --output`, `nas.score(..., run=FILE)` or published scores: `scores:synflow`; of
            several files, `scores:FILE:synflow`.
        space: the search space of the architectures. Of a space other than NAS-Bench-201, `accuracy` is any table: a
            CSV file with a column `arch`, or JSON of NDS or NAS-Bench-MR; the other tables have no such architectures.

    Returns:
        A mapping of columns: `tables["fgsm@1"][arch]` is a number, `list(tables)` are the names.

    Raises:
        InputError: if no table is given, or one is missing or damaged.

    >>> import nas, tempfile
    >>> file = tempfile.mkdtemp() + "/scores.csv"
    >>> scores = nas.score(nas.space("nasbench201").draw(2, seed=1), proxies="flops", run=file)
    >>> tables = nas.open_tables(scores=file)
    >>> list(tables), tables["scores:flops"][scores[0].arch] == scores[0].scores["flops"]
    (['scores:flops'], True)
    """
    files = [scores] if isinstance(scores, (str, os.PathLike)) else scores
    named = {"robustness": robustness, "accuracy": accuracy, "robbench": robbench, "latency": latency}
    paths = {name: _path(path) for name, path in named.items() if path is not None}
    return Tables(TableSettings(dataset=dataset, scores=[_path(file) for file in files], **paths).open(space))


def _path(path: Files) -> str:
    return str(Path(path).expanduser())
