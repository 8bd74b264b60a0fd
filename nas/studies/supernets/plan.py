"""Which searches the study consists of, with their settings and seeds. They were written down before the first run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

Option = bool | int | float | str | list[int] | None

SUPERNET = {"channels": 8, "cells_per_stage": 1}
PROTOCOL: Mapping[str, Option] = {  # the same for every search, in place of its published values
    "batch_size": 32,
    "lr": 0.025,
    "lr_min": 0.001,
    "alpha_lr": 3e-3,  # ten times the published rate, because the searches are shorter
    "validation_images": 0,  # no choice depends on them
}
EPOCHS = 15  # of DARTS; 50 are published, and other numbers of epochs are cut in the same proportion
OWN, EQUAL = "own", "equal"  # a search of its own length, and one that ends before it has had the passes of `darts`
SEEDS, FEW_SEEDS = range(8), range(3)  # of searches that take minutes, and of the dear ones
SCALED = ("epochs", "warm_up", "penalty_after", "samples")  # options that are cut for an equal number of passes
COMPARISONS = (  # each robust term against its own base; tested by the percentile in HRS under PGD
    ("rnas-uniform", "darts"),
    ("rnas-max", "darts"),
    ("advrush", "darts"),
    ("dsrna-jacobian", "darts"),
    ("sdarts-adv", "sdarts-rs"),
)


class Variant(NamedTuple):
    """A strategy with the options that the study takes in place of its published ones."""

    strategy: str
    options: Mapping[str, Option]
    dear: bool = False  # whether it is run with few seeds only
    label: str = ""  # its name where a strategy has several variants

    @property
    def name(self) -> str:
        return self.label or self.strategy


VARIANTS = (
    Variant("darts", {"epochs": EPOCHS}),
    Variant("rnas-uniform", {"epochs": EPOCHS, "warm_up": 5}),
    Variant("pc-darts", {"epochs": EPOCHS, "warm_up": 5}),
    Variant("sdarts-rs", {"epochs": EPOCHS}),
    Variant(
        "drnas",  # in one stage, as its source has it on this space
        {"epochs": 30, "warm_up": 0, "stage_operations": [], "stage_partial": [1], "mix_none": True},
    ),
    Variant("gdas", {"epochs": 75}),
    Variant("dsrna-jacobian", {"epochs": EPOCHS, "penalty_after": 3}),
    Variant("advrush", {"epochs": 18, "penalty_after": 15}),
    Variant("darts-pt", {"epochs": EPOCHS, "tune_epochs": 2}, dear=True),
    Variant("robnet", {"epochs": EPOCHS, "samples": 20, "rank_images": 500}, dear=True),
    Variant("sdarts-adv", {"epochs": EPOCHS}, dear=True),
    Variant("rnas-max", {"epochs": EPOCHS, "warm_up": 5}, dear=True),
)


class Planned(NamedTuple):
    """One search of the study."""

    variant: Variant
    length: str  # OWN or EQUAL, or the name of another plan
    seed: int


def planned() -> Iterator[Planned]:
    """All searches in the order in which they are made: those with equal passes first, then seed by seed."""
    for seed in FEW_SEEDS:
        for variant in VARIANTS:
            if variant.strategy != "darts":  # whose own length is the measure
                yield Planned(variant, EQUAL, seed)
        yield Planned(VARIANTS[0], OWN, seed)
    for seed in SEEDS:
        for variant in VARIANTS:
            if seed in (FEW_SEEDS if variant.dear else SEEDS) and (variant is not VARIANTS[0] or seed not in FEW_SEEDS):
                yield Planned(variant, OWN, seed)


def shortened(variant: Variant, epochs: int) -> dict[str, Option]:
    """The options with this many epochs, and the other numbers of epochs in proportion."""
    whole = variant.options["epochs"]
    assert isinstance(whole, int)
    options = dict(variant.options)
    for key in SCALED:
        value = options.get(key)
        if isinstance(value, int):
            options[key] = max(round(value * epochs / whole), 1 if key in ("epochs", "samples") else 0)
    return options


@dataclass(frozen=True)
class Plan:
    """Searches that are made and read together; their rows have files of their own."""

    name: str
    variants: tuple[Variant, ...]
    planned: Callable[[], Iterator[Planned]]  # in the order in which they are made
    rows: str = "searches"  # the names of the files, without .csv
    paths: str = "cells-by-epoch"
    half: bool = False  # whether the searches see half of the images


COMPARED = Plan("comparison", VARIANTS, planned)
