"""Score architectures by proxies, as the objective of a search and for `nas score`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from nas.core.data import Dataset
from nas.core.errors import InputError, NasError
from nas.core.execution.out_of_memory import is_shortage, on_host, release
from nas.core.images import unit_range
from nas.core.seeds import derive, seeded
from nas.objectives import constant_logits
from nas.objectives.network_spec import NetworkSpec
from nas.search_spaces import Cost, Network
from nas.strategies.proxies import PROXIES, Proxy
from nas.strategies.proxies.passes.probe import Probe

OUT_OF_MEMORY = "memory ran out"


class Scorer:
    """Proxy values of one architecture after the other, all on the same batch of real images.

    The batch is drawn from the training part by the run's seed; each network's weights by the seed and its
    architecture, so a value does not depend on what was scored before or where. Proxies of the same batch size share
    a `Probe`. Images and weights are in channels-last layout.

    If memory runs out, the proxy is tried once more, alone and, on a GPU, with the tensors of the backward pass on the
    host: the same value from less memory. (Smaller parts of the batch would give another value, as batch normalisation
    depends on the whole batch.) If memory runs out again, the proxy has no value.

    A proxy that needs a network has no value for one whose logits do not depend on the image: some proxies would rank
    such a network first.

    Raises InputError if a proxy does not exist, or needs a batch of more images than the training part has.
    """

    def __init__(
        self,
        names: list[str],
        options: Mapping[str, Any],
        dataset: Dataset,
        scored: NetworkSpec,
        trained: NetworkSpec,
        seed: int,
        device: torch.device,
    ) -> None:
        self.proxies: list[Proxy] = [PROXIES.get(name) for name in names]
        self.options = options
        self.scored = scored
        self.trained = trained
        self.mean, self.std = dataset.mean, dataset.std
        self.seed = seed
        self.device = device
        self.wanted: dict[int, set[str]] = {}  # by batch size, the quantities that proxies use
        self.batches: dict[int, int] = {}  # by batch size, the number of batches that proxies need
        for proxy in self.proxies:
            if proxy.needs == "network":
                size, own = options[proxy.name].batch_size, options[proxy.name]
                if not proxy.thin:
                    self.wanted.setdefault(size, set()).update(proxy.uses(own))
                self.batches[size] = max(self.batches.get(size, 1), proxy.batches)
        self.images, self.labels = self._images(dataset)

    def _images(self, dataset: Dataset) -> tuple[Tensor, Tensor]:
        size = max([size * count for size, count in self.batches.items()], default=0)
        if size > len(dataset.train):
            raise InputError(
                f"Expected a proxy batch of at most {len(dataset.train)} images (the training part) but got {size}; "
                "lower the proxy's batch_size."
            )
        generator = torch.Generator().manual_seed(derive(self.seed, "proxy batch"))
        chosen = torch.randperm(len(dataset.train), generator=generator)[:size]
        batch = dataset.train.select(chosen)
        return unit_range(batch.images).to(self.device), batch.labels.to(self.device)

    def __call__(self, text: str) -> dict[str, float]:
        """The value of each proxy for the architecture written as `text`.

        Raises NasError if a proxy has no value, InputError if `text` is no architecture.
        """
        scores, failures = self.try_score(text)
        for name, reason in failures.items():
            raise NasError(f"The proxy {name} has no value for {text}: {reason}")
        return scores

    def try_score(self, text: str) -> tuple[dict[str, float], dict[str, str]]:
        """The values of the proxies for the architecture written as `text`, and the reasons of those that have none.

        Raises InputError if `text` is no architecture.
        """
        arch = self.scored.space.parse(text)
        cost = self.trained.cost(arch)
        scores, failures = {}, {}
        probes: dict[int, Probe] = {}
        for proxy in self.proxies:
            value, reason = self._value(proxy, arch, cost, probes)
            if reason is OUT_OF_MEMORY:
                probes.clear()
                release(self.device)
                with on_host(self.device):
                    value, reason = self._value(proxy, arch, cost, {}, alone=True)
                release(self.device)
            if reason is OUT_OF_MEMORY:
                reason = f"Memory ran out, even for this proxy alone; lower proxies.{proxy.name}.batch_size."
            if reason is None:
                scores[proxy.name] = value
            else:
                failures[proxy.name] = reason
        return scores, failures

    def _value(
        self, proxy: Proxy, arch: Any, cost: Cost, probes: dict[int, Probe], alone: bool = False
    ) -> tuple[float, str | None]:
        """The value of a proxy and None, or NaN and the reason why there is none.

        An empty `probes` is filled: with probes for all proxies or, if `alone`, with a probe for this proxy.
        """
        options = self.options[proxy.name]
        try:
            if proxy.thin:
                return proxy(self._thin_probe(arch, cost, options.batch_size), options), None
            if proxy.needs == "network" and not probes:
                wanted = {options.batch_size: set(proxy.uses(options))} if alone else None
                probes.update(self.probes(arch, cost, wanted))
            value = proxy(cost if proxy.needs == "cost" else probes[options.batch_size], options)
        except (NasError, ArithmeticError, ValueError, torch.linalg.LinAlgError) as error:
            return math.nan, str(error) or type(error).__name__
        except (MemoryError, RuntimeError) as error:
            if not is_shortage(error):
                raise
            return math.nan, OUT_OF_MEMORY
        return value, None

    def probes(self, arch: Any, cost: Cost, wanted: dict[int, set[str]] | None = None) -> dict[int, Probe]:
        """One probe of the architecture's network for each batch size, for the `wanted` quantities.

        Raises NasError if the network's logits do not depend on the image: no value of a proxy would mean anything.
        """
        if not self.scored.connected(arch):
            raise NasError(constant_logits.REASON)
        network = self._network(arch, self.scored)
        return {
            size: self._probe(network, size, cost, names)
            for size, names in (self.wanted if wanted is None else wanted).items()
        }

    def _thin_probe(self, arch: Any, cost: Cost, size: int) -> Probe:
        """A probe of the thinnest network of the architecture. Raises NasError as `probes` does."""
        if not (self.scored.connected(arch) and self.scored.thinnest.connected(arch)):
            raise NasError(constant_logits.REASON)
        return self._probe(self._network(arch, self.scored.thinnest), size, cost, ())

    def _network(self, arch: Any, spec: NetworkSpec) -> Network:
        with seeded(derive(self.seed, "proxy weights", arch)):
            network = spec.build(arch, mean=self.mean, std=self.std)
        return network.to(self.device).to(memory_format=torch.channels_last)

    def _probe(self, network: Network, size: int, cost: Cost, wanted: Iterable[str]) -> Probe:
        return Probe(
            network,
            self.images[:size],
            self.labels[:size],
            wanted=wanted,
            second=(self.images[size : 2 * size], self.labels[size : 2 * size]) if self.batches[size] == 2 else None,
            relative_flops=cost.macs / self.trained.largest.macs,
            seed=self.seed,
        )
