"""Numbers that are not finite: no proxy makes an ordinary value of them, and each says why it has none."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
import torch
from literal import OPTIONS, Batch, Tiny, chain, other, probe_for, small
from torch import Tensor, nn

from nas.core.errors import NasError
from nas.search_spaces import NASBench201, Network, SearchSpace
from nas.strategies.proxies import PROXIES
from nas.strategies.proxies.eproxy.settings import EproxyOptions
from nas.strategies.proxies.passes.probe import Probe
from nas.strategies.proxies.passes.relu_codes import sum_relu_kernels

NETWORK = [name for name, proxy in PROXIES.components.items() if proxy.needs == "network"]
OF_SPACES = ("croze_official",)  # which looks at networks of the search spaces alone
BACKWARD = {  # the proxies that differentiate by the images or the weights at these weights and images
    *("grad_norm", "snip", "plain", "grasp", "fisher", "zico", "jacov", "epe_nas", "jacob_fro", "hessian", "croze"),
    *("eproxy", "ntk_cond"),
}
WORDS = r"finite|nan|inf|diverged"


class Poison(nn.Module):
    """Forwards what it gets; `forward` and `backward` say what becomes of one number of the first image there."""

    def __init__(self, forward: float | None = None, backward: float | None = None, image: int = 0) -> None:
        super().__init__()
        self.values, self.image = (forward, backward), image
        self.armed = True

    def forward(self, x: Tensor) -> Tensor:
        return _Poison.apply(x, *self.values, self.image) if self.armed else x


class _Poison(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, forward: float | None, backward: float | None, image: int) -> Tensor:
        ctx.value, ctx.image = backward, image
        return _with(x, forward, image)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, None]:
        return _with(g, ctx.value, ctx.image) if not g.requires_grad else g, None, None, None


def _with(x: Tensor, value: float | None, image: int) -> Tensor:
    x = x.clone()
    if value is not None and len(x) > image:
        x[image].view(-1)[0] = value
    return x


def poisoned(**where: Any) -> tuple[Network, Poison]:
    """Two convolutions; between them what makes a number infinite or NaN."""
    poison = Poison(**where)
    layers = (nn.Conv2d(3, 4, 3, padding=1), poison, nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())
    network = chain(*layers, channels=4)
    body: Any = network.body
    body.stages = lambda x: [x, body.chain(x)]  # a stem, and the one stage that eproxy learns from
    return network, poison


def had(name: str, network: Network, batch: Batch) -> float:
    proxy = PROXIES.get(name)
    options = EproxyOptions(stages=1, c_mid=[4], c_out=3, lr=0.1) if name == "eproxy" else OPTIONS.get(name)
    return proxy(probe_for(proxy, network, batch), options)


@pytest.mark.parametrize("number", [math.nan, math.inf])
@pytest.mark.parametrize("name", [name for name in NETWORK if name not in OF_SPACES])
def test_a_gradient_that_is_not_finite_is_a_reason_and_no_value(name: str, number: float, batch: Batch) -> None:
    """The forward pass is an ordinary one: `nwot`, `zen` and `l2_norm`, which have no other, keep their value."""
    network, poison = poisoned(backward=number)
    poison.armed = False
    expected = had(name, network, batch)
    assert math.isfinite(expected)
    poison.armed = True
    if name in BACKWARD:
        with pytest.raises(NasError, match=WORDS):
            had(name, network, batch)
    elif name != "synflow":  # of the image of ones; see below
        assert had(name, network, batch) == expected


@pytest.mark.parametrize(("image", "number"), [(0, math.nan), (3, math.nan), (0, math.inf)])
@pytest.mark.parametrize("name", [name for name in NETWORK if name not in OF_SPACES])
def test_an_activation_that_is_not_finite_is_a_reason_and_no_value(
    name: str, number: float, image: int, batch: Batch
) -> None:
    network, _ = poisoned(forward=number, image=image)
    if name == "l2_norm" or (name == "synflow" and image):  # no forward; one image alone
        assert math.isfinite(had(name, network, batch))
        return
    with pytest.raises(NasError, match=WORDS):
        had(name, network, batch)


@pytest.mark.parametrize("name", ["croze", "croze_official"])
def test_a_gradient_to_the_images_alone_that_is_not_finite_is_a_reason(name: str, tiny: Tiny, batch: Batch) -> None:
    """Those of the weights are ordinary ones, and the sign of NaN would leave a pixel where it is."""
    space = NASBench201()
    network = tiny(space, space.largest())
    body: Any = network.body
    poison = Poison(backward=math.nan)
    body.stem = nn.Sequential(poison, *body.stem)
    poison.armed = False
    assert math.isfinite(had(name, network, batch))
    poison.armed = True
    with pytest.raises(NasError, match=r"gradient of the loss.*not finite"):
        had(name, network, batch)


def test_a_relu_that_leads_nowhere_and_puts_out_nan_leaves_no_kernel(batch: Batch) -> None:
    images, _ = batch
    for number in (1.0, math.nan):
        with ExitStack() as hooks:
            relu = nn.ReLU()
            kernel = sum_relu_kernels(nn.Sequential(relu), images, hooks)
            relu(_with(images, number, 0))
        assert bool(kernel.isfinite().all()) == math.isfinite(number)


@pytest.mark.parametrize("name", NETWORK)
def test_a_weight_that_is_nan_is_a_reason_and_no_value(name: str, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    network = tiny(space, small(space))
    network.body.classifier.weight.data.view(-1)[0] = math.nan
    if name in ("zen", "ntk_cond", "linear_regions"):  # they draw weights of their own
        assert math.isfinite(had(name, network, batch))
        return
    if name == "eproxy":  # looks at what comes before the classifier
        first = next(module for module in network.body.modules() if isinstance(module, nn.Conv2d))
        first.weight.data.view(-1)[0] = math.nan
    with pytest.raises(NasError, match=WORDS):
        had(name, network, batch)


@pytest.mark.parametrize("name", NETWORK)
def test_images_that_are_too_large_for_float_are_a_reason_and_no_value(
    name: str, space: SearchSpace, tiny: Tiny, batch: Batch
) -> None:
    """Variances overflow, so every normalisation puts out 0 or NaN: whatever comes of that is no finite lie of NaN."""
    network = tiny(space, small(space))
    network.mean.fill_(0)
    network.std.fill_(1e-30)
    try:
        value = had(name, network, batch)
    except NasError:
        return
    assert math.isfinite(value)


def test_zico_looks_at_both_batches(batch: Batch) -> None:
    """Gradients of the second batch alone that are not finite count as much as those of the first."""
    network, poison = poisoned(backward=math.nan)
    calls: list[int] = []
    forward = poison.forward

    def second_alone(x: Tensor) -> Tensor:
        calls.append(1)
        poison.armed = len(calls) == 2
        return forward(x)

    poison.forward = second_alone  # type: ignore[method-assign]
    with pytest.raises(NasError, match="gradient of the loss to the weights is not finite"):
        PROXIES.get("zico")(Probe(network, *batch, second=other(batch)))
    assert len(calls) == 2


def test_zico_of_gradients_whose_difference_overflows(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """|a - b| of 3e38 and -3e38 is infinite: mean/std would be 0 there, as if the weight did not vary."""
    network = chain()
    probe = Probe(network, *batch, second=other(batch))
    first = [torch.full_like(weight, 3e38) for weight in probe.weights]
    monkeypatch.setattr(Probe, "quantity", lambda self, name: first)
    monkeypatch.setattr(Probe, "run", lambda self, **settings: [-one for one in first])
    with pytest.raises(NasError, match=r"nan|inf"):
        PROXIES.get("zico")(probe)


def test_the_reason_names_what_is_not_finite(batch: Batch) -> None:
    network, _ = poisoned(backward=math.nan)
    for name, words in (
        ("snip", "The gradient of the loss to the weights is not finite"),
        ("fisher", "The gradient of the loss to the weights is not finite|The saliency of a channel is not finite"),
        ("jacov", "The gradient of the logits to the images is not finite"),
        ("jacob_fro", "The projected Jacobian of the logits is not finite"),
    ):
        with pytest.raises(NasError, match=words):
            had(name, network, batch)


def test_company_does_not_matter(batch: Batch) -> None:
    """A pass whose gradients are not finite still has the ReLU codes, alone or together."""
    network, _ = poisoned(backward=math.nan)
    together = Probe(network, *batch, wanted=("weight_grads", "relu_kernel", "jacobian"))
    with pytest.raises(NasError, match="not finite"):
        PROXIES.get("snip")(together)
    with pytest.raises(NasError, match="not finite"):
        PROXIES.get("snip")(together)  # told again, not computed from what is kept
    assert PROXIES.get("nwot")(together) == PROXIES.get("nwot")(Probe(network, *batch))


def test_a_value_that_is_not_finite_is_none(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the door, whatever the proxy."""
    make: Callable[[float], Any] = lambda value: PROXIES.get("l2_norm").__class__(  # noqa: E731
        **{**vars(PROXIES.get("l2_norm")), "compute": lambda probe, options: value}
    )
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(NasError, match="left the range of floats"):
            make(value)(Probe(chain(), *batch))
    assert make(-1.5)(Probe(chain(), *batch)) == -1.5
