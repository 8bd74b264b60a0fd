"""A generator and its surrogate: trained together on labelled architectures, and written as plain values."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from nas.core.io.checkpoint import State
from nas.core.limit import Limits
from nas.core.seeds import seeded
from nas.search_spaces.node_graph import GraphForm
from nas.strategies.generative.generator import surrogate
from nas.strategies.generative.graphs import Targets
from nas.strategies.generative.posterior import fit, prior
from nas.strategies.generative.pretraining import KINDS

BATCH = 16  # graphs per step
BETAS = (0.5, 0.999)  # of Adam


class TrainingOptions(Protocol):
    """How a model is trained on what is known."""

    epochs: int
    lr: float
    alpha: float
    gradient: bool


class Model:
    """A pretrained generator, a new surrogate with some outputs, and the Adam that trains both."""

    def __init__(
        self,
        form: GraphForm,
        kind: str,
        weights: dict[str, Tensor],
        lr: float,
        seed: int,
        outputs: int = 1,
        decay: float = 0.0,
    ) -> None:
        with seeded(seed):
            self.generator = KINDS[kind](form)
            self.surrogate = surrogate(form, outputs)
        self.generator.load_state_dict(weights)
        self.form = form
        self.weights = [*self.generator.parameters(), *self.surrogate.parameters()]
        self.adam = torch.optim.Adam(self.weights, lr=lr, betas=BETAS, weight_decay=decay, fused=True)

    @torch.enable_grad()
    def train(
        self, graphs: Targets, labels: Tensor, weights: Tensor, options: TrainingOptions, draws: torch.Generator
    ) -> None:
        """Train both for some epochs on N graphs with labels (N, outputs) and weights (N,), whose mean should be 1.

        An epoch draws N graphs with replacement, in proportion to their weights. The loss of a batch is the mean of
        w·((1-α)·reconstruction + α·(label - surrogate)²); with several outputs see `capped_loss`. Without `gradient`
        the surrogate's error does not change the generator.
        """
        for _ in range(options.epochs):
            rows = torch.multinomial(weights, len(weights), replacement=True, generator=draws)
            for batch in rows.split(BATCH):
                raw, fitted = fit(self.generator, graphs.rows(batch), self.form, draws)
                errors = (self.surrogate(raw if options.gradient else raw.detach()) - labels[batch]).square()
                if errors.shape[1] == 1:
                    loss = (weights[batch] * ((1 - options.alpha) * fitted + options.alpha * errors[:, 0])).mean()
                else:
                    loss = capped_loss(fitted, errors, weights[batch], options.alpha)
                self.adam.zero_grad()
                loss.backward()
                self.adam.step()

    @torch.no_grad()
    def sample(self, count: int, draws: torch.Generator) -> Tensor:
        """The raw outputs of `count` samples, whose first node is the input and whose last is the output."""
        raw: Tensor = self.generator(prior(self.generator, count, draws), ends=True)
        return raw

    @torch.no_grad()
    def predict(self, raw: Tensor) -> Tensor:
        """(B, outputs): the labels that the surrogate predicts from each row of raw outputs."""
        predicted: Tensor = self.surrogate(raw)
        return predicted

    def state_dict(self) -> State:
        """All weights and the state of Adam as plain JSON values."""
        moments = [self.adam.state.get(weight, {}) for weight in self.weights]
        zeros = [torch.zeros_like(weight) for weight in self.weights]
        vectors = {name: [state.get(name, zero) for state, zero in zip(moments, zeros)] for name in _MOMENTS}
        return {
            "steps": int(moments[0].get("step", torch.zeros(()))),
            "weights": _text(parameters_to_vector(self.weights)),
            **{name: _text(parameters_to_vector(tensors)) for name, tensors in vectors.items()},
        }

    def load_state_dict(self, state: State) -> None:
        sizes = [weight.numel() for weight in self.weights]
        with torch.no_grad():
            for weight, values in zip(self.weights, _vector(state["weights"]).split(sizes)):
                weight.copy_(values.view_as(weight))  # a view of the vector would not be aligned: other bits
        moments = {name: _vector(state[name]).split(sizes) for name in _MOMENTS}
        for place, weight in enumerate(self.weights) if state["steps"] else ():
            of_weight = {name: vectors[place].view_as(weight).clone() for name, vectors in moments.items()}
            self.adam.state[weight] = {"step": torch.tensor(float(state["steps"])), **of_weight}


def capped_loss(fitted: Tensor, errors: Tensor, weights: Tensor, alpha: float) -> Tensor:
    """(1-α)·c(mean of w·reconstruction) + α·Σ c(mean of w·error) over the columns of errors (B, outputs).

    c(L) = L / max(L, 1), where the divisor is a constant for the gradient: so a latency in milliseconds, whose error is
    large, does not outweigh an accuracy as a fraction.
    """
    means = (weights[:, None] * torch.cat([fitted[:, None], errors], 1)).mean(0)
    capped = means / means.detach().clamp(min=1)
    return (1 - alpha) * capped[0] + alpha * capped[1:].sum()


_MOMENTS = ("exp_avg", "exp_avg_sq")  # what Adam keeps of each weight


def rank_weights(order: Sequence[int], count: int, k: float) -> Tensor:
    """The weights w ∝ 1/(k·N + rank) of N = `count` labels, with the mean 1; the first row of `order` has rank 1.

    Rows that are not in `order`, those of failures, have the lowest rank, N.

    Source: Tripp, Daxberger and Hernández-Lobato, NeurIPS 2020 (arXiv:2006.09191), equation 1.
    """
    ranks = np.full(count, float(count))
    ranks[list(order)] = np.arange(1, len(order) + 1)
    weights = 1 / (k * count + ranks)
    return torch.from_numpy(weights / weights.mean()).float()


def labels(fitness: Sequence[float | None]) -> Tensor:
    """(N, 1): what the surrogate learns: fractions as they are, larger numbers divided by the largest.

    A failure has the worst label.
    """
    known = [value for value in fitness if value is not None]
    scale, worst = max(1.0, *map(abs, known)), min(known)
    return torch.tensor([[(worst if value is None else value) / scale] for value in fitness])


def limited_labels(quantities: Sequence[Sequence[float] | None], limits: Limits) -> Tensor:
    """(N, limits): the limited quantities as they are; a failure has the known one that is worst for each limit."""
    known = np.array([row for row in quantities if row is not None])
    worst = [column.max() if one.upper else column.min() for one, column in zip(limits.parts, known.T)]
    return torch.tensor([worst if row is None else list(row) for row in quantities], dtype=torch.float32)


def _text(vector: Tensor) -> str:
    return base64.b64encode(vector.detach().cpu().numpy().astype("<f4").tobytes()).decode()


def _vector(text: str) -> Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), dtype="<f4").astype(np.float32))


def as_module(kind: str, form: GraphForm, weights: dict[str, Tensor]) -> nn.Module:
    """The generator with these weights."""
    with seeded(0):
        module = KINDS[kind](form)
    module.load_state_dict(weights)
    return module
