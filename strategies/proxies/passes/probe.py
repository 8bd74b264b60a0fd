"""A network, a batch, and the passes that proxies need; each pass leaves the network as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.errors import NasError
from nas.core.optimisation.attack_steps import input_gradient, signed_step
from nas.core.seeds import derive
from nas.search_spaces.network import Network
from nas.strategies.proxies.passes.autograd import check_finite, grads_of
from nas.strategies.proxies.passes.hooks import on_output
from nas.strategies.proxies.passes.quantities import Quantity, SharedPass, Value, logits, named, weight_grads
from nas.strategies.proxies.passes.temporary_view import BatchNorm, temporary_view

Batch = tuple[Tensor, Tensor]  # images (B, 3, H, W) in [0, 1], labels (B,)


def generator(seed: int, label: str) -> torch.Generator:
    """A new generator on the CPU for the draws of a proxy; equal for equal seeds and labels."""
    return torch.Generator().manual_seed(derive(seed, "proxy", label))


class Probe:
    """Passes of one batch through `network`: `images` (B, 3, H, W) in [0, 1], `labels` (B,).

    Layers are the `Conv2d` and `Linear` modules of the network, weights are theirs, without biases; an auxiliary head
    does not count. Passes run in train mode, without drop-path; batch normalisation uses the batch's statistics and
    leaves the running ones alone. After every method the network's weights, buffers, modes and the random state are
    exactly as before.

    The shared pass is one forward of the batch and a few backwards of it. It computes the quantity that is asked for
    (see `quantities.py`), together with those `wanted` by the other proxies of this network, each only once.

    `second` is another batch, `relative_flops` the MACs of the trained network as a share of the largest one's; both
    only for proxies that ask for them. `seed` decides all draws (`generator`): it is the run's, the same for all
    architectures.
    """

    def __init__(
        self,
        network: Network,
        images: Tensor,
        labels: Tensor,
        *,
        wanted: Iterable[Quantity | str] = (),
        second: Batch | None = None,
        relative_flops: float | None = None,
        seed: int = 0,
    ) -> None:
        self.network = network
        self.body = network.body
        self.images = network.normalize(images)
        self.labels = labels
        self.seed = seed
        self.wanted = set(map(str, wanted))
        auxiliary = getattr(self.body, "auxiliary", None)
        excluded = set() if auxiliary is None else set(auxiliary.modules())
        self.layers: list[nn.Conv2d | nn.Linear] = [
            module
            for module in self.body.modules()
            if isinstance(module, nn.Conv2d | nn.Linear) and module not in excluded
        ]
        self._second = second
        self._relative_flops = relative_flops
        self._values: dict[str, Value] = {}
        self._found_finite: set[str] = set()

    @property
    def weights(self) -> list[Tensor]:
        return [layer.weight.detach() for layer in self.layers]

    @property
    def second(self) -> Batch:
        """Normalised images and labels of another batch. Raises NasError if the probe was made without one."""
        if self._second is None:
            raise NasError("Expected a second batch for this proxy but the probe has only one; make it with second=.")
        images, labels = self._second
        return self.network.normalize(images), labels

    @property
    def relative_flops(self) -> float:
        """MACs as a share of those of the largest network. Raises NasError if the probe was made without it."""
        if self._relative_flops is None:
            raise NasError("Expected the network's cost for this proxy; make the probe with relative_flops=.")
        return self._relative_flops

    def generator(self, label: str) -> torch.Generator:
        """A new generator on the CPU for the draws of a proxy; equal for equal seeds and labels."""
        return generator(self.seed, label)

    # the shared pass

    def want(self, quantities: Iterable[Quantity | str]) -> None:
        """Let the next shared pass compute these quantities too."""
        self.wanted.update(map(str, quantities))

    def quantity(self, asked: Quantity | str) -> Any:
        """A quantity of the shared pass, also by its name.

        Raises NasError if it or the logits are not finite (infinite logits can lead to an ordinary quantity, such as a
        gradient of 0), or if there is no such quantity.
        """
        quantity = named(str(asked))
        if quantity is None:
            raise NasError(f"Expected a quantity of passes/quantities.py but got {asked!s}; name one of these.")
        if quantity.name not in self._values:
            self._values.update(self._pass({quantity.name} | (self.wanted - self._values.keys())))
        for one in (logits, quantity):
            if one.noun and one.name not in self._found_finite:
                check_finite(one.noun, self._values[one.name])
                self._found_finite.add(one.name)
        return self._values[quantity.name]

    def pop_quantity(self, asked: Quantity | str) -> Any:
        """The quantity, which the probe then forgets: for large ones that the caller frees piece by piece."""
        value = self.quantity(asked)
        del self._values[str(asked)]
        self.wanted.discard(str(asked))
        return value

    def _pass(self, names: set[str]) -> dict[str, Value]:
        quantities = [quantity for quantity in map(named, sorted({logits.name, *names})) if quantity is not None]
        if any(quantity.to_weights for quantity in quantities):
            quantities = list(dict.fromkeys([*quantities, weight_grads]))  # computed anyway
        with self.view():
            return SharedPass(self.body, self.layers, self.images, self.labels, self.generator).run(quantities)

    # other passes

    def run(
        self,
        weights: Sequence[Tensor] | None = None,
        inputs: Tensor | None = None,
        *,
        labels: Tensor | None = None,
        batch_norm: BatchNorm = "batch",
        each: Callable[[int, Tensor], None] | None = None,
    ) -> list[Tensor]:
        """∂CE/∂w per layer, also at other `weights` or normalised `inputs`. Costs one F+B.

        `each(number of the layer, output)` is called with the output of each layer during the forward. Raises NasError
        if a gradient is not finite.
        """
        with self.view(weights, batch_norm), torch.enable_grad(), ExitStack() as hooks:
            if each is not None:
                on_output(self.layers, hooks, each)
            logits = self.body(self.images if inputs is None else inputs)
            loss = F.cross_entropy(logits, self.labels if labels is None else labels)
            grads = grads_of(loss, [layer.weight for layer in self.layers])
        check_finite(weight_grads.noun, grads)
        return grads

    def fgsm(
        self,
        eps: float,
        weights: Sequence[Tensor] | None = None,
        *,
        batch_norm: BatchNorm = "batch",
        ascend: bool = True,
        bounds: tuple[float, float] | None = None,
    ) -> Tensor:
        """x ± eps·sign(∂CE/∂x) of the normalised images, also at other `weights`.

        Costs a forward and an input-only backward. Raises NasError if that gradient is not finite: the sign of NaN is
        0, and would leave x as it is.
        """
        sign = 1.0 if ascend else -1.0
        with self.view(weights, batch_norm):
            gradient = input_gradient(lambda x: sign * F.cross_entropy(self.body(x), self.labels), self.images)
        check_finite("gradient of the loss to the images", gradient)
        return signed_step(self.images, gradient, eps, bounds)

    @contextmanager
    def view(
        self,
        weights: Sequence[Tensor] | None = None,
        batch_norm: BatchNorm = "batch",
        *,
        dtype: torch.dtype | None = None,
        owned: bool = False,
    ) -> Iterator[None]:
        """During the block, the body is in train mode and has these `weights`, this batch normalisation and `dtype`.

        `owned`: parameters are copies that may be changed in place. Everything is put back at the end.
        """
        with temporary_view(self.body, self.layers, weights, batch_norm, dtype, owned):
            yield
