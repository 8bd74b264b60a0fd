"""What predictors of accuracy learn from: one row of features and accuracies per class of isomorphic cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nas.core.errors import InputError
from nas.core.suggestions import suggest
from nas.search_spaces.graph import without_places
from nas.studies.align import align
from nas.tables import ArrayTable, Collection, HasCollection, Table
from nas.tables.robustness import ATTACKS

FEATURES = ("proxies", "graph", "both")
DEFAULT_TARGETS = ("clean", *(f"{attack}@1" for attack in ATTACKS))
MIN_ARCHS = 10
NEARLY_ALL = 0.95  # of the classes


@dataclass(frozen=True)
class PredictionData:
    """The features and accuracies of n classes of isomorphic cells."""

    classes: list[str]
    names: list[str]  # (d,)
    features: np.ndarray  # (n, d)
    columns: list[str]  # (t,)
    values: np.ndarray  # (n, t)
    rows: int  # of the score files
    dropped: dict[str, int]  # of these, by reason


def chosen_targets(tables: Collection, asked: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Name of each target → its columns: one, or several that are predicted together.

    By default clean accuracy and each attack at 1/255, and clean with each attack. An attack without a radius is
    the one at 1/255, and such a target is named by the attack alone. Raises InputError if a target has no column or
    the same one twice, or if the tables have no column for the default.
    """
    if not asked:
        nearest = [_nearest(tables, name) for name in DEFAULT_TARGETS]
        known = [name for name in nearest if name is not None]
        if not known:
            raise InputError(
                f"Expected one of the columns {', '.join(DEFAULT_TARGETS)} but the tables have none; name yours with "
                "--targets."
            )
        asked = known + [f"clean+{name}" for name in known if name != "clean" and "clean" in known]
    targets: dict[str, tuple[str, ...]] = {}
    for target in asked:
        parts = [part.strip() for part in target.split("+")]
        if "" in parts or len(set(parts)) < len(parts):
            raise InputError(f"Expected a column, or different ones joined by +, but got the target {target!r}.")
        columns = [f"{part}@1" if part in ATTACKS else part for part in parts]
        labels = [part.removesuffix("@1") if part.removesuffix("@1") in ATTACKS else part for part in columns]
        targets["+".join(labels)] = tuple(columns)
    return targets


def _nearest(tables: Collection, name: str) -> str | None:
    """The column, or that of the same attack at the nearest radius of the tables; None if there is none."""
    if name in tables.labels:
        return name
    attack, at, epsilon = name.partition("@")
    others = [label for label in tables.labels if at and label.startswith(f"{attack}@")]
    return min(others, key=lambda label: abs(float(label.partition("@")[2]) - float(epsilon)), default=None)


def prediction_data(
    tables: HasCollection,
    columns: Iterable[str],
    features: str,
    scores: Sequence[ArrayTable] = (),
    proxies: Sequence[str] = (),
) -> PredictionData:
    """The classes that the tables (and score files) have in all columns, with their features.

    Graph features are those of the string that was measured, without those that depend on the numbering of nodes,
    which would make equal cells look different. Raises InputError if `features` is unknown, lacks score files or does
    not use the `proxies`, or if fewer than `MIN_ARCHS` classes are left.
    """
    if features not in FEATURES:
        raise InputError(
            f"Expected --features of {', '.join(FEATURES)} but got {features!r}{suggest(features, list(FEATURES))}."
        )
    if features != "graph" and not scores:
        raise InputError(f"Expected --scores for --features {features} but got none; --features graph needs no file.")
    if features == "graph" and proxies:
        raise InputError("Expected no --proxies with --features graph, which uses none; take --features both.")
    tables = tables.collection
    columns = list(dict.fromkeys(columns))
    names: list[str] = []
    parts: list[np.ndarray] = []
    rows, dropped = 0, {}
    if scores:
        read = [tables.column(name) for name in columns]
        aligned = align(scores, proxies, [(table, column[:, None]) for table, column in read])
        at = _measured(aligned.classes, read[0][0], scores[0])
        classes = [aligned.classes[row] for row in at]
        values = np.stack([levels[0] for levels in aligned.columns], axis=1)[at]
        rows, dropped = aligned.rows, aligned.dropped | {"other_member": aligned.n - len(at)}
        if features != "graph":
            names += aligned.proxies
            parts += [proxy.values[at] for proxy in aligned.proxies.values()]
    else:
        classes = tables.classes(columns)
        values = np.stack([tables.values(name, classes) for name in columns], axis=1)
    if len(classes) < MIN_ARCHS:
        raise InputError(f"Expected at least {MIN_ARCHS} architectures with all targets but got {len(classes):,}.")
    if features != "proxies":
        table = tables.column(columns[0])[0]
        strings = [table.architectures[row] for row in table.rows(classes)]  # those that were measured
        used = without_places(table.space.feature_names())
        names += [table.space.feature_names()[number] for number in used]
        parts += list(np.stack([table.space.features(table.space.parse(text)) for text in strings])[:, used].T)
    return PredictionData(classes, names, np.stack(parts, axis=1).astype(np.float64), columns, values, rows, dropped)


def _measured(classes: list[str], table: Table, scores: ArrayTable) -> np.ndarray:
    """The indices of the classes to use: those whose measured string was also scored, in the order of the scores, if
    these are nearly all classes; otherwise all classes.

    In the few classes left out, the proxies are of another network than the one that was trained: its weights differ.
    """
    own: dict[str, int] = {}
    for text, name in zip(table.architectures, table.classes):
        if scores.has(text):
            own[name] = min(own.get(name, len(scores.architectures)), int(scores.rows([text])[0]))
    at = [number for number, name in enumerate(classes) if name in own]
    if len(at) < NEARLY_ALL * len(classes):
        return np.arange(len(classes))
    return np.array(sorted(at, key=lambda number: own[classes[number]]))
