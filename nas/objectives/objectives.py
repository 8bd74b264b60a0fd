"""All metrics that a search asks for, each from where its name says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from nas.core.errors import NasError
from nas.core.storage.base import Metrics
from nas.objectives.notation import LATENCY, source_of, unknown
from nas.tables import Collection, TableSettings

Provider = Callable[[str], Metrics]  # what gives metrics of an architecture; `NasError` where one has no value
SOURCES = ("table", "predicted", "proxy", "trained")  # the cheapest first


class Objectives:
    """The metrics of one architecture after the other. Every provider is made when it is first needed, and once.

    `makers` has for each source but the tables what makes the provider of some of its metrics: it is called for what
    looks at images alone, as a search on tables needs no data.
    """

    def __init__(self, settings: TableSettings, makers: Mapping[str, Callable[[list[str]], Provider]]) -> None:
        self._settings = settings
        self._makers = {"table": lambda names: lambda text: self._from_tables(names, text), **makers}
        self._made: dict[tuple[str, ...], list[Provider]] = {}

    def ready(self, names: Sequence[str]) -> None:
        """`InputError` for what would stop the metrics later: missing data, tables or labels."""
        for name in names:
            if source_of(name) == "table":
                self.table_of(name).column(name)
        self._providers(tuple(names))

    def __call__(self, names: Sequence[str], text: str) -> Metrics:
        """The metrics of the architecture written as `text`, latency left out; `NasError` where one has no value."""
        metrics: Metrics = {}
        for provider in self._providers(tuple(names)):
            metrics |= provider(text)
        return {name: metrics[name] for name in names if name != LATENCY}

    def _providers(self, names: tuple[str, ...]) -> list[Provider]:
        """One for each source among the names, the cheapest first."""
        if names not in self._made:
            by_source = {source: [name for name in names if source_of(name) == source] for source in SOURCES}
            self._made[names] = [self._makers[source](its) for source, its in by_source.items() if its]
        return self._made[names]

    def column(self, name: str) -> Callable[[str], float]:
        """A column of the tables as a function of the architecture."""
        self.table_of(name)
        return lambda text: self._from_tables([name], text)[name]

    def table_of(self, name: str) -> Collection:
        """The tables, of which one has the column; `InputError` where none has it."""
        if self.tables is None:
            raise unknown(name)
        self.tables.levels(name)
        return self.tables

    def _from_tables(self, columns: list[str], text: str) -> Metrics:
        assert self.tables is not None
        metrics = self.tables.metrics(text, columns)
        for name in columns:
            if not metrics[name] == metrics[name]:
                raise NasError(f"The tables have no {name} of {text}.")
        return metrics

    @cached_property
    def tables(self) -> Collection | None:
        return self._settings.open() if self._settings.given() else None
