"""What each proxy makes the network do, alone and in company: forwards, backwards, and nothing of another's."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import torch
from literal import SMALL_GENOTYPE, Batch, Passes, Tiny, other, probe_for
from torch import Tensor, nn

from nas.core.errors import NasError
from nas.search_spaces import SPACES, Network, SearchSpace
from nas.strategies.proxies import PROXIES
from nas.strategies.proxies.base import proxy
from nas.strategies.proxies.curvature import HessianOptions
from nas.strategies.proxies.eproxy.settings import EproxyOptions
from nas.strategies.proxies.jacobian import JacobianOptions
from nas.strategies.proxies.passes import probe as probe_module
from nas.strategies.proxies.passes import quantities
from nas.strategies.proxies.passes.probe import Probe

# of one forward of all convolutions: forwards, gradients of weights, gradients of inputs; grasp's double backward
# also has forwards
COSTS = {
    "l2_norm": (0, 0, 0),
    "nwot": (1, 0, 0),
    "grad_norm": (1, 1, 1),
    "snip": (1, 1, 1),
    "plain": (1, 1, 1),
    "fisher": (1, 1, 1),
    "grasp": (1, 3, 3),
    "jacov": (1, 0, 1),
    "epe_nas": (1, 0, 1),
    "jacob_fro": (1, 0, 1),
    "zico": (2, 2, 2),
    "zen": (2, 0, 0),
    "hessian": (2, 0, 12),
    "synflow": (1, 1, 1),
}
SUITE = tuple(name for name in COSTS if name not in ("zico", "jacob_fro", "hessian"))  # of NAS-Bench-Suite-Zero
GATHERED = {
    "fisher": {"sum_saliencies"},
    "nwot": {"sum_relu_kernels"},
    "croze": {"keep_outputs"},
}


class Watched:
    """A tiny network of the largest NAS-Bench-201 cell, whose forwards are written down by their input."""

    def __init__(self, tiny: Tiny) -> None:
        space = SPACES.get("nasbench201")()
        self.network: Network = tiny(space, space.largest())
        self.convolutions = sum(isinstance(module, nn.Conv2d) for module in self.network.modules())
        self.inputs: list[Tensor] = []
        self.network.body.stem.register_forward_pre_hook(lambda module, args: self.inputs.append(args[0].detach()))

    def forwards_of(self, images: Tensor) -> int:
        return sum(torch.equal(one, images) for one in self.inputs if one.shape == images.shape)


@pytest.fixture
def watched(tiny: Tiny) -> Watched:
    return Watched(tiny)


@pytest.fixture
def gathered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all that hooks gather, as they are put up."""
    names: list[str] = []
    for name in ("keep_outputs", "sum_saliencies", "sum_relu_kernels"):
        gather = getattr(quantities, name)
        monkeypatch.setattr(
            quantities, name, lambda *args, gather=gather, name=name: (names.append(name), gather(*args))[1]
        )
    return names


@pytest.mark.parametrize("name", COSTS)
def test_a_proxy_alone_costs_what_it_declares(name: str, watched: Watched, batch: Batch, gathered: list[str]) -> None:
    proxy, (forwards, weights, inputs) = PROXIES.get(name), COSTS[name]
    probe = probe_for(proxy, watched.network, batch)
    with Passes() as passes:
        proxy(probe)
    assert len(watched.inputs) == forwards
    assert [len(one) for one in watched.inputs] == [1 if name == "synflow" else 6] * forwards
    count = watched.convolutions
    # GraSP's second backward has no cotangent for the first convolution's images
    assert passes.weights == weights * count - (name == "grasp")
    # without a gradient to the images, each backward ends at the first convolution's weights
    assert passes.inputs == (inputs * count if weights == 0 else inputs * (count - 1))
    if name not in ("grasp", "hessian"):
        assert passes.forwards == forwards * count
    declared = proxy.passes(proxy.Options())
    if name == "synflow":
        assert 1 / 64 <= declared <= 0.1  # of one image, in double precision
    else:
        assert (passes.forwards + passes.weights + passes.inputs) / count / 3 == pytest.approx(declared, rel=0.03)
    assert set(gathered) == GATHERED.get(name, set())


@pytest.mark.parametrize("number", [1, 2, 5])
def test_what_options_cost(number: int, watched: Watched, batch: Batch) -> None:
    for name, options in (
        ("jacob_fro", JacobianOptions(projections=number)),
        ("hessian", HessianOptions(iterations=number)),
    ):
        proxy = PROXIES.get(name)
        with Passes() as passes:
            proxy(probe_for(proxy, watched.network, batch), options)
        cost = (passes.forwards + passes.weights + passes.inputs) / watched.convolutions / 3
        assert cost == pytest.approx(proxy.passes(options))


@pytest.mark.parametrize("number", [2, 5])
def test_eproxy_costs_its_iterations_but_for_the_last_step(number: int, watched: Watched, batch: Batch) -> None:
    """Of the network itself; its heads are small beside it. The last iteration is a forward alone."""
    proxy, options = PROXIES.get("eproxy"), EproxyOptions(iterations=number)
    proxy(probe_for(proxy, watched.network, batch), options)
    assert len(watched.inputs) == number
    assert proxy.passes(options) == pytest.approx(number - 1 + 1 / 3)


def test_the_thirteen_share_one_forward_of_the_batch(watched: Watched, batch: Batch, gathered: list[str]) -> None:
    proxies = [PROXIES.get(name) for name in SUITE]
    assert len(proxies) + len([name for name, proxy in PROXIES.components.items() if proxy.needs == "cost"]) == 13
    wanted = {quantity for proxy in proxies for quantity in proxy.uses(proxy.Options())}
    probe = Probe(watched.network, *batch, wanted=wanted)
    with Passes() as passes:
        for proxy in proxies:
            proxy(probe)
    assert watched.forwards_of(probe.images) == 1
    assert [len(one) for one in watched.inputs].count(1) == 1  # synflow
    assert len(watched.inputs) == 1 + 1 + 2  # and zen's
    assert sorted(gathered) == ["sum_relu_kernels", "sum_saliencies"]
    count = watched.convolutions
    assert passes.weights == 4 * count - 1  # g, the backward of that and the rest of Hg, synflow
    assert passes.inputs == 5 * count - 1  # the same, and the Jacobian; those of the shared pass reach the images
    assert sum(proxy.passes(proxy.Options()) for proxy in proxies) > 2 * (
        passes.weights / count
    )  # what they cost alone


def test_quantities_are_made_once(watched: Watched, batch: Batch) -> None:
    probe = Probe(watched.network, *batch, wanted=("weight_grads", "jacobian"))
    assert watched.inputs == []
    first = {name: probe.quantity(name) for name in ("jacobian", "weight_grads", "logits")}
    assert len(watched.inputs) == 1
    assert all(probe.quantity(name) is value for name, value in first.items())
    probe.quantity("saliency")  # nobody had wanted it
    assert len(watched.inputs) == 2
    assert all(probe.quantity(name) is value for name, value in first.items() if name == "jacobian")


def test_what_is_handed_over_is_made_anew(watched: Watched, batch: Batch) -> None:
    probe = Probe(watched.network, *batch, wanted=("outputs",))
    first = probe.pop_quantity("outputs")
    probe.quantity("weight_grads")
    assert "outputs" not in probe.wanted, "no later pass makes it unasked"
    second = probe.quantity("outputs")
    assert len(watched.inputs) == 3
    assert first is not second
    assert all(map(torch.equal, first, second))
    croze = PROXIES.get("croze")
    assert croze(probe) == croze(probe)


def test_a_quantity_is_looked_at_once_and_outputs_never(
    watched: Watched, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    monkeypatch.setattr(probe_module, "check_finite", lambda what, values: looked.append(what))
    probe = Probe(watched.network, *batch, wanted=("outputs", "weight_grads"))
    for name in ("outputs", "weight_grads") * 2:
        probe.quantity(name)
    assert looked == ["output of the network", "gradient of the loss to the weights"]


def test_a_view_has_copies_of_the_parameters_only_where_they_may_be_changed(watched: Watched, batch: Batch) -> None:
    probe = Probe(watched.network, *batch)

    def places(**options: bool) -> set[int]:
        with probe.view(**options):  # type: ignore[arg-type]
            return {parameter.data_ptr() for parameter in probe.body.parameters()}

    own = {parameter.data_ptr() for parameter in probe.body.parameters()}
    assert places() == own
    assert not places(owned=True) & own


def test_several_numbers_of_projections_do_not_mix(watched: Watched, batch: Batch) -> None:
    names = [f"projections/{number}" for number in (1, 2, 3)]
    together = Probe(watched.network, *batch, wanted=names)
    for name in names:
        assert torch.equal(together.quantity(name), Probe(watched.network, *batch).quantity(name))
    assert watched.forwards_of(together.images) == 1 + 3


@pytest.mark.landing
def test_company_does_not_matter(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    """Neither what else is wanted nor the order in which it is asked for changes a value."""
    arch = space.parse(SMALL_GENOTYPE) if space.name == "darts" else space.sample(Random(12))
    proxies = [proxy for proxy in PROXIES.components.values() if proxy.needs == "network"]

    def attempt(proxy: Any, probe: Probe) -> float | str:
        try:
            return proxy(probe)
        except NasError as error:
            return str(error)

    alone = {proxy.name: attempt(proxy, probe_for(proxy, tiny(space, arch), batch)) for proxy in proxies}
    wanted = {quantity for proxy in proxies for quantity in proxy.uses(proxy.Options())}
    for order in (proxies, proxies[::-1]):
        shared = Probe(tiny(space, arch), *batch, wanted=wanted, second=other(batch), relative_flops=0.5)
        together = {proxy.name: attempt(proxy, shared) for proxy in order}
        assert {name: together[name] for name in alone} == alone
    assert sum(isinstance(value, float) for value in alone.values()) > 0.8 * len(alone)


# what the probe hands out


def test_asked_for_what_it_was_not_given(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    probe = Probe(tiny(space, space.sample(Random(12))), *batch)
    for read in (lambda: probe.second, lambda: probe.relative_flops):
        with pytest.raises(NasError, match="make"):
            read()


def test_draws_depend_on_seed_and_label_alone(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    def draw(label: str, **settings: Any) -> list[float]:
        probe = Probe(tiny(space, space.largest(), settings.pop("weights", 0)), *batch, **settings)
        return torch.rand(4, generator=probe.generator(label)).tolist()

    torch.manual_seed(77)
    assert draw("zen") == draw("zen", weights=3)
    assert len({tuple(draw(label, seed=seed)) for label in ("zen", "hessian") for seed in (0, 1)}) == 4


@pytest.mark.parametrize("name", ["saliency", "weight_grads", "hessian_gradient", "outputs"])
def test_layers_are_in_the_order_of_the_weights(name: str, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    probe = Probe(tiny(space, space.sample(Random(12))), *batch)
    values = probe.quantity(name)
    assert not any(value.requires_grad for value in values)
    if name in ("saliency", "outputs"):
        assert [value.shape[:2] for value in values] == [(6, len(weight)) for weight in probe.weights]
    else:
        assert [value.shape for value in values] == [weight.shape for weight in probe.weights]


def test_quantities_are_asked_for_by_function_or_name(watched: Watched, batch: Batch) -> None:
    """Proxies of other packages may use the names."""
    probe = Probe(watched.network, *batch, wanted=["jacobian", quantities.weight_grads])
    for name in ("jacobian", "weight_grads"):
        assert probe.quantity(name) is probe.quantity(quantities.named(name))
    assert len(watched.inputs) == 1
    with pytest.raises(NasError, match="jacobain"):
        probe.quantity("jacobain")


def test_a_proxy_declares_quantities_by_function_or_name() -> None:
    for uses in (["jacobian"], [quantities.jacobian], lambda options: (quantities.jacobian,)):
        made = proxy("mine", source="here", uses=uses, passes=1)(lambda probe, options: 0.0)
        assert made.uses(None) == ["jacobian"]
