"""Columns of published tables for the architectures that can be evaluated with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nas.core.errors import InputError
from nas.core.limit import Limits
from nas.objectives.constraints import SIZES
from nas.objectives.notation import GRAPH, parse
from nas.search_spaces import SearchSpace
from nas.searches.percentile_ranks import default_columns
from nas.strategies import Goal
from nas.strategies.proxies import PROXIES
from nas.studies.string_space import string_space
from nas.studies.table_search_settings import TableSearchSettings
from nas.tables import Collection
from nas.tables.base import undirected
from nas.tables.collection import SCORES

MAX_LISTED = 100_000  # architectures of a space whose strings are listed


@dataclass(frozen=True)
class TableView:
    """The classes for which tables have a value of every objective, and their columns.

    Other architectures cannot be evaluated and cost no query.
    """

    classes: list[str]
    shown: list[str]  # columns of the result
    values: dict[str, np.ndarray]  # by column, (classes,)
    higher: dict[str, bool | None]  # by column, whether higher is better; None where its name does not say it
    space: SearchSpace[Any]

    def goals(self, objective: str) -> tuple[Goal, ...]:
        """The goals of an objective, each with its direction. Raises InputError if one has none."""
        goals = []
        for term in parse(objective):
            higher = self.higher[term.name] if term.higher_is_better is None else term.higher_is_better
            if higher is None:
                raise undirected(term.name)
            goals.append(Goal(term.name, higher))
        return tuple(goals)

    def fitness(self, objective: str) -> np.ndarray:
        """The goals of all classes (classes, goals); higher is better."""
        goals = self.goals(objective)
        return np.stack([self.values[g.name] if g.higher_is_better else -self.values[g.name] for g in goals], axis=1)

    def of(self, values: np.ndarray, archs: Sequence[Any]) -> np.ndarray:
        """The values of architectures, taken from `values` (classes,); NaN if their class is not in `classes`."""
        rows = np.array([self.rows.get(str(self.space.canonical(arch)), -1) for arch in archs])
        return np.where(rows < 0, np.nan, values[rows])

    def has(self, arch: Any) -> bool:
        """Whether the class of an architecture is in `classes`."""
        return str(self.space.canonical(arch)) in self.rows

    def feasible(self, limits: Limits) -> np.ndarray:
        """(classes,): whether each is within the limits."""
        columns = [self.values[one.name] for one in limits.parts]
        return limits.feasible(np.stack(columns, axis=1) if columns else np.empty((len(self.classes), 0)))

    def optimum(self, objectives: list[str], limits: Limits) -> dict[str, float | None]:
        """The best value of each column within the limits; in the direction that an objective gives (`params:min`).

        None where there is no value, or no direction.
        """
        goals = [goal for objective in objectives for goal in self.goals(objective)]
        higher = {**self.higher, **{goal.name: goal.higher_is_better for goal in reversed(goals)}}
        best: dict[str, float | None] = {}
        within = self.feasible(limits)
        for name in self.shown:
            values = self.values[name][np.isfinite(self.values[name]) & within]
            known = len(values) > 0 and higher[name] is not None
            best[name] = float(values.max() if higher[name] else values.min()) if known else None
        return best

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each class."""
        return {name: row for row, name in enumerate(self.classes)}


def table_view(tables: Collection, settings: TableSearchSettings) -> TableView:
    """Read the columns that a comparison needs.

    Raises InputError if the tables lack one of them or have fewer classes than a search may query, or if the cheap
    objective has several goals.
    """
    goals = [term.name for objective in settings.objectives for term in parse(objective)]
    asked = tables.chosen(settings.columns) if settings.columns else default_columns(tables) or tables.chosen(())
    limited = [one.name for one in settings.limits.parts]
    shown = list(dict.fromkeys([*asked, *goals, *limited]))
    cheap = [] if settings.cheap is None else [term.name for term in parse(settings.cheap)]
    if len(cheap) > 1:
        raise InputError(f"Expected one cheap objective but got {settings.cheap!r}.")
    measured = [name for name in goals if name not in SIZES] or [name for name in shown if name not in SIZES]
    measured += [name for name in limited if name not in measured]
    space = string_space(tables.space) if settings.count == "strings" else tables.space
    classes = tables.classes(measured) if space is tables.space else _strings(tables, space, measured)
    columns = dict.fromkeys([*shown, *cheap, *(name for name in settings.features if name != GRAPH)])
    view = TableView(
        classes,
        shown,
        {name: _values(tables, name, classes) for name in columns},
        {name: _direction(tables, name) for name in columns},
        space,
    )
    if not view.feasible(settings.limits).any():
        raise InputError(f"Expected limits that some class of the table meets but none of {settings.limits} does.")
    if settings.queries > len(classes):
        raise InputError(
            f"Expected --queries of at most {len(classes):,}, the {settings.count} with a value in "
            f"{', '.join(measured)}, but got {settings.queries:,}."
        )
    return view


def _strings(tables: Collection, space: SearchSpace[Any], columns: Sequence[str]) -> list[str]:
    """The strings of the space with a value in each of the columns: of their own row, else of their class.

    Of a space that is too large to list, the strings that the table of the first column has.
    """
    names = list(map(str, space)) if space.__len__() <= MAX_LISTED else list(tables.column(columns[0])[0].architectures)
    known = np.all([np.isfinite(tables.values(name, names)) for name in dict.fromkeys(columns)], axis=0)
    return [name for name, there in zip(names, known) if there]


def fractions(tables: Collection, columns: Sequence[str]) -> set[str]:
    """Those of the columns that hold fractions, such as accuracies from 0 to 1, which are shown in percent."""
    return {name for name in columns if name not in SIZES and tables.is_fraction(name)}


def _values(tables: Collection, name: str, classes: list[str]) -> np.ndarray:
    if name not in SIZES:
        return tables.values(name, classes)
    space = tables.space
    return np.array([float(SIZES[name](space.cost(space.parse(text)))) for text in classes])


def _direction(tables: Collection, name: str) -> bool | None:
    """The direction of a column, as in `search.objective`: scores have that of their proxy in the registry."""
    proxy = PROXIES.components.get(name.rpartition(":")[2])
    if proxy is not None and (name in SIZES or name.startswith(SCORES)):
        return proxy.higher_is_better
    return tables.direction(name)
