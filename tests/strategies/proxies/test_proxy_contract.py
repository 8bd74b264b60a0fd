"""What every registered proxy must do: a finite value or a reason, always the same, and a network left untouched."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from families import one_of_all, one_per_family
from literal import Batch, Copy, Tiny, probe_for, replace, scored, small
from torch import Tensor, nn

from nas.core.errors import NasError
from nas.search_spaces import SPACES, Network, SearchSpace
from nas.strategies.proxies import PROXIES, Proxy
from nas.strategies.proxies.passes.probe import Probe

NETWORK = [name for name, proxy in PROXIES.components.items() if proxy.needs == "network"]
COST = [name for name, proxy in PROXIES.components.items() if proxy.needs == "cost"]


@pytest.fixture(params=one_per_family())
def space(request: pytest.FixtureRequest) -> SearchSpace:
    return SPACES.get(request.param)()


ANY_SPACE = pytest.mark.parametrize("space", one_of_all(), indirect=True)  # for what hardly depends on the space


def value(proxy: Proxy, space: SearchSpace, arch: Any, tiny: Tiny, batch: Batch) -> float | str:
    """The proxy's value of a fresh network, or the reason why it has none."""
    try:
        if proxy.needs == "cost":
            return proxy(space.cost(arch, 4, image_size=8))
        return scored(proxy, probe_for(proxy, tiny(space, arch), batch))
    except NasError as error:
        return str(error)


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
        if number % 5 == 4:
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)
    if hasattr(network.body, "drop_path"):
        network.body.drop_path = 0.7  # type: ignore[assignment]
    return network


def test_the_built_in_proxies_register_by_being_there() -> None:
    names = "grad_norm snip grasp fisher synflow plain l2_norm jacov epe_nas nwot zen zico jacob_fro hessian"
    assert {*names.split(), "croze", "params", "flops"} <= set(PROXIES.names())


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
    assert len((proxy.compute.__doc__ or "").strip().splitlines()[0]) > 10
    options: Any = proxy.Options()
    assert dataclasses.fields(options) is not None  # a dataclass
    if hasattr(options, "check"):
        options.check()
    assert (proxy.needs == "cost") or options.batch_size >= 2  # the batch it wants
    assert proxy.batches in (1, 2)
    uses = list(proxy.uses(options))
    assert all(isinstance(quantity, str) for quantity in uses)
    assert len(set(uses)) == len(uses)
    passes = proxy.passes(options)
    assert isinstance(passes, float | int)
    assert 0 <= passes < 1000
    assert passes >= 1 / 3 or not uses  # a quantity takes a forward at least
    if proxy.needs == "cost":
        assert (uses, passes, proxy.batches) == ([], 0, 1)


@pytest.mark.parametrize("name", NETWORK)
def test_it_uses_quantities_that_there_are(name: str, tiny: Tiny, batch: Batch) -> None:
    space = SPACES.get("nasbench201")()
    proxy = PROXIES.get(name)
    probe = probe_for(proxy, tiny(space, small(space)), batch)
    for quantity in proxy.uses(proxy.Options()):
        assert probe.quantity(quantity) is not None


@pytest.mark.parametrize("name", PROXIES.names())
def test_the_value_is_finite_and_the_same_again(name: str, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    proxy = PROXIES.get(name)
    text = str(small(space))
    for one, another in (
        ("dil_conv_3x3", "sep_conv_3x3"),
        ("nor_conv_1x1", "nor_conv_3x3"),
        ("conv1x1-bn", "conv3x3-bn"),
        ("-1_02_230", "-1_03_230"),
        ("-1242-", "-1241-"),
        ("-1_02_333", "-1_02_332"),
        ("[1, [1], [64]]", "[1, [2], [64]]"),
        ('"ds": [1, 1', '"ds": [1, 2'),
        ('["sep_conv_5x5"', '["sep_conv_3x3"'),
    ):
        text = text.replace(one, another)
    archs = [small(space), space.parse(text)]
    first = [value(proxy, space, arch, tiny, batch) for arch in archs]
    values = [one for one in first if isinstance(one, float)]
    assert all(map(math.isfinite, values))
    assert [value(proxy, space, arch, tiny, batch) for arch in archs[::-1]] == first[::-1]
    least = 1 if name == "ntk_cond" else 2  # a kernel may be singular
    assert len(set(values)) == len(values) >= least or name == "linear_regions"  # whose counts may be equal


@ANY_SPACE
@pytest.mark.parametrize("name", NETWORK)
def test_a_probe_gives_the_same_value_twice(name: str, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    proxy = PROXIES.get(name)
    probe = probe_for(proxy, tiny(space, small(space)), batch)
    first = scored(proxy, probe)
    torch.rand(3)  # nor does the global generator matter
    assert scored(proxy, probe) == first


@ANY_SPACE
@pytest.mark.parametrize("name", NETWORK)
def test_modes_and_statistics_of_before_do_not_matter(name: str, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    proxy = PROXIES.get(name)
    expected = value(proxy, space, small(space), tiny, batch)
    assert scored(proxy, probe_for(proxy, unusual(tiny(space, small(space))), batch)) == expected


@ANY_SPACE
@pytest.mark.parametrize("name", NETWORK)
def test_it_leaves_no_trace(name: str, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    proxy = PROXIES.get(name)
    network = unusual(tiny(space, small(space)))
    before, tensors, images = snapshot(network), values_of(network), batch[0].clone()
    random_before = randomness()
    scored(proxy, probe_for(proxy, network, batch))
    assert snapshot(network) == before
    assert all(map(torch.equal, values_of(network), tensors))
    assert torch.equal(batch[0], images)
    assert randomness() == random_before


@contextmanager
def failing(network: Network, place: str, number: int) -> Iterator[list[int]]:
    """The network raises at the `number`-th time that a pass comes by the place; how many times it did is left."""
    left = [number]

    def count(*args: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise MemoryError(place)

    layers = [module for module in network.body.modules() if isinstance(module, nn.Conv2d)]
    with ExitStack() as stack:
        if place == "first layer":
            stack.callback(layers[0].register_forward_pre_hook(count).remove)
        elif place == "last layer":
            stack.callback(layers[-1].register_forward_hook(count).remove)
        else:
            for owner, method in ((torch.autograd, "grad"), (Tensor, "backward")):
                own = getattr(owner, method)
                stack.callback(setattr, owner, method, own)
                setattr(owner, method, lambda *args, own=own, **settings: (count(), own(*args, **settings))[1])
        yield left


@ANY_SPACE
@pytest.mark.parametrize("name", NETWORK)
@pytest.mark.parametrize("place", ["first layer", "last layer", "backward"])
def test_it_leaves_no_trace_when_it_fails_anywhere(
    name: str, place: str, space: SearchSpace, tiny: Tiny, batch: Batch
) -> None:
    """A layer or a backward raises at the first, second or third time, if the proxy does not get through before."""
    proxy = PROXIES.get(name)
    network = unusual(tiny(space, small(space)))
    before, tensors, random_before = snapshot(network), values_of(network), randomness()
    failures = 0
    for number in range(1, 4):
        with failing(network, place, number) as left, suppress(MemoryError):
            scored(proxy, probe_for(proxy, network, batch))
        failures += left[0] <= 0
        assert snapshot(network) == before
        assert all(map(torch.equal, values_of(network), tensors))
        assert randomness() == random_before
        if left[0] > 0:
            break
    passes = proxy.passes(proxy.Options())
    differentiates = passes >= 1 and name != "linear_regions"
    assert failures >= (differentiates if place == "backward" else passes > 0)


@ANY_SPACE
@pytest.mark.parametrize("name", NETWORK)
def test_a_probe_goes_on_after_a_failure(name: str, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    """What failed half-way is made anew, and the value is that of a probe that never failed."""
    proxy = PROXIES.get(name)
    network = tiny(space, small(space))
    probe = probe_for(proxy, network, batch)
    with failing(network, "last layer", 1), suppress(MemoryError):
        scored(proxy, probe)
    assert scored(proxy, probe) == value(proxy, space, small(space), tiny, batch)


@ANY_SPACE
@pytest.mark.parametrize("name", NETWORK)
def test_it_works_where_gradients_are_off(name: str, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    proxy = PROXIES.get(name)
    expected = value(proxy, space, small(space), tiny, batch)
    with torch.no_grad():
        assert scored(proxy, probe_for(proxy, tiny(space, small(space)), batch)) == expected
        assert not torch.is_grad_enabled()


@ANY_SPACE
@pytest.mark.parametrize("name", NETWORK)
def test_the_layout_in_memory_does_not_matter(name: str, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    """But for rounding, which a ratio by small deviations (zico) and ten steps of training (eproxy) blow up."""
    proxy = PROXIES.get(name)
    expected = value(proxy, space, small(space), tiny, batch)
    network = tiny(space, small(space)).to(memory_format=torch.channels_last)
    images = batch[0].contiguous(memory_format=torch.channels_last)
    tolerance = 0.2 if name in ("zico", "eproxy") else 1e-3
    assert scored(proxy, probe_for(proxy, network, (images, batch[1]))) == pytest.approx(expected, rel=tolerance)


@ANY_SPACE
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("name", NETWORK)
def test_a_gpu_gives_the_value_and_keeps_the_network(name: str, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    proxy = PROXIES.get(name)
    expected = value(proxy, space, small(space), tiny, batch)
    network = unusual(tiny(space, small(space))).cuda()
    there = (batch[0].cuda(), batch[1].cuda())
    before, tensors = snapshot(network), values_of(network)
    random_before, on_device = randomness(), torch.cuda.get_rng_state().tolist()
    got = scored(proxy, probe_for(proxy, network, there))
    assert got == pytest.approx(expected, rel=1e-2)
    assert snapshot(network) == before
    assert all(map(torch.equal, values_of(network), tensors))
    assert (randomness(), torch.cuda.get_rng_state().tolist()) == (random_before, on_device)


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


def test_the_passes_are_those_of_plain_autograd(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    """Outputs and gradients of another view equal those of a network that simply has these weights."""
    network, other = tiny(space, space.largest(), 0), tiny(space, space.largest(), 1)
    probe = Probe(network, *batch)
    reference = Probe(other, *batch)
    inputs = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    outputs: dict[int, Tensor] = {}
    labels = batch[1].flip(0)
    got = probe.run(reference.weights, inputs, labels=labels, each=lambda m, output: outputs.update({m: output}))
    other.train()
    linear_outputs: list[Tensor] = []
    last = other.body.classifier
    last.register_forward_hook(lambda module, args, output: linear_outputs.append(output.detach()))
    assert last.bias is not None
    last.bias.data.copy_(network.body.classifier.bias.data)
    nn.functional.cross_entropy(other.body(inputs), labels).backward()
    for layer, gradient in zip(reference.layers, got):
        expected = layer.weight.grad if layer.weight.grad is not None else torch.zeros_like(layer.weight)
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(outputs[probe.layers.index(network.body.classifier)].detach(), linear_outputs[0])
    torch.testing.assert_close(probe.images, network.normalize(batch[0]))


@ANY_SPACE
def test_normalisation_can_be_off(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    """A pass with it off is one of the network without it."""
    network = tiny(space, small(space)).double()
    images = batch[0].double()
    own = Copy(network, batch)
    replace(own.body, nn.BatchNorm2d, lambda norm: nn.Identity())
    for got, expected in zip(Probe(network, images, batch[1]).run(batch_norm="off"), own.gradients()):
        torch.testing.assert_close(got, torch.from_numpy(expected))


@ANY_SPACE
def test_some_normalisations_can_be_off(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    """A pass that keeps the normalisations chosen is one of the network without the others."""
    network = tiny(space, small(space)).double()
    last = [module for module in network.body.modules() if isinstance(module, nn.BatchNorm2d)][-1]
    own = Copy(network, batch)
    kept = [module for module in own.body.modules() if isinstance(module, nn.BatchNorm2d)][-1]
    replace(own.body, nn.BatchNorm2d, lambda norm: norm if norm is kept else nn.Identity())
    got = Probe(network, batch[0].double(), batch[1]).run(batch_norm=lambda norm: norm is last)
    for one, expected in zip(got, own.gradients(), strict=True):
        torch.testing.assert_close(one, torch.from_numpy(expected))


def test_the_probes_fgsm_moves_every_pixel_by_eps(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    probe = Probe(tiny(space, space.largest()), *batch)
    up, down = probe.fgsm(0.01), probe.fgsm(0.01, ascend=False)
    torch.testing.assert_close((up - probe.images).abs(), torch.full_like(up, 0.01), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(up + down, 2 * probe.images)
    clamped = probe.fgsm(0.01, bounds=(0.0, 1.0))
    assert torch.equal(clamped, up.clamp(0, 1))
