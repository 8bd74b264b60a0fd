"""A network and a batch, looked at without leaving a trace: passes whose quantities several proxies share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.perturb import fgsm
from nas.search_spaces.network import Network


@dataclass(frozen=True)
class Pass:
    """One forward and backward of the cross-entropy: per weighted layer its output and its weight's gradient."""

    outputs: list[Tensor]  # per layer, (B, ...)
    weight_grads: list[Tensor]  # per layer, the shape of its weight


class Probe:
    """Looks at `network` with one batch: `images` (B, 3, H, W) in [0, 1], `labels` (B,).

    Layers are the `Conv2d` and `Linear` modules that the forward pass uses, weights are theirs (biases and batch
    normalisation apart). Batch normalisation uses the batch's statistics and leaves the running ones alone. After
    every method the network's weights, buffers, modes and the random state are exactly as before.
    """

    def __init__(self, network: Network, images: Tensor, labels: Tensor) -> None:
        self.network = network
        self.body = network.body
        self.images = network.normalize(images)
        self.labels = labels
        self.layers = [module for module in self.body.modules() if isinstance(module, nn.Conv2d | nn.Linear)]

    @property
    def weights(self) -> list[Tensor]:
        return [layer.weight.detach() for layer in self.layers]

    @cached_property
    def clean(self) -> Pass:
        """The pass at the network's own weights, batch normalisation on. Costs one F+B, once."""
        return self.run()

    def run(
        self, weights: Sequence[Tensor] | None = None, inputs: Tensor | None = None, batch_norm: bool = True
    ) -> Pass:
        """Forward and backward of the mean cross-entropy at other `weights` or normalised `inputs`. One F+B."""
        outputs: dict[int, Tensor] = {}

        def keep(index: int) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
            return lambda module, args, output: outputs.__setitem__(index, output.detach())

        with self._view(weights, batch_norm), torch.enable_grad(), ExitStack() as hooks:
            for index, layer in enumerate(self.layers):
                hooks.enter_context(_removed(layer.register_forward_hook(keep(index))))
            loss = F.cross_entropy(self.body(self.images if inputs is None else inputs), self.labels)
            grads = torch.autograd.grad(loss, [layer.weight for layer in self.layers], allow_unused=True)
        zeros = [torch.zeros_like(layer.weight) for layer in self.layers]
        return Pass(
            [outputs.get(index, zero) for index, zero in enumerate(zeros)],
            [zero if grad is None else grad for grad, zero in zip(grads, zeros)],
        )

    def fgsm(
        self,
        eps: float,
        weights: Sequence[Tensor] | None = None,
        batch_norm: bool = True,
        ascend: bool = True,
        bounds: tuple[float, float] | None = None,
    ) -> Tensor:
        """x ± eps·sign(∂CE/∂x) of the normalised images at other `weights`. One forward, one input-only backward."""
        sign = 1.0 if ascend else -1.0
        with self._view(weights, batch_norm):
            return fgsm(lambda x: sign * F.cross_entropy(self.body(x), self.labels), self.images, eps, bounds=bounds)

    @contextmanager
    def _view(self, weights: Sequence[Tensor] | None, batch_norm: bool) -> Iterator[None]:
        """The network in train mode at `weights`, batch statistics not recorded; everything put back at the end."""
        own = [layer.weight.data for layer in self.layers]
        norms = [module for module in self.body.modules() if isinstance(module, nn.BatchNorm2d)]
        tracked = [norm.track_running_stats for norm in norms]
        modes = [(module, module.training) for module in self.network.modules()]
        drop_path = getattr(self.body, "drop_path", 0.0)
        try:
            self.network.train()
            if drop_path:
                self.body.drop_path = 0.0  # type: ignore[assignment]
            for norm in norms:
                norm.track_running_stats = False
                if not batch_norm:
                    norm.forward = lambda x: x  # type: ignore[method-assign, assignment]
            for layer, weight in zip(self.layers, own if weights is None else weights):
                layer.weight.data = weight
            yield
        finally:
            for layer, weight in zip(self.layers, own):
                layer.weight.data = weight
            for norm, track in zip(norms, tracked):
                norm.track_running_stats = track
                norm.__dict__.pop("forward", None)
            if drop_path:
                self.body.drop_path = drop_path  # type: ignore[assignment]
            for module, training in modes:
                module.training = training


@contextmanager
def _removed(handle: torch.utils.hooks.RemovableHandle) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()
