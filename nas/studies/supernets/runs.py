"""One search of the study, which goes on after a kill, and the files of finished ones."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from nas.core.data import Dataset
from nas.core.io import checkpoint
from nas.core.io.records import Json
from nas.core.seeds import derive
from nas.search_spaces import NASBench201
from nas.strategies.supernet import SUPERNET_STRATEGIES, SupernetStrategy
from nas.studies.row_store import RowStore
from nas.studies.supernets.plan import EQUAL, OWN, PROTOCOL, SUPERNET, VARIANTS, Planned, Variant, shortened

KEYS = ("strategy", "length", "seed", "arch")
VALUES = ("epochs", "passes", "seconds")  # forward passes of a batch; seconds of processor time, all stops included
PATH_KEYS = ("strategy", "length", "seed", "epoch", "arch")
PATH_VALUES = ("entropy",)


class Found(NamedTuple):
    """What a finished search found, and its cost."""

    strategy: str
    length: str
    seed: int
    arch: str
    epochs: float
    passes: float
    seconds: float


class Rows:
    """The finished searches of a folder, and the cells that they would have derived after each epoch."""

    def __init__(self, folder: Path, write: bool = False) -> None:
        self.folder = folder
        self._found = RowStore(folder / "searches.csv", KEYS, VALUES, settings(), write)
        self._paths = RowStore(folder / "cells-by-epoch.csv", PATH_KEYS, PATH_VALUES, settings(), write)

    def found(self) -> list[Found]:
        rows = self._found.rows.items()
        return [
            Found(key[0], key[1], int(key[2]), key[3], *(0.0 if value is None else value for value in values))
            for key, values in rows
        ]

    def has(self, one: Planned) -> bool:
        mine = (one.variant.strategy, one.length, str(one.seed))
        return any(key[:3] == mine for key in self._found.rows)

    def paths(self) -> dict[tuple[str, str, int], list[str]]:
        """The cells of the epochs, by search."""
        found: dict[tuple[str, str, int], dict[int, str]] = {}
        for strategy, length, seed, epoch, arch in self._paths.rows:
            found.setdefault((strategy, length, int(seed)), {})[int(epoch)] = arch
        return {key: [cells[epoch] for epoch in sorted(cells)] for key, cells in found.items()}

    def add(self, search: SupernetStrategy, one: Planned, seconds: float) -> None:
        key = (one.variant.strategy, one.length, str(one.seed))
        for row in search.history:
            self._paths.add((*key, str(row.epoch), row.arch), (row.entropy["entropy_cell"],))
        self._found.add((*key, search.result().arch), (float(search.total_epochs), float(search.passes()), seconds))


def settings() -> Json:
    """What the numbers depend on, as the files of rows have it in their first line."""
    variants = {one.strategy: dict(one.options) for one in VARIANTS}
    return {"supernet": SUPERNET, "protocol": dict(PROTOCOL), "variants": variants}


def new_search(variant: Variant, options: Json, seed: int, data: Dataset) -> SupernetStrategy:
    kind = SUPERNET_STRATEGIES.get(variant.strategy)
    chosen = kind.Options(**{**PROTOCOL, **options})
    return kind(NASBench201(), data, derive(seed, "strategy"), chosen, SUPERNET)


def planned_search(one: Planned, data: Dataset) -> SupernetStrategy | None:
    """The search at its start; None if even one epoch of it has more forward passes than `darts` in its own length."""
    if one.length == OWN:
        return new_search(one.variant, dict(one.variant.options), one.seed, data)
    most = new_search(VARIANTS[0], dict(VARIANTS[0].options), one.seed, data).passes()
    lengths = range(1, int(str(one.variant.options["epochs"])) + 1)
    few_enough = bisect_right(lengths, most, key=lambda epochs: shortened_search(one, epochs, data).passes())
    return shortened_search(one, few_enough, data) if few_enough else None


def shortened_search(one: Planned, epochs: int, data: Dataset) -> SupernetStrategy:
    return new_search(one.variant, shortened(one.variant, epochs), one.seed, data)


def compute(one: Planned, rows: Rows, data: Dataset, report: Callable[[str], None]) -> None:
    """Make one search, or go on with it, and write its rows. Its state after each epoch is in a folder `unfinished`."""
    search = planned_search(one, data)
    name = f"{one.variant.strategy}, {'equal passes' if one.length == EQUAL else 'own length'}, seed {one.seed}"
    if search is None:
        report(f"{name}: left out, one epoch has more passes than darts")
        return
    path = rows.folder / "unfinished" / f"{one.variant.strategy}-{one.length}-{one.seed}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    seconds = 0.0
    newest = next(checkpoint.load_newest_valid(path, "supernet study"), None)
    if newest is not None:
        search.load_state_dict(newest["state"])
        seconds = newest["seconds"]
    while not search.done:
        begun = time.process_time()
        search.step()
        seconds += time.process_time() - begun
        state = search.state_dict()
        checkpoint.save_rotating(path, {"kind": "supernet study", "seconds": seconds, "state": state})
    rows.add(search, one, seconds)
    for file in path.parent.glob(f"{path.stem}.*"):
        file.unlink()
    report(f"{name}: {search.result().arch} after {seconds:.0f} s")
