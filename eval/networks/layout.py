"""How a network takes its images: in which memory order, and as numbers of which type.

Attack libraries hand over float32 images in ordinary memory order and want float32 logits. A network runs channels-last
(1.5 times faster on a CPU) where it can: not where it calls `view` on its feature maps, as LeNet does.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from nas.core.optimisation.perturb import eval_mode
from nas.core.seeds import seeded

NO_DERIVATIVE = ": an autograd kernel was not registered"  # follows the name of an operation in torch's warning
TYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)  # tried where a network does not say its own


class _ToChannelsLast(torch.autograd.Function):
    """Channels-last forward, ordinary gradients backward: the libraries call `view` on what they get."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0].contiguous()


class InputAdapter(nn.Module):
    """`network` on images in ordinary memory order: they are put into its own order and number type here.

    Its logits come out in the type of the images, the weights stay as they are; without a type, nothing is cast. What
    is not a tensor of logits comes out as it is.
    """

    order: str
    memory_format: torch.memory_format  # of the weights

    def __init__(self, network: nn.Module, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.network = network
        self.dtype = dtype

    @abstractmethod
    def ordered(self, x: Tensor) -> Tensor:
        """The images in the order of the network, as a copy: a network may change what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        if self.dtype is None:
            return self.network(self.ordered(x))
        logits = self.network(self.ordered(x).to(self.dtype))
        return logits.to(x.dtype) if isinstance(logits, Tensor) else logits


class ChannelsLast(InputAdapter):
    """The channels of a pixel beside each other in memory."""

    order = "channels_last"
    memory_format = torch.channels_last

    def ordered(self, x: Tensor) -> Tensor:
        return _ToChannelsLast.apply(x)


class Ordinary(InputAdapter):
    """The pixels of a channel beside each other in memory."""

    order = "ordinary"
    memory_format = torch.contiguous_format

    def ordered(self, x: Tensor) -> Tensor:
        return x.clone(memory_format=torch.contiguous_format)


ADAPTERS: dict[str, type[InputAdapter]] = {kind.order: kind for kind in (ChannelsLast, Ordinary)}


def layout_of(door: InputAdapter) -> dict[str, str | None]:
    """The kind of door in plain values, for a run to keep."""
    return {"order": door.order, "type": None if door.dtype is None else str(door.dtype).removeprefix("torch.")}


OLD_LAYOUT: dict[str, str | None] = {"order": ChannelsLast.order, "type": None}  # of runs that kept no kind of door
USUAL_LAYOUTS = (OLD_LAYOUT, {"order": ChannelsLast.order, "type": "float32"})


def with_layout(network: nn.Module, kept: dict[str, str | None]) -> InputAdapter:
    """The door of which `layout_of` told, before this network."""
    name = kept["type"]
    return _adapted(network, ADAPTERS[str(kept["order"])], None if name is None else getattr(torch, name))


def _adapted(network: nn.Module, kind: type[InputAdapter], dtype: torch.dtype | None) -> InputAdapter:
    return kind(network.to(memory_format=kind.memory_format), dtype)  # type: ignore[call-overload]


def adapt(network: nn.Module, x: Tensor) -> InputAdapter:
    """The first door through which a few images `x` pass, and a gradient comes back where the network has one.

    Raises what the network raises in ordinary order where none will do.
    """
    types = types_of(network)
    failure: Exception | None = None
    without: InputAdapter | None = None
    for dtype in _types_to_try(types, x.dtype):
        for kind in ADAPTERS.values():
            try:
                door = _adapted(network, kind, dtype)
                with seeded(0), torch.no_grad(), eval_mode(network):
                    door(x)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # the code of somebody else may fail in any way
                if failure is None or (kind is Ordinary and dtype in types[:1]):
                    failure = error
                continue
            if missing_gradient(door, x) is None:
                return door
            without = without or door
    if without is not None:
        return with_layout(network, layout_of(without))  # with its weights in that order
    assert failure is not None
    raise failure


def missing_gradient(network: nn.Module, x: Tensor) -> Exception | None:
    """Why the logits of a few images have no gradient in the pixels; None where they have one, be it 0.

    Of an operation without a derivative, such as a quantised one, torch may take 0 and only warn: that is none either.
    """
    try:
        with seeded(0), torch.enable_grad(), eval_mode(network), warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            x = x.detach().clone().requires_grad_(True)
            torch.autograd.grad(network(x).sum(), x)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # no graph, an operation without a derivative, ...
        return error
    operations = [str(one.message).partition(NO_DERIVATIVE)[0] for one in said if NO_DERIVATIVE in str(one.message)]
    return NotImplementedError(f"{operations[0]} has no derivative") if operations else None


def types_of(network: nn.Module) -> list[torch.dtype]:
    """The types of the network's numbers, in their order, weights first; none for a program without either."""
    return list(dict.fromkeys(tensor.dtype for tensor in _tensors(network) if tensor.is_floating_point()))


def _types_to_try(types: list[torch.dtype], given: torch.dtype) -> list[torch.dtype]:
    """The types to try: that of the images, those of the network, and any where it has others or none to tell."""
    return [given] if types == [given] else list(dict.fromkeys([given, *types, *TYPES]))


def _tensors(network: nn.Module) -> Iterator[Tensor]:
    yield from network.parameters()
    yield from network.buffers()


class OneMode(nn.Module):
    """A network that cannot be told to train or to evaluate, as a part of others that are."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def train(self, mode: bool = True) -> OneMode:
        self.training = mode
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


def in_eval_mode(network: nn.Module) -> nn.Module:
    """The network in eval mode."""
    try:
        return network.eval()
    except NotImplementedError:  # a program of torch.export, which has the one mode that it was exported in
        return OneMode(network)


def freeze(network: nn.Module) -> None:
    """Leave the weights out of every gradient, one by one: a TorchScript module cannot do it at once."""
    for parameter in network.parameters():
        parameter.requires_grad_(False)
