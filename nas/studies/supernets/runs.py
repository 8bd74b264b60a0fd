"""One search of the study, which goes on after a kill, and the files of finished ones."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from nas.core.data import Dataset
from nas.core.io import checkpoint
from nas.core.io.records import Json
from nas.core.seeds import derive
from nas.search_spaces import NASBench201
from nas.search_spaces.nasbench201.cell import OPERATIONS
from nas.strategies.supernet import SUPERNET_STRATEGIES, SupernetStrategy
from nas.studies.row_store import RowStore
from nas.studies.supernets.plan import (
    COMPARED,
    EQUAL,
    OWN,
    PROTOCOL,
    SUPERNET,
    VARIANTS,
    Plan,
    Planned,
    Variant,
    shortened,
)

KEYS = ("strategy", "length", "seed", "arch")
VALUES = ("epochs", "passes", "seconds")  # forward passes of a batch; seconds of processor time, all stops included
PATH_KEYS = ("strategy", "length", "seed", "epoch", "arch")
PATH_VALUES = ("entropy", *OPERATIONS)  # of softmax(α): the entropy in nats, and the weights, as means over the edges


class Found(NamedTuple):
    """What a finished search found, and its cost."""

    strategy: str
    length: str
    seed: int
    arch: str
    epochs: float
    passes: float
    seconds: float


class Epoch(NamedTuple):
    """What the architecture parameters say after an epoch."""

    arch: str  # the cell that would be derived
    weights: tuple[float, ...]  # of `OPERATIONS` in softmax(α), means over the edges


class Rows:
    """The finished searches of a folder, and the cells that they would have derived after each epoch.

    The key `strategy` is the name of a variant.
    """

    def __init__(self, folder: Path, write: bool = False, plan: Plan = COMPARED) -> None:
        self.folder, self.plan = folder, plan
        self._found = RowStore(folder / f"{plan.rows}.csv", KEYS, VALUES, settings(plan), write)
        self._paths = RowStore(folder / f"{plan.paths}.csv", PATH_KEYS, PATH_VALUES, settings(plan), write)

    def found(self) -> list[Found]:
        rows = self._found.rows.items()
        return [
            Found(key[0], key[1], int(key[2]), key[3], *(0.0 if value is None else value for value in values))
            for key, values in rows
        ]

    def has(self, one: Planned) -> bool:
        mine = (one.variant.name, one.length, str(one.seed))
        return any(key[:3] == mine for key in self._found.rows)

    def paths(self) -> dict[tuple[str, str, int], list[Epoch]]:
        """The epochs of each search: its strategy, length and seed."""
        found: dict[tuple[str, str, int], dict[int, Epoch]] = {}
        for (strategy, length, seed, epoch, arch), (_, *weights) in self._paths.rows.items():
            known = tuple(0.0 if weight is None else weight for weight in weights)
            found.setdefault((strategy, length, int(seed)), {})[int(epoch)] = Epoch(arch, known)
        return {key: [epochs[number] for number in sorted(epochs)] for key, epochs in found.items()}

    def add(self, search: SupernetStrategy, one: Planned, weights: list[list[float]], seconds: float) -> None:
        """Write a finished search; `weights` has the mean weights of the operations after each epoch."""
        key = (one.variant.name, one.length, str(one.seed))
        for row, means in zip(search.history, weights, strict=True):
            self._paths.add((*key, str(row.epoch), row.arch), (row.entropy["entropy_cell"], *means))
        self._found.add((*key, search.result().arch), (float(search.total_epochs), float(search.passes()), seconds))


def settings(plan: Plan = COMPARED) -> Json:
    """What the numbers depend on, as the files of rows have it in their first line."""
    variants = {one.name: {**one.options, **({"strategy": one.strategy} if one.label else {})} for one in plan.variants}
    images = {"images": "half"} if plan.half else {}
    return {"supernet": SUPERNET, "protocol": dict(PROTOCOL), "variants": variants, **images}


def new_search(variant: Variant, options: Json, seed: int, data: Dataset) -> SupernetStrategy:
    kind = SUPERNET_STRATEGIES.get(variant.strategy)
    chosen = kind.Options(**{**PROTOCOL, **options})
    return kind(NASBench201(), data, derive(seed, "strategy"), chosen, SUPERNET)


def planned_search(one: Planned, data: Dataset) -> SupernetStrategy | None:
    """The search at its start; None if it shall have as few forward passes as `darts` and has more in one epoch."""
    if one.length != EQUAL:
        return new_search(one.variant, dict(one.variant.options), one.seed, data)
    most = new_search(VARIANTS[0], dict(VARIANTS[0].options), one.seed, data).passes()
    lengths = range(1, int(str(one.variant.options["epochs"])) + 1)
    few_enough = bisect_right(lengths, most, key=lambda epochs: shortened_search(one, epochs, data).passes())
    return shortened_search(one, few_enough, data) if few_enough else None


def shortened_search(one: Planned, epochs: int, data: Dataset) -> SupernetStrategy:
    return new_search(one.variant, shortened(one.variant, epochs), one.seed, data)


def mean_weights(search: SupernetStrategy) -> list[float]:
    """The weights of `OPERATIONS` in softmax(α), means over the edges."""
    with torch.no_grad():
        means: list[float] = search.supernet.probabilities()["cell"].mean(0).tolist()
    return means


def compute(one: Planned, rows: Rows, data: Dataset, report: Callable[[str], None]) -> None:
    """Make one search, or go on with it, and write its rows. Its state after each epoch is in a folder `unfinished`."""
    search = planned_search(one, data)
    length = {EQUAL: "equal passes", OWN: "own length"}.get(one.length, one.length)
    name = f"{one.variant.name}, {length}, seed {one.seed}"
    if search is None:
        report(f"{name}: left out, one epoch has more passes than darts")
        return
    path = rows.folder / "unfinished" / f"{one.variant.name}-{one.length}-{one.seed}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    seconds, weights = 0.0, list[list[float]]()
    newest = next(checkpoint.load_newest_valid(path, "supernet study"), None)
    if newest is not None:
        search.load_state_dict(newest["state"])
        seconds, weights = newest["seconds"], newest["weights"]
    while not search.done:
        begun = time.process_time()
        search.step()
        seconds += time.process_time() - begun
        weights.append(mean_weights(search))
        state = {"seconds": seconds, "weights": weights, "state": search.state_dict()}
        checkpoint.save_rotating(path, {"kind": "supernet study", **state})
    rows.add(search, one, weights, seconds)
    for file in path.parent.glob(f"{path.stem}.*"):
        file.unlink()
    report(f"{name}: {search.result().arch} after {seconds:.0f} s")
