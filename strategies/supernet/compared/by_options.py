"""The searches that differ from DARTS in the defaults of the options alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from nas.core.config.conditions import Condition
from nas.strategies.supernet.bilevel import Bilevel
from nas.strategies.supernet.options import CONDITIONS, BilevelOptions
from nas.strategies.supernet.variants import DARTSOptions


@dataclass
class GDASOptions(DARTSOptions):
    """One operation per edge and step, by hard Gumbel-softmax; the other defaults are those of the release."""

    epochs: int = 250
    mixture: str = "gumbel"
    weight_decay: float = 5e-4
    nesterov: bool = True


@dataclass
class PCDARTSOptions(DARTSOptions):
    """A quarter of the channels is mixed, and edges have weights (Xu et al., section 4.1)."""

    warm_up: int = 15
    batch_size: int = 256
    partial: int = 4
    edge_weights: bool = True
    lr: float = 0.1
    lr_min: float = 0.0
    alpha_lr: float = 6e-4


@dataclass
class SDARTSRandomOptions(DARTSOptions):
    mixture_noise: str | None = "random"


@dataclass
class SDARTSAdversarialOptions(DARTSOptions):
    mixture_noise: str | None = "adversarial"


@dataclass
class AdvRushOptions(DARTSOptions):
    """The last ten of 60 epochs have the penalty (Mok et al., section 4.1)."""

    epochs: int = 60
    batch_size: int = 32
    penalty: str | None = "smoothness"
    penalty_after: int = 50


@dataclass
class DSRNAJacobianOptions(DARTSOptions):
    penalty: str | None = "jacobian"
    penalty_after: int = 10


class GDAS(Bilevel):
    """A step computes one operation per edge, drawn by Gumbel-softmax (Dong and Yang, CVPR 2019, arXiv:1910.04465)."""

    name: ClassVar[str] = "gdas"
    published_cost: ClassVar[str | None] = ".3 GPU-days (Zhu et al., table 1)"
    references: ClassVar[tuple[str, ...]] = ("dong2019gdas",)
    Options: ClassVar[type[BilevelOptions]] = GDASOptions
    conditions: ClassVar[Mapping[str, Condition]] = CONDITIONS


class PCDARTS(Bilevel):
    """A quarter of the channels passes through the mixture; edges have weights too (Xu et al., ICLR 2020)."""

    name: ClassVar[str] = "pc-darts"
    published_cost: ClassVar[str | None] = (
        ".1 GPU-days (Zhu et al., table 1), 8,355 s on an RTX 3090 (Ha et al. 2023, table 3)"
    )
    references: ClassVar[tuple[str, ...]] = ("xu2020pcdarts",)
    Options: ClassVar[type[BilevelOptions]] = PCDARTSOptions
    conditions: ClassVar[Mapping[str, Condition]] = CONDITIONS


class SDARTSRandom(Bilevel):
    """The weights learn with a randomly perturbed mixture (Chen and Hsieh, ICML 2020, arXiv:2002.05283)."""

    name: ClassVar[str] = "sdarts-rs"
    published_cost: ClassVar[str | None] = ".4 GPU-days (Zhu et al., table 1)"
    references: ClassVar[tuple[str, ...]] = ("chen2020sdarts",)
    Options: ClassVar[type[BilevelOptions]] = SDARTSRandomOptions
    conditions: ClassVar[Mapping[str, Condition]] = CONDITIONS


class SDARTSAdversarial(Bilevel):
    """The weights learn with a mixture perturbed to raise the loss (Chen and Hsieh, ICML 2020, arXiv:2002.05283)."""

    name: ClassVar[str] = "sdarts-adv"
    references: ClassVar[tuple[str, ...]] = ("chen2020sdarts",)
    Options: ClassVar[type[BilevelOptions]] = SDARTSAdversarialOptions
    conditions: ClassVar[Mapping[str, Condition]] = CONDITIONS


class AdvRush(Bilevel):
    """α also minimises how fast the input gradient of the loss changes (Mok et al., ICCV 2021, arXiv:2108.01289)."""

    name: ClassVar[str] = "advrush"
    published_cost: ClassVar[str | None] = "251,245 s on an RTX 3090 (Ha et al. 2023, table 3)"
    references: ClassVar[tuple[str, ...]] = ("mok2021advrush",)
    Options: ClassVar[type[BilevelOptions]] = AdvRushOptions
    conditions: ClassVar[Mapping[str, Condition]] = CONDITIONS


class DSRNAJacobian(Bilevel):
    """α also minimises the Jacobian of the largest logit (after Hosseini et al., CVPR 2021, arXiv:2012.06122)."""

    name: ClassVar[str] = "dsrna-jacobian"
    references: ClassVar[tuple[str, ...]] = ("hosseini2021dsrna",)
    Options: ClassVar[type[BilevelOptions]] = DSRNAJacobianOptions
    conditions: ClassVar[Mapping[str, Condition]] = CONDITIONS
