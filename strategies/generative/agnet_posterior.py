"""AG-Net with a generator whose latent vector is tied to its graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nas.strategies.generative.agnet import AGNet
from nas.strategies.generative.options import AGNetOptions
from nas.strategies.generative.pretraining import POSTERIOR


@dataclass
class AGNetPosteriorOptions(AGNetOptions):
    """Those of agnet, with another generator."""

    generator: str = POSTERIOR
    pretraining: int = 32_000  # random graphs that the autoencoder has learnt from


class AGNetPosterior(AGNet):
    """The strategy `agnet` with a variational autoencoder as its generator, so that z decides what is generated.

    The autoencoder is this project's own; everything else is that of Lukasik, Jung and Keuper, ECCV 2022
    (arXiv:2203.08734). In training z is drawn from the posterior of the graph, in sampling from N(0, I).
    """

    name: ClassVar[str] = "agnet-posterior"
    references: ClassVar[tuple[str, ...]] = ("lukasik2022agnet", "kingma2014autoencoding")
    Options: ClassVar[type] = AGNetPosteriorOptions
