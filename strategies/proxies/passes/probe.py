"""A network and a batch, looked at without leaving a trace: passes whose quantities several proxies share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.errors import NasError
from nas.core.optimisation.perturb import input_gradient, signed_step
from nas.core.seeds import derive
from nas.search_spaces.network import Network
from nas.strategies.proxies.passes.double_backward import Products, double_backward
from nas.strategies.proxies.passes.hooks import Outputs, ReLUKernel, Saliency, on_output
from nas.strategies.proxies.passes.temporary_view import BatchNorm, temporary_view

Batch = tuple[Tensor, Tensor]  # images (B, 3, H, W) in [0, 1], labels (B,)
Quantity = Tensor | Sequence[Tensor | None]  # of the whole network, or one of each layer
SAID = {  # how a quantity that is not finite is called; `outputs` are large, and what they are compared by shows it
    "logits": "output of the network",
    "weight_grads": "gradient of the loss to the weights",
    "saliency": "saliency of a channel",
    "relu_kernel": "output of a ReLU",
    "jacobian": "gradient of the logits to the images",
    "hessian_gradient": "Hessian of the loss times its gradient",
    "projections": "projected Jacobian of the logits",
}


class Probe:
    """Looks at `network` with one batch: `images` (B, 3, H, W) in [0, 1], `labels` (B,).

    Layers are the `Conv2d` and `Linear` modules of the network, weights are theirs (biases and batch normalisation
    apart); an auxiliary head does not count. Passes run in train mode, without drop-path; batch normalisation uses the
    batch's statistics and leaves the running ones alone. After every method the network's weights, buffers, modes and
    the random state are exactly as before.

    The shared pass is one forward of the batch and whatever backwards of it the asked quantities need. It computes
    what is asked for together with what is `wanted` (the quantities that the other proxies at hand `uses`), nothing
    else, and each quantity once:

    - `logits` (B, classes);
    - `outputs`: per layer what it puts out, before normalisation (`None` where the forward does not use it);
    - `weight_grads`: per layer ∂CE/∂w, zeros where the loss does not depend on it;
    - `saliency`: per layer Σ_hw a·∂CE/∂a of its output a, (B, channels);
    - `relu_kernel`: Σ over ReLUs of c cᵀ + (1-c)(1-c)ᵀ, c the binary codes (B, positions) of what passes, (B, B);
    - `jacobian`: ∂Σlogits/∂x of the normalised images, (B, pixels);
    - `hessian_gradient`: per layer H·g, H the Hessian of CE with respect to the weights and g its gradient;
    - `projections/n`: n random projections vᵀJ of the logits' Jacobian, v uniform on the unit sphere, (n, B, pixels).

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
        wanted: Iterable[str] = (),
        second: Batch | None = None,
        relative_flops: float | None = None,
        seed: int = 0,
    ) -> None:
        self.network = network
        self.body = network.body
        self.images = network.normalize(images)
        self.labels = labels
        self.seed = seed
        self.wanted = set(wanted)
        auxiliary = getattr(self.body, "auxiliary", None)
        apart = set() if auxiliary is None else set(auxiliary.modules())
        self.layers: list[nn.Conv2d | nn.Linear] = [
            module
            for module in self.body.modules()
            if isinstance(module, nn.Conv2d | nn.Linear) and module not in apart
        ]
        self._second = second
        self._relative_flops = relative_flops
        self._values: dict[str, Quantity] = {}
        self._found_finite: set[str] = set()

    @property
    def weights(self) -> list[Tensor]:
        return [layer.weight.detach() for layer in self.layers]

    @property
    def second(self) -> Batch:
        """Normalised images and labels of another batch."""
        if self._second is None:
            raise NasError("Expected a second batch for this proxy but the probe has one; make it with second=.")
        images, labels = self._second
        return self.network.normalize(images), labels

    @property
    def relative_flops(self) -> float:
        if self._relative_flops is None:
            raise NasError("Expected the network's cost for this proxy; make the probe with relative_flops=.")
        return self._relative_flops

    def generator(self, label: str) -> torch.Generator:
        """A fresh generator on the CPU for what a proxy draws; the same for the same seed and label."""
        return torch.Generator().manual_seed(derive(self.seed, "proxy", label))

    # the shared pass

    def want(self, names: Iterable[str]) -> None:
        """Let the next shared pass compute these quantities too."""
        self.wanted.update(names)

    def quantity(self, name: str) -> Any:
        """A quantity of the shared pass, by the names above; `NasError` where it is not finite.

        The logits are looked at with each: what they do not show (a gradient) can be infinite where they are finite.
        """
        if name not in self._values:
            self._values.update(self._pass({name} | (self.wanted - self._values.keys())))
        for one in ("logits", name):
            said = SAID.get(one.partition("/")[0])
            if said is not None and one not in self._found_finite:
                check_finite(said, self._values[one])
                self._found_finite.add(one)
        return self._values[name]

    def pop_quantity(self, name: str) -> Any:
        """The quantity, which the probe then forgets: for large ones that the caller frees piece by piece."""
        value = self.quantity(name)
        del self._values[name]
        self.wanted.discard(name)
        return value

    def _pass(self, names: set[str]) -> dict[str, Quantity]:
        found: dict[str, Quantity] = {}
        projections = [int(name.split("/")[1]) for name in names if name.startswith("projections/")]
        to_input = "jacobian" in names or bool(projections)
        to_weights = bool(names & {"weight_grads", "saliency", "hessian_gradient"})
        images = self.images.detach().requires_grad_(to_input)
        parameters = [layer.weight for layer in self.layers]
        again = "hessian_gradient" in names
        with self.view(), torch.set_grad_enabled(to_input or to_weights), ExitStack() as ways, ExitStack() as hooks:
            products = ways.enter_context(double_backward(self.body)) if again else Products()
            if "outputs" in names:
                outputs = Outputs(self.layers, hooks)
            if "saliency" in names:
                saliency = Saliency(self.layers, hooks, images)
            if "relu_kernel" in names:
                kernel = ReLUKernel(self.body, hooks, images)
            logits = self.body(images)
            hooks.close()
            if to_weights:
                loss = F.cross_entropy(logits, self.labels)
                grads = grads_of(loss, parameters, create_graph=again, retain_graph=again or to_input)
                if "saliency" in names:
                    found["saliency"] = saliency.finished()
                found["weight_grads"] = [grad.detach() for grad in grads]
                if again:
                    product = sum((grad.detach() * grad).sum() for grad in grads)
                    found["hessian_gradient"] = grads_of(product, parameters, retain_graph=to_input)
            products.to_weights = False
            if "jacobian" in names:
                (jacobian,) = grads_of(logits.sum(), [images], retain_graph=bool(projections))
                found["jacobian"] = jacobian.flatten(1)
            for number in projections:
                found[f"projections/{number}"] = self._project(logits, images, number)
        if "outputs" in names:
            found["outputs"] = outputs.values
        if "relu_kernel" in names:
            found["relu_kernel"] = kernel.total
        found["logits"] = logits.detach()
        return found

    def _project(self, logits: Tensor, images: Tensor, number: int) -> Tensor:
        generator = self.generator(f"projections/{number}")
        rows = []
        for _ in range(number):
            v = F.normalize(torch.randn(logits.shape, generator=generator, dtype=torch.float64), dim=1).to(logits)
            (row,) = grads_of((logits * v).sum(), [images], retain_graph=True)
            rows.append(row.flatten(1))
        return torch.stack(rows)

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
        """∂CE/∂w per layer at other `weights` or normalised `inputs`; `NasError` where it is not finite. One F+B.

        `each(layer's number, output)` is called with what each layer puts out, as it does.
        """
        with self.view(weights, batch_norm), torch.enable_grad(), ExitStack() as hooks:
            if each is not None:
                on_output(self.layers, hooks, each)
            logits = self.body(self.images if inputs is None else inputs)
            loss = F.cross_entropy(logits, self.labels if labels is None else labels)
            grads = grads_of(loss, [layer.weight for layer in self.layers])
        check_finite(SAID["weight_grads"], grads)
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
        """x ± eps·sign(∂CE/∂x) of the normalised images at other `weights`. One forward, one input-only backward.

        `NasError` where that gradient is not finite: the sign of NaN is 0, and x would stay where it is.
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
        """The body in train mode, with other `weights` of the layers, another use of batch normalisation, or cast.

        `owned`: parameters are copies that may be changed in place. Everything is put back at the end.
        """
        with temporary_view(self.body, self.layers, weights, batch_norm, dtype, owned):
            yield


def check_finite(what: str, values: Quantity) -> None:
    """`NasError` where one of the numbers is NaN or infinite.

    Comparisons, signs and clamps further on would make an ordinary number of it.
    """
    tensors = [values] if isinstance(values, Tensor) else values
    if not bool(torch.stack([tensor.isfinite().all() for tensor in tensors if tensor is not None]).all()):
        raise NasError(f"The {what} is not finite (NaN or infinite): its values left the range of floats.")


def grads_of(value: Tensor | Any, inputs: Sequence[Tensor], **settings: Any) -> list[Tensor]:
    """∂value/∂inputs, zeros where it does not depend on one (or on any)."""
    if not value.requires_grad:
        return [torch.zeros_like(one) for one in inputs]
    grads = torch.autograd.grad(value, inputs, allow_unused=True, **settings)
    return [torch.zeros_like(one) if grad is None else grad for one, grad in zip(inputs, grads)]
