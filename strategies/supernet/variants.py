"""The variants of algorithm 1 by name: RNAS-max, RNAS-uniform and DARTS differ in the defaults of the options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from nas.core.config.conditions import Condition
from nas.strategies.supernet.bilevel import Bilevel
from nas.strategies.supernet.options import CONDITIONS, BilevelOptions


@dataclass
class RNASUniformOptions(BilevelOptions):
    perturbation: str = "uniform"


@dataclass
class DARTSOptions(BilevelOptions):
    coefficient: float = 0.0
    warm_up: int = 0  # DARTS has none


@dataclass
class DARTSSecondOrderOptions(DARTSOptions):
    second_order: bool = True  # the gradient of α goes through one step of the weights


class RNASMax(Bilevel):
    """Both levels minimise CE + f with PGD on f (Zhu et al., Robust Neural Architecture Search, algorithm 1)."""

    name: ClassVar[str] = "rnas-max"
    published_cost: ClassVar[str | None] = "4.3 GPU-days (Zhu et al., table 1)"
    references: ClassVar[tuple[str, ...]] = ("zhu2023rnas",)
    Options: ClassVar[type[BilevelOptions]] = BilevelOptions
    conditions: ClassVar[Mapping[str, Condition]] = CONDITIONS


class RNASUniform(Bilevel):
    """Both levels minimise CE + f with uniform noise (Zhu et al., Robust Neural Architecture Search, algorithm 2)."""

    name: ClassVar[str] = "rnas-uniform"
    published_cost: ClassVar[str | None] = ".5 GPU-days (Zhu et al., table 1)"
    references: ClassVar[tuple[str, ...]] = ("zhu2023rnas",)
    Options: ClassVar[type[BilevelOptions]] = RNASUniformOptions
    conditions: ClassVar[Mapping[str, Condition]] = CONDITIONS


class DARTSFirstOrder(Bilevel):
    """Cross-entropy alone, α's gradient at the weights as they are (Liu et al., ICLR 2019, arXiv:1806.09055)."""

    name: ClassVar[str] = "darts"
    published_cost: ClassVar[str | None] = ".4 GPU-days (Zhu et al., table 1)"
    references: ClassVar[tuple[str, ...]] = ("liu2019darts",)
    Options: ClassVar[type[BilevelOptions]] = DARTSOptions
    conditions: ClassVar[Mapping[str, Condition]] = CONDITIONS


class DARTSSecondOrder(Bilevel):
    """Cross-entropy alone, α's gradient through one step of the weights (Liu et al., ICLR 2019, eq. 7–8)."""

    name: ClassVar[str] = "darts-second-order"
    published_cost: ClassVar[str | None] = "1 GPU-day (Zhu et al., table 1)"
    references: ClassVar[tuple[str, ...]] = ("liu2019darts",)
    Options: ClassVar[type[BilevelOptions]] = DARTSSecondOrderOptions
    conditions: ClassVar[Mapping[str, Condition]] = CONDITIONS
