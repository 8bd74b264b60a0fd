"""Which networks of a benchmark the study looks at: those whose labels choose settings, and those that are judged."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from nas.core.seeds import derive
from nas.search_spaces import SPACES, SearchSpace
from nas.search_spaces.base import digest
from nas.studies.papers.plan import LABELS, SEED, SMALL, SpacePlan
from nas.tables import Collection
from nas.tables.layouts import SpaceTable, read_columns

SIZES = ("params", "flops")


def key_of(arch: str) -> str:
    """The name of an architecture in a file of rows: strings of NDS have a thousand characters."""
    return digest(arch)[:6].hex()


@dataclass(frozen=True)
class Networks:
    """The published networks of a plan, in a random order that does not depend on how many are used.

    The first `LABELS` choose settings of Eproxy, the next `plan.networks` are judged. Left out are networks without a
    value in one of the tasks, isomorphic ones but the first, and those whose logits do not depend on the image. With a
    `limit`, only that many are judged.
    """

    plan: SpacePlan
    data: Path
    limit: int | None = None

    @cached_property
    def space(self) -> SearchSpace[Any]:
        return SPACES.get(self.plan.space)()

    @cached_property
    def tables(self) -> dict[str, SpaceTable]:
        """The table of each task. Raises InputError if a file is missing or damaged."""
        return {task: read_columns(self.data / file, self.space) for task, (file, _) in self.plan.tasks.items()}

    @cached_property
    def collection(self) -> Collection:
        """The tables as columns `TASK:COLUMN`."""
        return Collection({f"{task}:": table for task, table in self.tables.items()}, space=self.space)

    def column(self, task: str) -> str:
        """The name of a task's accuracies in `collection`."""
        return f"{task}:{self.plan.tasks[task][1]}"

    def accuracies(self, task: str, archs: list[str]) -> np.ndarray:
        """(n,): the accuracies of a task; higher is better."""
        return self.tables[task].values(self.plan.tasks[task][1], archs)

    def sizes(self, task: str, archs: list[str]) -> dict[str, np.ndarray]:
        """`params` and `flops` of the networks that were trained for a task, if its table has them for all of these.

        Else they are those of the space's own networks.
        """
        table = self.tables[task]
        sizes = {name: table.values(name, archs) for name in SIZES if name in table.names()}
        if set(sizes) == set(SIZES) and all(np.isfinite(values).all() for values in sizes.values()):
            return sizes
        for arch in archs:
            if arch not in self._costs:
                self._costs[arch] = self.space.cost(self.space.parse(arch))[:2]
        own = np.array([self._costs[arch] for arch in archs], dtype=float).reshape(len(archs), 2)
        return dict(zip(SIZES, own.T))

    @cached_property
    def _costs(self) -> dict[str, tuple[int, int]]:
        return {}

    def _have_values(self, task: str, archs: list[str]) -> np.ndarray:
        """(n,): whether a task has an accuracy of each string itself, not only of its class."""
        rows = [self.tables[task].has(arch) for arch in archs]
        return np.array(rows) & np.isfinite(self.accuracies(task, archs))

    @cached_property
    def labelled(self) -> list[str]:
        return self._drawn[:LABELS]

    @cached_property
    def judged(self) -> list[str]:
        return self._drawn[LABELS:][: self.limit]

    @cached_property
    def _drawn(self) -> list[str]:
        first = next(iter(self.tables.values()))
        texts = sorted(first.architectures)
        Random(derive(SEED, "papers", self.plan.drawn_as or self.plan.name)).shuffle(texts)
        known = np.all([self._have_values(task, texts) for task in self.plan.tasks], axis=0)
        drawn: list[str] = []
        classes: set[str] = set()
        for text, there in zip(texts, known):
            if not there:
                continue
            arch = self.space.parse(text)
            name = str(self.space.canonical(arch))
            if name not in classes and self.space.connected(arch, **self.plan.scored(SMALL, arch)):
                classes.add(name)
                drawn.append(text)
            if len(drawn) == LABELS + self.plan.networks:
                break
        return drawn
