"""What the references of the proxies share: an own copy of a network in double precision, and hand-made networks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from nas.search_spaces import Network, SearchSpace
from nas.search_spaces.network import Body
from nas.strategies.proxies import Proxy
from nas.strategies.proxies.curvature import HessianOptions
from nas.strategies.proxies.eproxy.settings import EproxyOptions
from nas.strategies.proxies.passes.probe import Probe
from nas.strategies.proxies.tenas import LinearRegionsOptions, NTKOptions

Batch = tuple[Tensor, Tensor]
Tiny = Callable[..., Network]
NOTHING = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
SMALL_CELL = "|nor_conv_3x3~0|+|avg_pool_3x3~0|skip_connect~1|+|none~0|nor_conv_1x1~1|skip_connect~2|"
SMALL_GENOTYPE = (
    "Genotype(normal=[('skip_connect', 0), ('dil_conv_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 1), "
    "('skip_connect', 0), ('none', 1), ('skip_connect', 2), ('skip_connect', 3)], normal_concat=range(2, 6), "
    "reduce=[('skip_connect', 0), ('max_pool_3x3', 1), ('avg_pool_3x3', 0), ('none', 1), "
    "('none', 0), ('skip_connect', 2), ('skip_connect', 2), ('skip_connect', 3)], reduce_concat=range(2, 6))"
)
SMALL_RESNET = '{"ds": [1, 1, 1, 1, 1], "ws": [64, 64, 64, 64, 96], "ss": [4, 1, 2, 2, 2]}'
SMALL_RESNEXT = (
    '{"ds": [1, 1, 1, 1], "ws": [64, 64, 64, 96], "ss": [8, 1, 2, 2], "bot_muls": [1, 1.0, 1.0, 0.5], '
    '"num_gs": [1, 2, 1, 1]}'
)
SMALL_MR = (
    '{"input_channel": [64, 64], "inverted_residual_setting": [[1, [1], [64]], [2, [1, 1], [64, 40]], '
    '[3, [1, 1, 1], [40, 40, 40]], [4, [1, 1, 1, 1], [40, 40, 40, 40]]], "last_channel": 64}'
)
SMALL_ARCHS = {
    "nasbench-mr": SMALL_MR,
    "nasbench101": "1010101011 conv3x3-bn-relu conv1x1-bn-relu maxpool3x3",
    "nasbench201": SMALL_CELL,
    "transnas-macro": "64-1242-basic",
    "transnas-micro": "64-41414-1_02_230",
    "darts": SMALL_GENOTYPE,
    "nds-resnet": SMALL_RESNET,
    "nds-resnext-a": SMALL_RESNEXT,
    "nds-resnext-b": SMALL_RESNEXT,
}  # a new space adds its own


class Copy:
    """The body of a network and its normalised images, its own and in float64, with gradients by `backward`."""

    def __init__(self, network: Network, batch: Batch) -> None:
        self.body = copy.deepcopy(network.body).double().train()
        self.images = (batch[0].double() - network.mean.double()) / network.std.double()
        self.labels = batch[1]
        self.layers: list[Any] = [
            module
            for name, module in self.body.named_modules()
            if isinstance(module, (nn.Conv2d, nn.Linear)) and not name.startswith("auxiliary")
        ]

    @property
    def weights(self) -> list[np.ndarray]:
        return [layer.weight.detach().numpy() for layer in self.layers]

    def gradients(self) -> list[np.ndarray]:
        """∂CE/∂w of every layer, zeros where there is none."""
        self.body.zero_grad()
        F.cross_entropy(self.body(self.images), self.labels).backward()
        return [
            np.zeros(layer.weight.shape) if layer.weight.grad is None else layer.weight.grad.numpy().copy()
            for layer in self.layers
        ]

    def jacobian(self) -> np.ndarray:
        """∂logits/∂x, (B, classes, B, pixels): the first two say which logit, the others which pixel."""
        jacobian = torch.autograd.functional.jacobian(self.body, self.images)
        return jacobian.flatten(3).numpy()


def replace(body: nn.Module, kind: type[nn.Module], make: Callable[[Any], nn.Module]) -> nn.Module:
    """Puts `make(module)` in the place of every module of a kind."""
    for module in list(body.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, kind):
                setattr(module, name, make(child))
    return body


def double(network: Network, batch: Batch, **settings: Any) -> Probe:
    """A probe of the network, which becomes one of float64."""
    if "second" in settings:
        images, labels = settings["second"]
        settings["second"] = (images.double(), labels)
    return Probe(network.double(), batch[0].double(), batch[1], **settings)


def other(batch: Batch) -> Batch:
    """A second batch."""
    generator = torch.Generator().manual_seed(8)
    return torch.rand(batch[0].shape, generator=generator), batch[1].roll(1)


def small(space: SearchSpace) -> Any:
    """An architecture with some operation of each kind, and few of them, on which every proxy has a value."""
    text = SMALL_ARCHS.get(space.name)
    return space.sample(Random(12)) if text is None else space.parse(text)


OPTIONS: dict[str, Any] = {  # of proxies whose own would take long
    "eproxy": EproxyOptions(iterations=3, c_mid=[4], c_out=3, lr=0.1),
    "hessian": HessianOptions(iterations=2),
    "linear_regions": LinearRegionsOptions(crops=60, pixels=1, initialisations=1),
    "ntk_cond": NTKOptions(initialisations=1),
}


def scored(proxy: Proxy, probe: Probe) -> float:
    """The value of the proxy, of one that iterates after a few iterations."""
    return proxy(probe, OPTIONS.get(proxy.name))


def probe_for(proxy: Proxy, network: Network, batch: Batch, **settings: Any) -> Probe:
    """A probe with all that the proxy declares to look at."""
    if proxy.batches == 2:
        settings["second"] = other(batch)
    return Probe(network, *batch, relative_flops=0.5, **settings)


class Chain(Body):
    """Modules one after the other; then, as in every body, the mean over pixels and a linear classifier."""

    def __init__(self, *modules: nn.Module, channels: int = 3, classes: int = 4) -> None:
        super().__init__()
        self.chain = nn.Sequential(*modules)
        self.classifier = nn.Linear(channels, classes)

    def stages(self, x: Tensor) -> list[Tensor]:
        return [self.chain(x)]

    def pooled(self, last: Tensor) -> Tensor:
        return last


def chain(*modules: nn.Module, channels: int = 3, classes: int = 4, seed: int = 0) -> Network:
    """A network of a chain, with weights from N(0, 1/4) and no normalisation of images."""
    network = Network(Chain(*modules, channels=channels, classes=classes))
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) / 2
    return network


class Passes(TorchDispatchMode):
    """Counts forwards of convolutions, and which gradients their backwards compute."""

    def __init__(self) -> None:
        super().__init__()
        self.forwards = self.inputs = self.weights = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.convolution.default:
            self.forwards += 1
        if func is torch.ops.aten.convolution_backward.default:
            to_input, to_weight, _ = args[-1]
            self.inputs += to_input
            self.weights += to_weight
        return func(*args, **(kwargs or {}))
