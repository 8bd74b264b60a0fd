"""A network of the caller's is afterwards as it was, also after an error."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from nas.api.module_state import unchanged_network
from nas.core.errors import InputError


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.normalisation = nn.BatchNorm2d(4)
        self.register_buffer("calls", torch.zeros(()))
        self.linear = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.linear(self.normalisation(self.convolution(x)).mean((2, 3)))


def _made() -> Small:
    network = Small().train()
    network.normalisation.eval()
    network.linear.weight.requires_grad_(False)
    network(torch.rand(2, 3, 6, 6)).sum().backward()
    return network


def _state(network: nn.Module) -> list[Any]:
    return [
        [part.training for part in network.modules()],
        [(id(one), one.data_ptr(), one.stride(), one.dtype, one.requires_grad) for one in network.parameters()],
        [(id(one), one.data_ptr(), one.stride(), one.tolist()) for one in network.buffers()],
        [None if one.grad is None else (id(one.grad), one.grad.stride()) for one in network.parameters()],
        [None if one.grad is None else one.grad.tolist() for one in network.parameters()],
        {name: value.tolist() for name, value in network.state_dict().items()},
    ]


def _change(network: nn.Module) -> None:
    network.eval()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network(torch.rand(2, 3, 6, 6)).sum().backward()
    for weight in network.parameters():
        weight.requires_grad_(False)
        weight.grad = None
    network.double()


def _change_and_fail(network: nn.Module) -> None:
    with unchanged_network(network):
        _change(network)
        raise ZeroDivisionError


def test_everything_is_restored() -> None:
    network = _made()
    before = _state(network)
    with unchanged_network(network):
        _change(network)
        assert _state(network) != before
    assert _state(network) == before


def test_also_after_an_error() -> None:
    network = _made()
    before = _state(network)
    with pytest.raises(ZeroDivisionError):
        _change_and_fail(network)
    assert _state(network) == before


def test_a_torchscript_module() -> None:
    network = torch.jit.script(_made())
    network.train()
    before = [part.training for part in network.modules()], [one.data_ptr() for one in network.parameters()]
    with unchanged_network(network):
        network.eval()
        network.to(memory_format=torch.channels_last)
        for weight in network.parameters():
            weight.requires_grad_(False)
    assert ([part.training for part in network.modules()], [one.data_ptr() for one in network.parameters()]) == before
    assert [weight.requires_grad for weight in network.parameters()] == [True, True, True, True, False, True]


def test_weights_without_a_shape_are_refused() -> None:
    network = nn.Sequential(nn.Flatten(), nn.LazyLinear(10))
    with pytest.raises(InputError, match="call it once"), unchanged_network(network):
        raise AssertionError


def test_a_network_made_in_inference_mode() -> None:
    with torch.inference_mode():
        network = Small()
    with unchanged_network(network):
        network.eval()
        for weight in network.parameters():
            weight.requires_grad_(False)
    assert network.training
    assert all(weight.requires_grad for weight in network.parameters())
