"""The layout in which a network takes its images: the order in memory and the type of the numbers.

Attack libraries give float32 images in ordinary memory order and expect float32 logits. A network runs channels-last
(1.5 times faster on a CPU) unless it cannot, like a LeNet that calls `view` on its feature maps.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from nas.core.optimisation.attack_steps import eval_mode
from nas.core.seeds import seeded

NO_DERIVATIVE = ": an autograd kernel was not registered"  # follows the name of an operation in torch's warning
TYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)  # tried if a network has no type of its own


class _ToChannelsLast(torch.autograd.Function):
    """Channels-last forward, ordinary gradients backward: the libraries call `view` on the gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0].contiguous()


class InputAdapter(nn.Module):
    """Applies `network` to images in ordinary memory order, which are converted to the network's order and number type.

    The logits get the type of the images; if `dtype` is None, nothing is cast. The weights are not changed, nor is an
    output that is not a tensor.
    """

    order: str
    memory_format: torch.memory_format  # of the weights

    def __init__(self, network: nn.Module, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.network = network
        self.dtype = dtype

    @abstractmethod
    def ordered(self, x: Tensor) -> Tensor:
        """The images in the order of the network, as a copy: a network may change its input."""

    def forward(self, x: Tensor) -> Tensor:
        if self.dtype is None:
            return self.network(self.ordered(x))
        logits = self.network(self.ordered(x).to(self.dtype))
        return logits.to(x.dtype) if isinstance(logits, Tensor) else logits


class ChannelsLast(InputAdapter):
    """The channels of a pixel are neighbours in memory."""

    order = "channels_last"
    memory_format = torch.channels_last

    def ordered(self, x: Tensor) -> Tensor:
        return _ToChannelsLast.apply(x)


class Ordinary(InputAdapter):
    """The pixels of a channel are neighbours in memory."""

    order = "ordinary"
    memory_format = torch.contiguous_format

    def ordered(self, x: Tensor) -> Tensor:
        return x.clone(memory_format=torch.contiguous_format)


ADAPTERS: dict[str, type[InputAdapter]] = {kind.order: kind for kind in (ChannelsLast, Ordinary)}


def layout_of(adapter: InputAdapter) -> dict[str, str | None]:
    """The layout as plain values, which a run stores."""
    return {
        "order": adapter.order,
        "type": None if adapter.dtype is None else str(adapter.dtype).removeprefix("torch."),
    }


OLD_LAYOUT: dict[str, str | None] = {"order": ChannelsLast.order, "type": None}  # of runs that did not store it
USUAL_LAYOUTS = (OLD_LAYOUT, {"order": ChannelsLast.order, "type": "float32"})


def with_layout(network: nn.Module, layout: dict[str, str | None]) -> InputAdapter:
    """The network with a layout that `layout_of` returned."""
    name = layout["type"]
    return _adapted(network, ADAPTERS[str(layout["order"])], None if name is None else getattr(torch, name))


def _adapted(network: nn.Module, kind: type[InputAdapter], dtype: torch.dtype | None) -> InputAdapter:
    return kind(network.to(memory_format=kind.memory_format), dtype)  # type: ignore[call-overload]


def adapt(network: nn.Module, x: Tensor) -> InputAdapter:
    """The network in the first layout in which it accepts the images `x` and has a gradient.

    If it has no gradient in any layout, the first layout in which it accepts them. If it accepts them in no layout, the
    network's own error in ordinary order is raised.
    """
    types = types_of(network)
    failure: Exception | None = None
    no_gradient: InputAdapter | None = None
    for dtype in _types_to_try(types, x.dtype):
        for kind in ADAPTERS.values():
            try:
                adapter = _adapted(network, kind, dtype)
                with seeded(0), torch.no_grad(), eval_mode(network):
                    adapter(x)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # whatever foreign code may raise
                if failure is None or (kind is Ordinary and dtype in types[:1]):
                    failure = error
                continue
            if missing_gradient(adapter, x) is None:
                return adapter
            no_gradient = no_gradient or adapter
    if no_gradient is not None:
        return with_layout(network, layout_of(no_gradient))  # puts the weights back into that order
    assert failure is not None
    raise failure


def missing_gradient(network: nn.Module, x: Tensor) -> Exception | None:
    """Why the logits of a few images have no gradient in the pixels; None if they have one, even if it is 0.

    For an operation without a derivative, such as a quantised one, torch may only warn and use 0: that is no gradient.
    """
    try:
        with seeded(0), torch.enable_grad(), eval_mode(network), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            x = x.detach().clone().requires_grad_(True)
            torch.autograd.grad(network(x).sum(), x)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # no graph, an operation without a derivative, ...
        return error
    operations = [str(one.message).partition(NO_DERIVATIVE)[0] for one in caught if NO_DERIVATIVE in str(one.message)]
    return NotImplementedError(f"{operations[0]} has no derivative") if operations else None


def types_of(network: nn.Module) -> list[torch.dtype]:
    """The types of the network's weights and buffers, in their order; none for a program that has neither."""
    tensors = (*network.parameters(), *network.buffers())
    return list(dict.fromkeys(tensor.dtype for tensor in tensors if tensor.is_floating_point()))


def _types_to_try(types: list[torch.dtype], given: torch.dtype) -> list[torch.dtype]:
    """The type `given` of the images; unless the network has only this type, also its own types and all of `TYPES`."""
    return [given] if types == [given] else list(dict.fromkeys([given, *types, *TYPES]))


class OneMode(nn.Module):
    """Wraps a network that cannot change between train and eval mode, so that it can be a part of other networks."""

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
    """Switch off the gradients of all weights, one by one: a TorchScript module cannot do it for all at once."""
    for parameter in network.parameters():
        parameter.requires_grad_(False)
