"""What every registered proxy must do: a finite value, the same for the same seed, and a network left untouched."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.core.seeds import seeded
from nas.search_spaces import Network, SearchSpace
from nas.strategies.proxies import PROXIES, Proxy
from nas.strategies.proxies.probe import Probe

Batch = tuple[Tensor, Tensor]
Tiny = Callable[..., Network]
NETWORK = [name for name, proxy in PROXIES.components.items() if proxy.needs == "network"]
COST = [name for name, proxy in PROXIES.components.items() if proxy.needs == "cost"]


def value(proxy: Proxy, space: SearchSpace, arch: Any, tiny: Tiny, batch: Batch) -> float:
    """The proxy's value of a fresh network."""
    if proxy.needs == "cost":
        return proxy(space.cost(arch, 4, image_size=8))
    network = tiny(space, arch)
    with seeded(3):
        return proxy(Probe(network, *batch))


def snapshot(network: Network) -> dict[str, Any]:
    """Everything about a network that a proxy might leave changed."""
    modules = dict(network.named_modules())
    return {
        "keys": list(network.state_dict()),
        "same tensors": [id(parameter) for parameter in network.parameters()],
        "same memory": [parameter.data_ptr() for parameter in network.parameters()],
        "requires_grad": [parameter.requires_grad for parameter in network.parameters()],
        "gradients": [parameter.grad for parameter in network.parameters()],
        "modes": [module.training for module in modules.values()],
        "statistics": [getattr(module, "track_running_stats", None) for module in modules.values()],
        "momentum": [getattr(module, "momentum", None) for module in modules.values()],
        "own attributes": [sorted(vars(module)) for module in modules.values()],
        "modules": [(name, id(module), type(module)) for name, module in modules.items()],
        "hooks": [
            [len(hooks) for key, hooks in vars(module).items() if key.endswith("_hooks")] for module in modules.values()
        ],
        "tensor hooks": [len(parameter._backward_hooks or {}) for parameter in network.parameters()],
        "drop_path": getattr(network.body, "drop_path", None),
    }


def values_of(network: Network) -> list[Tensor]:
    return [tensor.clone() for tensor in [*network.parameters(), *network.buffers()]]


def randomness() -> tuple[Any, str, list[int]]:
    return random.getstate(), str(np.random.get_state()), torch.random.get_rng_state().tolist()


def unusual(network: Network) -> Network:
    """Mixed modes, a frozen weight, statistics that have moved, a drop-path probability."""
    network.train()
    for number, module in enumerate(network.modules()):
        if number % 3 == 0:
            module.training = False
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.fill_(0.25)
            module.track_running_stats = number % 2 == 0
    if hasattr(network.body, "drop_path"):
        network.body.drop_path = 0.7  # type: ignore[assignment]
    return network


def test_the_built_in_proxies_register_by_being_there() -> None:
    assert {"croze", "params", "flops"} <= set(PROXIES.names())


@pytest.mark.parametrize("name", PROXIES.names())
def test_its_metadata_is_whole(name: str) -> None:
    proxy = PROXIES.get(name)
    assert proxy.name == name
    assert proxy.needs in ("network", "cost")
    assert proxy.mode in ("train", "eval", "none")
    assert (proxy.mode == "none") == (proxy.needs == "cost")
    assert proxy.domain in ("linear", "log")
    assert isinstance(proxy.higher_is_better, bool)
    assert proxy.batch_norm
    assert len(proxy.source) > 10
    assert len(proxy.doc.splitlines()[0]) > 10
    options: Any = proxy.Options()
    assert dataclasses.fields(options) is not None  # a dataclass
    if hasattr(options, "check"):
        options.check()
    assert (proxy.needs == "cost") or options.batch_size >= 2  # the batch it wants


@pytest.mark.parametrize("name", PROXIES.names())
def test_the_value_is_finite_and_the_same_again(name: str, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    proxy, rng = PROXIES.get(name), Random(4)
    archs = [space.sample(rng) for _ in range(4)]
    first = [value(proxy, space, arch, tiny, batch) for arch in archs]
    assert all(isinstance(one, float) and math.isfinite(one) for one in first)
    assert [value(proxy, space, arch, tiny, batch) for arch in archs[::-1]] == first[::-1]
    assert len(set(first)) > 1


@pytest.mark.parametrize("name", NETWORK)
def test_a_probe_gives_the_same_value_twice(name: str, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    proxy = PROXIES.get(name)
    probe = Probe(tiny(space, space.largest()), *batch)
    with seeded(3):
        first = proxy(probe)
    with seeded(3):
        assert proxy(probe) == first


@pytest.mark.parametrize("name", NETWORK)
def test_modes_and_statistics_of_before_do_not_matter(name: str, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    proxy = PROXIES.get(name)
    with seeded(3):
        expected = proxy(Probe(tiny(space, space.largest()), *batch))
    with seeded(3):
        assert proxy(Probe(unusual(tiny(space, space.largest())), *batch)) == expected


@pytest.mark.parametrize("name", NETWORK)
@pytest.mark.parametrize("odd", [False, True])
def test_it_leaves_no_trace(name: str, odd: bool, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    network = tiny(space, space.largest())
    if odd:
        unusual(network)
    before, tensors, images = snapshot(network), values_of(network), batch[0].clone()
    random_before = randomness()
    with seeded(3):
        PROXIES.get(name)(Probe(network, *batch))
    assert snapshot(network) == before
    assert all(map(torch.equal, values_of(network), tensors))
    assert torch.equal(batch[0], images)
    assert randomness() == random_before


@pytest.mark.parametrize("name", NETWORK)
def test_it_leaves_no_trace_when_it_fails_anywhere(name: str, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    """The classifier raises at the first, second, ... forward, until the proxy gets through."""
    proxy = PROXIES.get(name)
    network = unusual(tiny(space, space.largest()))
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    left = [0]

    def fail(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise MemoryError("at this forward")

    last.register_forward_pre_hook(fail)
    before, tensors = snapshot(network), values_of(network)
    failures = 0
    for number in range(1, 100):
        left[0] = number
        try:
            proxy(Probe(network, *batch))
        except MemoryError:
            failures += 1
        assert snapshot(network) == before
        assert all(map(torch.equal, values_of(network), tensors))
        if left[0] > 0:
            break
    assert failures >= 1


@pytest.mark.parametrize("name", NETWORK)
def test_it_works_where_gradients_are_off(name: str, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    proxy = PROXIES.get(name)
    with seeded(3):
        expected = proxy(Probe(tiny(space, space.largest()), *batch))
    with seeded(3), torch.no_grad():
        assert proxy(Probe(tiny(space, space.largest()), *batch)) == expected
        assert not torch.is_grad_enabled()


@pytest.mark.parametrize(("name", "field"), [("params", "params"), ("flops", "macs")])
def test_cost_proxies_are_the_cost(name: str, field: str, space: SearchSpace, tiny: Tiny) -> None:
    assert name in COST
    rng = Random(2)
    for _ in range(5):
        arch = space.sample(rng)
        cost = space.cost(arch, 10)
        assert PROXIES.get(name)(cost) == getattr(cost, field)
    if name == "params":
        network = space.build(arch, 10)
        assert PROXIES.get(name)(cost) == sum(parameter.numel() for parameter in network.parameters())


# the probe itself


def test_the_probe_shares_its_clean_pass(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    network = tiny(space, space.largest())
    forwards: list[int] = []
    network.body.register_forward_hook(lambda *_: forwards.append(1))
    probe = Probe(network, *batch)
    assert forwards == []
    assert probe.clean is probe.clean
    assert forwards == [1]


def test_the_passes_are_those_of_plain_autograd(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    """Outputs and gradients of another view equal those of a network that simply has these weights."""
    network, other = tiny(space, space.largest(), 0), tiny(space, space.largest(), 1)
    probe = Probe(network, *batch)
    reference = Probe(other, *batch)
    inputs = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    got = probe.run(reference.weights, inputs)
    other.train()
    linear_inputs: list[Tensor] = []
    last = other.body.get_submodule("classifier")
    last.register_forward_hook(lambda module, args, output: linear_inputs.append(output.detach()))
    last.bias.data.copy_(network.body.get_submodule("classifier").bias.data)  # type: ignore
    nn.functional.cross_entropy(other.body(inputs), batch[1]).backward()
    for layer, gradient in zip(reference.layers, got.weight_grads):
        expected = layer.weight.grad if layer.weight.grad is not None else torch.zeros_like(layer.weight)
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(
        got.outputs[probe.layers.index(network.body.get_submodule("classifier"))], linear_inputs[0]
    )
    torch.testing.assert_close(probe.images, network.normalize(batch[0]))


def test_the_probes_fgsm_moves_every_pixel_by_eps(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    probe = Probe(tiny(space, space.largest()), *batch)
    up, down = probe.fgsm(0.01), probe.fgsm(0.01, ascend=False)
    torch.testing.assert_close((up - probe.images).abs(), torch.full_like(up, 0.01), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(up + down, 2 * probe.images)
    clamped = probe.fgsm(0.01, bounds=(0.0, 1.0))
    assert torch.equal(clamped, up.clamp(0, 1))
