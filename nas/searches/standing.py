"""Where an architecture stands in published tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.results import Standing
from nas.tables import Collection

COLUMNS = ("clean", "fgsm@1", "pgd@1", "apgd@1", "square@1", "corruptions", "hrs:fgsm@1", "hrs:pgd@1")


def usual(tables: Collection) -> list[str]:
    """The columns that are shown where none are asked for, as far as the tables have them."""

    def there(name: str) -> bool:
        parts = ["clean", name.removeprefix("hrs:")] if name.startswith("hrs:") else [name]
        return all(part in tables.labels for part in parts)

    return [name for name in COLUMNS if there(name)]


def standing(tables: Collection, architecture: str, columns: Sequence[str] = ()) -> dict[str, Standing]:
    """By column the architecture's value, and of all classes the percent that are worse.

    Classes with the same value count half. None where the tables have no value.
    """
    found: dict[str, Standing] = {}
    for name in columns or usual(tables):
        classes = tables.classes([name])
        values = tables.values(name, classes)
        own = float(tables.values(name, [architecture])[0])
        if not np.isfinite(own) or not len(values):
            found[name] = Standing(None, None)
            continue
        worse = values < own if tables.higher_is_better(name) else values > own
        share = (worse.sum() + (values == own).sum() / 2) / len(values)
        found[name] = Standing(own, 100 * float(share))
    return found
