"""The proxies of the weights' gradient against literal references in float64, finite differences and closed forms."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from literal import NOTHING, SMALL_GENOTYPE, Batch, Copy, Tiny, chain, double, other
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.errors import NasError
from nas.search_spaces import SPACES, Network, SearchSpace
from nas.strategies.proxies import PROXIES
from nas.strategies.proxies.passes.probe import Probe


def score(name: str, network: Network, batch: Batch, **settings: Any) -> float:
    return PROXIES.get(name)(double(network, batch, **settings))


# references


def grad_norm(network: Network, batch: Batch) -> float:
    return sum(np.linalg.norm(g) for g in Copy(network, batch).gradients())


def snip(network: Network, batch: Batch) -> float:
    copy = Copy(network, batch)
    return sum(abs(w * g) for ws, gs in zip(copy.weights, copy.gradients()) for w, g in zip(ws.flat, gs.flat))


def plain(network: Network, batch: Batch) -> float:
    copy = Copy(network, batch)
    return sum(w * g for ws, gs in zip(copy.weights, copy.gradients()) for w, g in zip(ws.flat, gs.flat))


def l2_norm(network: Network, batch: Batch) -> float:
    return sum(math.sqrt(sum(w**2 for w in ws.flat)) for ws in Copy(network, batch).weights)


def fisher(network: Network, batch: Batch) -> float:
    copy = Copy(network, batch)
    outputs: dict[int, Tensor] = {}

    def keep(number: int, output: Tensor) -> None:
        output.retain_grad()
        outputs[number] = output

    for number, layer in enumerate(copy.layers):
        layer.register_forward_hook(lambda module, args, output, number=number: keep(number, output))
    copy.gradients()
    total = 0.0
    for number, output in outputs.items():
        if output.grad is None:
            continue
        a, da = output.detach().numpy(), output.grad.numpy()
        weights_of_a_channel = copy.weights[number][0].size
        for channel in range(a.shape[1]):
            sums = [(a[image, channel] * da[image, channel]).sum() for image in range(len(a))]
            total += weights_of_a_channel * np.mean(np.square(sums)) / 2
    return total


def grasp(network: Network, batch: Batch) -> float:
    """-w·(Hg), Hg from the difference of two gradients."""
    copy = Copy(network, batch)
    w, g, step = copy.weights, copy.gradients(), 1e-7
    w = [one.copy() for one in w]

    def at(size: float) -> list[np.ndarray]:
        for layer, one, direction in zip(copy.layers, w, g):
            layer.weight.data = torch.from_numpy(one + size * direction)
        return copy.gradients()

    hg = [(up - down) / (2 * step) for up, down in zip(at(step), at(-step))]
    return -sum((one * product).sum() for one, product in zip(w, hg))


REFERENCES = {"grad_norm": grad_norm, "snip": snip, "plain": plain, "l2_norm": l2_norm, "fisher": fisher}


@pytest.mark.parametrize("seed", [11, 12])
@pytest.mark.parametrize("name", REFERENCES)
def test_it_is_the_reference_in_float64(name: str, seed: int, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    network = tiny(space, space.sample(Random(seed)))
    assert score(name, network, batch) == pytest.approx(REFERENCES[name](network, batch), rel=1e-5)


@pytest.mark.parametrize("seed", [11, 12])
def test_grasp_is_the_difference_of_gradients(seed: int, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    network = tiny(space, space.sample(Random(seed)))
    got = score("grasp", network, batch)
    assert got == pytest.approx(grasp(network, batch), rel=1e-5)


def test_grasp_is_the_explicit_hessian(batch: Batch) -> None:
    network = chain(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 3, 1, bias=False), channels=3)
    got = score("grasp", network, batch)
    copy = Copy(network, batch)
    names = {id(parameter): name for name, parameter in copy.body.named_parameters()}
    shapes = {names[id(layer.weight)]: layer.weight.shape for layer in copy.layers}
    w = torch.cat([layer.weight.detach().flatten() for layer in copy.layers])

    def loss(flat: Tensor) -> Tensor:
        parts = flat.split([shape.numel() for shape in shapes.values()])
        weights = {name: part.view(shape) for part, (name, shape) in zip(parts, shapes.items())}
        return F.cross_entropy(torch.func.functional_call(copy.body, weights, (copy.images,)), copy.labels)

    g = torch.autograd.functional.jacobian(loss, w)
    hessian = torch.autograd.functional.hessian(loss, w)
    assert len(w) == 3 * 2 * 9 + 2 * 3 + 3 * 4
    assert got == pytest.approx(-(w @ hessian @ g).item(), rel=1e-5)


def test_plain_is_the_derivative_by_the_scale_of_the_weights(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    network = tiny(space, space.sample(Random(11)))
    copy, step = Copy(network, batch), 1e-6
    w = [one.copy() for one in copy.weights]

    def loss(scale: float) -> float:
        for layer, one in zip(copy.layers, w):
            layer.weight.data = torch.from_numpy(scale * one)
        return F.cross_entropy(copy.body(copy.images), copy.labels).item()

    assert score("plain", network, batch) == pytest.approx((loss(1 + step) - loss(1 - step)) / (2 * step), rel=1e-5)


@pytest.mark.parametrize("seed", [11, 12])
def test_zico_is_the_reference_in_float64(seed: int, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    network = tiny(space, space.sample(Random(seed)))
    total = 0.0
    for pair in zip(Copy(network, batch).gradients(), Copy(network, other(batch)).gradients()):
        mean, std = np.abs(pair).mean(0), np.std(pair, axis=0)
        ratio = sum(m / s for m, s in zip(mean.flat, std.flat) if s > 0)
        total += math.log(ratio) if ratio > 0 else 0.0
    assert score("zico", network, batch, second=other(batch)) == pytest.approx(total, rel=1e-5)


def test_zico_needs_a_second_batch(batch: Batch) -> None:
    with pytest.raises(NasError, match="second"):
        score("zico", chain(), batch)


# closed forms: logits W·mean(x) + b


@pytest.fixture
def softmax(batch: Batch) -> dict[str, np.ndarray]:
    """One linear layer on the mean colours f: its weights, f (B, 3), and the logits' p and p - y."""
    network = chain()
    w, b = (parameter.detach().double().numpy() for parameter in network.body.classifier.parameters())
    f = batch[0].double().numpy().mean((2, 3))
    e = np.exp(f @ w.T + b)
    p = e / e.sum(1, keepdims=True)
    return {"w": w, "f": f, "p": p, "error": p - np.eye(4)[batch[1].numpy()], "logits": f @ w.T + b}


def test_one_linear_layer_has_closed_forms(softmax: dict[str, np.ndarray], batch: Batch) -> None:
    w, f, p, error = (softmax[key] for key in ("w", "f", "p", "error"))
    g = error.T @ f / len(f)
    hg = sum((np.diag(q) - np.outer(q, q)) @ g @ np.outer(x, x) for q, x in zip(p, f)) / len(f)
    expected = {
        "grad_norm": np.sqrt((g**2).sum()),
        "snip": np.abs(w * g).sum(),
        "plain": (w * g).sum(),
        "l2_norm": np.sqrt((w**2).sum()),
        "grasp": -(w * hg).sum(),
        "fisher": ((softmax["logits"] * error / len(f)) ** 2).mean(0).sum() / 2 * 3,
    }
    for name, value in expected.items():
        assert score(name, chain(), batch) == pytest.approx(value, rel=1e-6), name


def test_weights_before_a_normalisation_have_no_plain_score(batch: Batch) -> None:
    """Their scale changes nothing, so only the classifier's weights count."""
    body = (nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8, eps=1e-12), nn.ReLU())
    network = chain(*body, channels=8)
    copy = Copy(network, batch)
    expected = (copy.weights[-1] * copy.gradients()[-1]).sum()
    assert score("plain", network, batch) == pytest.approx(expected, rel=1e-6)
    assert abs(expected) > 1e-3


# edges


@pytest.mark.parametrize("name", [*REFERENCES, "grasp", "zico"])
def test_a_cell_without_a_path_has_no_gradient(name: str, tiny: Tiny, batch: Batch) -> None:
    """The classifier sees zeros, so all is 0 but the norm of the weights and its bias' share of the logits."""
    space = SPACES.get("nasbench201")()
    network = tiny(space, space.parse(NOTHING))
    got = score(name, network, batch, second=other(batch))
    if name in ("l2_norm", "fisher"):
        assert got == pytest.approx(REFERENCES[name](network, batch))
        assert got > 0
    else:
        assert got == 0.0


@pytest.mark.parametrize("name", [*REFERENCES, "grasp", "zico"])
def test_one_class_in_the_batch_is_an_ordinary_case(name: str, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    images, labels = batch[0], torch.full_like(batch[1], 2)
    network = tiny(space, space.sample(Random(11)))
    got = score(name, network, (images, labels), second=(other(batch)[0], labels))
    assert math.isfinite(got)
    if name in REFERENCES:
        assert got == pytest.approx(REFERENCES[name](network, (images, labels)), rel=1e-5)


def test_zico_of_the_same_batch_twice_has_nothing_to_compare(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    assert score("zico", tiny(space, space.sample(Random(11))), batch, second=batch) == 0.0


@pytest.mark.landing
def test_an_auxiliary_head_does_not_count(tiny: Tiny, batch: Batch) -> None:
    """Nor does it matter: the same weights without it give the same values."""
    space = SPACES.get("darts")()
    arch = space.parse(SMALL_GENOTYPE)
    without = tiny(space, arch)
    torch.manual_seed(0)
    with_head = space.build(arch, 4, mean=(0.5, 0.4, 0.45), std=(0.2, 0.25, 0.3), channels=2, cells=3, auxiliary=True)
    with_head.load_state_dict({**with_head.state_dict(), **without.state_dict()})
    for name in [name for name, proxy in PROXIES.components.items() if proxy.needs == "network"]:
        proxy = PROXIES.get(name)
        values = [
            proxy(Probe(network, *batch, second=other(batch), relative_flops=0.5)) for network in (without, with_head)
        ]
        assert values[0] == values[1], name
