"""Genotypes of published searches, by the name that the field gives them."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from nas.core.config.conditions import either
from nas.core.errors import InputError
from nas.core.suggestions import suggest
from nas.search_spaces.darts.genotype import Genotype
from nas.search_spaces.twocells.cell import Edges

_SHORT = {
    "none": "none",
    "max": "max_pool_3x3",
    "avg": "avg_pool_3x3",
    "skip": "skip_connect",
    "sep3": "sep_conv_3x3",
    "sep5": "sep_conv_5x5",
    "dil3": "dil_conv_3x3",
    "dil5": "dil_conv_5x5",
}


_NAME = re.compile(r"[\w .-]{1,40}")
_BETWEEN = " ._-"  # may stand between the letters of a name, or be left out


class Published(NamedTuple):
    """A published genotype: the eight edges of each cell as `operation-input`, and its source."""

    normal: str
    reduce: str
    source: str


PUBLISHED: dict[str, Published] = {
    "DARTS_V1": Published(
        "sep3-1 sep3-0 skip-0 sep3-1 skip-0 sep3-1 sep3-0 skip-2",
        "max-0 max-1 skip-2 max-0 max-0 skip-2 skip-2 avg-0",
        "Liu et al., ICLR 2019 (arXiv:1806.09055), first order",
    ),
    "DARTS_V2": Published(
        "sep3-0 sep3-1 sep3-0 sep3-1 sep3-1 skip-0 skip-0 dil3-2",
        "max-0 max-1 skip-2 max-1 max-0 skip-2 skip-2 max-1",
        "Liu et al., ICLR 2019 (arXiv:1806.09055), second order",
    ),
    "PDARTS": Published(
        "skip-0 dil3-1 skip-0 sep3-1 sep3-1 sep3-3 sep3-0 dil5-4",
        "avg-0 sep5-1 sep3-0 dil5-2 max-0 dil3-1 dil3-1 dil5-3",
        "Chen et al., ICCV 2019 (arXiv:1904.12760)",
    ),
    "PC_DARTS": Published(
        "sep3-1 skip-0 sep3-0 dil3-1 sep5-0 sep3-1 avg-0 dil3-1",
        "sep5-1 max-0 sep5-1 sep5-2 sep3-0 sep3-3 sep3-1 sep3-2",
        "Xu et al., ICLR 2020 (arXiv:1907.05737), on CIFAR-10",
    ),
    "RACL": Published(
        "sep3-0 sep3-1 sep5-0 skip-1 sep3-0 skip-3 sep3-3 skip-4",
        "sep3-0 sep5-1 avg-0 dil3-1 sep3-0 sep5-1 sep3-2 dil3-3",
        "Dong et al. 2020 (arXiv:2009.00902)",
    ),
    "ADVRUSH": Published(
        "sep3-1 sep3-0 sep5-0 sep3-1 sep3-1 sep3-0 skip-0 sep3-1",
        "sep3-0 sep3-1 skip-0 dil3-2 skip-0 avg-1 skip-0 skip-2",
        "Mok et al., ICCV 2021 (arXiv:2108.01289)",
    ),
    "LRNAS": Published(
        "max-1 avg-0 sep3-1 skip-0 sep3-2 avg-1 max-3 max-0",
        "none-0 none-1 sep5-2 max-0 avg-2 skip-1 max-3 skip-4",
        "Feng et al., LRNAS (lightweight and adversarially robust cells)",
    ),
    "REP_PGD": Published(
        "skip-1 dil3-0 dil3-1 sep3-0 sep3-3 dil5-1 dil3-3 sep3-4",
        "sep3-1 sep5-0 sep5-1 sep3-2 sep3-2 sep5-1 max-4 max-3",
        "Feng et al., REP (robustness enhanced plugin for differentiable search), with PGD",
    ),
    "ZCPRob_RNTK": Published(
        "sep3-0 sep5-1 sep3-0 dil5-1 skip-2 sep3-3 dil3-2 skip-4",
        "avg-0 sep3-1 dil5-2 sep3-1 avg-0 skip-3 max-4 skip-1",
        "Feng et al., ICLR 2025 (zero-cost proxy for adversarial robustness)",
    ),
    "RNAS_H": Published(
        "dil5-0 dil5-1 dil5-0 dil3-1 dil5-3 sep5-0 dil5-0 dil3-2",
        "avg-1 dil5-0 dil5-2 sep5-0 sep3-3 skip-0 sep5-0 sep5-4",
        "Qian et al., ECCV 2022 (feature distortion restraining), which is not the RNAS of `strategies/supernet`",
    ),
    "RNAS_L": Published(
        "dil5-0 dil5-1 skip-2 dil5-0 sep5-0 sep3-1 avg-0 skip-2",
        "sep5-0 sep3-1 sep5-2 sep3-1 dil3-3 dil5-2 sep5-3 sep3-2",
        "Qian et al., ECCV 2022 (feature distortion restraining), which is not the RNAS of `strategies/supernet`",
    ),
    "DRNAS": Published(
        "sep3-0 sep5-1 sep3-1 sep3-2 skip-0 sep3-1 sep3-2 dil5-3",
        "max-0 sep5-1 dil5-2 sep5-1 sep5-1 dil5-3 skip-4 sep5-1",
        "Chen et al., ICLR 2021 (arXiv:2006.10355), on CIFAR-10",
    ),
    "SDARTS_RS": Published(
        "sep3-1 sep3-0 sep5-1 skip-0 sep3-3 skip-1 sep3-1 dil3-2",
        "max-0 sep3-1 skip-2 max-0 dil5-3 max-0 sep3-2 sep5-3",
        "Chen and Hsieh, ICML 2020 (arXiv:2002.05283), random perturbation",
    ),
    "SDARTS_ADV": Published(
        "sep3-0 sep3-1 sep3-1 skip-0 sep5-0 dil3-3 dil3-4 skip-0",
        "max-0 sep5-1 skip-2 max-0 skip-3 skip-2 skip-2 sep5-4",
        "Chen and Hsieh, ICML 2020 (arXiv:2002.05283), adversarial perturbation",
    ),
    "DARTS_PT_0": Published(
        "sep3-0 sep3-1 sep5-0 dil3-1 skip-0 skip-2 skip-0 max-4",
        "sep3-0 avg-1 dil5-1 dil3-2 avg-0 max-2 sep3-2 skip-4",
        "Wang et al., ICLR 2021 (arXiv:2108.04392), seed 0",
    ),
    "DARTS_PT_1": Published(
        "sep3-0 sep3-1 sep3-0 dil3-1 max-0 skip-2 skip-0 dil3-4",
        "dil5-0 avg-1 max-0 sep5-2 max-1 dil3-3 sep5-0 sep3-4",
        "Wang et al., ICLR 2021 (arXiv:2108.04392), seed 1",
    ),
    "DARTS_PT_2": Published(
        "skip-0 sep3-1 sep3-0 dil3-1 skip-2 dil3-3 max-1 skip-2",
        "avg-0 max-1 avg-0 sep3-1 dil5-2 skip-3 sep3-2 sep5-4",
        "Wang et al., ICLR 2021 (arXiv:2108.04392), seed 2",
    ),
    "DARTS_PT_3": Published(
        "sep3-0 sep3-1 sep3-0 sep3-1 skip-0 skip-2 sep3-1 skip-3",
        "avg-0 sep5-1 max-1 skip-2 dil5-1 max-3 sep5-2 skip-3",
        "Wang et al., ICLR 2021 (arXiv:2108.04392), seed 3",
    ),
    "GDAS_V1": Published(
        "skip-0 skip-1 skip-0 sep5-2 sep3-3 skip-0 sep5-4 sep3-3",
        "sep5-0 sep3-1 sep5-2 sep5-1 dil5-2 sep3-1 sep5-0 sep5-1",
        "Dong and Yang, CVPR 2019 (arXiv:1910.04465)",
    ),
}


@cache
def _spellings() -> dict[str, str]:
    """Letters and digits of each name in lower case → the name."""
    return {_letters(name): name for name in PUBLISHED}


def official(text: str) -> str | None:
    """The name in `PUBLISHED` that `text` spells, whatever its case and its hyphens, dots and spaces.

    None if the text does not look like a name. Raises InputError, which lists similar names, if it looks like a
    name but is not in `PUBLISHED`.
    """
    name = text.strip()
    if not _NAME.fullmatch(name):
        return None
    if name == name.strip(_BETWEEN) and _letters(name) in _spellings():
        return _spellings()[_letters(name)]
    raise InputError(
        f"Expected a DARTS genotype or the name of a published one but got {name!r}{_suggestion(name)}; names are "
        f"{', '.join(PUBLISHED)}."
    )


def _suggestion(name: str) -> str:
    """For a message: the names that begin with `name`, or the nearest name if there are none."""
    letters = _letters(name)
    longer = [known for known in PUBLISHED if letters and _letters(known).startswith(letters)]
    if len(longer) > 1:
        return f", which may mean {either(longer)}"
    return f" (did you mean {longer[0]!r}?)" if longer else suggest(name.upper(), list(PUBLISHED))


def _letters(name: str) -> str:
    return re.sub(f"[{_BETWEEN}]", "", name).lower()


@cache
def published(name: str) -> Genotype:
    """The genotype of a name in `PUBLISHED`. Raises KeyError for another name."""
    one = PUBLISHED[name]
    return Genotype(_edges(one.normal), _edges(one.reduce))


def _edges(text: str) -> Edges:
    edges = (part.split("-") for part in text.split())
    return tuple((_SHORT[operation], int(source)) for operation, source in edges)
