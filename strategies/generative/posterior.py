"""A generator whose latent vector means something: in training it belongs to the graph that is to be generated."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from nas.search_spaces.node_graph import GraphForm
from nas.strategies.generative.generator import LATENT, Generator, two_layers
from nas.strategies.generative.graphs import Targets, latent, reconstruction

WIDTH = 128  # hidden units of the encoder
BETA = 0.05  # weight of the divergence: the smaller, the more z says, and the less samples are like the graphs
FIRST_VARIANCE = 0.1  # of an untrained encoder: so small that the decoder learns to read z


class Posterior(nn.Module):
    """AG-Net's generator as the decoder p(G | z) of an autoencoder with q(z | G) = N(μ(G), σ²(G)) and p(z) = N(0, I).

    μ and log σ², 32 numbers each, come from the one-hot types and the edges of a graph by two linear layers. The loss
    is that of `reconstruction` with z drawn from q, plus β/n · KL(q ‖ p) for n nodes, as the reconstruction is a mean
    over nodes. In AG-Net z is drawn anew for every graph and says nothing about it.
    Source: Kingma and Welling, ICLR 2014 (arXiv:1312.6114); β as in Higgins et al., ICLR 2017.
    """

    def __init__(self, form: GraphForm) -> None:
        super().__init__()
        self.kinds, self.nodes = len(form.types), form.nodes
        self.encoder = two_layers(form.nodes * self.kinds + form.edges, WIDTH, 2 * LATENT)
        last = self.encoder[-1]
        assert isinstance(last, nn.Linear)
        nn.init.constant_(last.bias[LATENT:], log(FIRST_VARIANCE))
        self.decoder = Generator(form)

    def forward(self, z: Tensor, ends: bool = False) -> Tensor:
        """The raw outputs for z (B, 32), as those of `Generator`."""
        raw: Tensor = self.decoder(z, ends)
        return raw

    def encode(self, graphs: Targets) -> tuple[Tensor, Tensor]:
        """The mean and the logarithm of the variance of z, (B, 32) each."""
        seen = torch.cat([one_hot(graphs.types, self.kinds).float().flatten(1), graphs.edges], 1)
        mean, log_variance = self.encoder(seen).chunk(2, dim=1)
        return mean, log_variance


def prior(module: nn.Module, count: int, draws: torch.Generator) -> Tensor:
    """Latent vectors (count, 32) from which a generator samples."""
    return torch.randn(count, LATENT, generator=draws) if isinstance(module, Posterior) else latent(count, draws)


def fit(module: nn.Module, wanted: Targets, form: GraphForm, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Raw outputs (B, ·) for graphs that are to be generated, and the loss (B,) of each."""
    if not isinstance(module, Posterior):
        raw = module(latent(len(wanted.types), draws))
        return raw, reconstruction(raw, wanted, form)
    mean, log_variance = module.encode(wanted)
    raw = module(mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=draws))
    divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2
    return raw, reconstruction(raw, wanted, form) + BETA / form.nodes * divergence
