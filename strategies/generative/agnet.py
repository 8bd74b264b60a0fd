"""AG-Net: a pretrained generator of architectures and a surrogate of their quality, trained together on the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from nas.core.config.conditions import Condition
from nas.core.errors import InputError
from nas.core.io.checkpoint import State
from nas.search_spaces.base import SearchSpace, digest
from nas.strategies.generative.graphs import drawn, targets
from nas.strategies.generative.options import AGNetOptions
from nas.strategies.generative.pretraining import cache_file, checksum, pretrained, shared_part
from nas.strategies.generative.training import Model, labels, limited_labels, rank_weights
from nas.strategies.model_based import BatchedStrategy

STEP = 100  # samples of the first batch; each following one has as many more
LIMITED_STEP, LIMITED_DRAWS = 500, 15  # with limits: samples of every batch, and batches at most


class AGNet(BatchedStrategy[Any]):
    """Proposes new architectures from a generator that learns from the answers, those that its surrogate prefers.

    In each round the generator and the surrogate are trained together on all that is known, the best with the largest
    weights w ∝ 1/(k·N + rank): mean of w·((1-α)·reconstruction + α·squared error of the surrogate). Then the generator
    draws until `candidates` are new, neither asked nor generated before, and the `batch` best by the surrogate are
    asked. A failed architecture has the lowest rank, and the worst known label.

    In a search with limits the surrogate has an output for each limited quantity, whose error is added to that of the
    label (`capped_loss`). The known architectures, and the candidates by their predictions, are ranked by the label,
    with `joint` by the sum of its rank and that of the quantity, and those outside a limit come last. The release
    multiplies their rank by 1,000, which is the same for fewer than 1,000 architectures.

    Source: Lukasik, Jung and Keuper, ECCV 2022 (arXiv:2203.08734), with the settings of the release. What the paper
    leaves open is chosen here: z is uniform in ±3 in training too, and one Adam goes through the whole search. The
    surrogate learns fractions as they are, and larger numbers divided by the largest known. In a space whose
    architectures have several parts, such as two cells, one after the other is searched; the others stay as they are:
    first those of a random architecture, then those of the best found.
    """

    name: ClassVar[str] = "agnet"
    references: ClassVar[tuple[str, ...]] = ("lukasik2022agnet",)
    Options: ClassVar[type] = AGNetOptions
    conditions: ClassVar[Mapping[str, Condition]] = {
        "queries": Condition(
            lambda options, space: len(space.graph_forms()) > 1, "in a space whose architectures have one part"
        )
    }
    space: SearchSpace[Any]

    def begin(self) -> None:
        super().begin()
        if not getattr(self.space, "graph_forms", dict)():
            raise InputError(
                f"Expected a space whose architectures are graphs of operations for strategy.name={self.name} but "
                f"{type(self.space).__name__} has none; take strategy.name=evolution."
            )
        self.parts = list(self.space.graph_forms())
        self.part = 0  # the number of the part that is searched
        self.base: Any = None  # has the other parts; None before the first proposal, and if there are no others
        # what was told while this part is searched, by class: architecture, fitness, whether within limits
        self.labelled: dict[str, tuple[Any, float | None, bool]] = {}
        self.generated: dict[str, None] = {}  # digests of the classes that were candidates for this part
        self.model: Model | None = None  # for this part, from its first training on
        self.checksums: dict[str, str] = {}  # of the pretraining, by part

    @property
    def _whole(self) -> SearchSpace[Any]:
        """The space itself, where only the rows of a table are searched."""
        return getattr(self.space, "whole", self.space)

    def remark(self, budget: int) -> str | None:
        """That all is random, or that the generator has to be pretrained first, if it is not in the cache."""
        if (random := super().remark(budget)) is not None:
            return random
        kind, count = self.options.generator, self.options.pretraining
        parts = dict.fromkeys(shared_part(self._whole, part) for part in self.parts)
        files = [cache_file(type(self._whole), part, kind, count) for part in parts]
        if all(file is not None and file.is_file() for file in files):
            return None
        return (
            f"The generator of {self.name} is first trained on {count:,} random graphs of {self._whole.name}, once for "
            f"all searches; `nas pretrain {self.name} --space {self._whole.name}` does it before."
        )

    def ask(self, n: int) -> list[Any]:
        self._advance()
        return super().ask(n)

    def tell(self, arch: Any, metrics: dict[str, float] | None) -> None:
        super().tell(arch, metrics)
        self.labelled[self._key(arch)] = (arch, None if metrics is None else self.goals[0].fitness(metrics), True)

    def tell_infeasible(self, arch: Any, metrics: dict[str, float]) -> None:
        """Learnt with its label, but ranked last."""
        super().tell_infeasible(arch, metrics)
        self.labelled[self._key(arch)] = (arch, self.goals[0].fitness(metrics), False)

    def _starting(self) -> bool:
        return sum(fit is not None for _, fit, _ in self.labelled.values()) < self.options.init

    def _advance(self) -> None:
        """Go on to the next part once this one had its share of the queries."""
        if len(self.parts) == 1:
            return
        if self.base is None:
            self.base = self.space.sample(self.rng)
        share = self.options.queries * (self.part + 1) / len(self.parts)
        if self.part + 1 < len(self.parts) and len(self.observed) >= share:
            self.part += 1
            self.base = self._ranking()[0]
            self.labelled, self.generated, self.model, self.queue = {}, {}, None, []

    def _sample(self) -> Any:
        """A random architecture, with the parts of `base` that are not searched; of a table, a random row."""
        arch = self.space.sample(self.rng)
        if self.base is None or self._whole is not self.space:
            return arch
        graphs = self.space.to_graph(arch)
        return self._completed(graphs[self.parts[self.part]]) or arch

    def _completed(self, graph: Any) -> Any:
        """The architecture with this graph as the part that is searched; None if there is none."""
        others = {} if self.base is None else self.space.to_graph(self.base)
        return self.space.from_graph({**others, self.parts[self.part]: graph})

    def _choose(self, count: int) -> list[Any]:
        draws = torch.Generator().manual_seed(self.rng.getrandbits(63))
        model = self._trained(draws)
        archs, raw = self._candidates(model, max(self.options.candidates, count), draws)
        if self.options.pick == "random" or not archs:
            best = archs[:count]  # they are in random order
        else:
            best = [archs[row] for row in self._order(model.predict(raw).double().numpy())[:count]]
        return self._filled_up(best, count)

    def _order(self, predicted: np.ndarray) -> list[int]:
        """The rows of predictions (n, 1 + limits), the best first."""
        if self.limits:
            return self.limits.order(predicted[:, 0], predicted[:, 1:]).tolist()
        return np.argsort(-predicted[:, 0], kind="stable").tolist()

    def _trained(self, draws: torch.Generator) -> Model:
        """The model of this part after a training on all that is known of it."""
        options, part = self.options, self.parts[self.part]
        if self.model is None:
            self.model = self._new_model(self.rng.getrandbits(63))
        fitness = [fit for _, fit, _ in self.labelled.values()]
        learnt = labels(fitness)
        if self.limits:
            quantities = [None if fit is None else self.limited[key] for key, (_, fit, _) in self.labelled.items()]
            learnt = torch.cat([learnt, limited_labels(quantities, self.limits)], 1)
        weights = (
            rank_weights(self._known_order(), len(fitness), options.k) if options.weighted else torch.ones(len(fitness))
        )
        graphs = targets([self.space.to_graph(arch)[part] for arch, _, _ in self.labelled.values()])
        self.model.train(graphs, learnt, weights, self._training, draws)
        return self.model

    @property
    def _training(self) -> AGNetOptions:
        """How the model is trained: with limits by the settings of the release for them."""
        return replace(self.options, alpha=self.options.limited_alpha) if self.limits else self.options

    def _known_order(self) -> list[int]:
        """The rows of what was told of this part, the best first, equal ones in their order; without the failures."""
        rows = [row for row, (_, fit, _) in enumerate(self.labelled.values()) if fit is not None]
        told = [[fit, *self.limited.get(key, ())] for key, (_, fit, _) in self.labelled.items() if fit is not None]
        return [rows[place] for place in self._order(np.array(told))]

    def _new_model(self, seed: int) -> Model:
        part = self.parts[self.part]
        weights = self._pretrained(part)
        self.checksums[part] = checksum(weights)
        form = self._whole.graph_forms()[part]
        options = self.options
        if self.limits:
            outputs = 1 + len(self.limits.parts)
            return Model(form, options.generator, weights, options.limited_lr, seed, outputs, options.limited_decay)
        return Model(form, options.generator, weights, options.lr, seed)

    def _pretrained(self, part: str) -> dict[str, Tensor]:
        space = self._whole
        return pretrained(type(space), shared_part(space, part), self.options.generator, self.options.pretraining)

    def _candidates(self, model: Model, count: int, draws: torch.Generator) -> tuple[list[Any], Tensor]:
        """At most `count` new architectures that are allowed, in random order, and their raw outputs."""
        found: list[Any] = []
        rows: list[Tensor] = []
        growing = range(STEP, STEP * self.options.draws + 1, STEP)
        for size in LIMITED_DRAWS * (LIMITED_STEP,) if self.limits else growing:
            raw = model.sample(size, draws)
            new: dict[str, tuple[Any, int]] = {}
            for row, graph in enumerate(drawn(raw, model.form, draws)):
                arch = self._completed(graph)
                if (
                    arch is not None
                    and (key := self._key(arch)) not in self.asked
                    and _digest(key) not in self.generated
                ):
                    new.setdefault(key, (arch, row))
            self.generated.update((_digest(key), None) for key in new)
            good = self._allowed([arch for arch, _ in new.values()])
            kept = [pair for pair, is_good in zip(new.values(), good) if is_good]
            found += [arch for arch, _ in kept]
            rows += [raw[row] for _, row in kept]
            if len(found) >= count:
                break
        order = self.rng.sample(range(len(found)), min(count, len(found)))
        return [found[row] for row in order], torch.stack([rows[row] for row in order]) if order else torch.empty(0)

    def state_dict(self) -> State:
        return {
            **super().state_dict(),
            "part": self.part,
            "base": None if self.base is None else str(self.base),
            "labelled": [[str(arch), fit, within] for arch, fit, within in self.labelled.values()],
            "generated": list(self.generated),
            "model": None if self.model is None else self.model.state_dict(),
            "pretraining": dict(self.checksums),
        }

    def load_state_dict(self, state: State) -> None:
        """Raises InputError if the generator that the search began with is not the one that is cached or made here."""
        super().load_state_dict(state)
        for part, expected in state["pretraining"].items():
            if (found := checksum(self._pretrained(part))) != expected:
                raise InputError(
                    f"Expected the pretrained generator with the checksum {expected[:12]}, with which the search "
                    f"began, but got {found[:12]}; restore the file {self._file(part)}, or begin a new search."
                )
        self.part, self.checksums = state["part"], dict(state["pretraining"])
        self.base = None if state["base"] is None else self.space.parse(state["base"])
        labelled = [(self.space.parse(text), fit, within) for text, fit, within in state["labelled"]]
        self.labelled = {self._key(one[0]): one for one in labelled}
        self.generated = dict.fromkeys(state["generated"])
        self.model = None
        if state["model"] is not None:
            self.model = self._new_model(0)
            self.model.load_state_dict(state["model"])

    def _file(self, part: str) -> str:
        space, options = self._whole, self.options
        return str(cache_file(type(space), shared_part(space, part), options.generator, options.pretraining))


def _digest(text: str) -> str:
    return digest(text).hex()
