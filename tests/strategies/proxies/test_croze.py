"""CRoZe against a slow, literal reference of eq. 3-10 in float64, and what each option changes."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import torch
from literal import Passes, small
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.errors import InputError
from nas.search_spaces import SPACES, Network, SearchSpace
from nas.strategies.proxies import PROXIES
from nas.strategies.proxies.croze import CRoZeOptions, packed
from nas.strategies.proxies.passes.probe import Probe

Tiny = Callable[..., Network]
Batch = tuple[Tensor, Tensor]
CROZE = PROXIES.get("croze")

# every option away from its default; a new option has to come in here
OTHERS: dict[str, Any] = {
    "beta": 0.3,
    "epsilon": 0.2,
    "gamma": 5.0,
    "batch_norm": False,
    "absolute_weights": True,
    "features": "first",
    "weights": "first",
    "gradients": "rest",
    "reduction": "mean",
    "ascend": False,
    "clamp": True,
}
TOGETHER: list[dict[str, Any]] = [
    {},
    *({key: value} for key, value in OTHERS.items()),
    {"gradients": "all", "reduction": "mean", "gamma": 0.5},
    {"features": "rest", "weights": "rest", "gradients": "not_second"},
    {"features": "not_second", "weights": "not_second", "gradients": "all"},
    {"absolute_weights": True, "beta": 0.1, "epsilon": 0.03, "reduction": "mean"},
    {"absolute_weights": True, "batch_norm": False, "ascend": False, "clamp": True, "gamma": 1.0},
    {"beta": 0.0},
    {"epsilon": 0.0},
    OTHERS,
]


# the reference


def cosine(a: list[float], b: list[float]) -> float:
    dot = sum(x * y for x, y in zip(a, b))
    norms = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(y * y for y in b))
    return dot / norms if norms > 0 else 0.0


def vectors(tensor: Tensor, axis: str) -> list[list[float]]:
    """The vectors whose cosines are taken: all entries, or those along the axes that `axis` names."""
    rows = [part.flatten(1).tolist() if part.dim() > 1 else [[value] for value in part.tolist()] for part in tensor]
    match axis:  # rows[first][second] is a list of the positions left
        case "all":
            return [[value for row in rows for part in row for value in part]]
        case "first":
            inner = range(len(rows[0]))
            return [[row[c][position] for row in rows] for c in inner for position in range(len(rows[0][0]))]
        case "rest":
            return [[value for part in row for value in part] for row in rows]
        case "not_second":
            return [[value for row in rows for value in row[c]] for c in range(len(rows[0]))]
    raise KeyError(axis)


def reduced(values: list[float], reduction: str) -> float:
    return sum(values) if reduction == "sum" else sum(values) / len(values)


def reference(network: Network, images: Tensor, labels: Tensor, **options: Any) -> float:
    """Eq. 3-10, layer by layer and position by position, on an own copy of the network."""
    o = CRoZeOptions(**options)
    body = copy.deepcopy(network.body).train()
    if not o.batch_norm:
        for module in list(body.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, nn.BatchNorm2d):
                    setattr(module, name, nn.Identity())
    layers = [module for module in body.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    if o.absolute_weights:
        for layer in layers:
            layer.weight = nn.Parameter(layer.weight.detach().abs())
    x = (images - network.mean) / network.std

    def passed(inputs: Tensor) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
        """Outputs and weight gradients by layer."""
        seen: dict[int, Tensor] = {}
        handles = [
            layer.register_forward_hook(lambda module, args, out, i=i: seen.update({i: out.detach().clone()}))
            for i, layer in enumerate(layers)
        ]
        body.zero_grad()
        F.cross_entropy(body(inputs), labels).backward()
        for handle in handles:
            handle.remove()
        gradients = {i: layer.weight.grad.clone() for i, layer in enumerate(layers) if layer.weight.grad is not None}
        return seen, gradients

    z, g = passed(x)
    theta = {i: layer.weight.detach().clone() for i, layer in enumerate(layers)}
    if all(not gradient.any() for gradient in g.values()):
        return 0.0
    theta_r = {}
    for i, layer in enumerate(layers):  # eq. 3
        norm = math.sqrt(sum(value**2 for value in theta[i].flatten().tolist()))
        length = math.sqrt(sum(value**2 for value in g[i].flatten().tolist())) if i in g else 0.0
        theta_r[i] = theta[i] + (o.beta * norm / length) * g[i] if length > 0 else theta[i]
        layer.weight = nn.Parameter(theta_r[i].clone())
    x_leaf = x.clone().requires_grad_(True)  # eq. 4
    F.cross_entropy(body(x_leaf), labels).backward()
    assert x_leaf.grad is not None
    x_adv = x + (1 if o.ascend else -1) * o.epsilon * x_leaf.grad.sign()
    if o.clamp:
        x_adv = x_adv.clamp(0, 1)
    z_r, g_r = passed(x_adv)

    total = 0.0
    for i in g:
        if i not in g_r:
            continue
        features = [1 + cosine(a, b) for a, b in zip(vectors(z[i], o.features), vectors(z_r[i], o.features))]
        theta_1, theta_r1 = theta[i] - o.gamma * g[i], theta_r[i] - o.gamma * g_r[i]
        weights = [1 + cosine(a, b) for a, b in zip(vectors(theta_1, o.weights), vectors(theta_r1, o.weights))]
        gradients = [abs(cosine(a, b)) for a, b in zip(vectors(g[i], o.gradients), vectors(g_r[i], o.gradients))]
        total += reduced(features, o.reduction) * reduced(weights, o.reduction) * reduced(gradients, o.reduction)
    return total


@pytest.mark.parametrize("options", TOGETHER, ids=lambda options: ",".join(options) or "default")
def test_it_is_the_reference_in_float64(space: SearchSpace, tiny: Tiny, batch: Batch, options: dict[str, Any]) -> None:
    images, labels = batch[0].double(), batch[1]
    network = tiny(space, space.sample(Random(11)) if options in ({}, OTHERS) else small(space)).double()
    got = CROZE(Probe(network, images, labels), CRoZeOptions(**options))
    assert got > 0
    assert got == pytest.approx(reference(network, images, labels, **options), rel=1e-5)


def test_float32_is_near_float64(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    """Single precision changes the value by its own rounding only."""
    for seed in range(2):
        network = tiny(space, space.sample(Random(seed)))
        single = CROZE(Probe(network, *batch))
        double = CROZE(Probe(network.double(), batch[0].double(), batch[1]))
        assert single == pytest.approx(double, rel=1e-2)


# options


def test_every_option_changes_the_value(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    names = {field.name for field in dataclasses.fields(CRoZeOptions)}
    assert set(OTHERS) == names - {"batch_size"}  # the batch is the scorer's business
    network = tiny(space, small(space))
    default = CROZE(Probe(network, *batch))
    values = {key: CROZE(Probe(network, *batch), CRoZeOptions(**{key: value})) for key, value in OTHERS.items()}
    for key, value in values.items():
        assert abs(value - default) > 1e-4 * default, key
    assert len({round(value, 6) for value in values.values()}) == len(values)


def test_more_images_change_the_value(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    network = tiny(space, small(space))
    images, labels = batch
    values = [CROZE(Probe(network, images[:n], labels[:n])) for n in (3, 4, 6)]
    assert len(set(values)) == 3


def test_the_batch_size_reaches_the_score() -> None:
    from nas.core.data import DataSettings, load
    from nas.objectives.network_spec import NetworkSpec
    from nas.objectives.proxy_scorer import Scorer

    dataset, sized = load(DataSettings()), NetworkSpec("nasbench201", {"channels": 2, "cells_per_stage": 1}, 10, 16)
    arch = str(SPACES.get("nasbench201")().largest())
    values = [
        Scorer(["croze"], {"croze": CRoZeOptions(batch_size=n)}, dataset, sized, sized, 0, torch.device("cpu"))(arch)
        for n in (4, 8, 4)
    ]
    assert values[0] == values[2] != values[1]


def test_nothing_perturbed_is_the_greatest_likeness(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    """With β = ε = 0 every cosine is 1: each layer gives 2·2·1 with means of whole-layer cosines."""
    network = tiny(space, space.largest()).double()
    probe = Probe(network, batch[0].double(), batch[1])
    options = CRoZeOptions(beta=0.0, epsilon=0.0, gradients="all", reduction="mean")
    with_gradient = sum(bool(gradient.any()) for gradient in probe.quantity("weight_grads"))
    assert with_gradient > 5
    assert CROZE(probe, options) == pytest.approx(4.0 * with_gradient)


@pytest.mark.parametrize(
    "cell",
    [
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
        "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x3~2|",
        "|none~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|none~0|nor_conv_3x3~1|none~2|",
    ],
)
@pytest.mark.parametrize("options", [{}, {"absolute_weights": True}, {"gradients": "all", "gamma": 1.0}])
def test_a_cell_without_a_path_scores_nothing(tiny: Tiny, batch: Batch, cell: str, options: dict[str, Any]) -> None:
    space = SPACES.get("nasbench201")()
    assert CROZE(Probe(tiny(space, space.parse(cell)), *batch), CRoZeOptions(**options)) == 0.0


def test_other_images_and_weights_give_another_value(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    images, labels = batch
    values = {
        CROZE(Probe(tiny(space, small(space), 0), images, labels)),
        CROZE(Probe(tiny(space, small(space), 1), images, labels)),
        CROZE(Probe(tiny(space, small(space), 0), 1 - images, labels)),
        CROZE(Probe(tiny(space, small(space), 0), images, labels.flip(0))),
    }
    assert len(values) == 4


@pytest.mark.parametrize(
    "options",
    [
        {"features": "last"},
        {"weights": "flat"},
        {"gradients": ""},
        {"reduction": "max"},
        {"batch_size": 1},
        {"beta": -0.1},
        {"epsilon": float("nan")},
        {"gamma": float("inf")},
    ],
)
def test_impossible_options_are_told(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        CRoZeOptions(**options).check()
    CRoZeOptions(beta=0.0, epsilon=0.0, gamma=0.0, batch_size=2, features="rest", reduction="mean").check()


# cost


@pytest.mark.parametrize("absolute", [False, True])
def test_it_costs_three_forwards_and_two_weight_backwards(tiny: Tiny, batch: Batch, absolute: bool) -> None:
    space = SPACES.get("nasbench201")()
    network = tiny(space, space.largest())
    convolutions = sum(isinstance(module, nn.Conv2d) for module in network.modules())
    forwards: list[int] = []
    network.body.register_forward_hook(lambda *_: forwards.append(1))
    with Passes() as passes:
        CROZE(Probe(network, *batch), CRoZeOptions(absolute_weights=absolute))
    assert len(forwards) == 3
    assert passes.forwards == 3 * convolutions
    assert passes.weights == 2 * convolutions
    # the input's gradient of the first convolution is only needed for the FGSM image
    assert passes.inputs == 3 * convolutions - 2


def test_the_cost_of_one_pass_is_shared_with_other_proxies(tiny: Tiny, batch: Batch) -> None:
    space = SPACES.get("nasbench201")()
    network = tiny(space, space.largest())
    forwards: list[int] = []
    network.body.register_forward_hook(lambda *_: forwards.append(1))
    probe = Probe(network, *batch)
    probe.want(CROZE.uses(CRoZeOptions()))
    probe.quantity("weight_grads")
    CROZE(probe)
    assert len(forwards) == 3


@pytest.mark.parametrize("size", [1e-12, 1e-24, 1e-30, 1e-36])
def test_tiny_vectors_have_ordinary_cosines(size: float) -> None:
    """Squares of such numbers vanish in float32."""
    from nas.strategies.proxies.croze import cosines

    a = torch.full((9, 2), size)
    b = a * torch.tensor([1.0, -1.0])
    assert cosines(a, b, "first").tolist() == pytest.approx([1.0, -1.0], abs=1e-5)
    assert cosines(a, a, "all").item() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_packed_outputs_are_the_same_and_freed_by_shape(layout: torch.memory_format) -> None:
    shapes = [(2, 3, 4, 4), (2, 3, 4, 4), None, (2, 3, 4, 4), (2, 6, 2, 2), (2, 6, 2, 2), (2, 5)]
    tensors = [None if shape is None else torch.randn(shape) for shape in shapes]
    outputs = [z.contiguous(memory_format=layout) if z is not None and z.dim() == 4 else z for z in tensors]
    before = list(outputs)
    copies = packed(outputs)
    assert outputs == []  # nothing else holds them
    for copy_, z in zip(copies, before, strict=True):
        assert (copy_ is None) == (z is None)
        if copy_ is not None and z is not None:
            assert torch.equal(copy_, z)
            assert copy_.stride() == z.stride()
    places = [None if z is None else z.untyped_storage().data_ptr() for z in copies]
    assert places[0] == places[1] != places[3]
    assert places[4] == places[5] != places[6]
