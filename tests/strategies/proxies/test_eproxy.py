"""Eproxy: against a literal double-precision version, its features, edge cases."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import torch
from literal import Passes, small
from torch import Tensor, nn

from nas.core.errors import NasError
from nas.search_spaces import Network, SearchSpace
from nas.search_spaces.nasbench201 import NASBench201
from nas.strategies.proxies.eproxy import layers, targets
from nas.strategies.proxies.eproxy.proxy import eproxy
from nas.strategies.proxies.eproxy.settings import EproxyOptions
from nas.strategies.proxies.passes.probe import Probe

Tiny = Callable[..., Network]
Batch = tuple[Tensor, Tensor]
NONE = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
CONV = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"


# a second implementation, as a reader of the paper would write it


def initialised(layer: Any, how: str, generator: torch.Generator) -> Any:
    """The layer with weights drawn in single precision by torch's own functions."""
    if how == "default":
        nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
        bound = 1 / math.sqrt(layer.weight[0].numel())
        nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
        return layer
    if how.startswith("kaiming"):
        function: Any = getattr(nn.init, f"{how}_")
        function(layer.weight, mode="fan_out", nonlinearity="relu", generator=generator)
    else:
        getattr(nn.init, f"{how}_")(layer.weight, generator=generator)
    if layer.bias is not None:
        nn.init.constant_(layer.bias, 0.0 if how.startswith("kaiming") else 0.01)
    return layer


def made_up(probe: Probe, images: Tensor, name: str, channels: int) -> Tensor:
    """A feature of the images, value by value where there is a formula."""
    generator = probe.generator(f"eproxy {name}")
    if name == "net":
        layers: list[nn.Module] = []
        before = 3
        for number, width in enumerate([64, 128, 256, 512, 1024, channels]):
            layers.append(initialised(nn.Conv2d(before, width, 3, padding=1), "default", generator).double())
            if number < 5:
                layers += [nn.BatchNorm2d(width).double(), nn.ReLU()]
            if number < 2:
                layers.append(nn.MaxPool2d(2))
            before = width
        return nn.functional.interpolate(nn.Sequential(*layers)(images).detach(), (8, 8))
    if name == "dot":
        return torch.randint(2, (len(images), channels, 8, 8), generator=generator).double() * 2 - 1
    low, high = {"sine_low": (0, 0.125), "sine_mid": (0.125, 0.375), "sine_high": (0.375, 0.5)}[name]
    shape = (len(images), channels, 1, 1)
    f, phase, side = (torch.rand(shape, generator=generator, dtype=torch.float64) for _ in range(3))
    value = torch.empty(len(images), channels, 8, 8, dtype=torch.float64)
    for b in range(len(images)):
        for c in range(channels):
            frequency, shift = low + (high - low) * f[b, c].item(), 2 * math.pi * phase[b, c].item()
            for row in range(8):
                for column in range(8):
                    p = row if side[b, c] < 0.5 else column
                    value[b, c, row, column] = math.sin(2 * math.pi * frequency * p + shift)
    return value


def literal(network: Network, batch: Batch, options: EproxyOptions, share: float) -> float:
    probe = Probe(network, *batch)  # for its generators
    network = copy.deepcopy(network).to(memory_format=torch.contiguous_format).train()  # type: ignore[call-overload]
    images = network.normalize(batch[0])
    stages = options.stages

    def each(values: list[Any]) -> list[Any]:
        return values * stages if len(values) == 1 else values

    if options.init != "default":
        generator = probe.generator("eproxy weights")
        network.float()
        for module in network.body.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                initialised(module, options.init, generator)
        network.double()
    channels = [output.shape[1] for output in network.body.stages(images)][::-1]
    transforms, barriers, wanted = [], [], []
    for stage in range(stages):
        k, b, c_mid = each(options.transform)[stage], each(options.barrier)[stage], each(options.c_mid)[stage]
        transform = nn.Conv2d(channels[stage], c_mid, k, padding=(k - 1) // 2)
        initialised(transform, options.init, probe.generator(f"eproxy transform {stage}"))
        barrier: Any = nn.Identity()
        if options.use_barrier:
            barrier = nn.Conv2d(c_mid, options.c_out, b, padding=(b - 1) // 2)
            initialised(barrier, options.barrier_init, probe.generator(f"eproxy barrier {stage}"))
        transforms.append(nn.Sequential(transform, nn.ReLU(), nn.BatchNorm2d(c_mid)).double())
        barriers.append(barrier.double().requires_grad_(False))
        total = torch.zeros(len(images), options.c_out, 8, 8, dtype=torch.float64)
        for name in each(options.features)[stage].split("+"):
            total = total + made_up(probe, images, name, options.c_out)
        wanted.append(total * each(options.coefficient)[stage])
    parameters = [*network.parameters(), *(p for transform in transforms for p in transform.parameters())]
    optimizer = torch.optim.SGD(
        [
            {"params": [p for p in parameters if p.dim() > 1], "weight_decay": options.weight_decay},
            {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
        ],
        lr=options.lr,
        momentum=options.momentum,
    )
    score = math.nan
    for _ in range(options.iterations):
        outputs = network.body.stages(images)[::-1]
        losses = []
        for stage in range(stages):
            small = nn.functional.interpolate(outputs[stage], (8, 8), mode="nearest")
            out = barriers[stage](transforms[stage](small))
            losses.append(((out - wanted[stage]) ** 2).mean())
        optimizer.zero_grad()
        torch.stack(losses).sum().backward()
        optimizer.step()
        score = sum(loss.item() / 2**stage for stage, loss in enumerate(losses))
    return score * (1 + options.alpha * share)


SETTINGS = [
    EproxyOptions(c_mid=[6], c_out=5, iterations=4),
    EproxyOptions(
        c_mid=[4, 3],
        c_out=3,
        stages=2,
        transform=[3, 1],
        barrier=[7, 1],
        features=["sine_low+dot", "sine_mid+sine_high"],
        coefficient=[0.5, 2.0],
        lr=0.5,
        init="kaiming_normal",
        barrier_init="xavier_uniform",
        alpha=-0.3,
    ),
    EproxyOptions(
        c_mid=[4],
        c_out=3,
        stages=1,
        init="xavier_normal",
        barrier_init="kaiming_uniform",
        features=["net+dot"],
        iterations=4,
    ),
    EproxyOptions(use_barrier=False, c_mid=[5], c_out=5, lr=0.3, iterations=4),
    EproxyOptions(
        use_barrier=False, c_mid=[3], c_out=3, stages=2, transform=[3, 1], features=["dot", "sine_high"], iterations=4
    ),
]


@pytest.mark.parametrize("options", SETTINGS)
def test_it_is_the_literal_version(options: EproxyOptions, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    options.check()
    double = (batch[0].double(), batch[1])
    network = tiny(space, space.sample(Random(1)) if options.stages == 3 else small(space)).double()
    if options.stages == 2:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    got = eproxy(Probe(network, *double, relative_flops=0.7), options)
    assert got == pytest.approx(literal(network, double, options, 0.7), rel=1e-5)


def test_without_a_barrier_there_is_none(tiny: Tiny, batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A convolution less for each stage and iteration, none of its weights are drawn, and all else as with it."""
    space = NASBench201()
    drawn: list[tuple[int, ...]] = []
    draw = layers.draw

    def noted(shape: Any, init: str, generator: torch.Generator) -> Any:
        drawn.append(tuple(shape))
        return draw(shape, init, generator)

    monkeypatch.setattr(layers, "draw", noted)
    monkeypatch.setattr(targets, "draw", noted)
    found = {}
    for use_barrier in (True, False):
        monkeypatch.setattr(targets, "_features", type(targets._features)())
        layers._barrier.cache_clear()
        probe, passes = Probe(tiny(space, space.parse(CONV)), *batch), Passes()
        drawn.clear()
        with passes:
            value = eproxy(probe, EproxyOptions(use_barrier=use_barrier, c_mid=[5], c_out=5, iterations=4))
        found[use_barrier] = (value, passes.forwards, list(drawn))
    (with_it, forwards, shapes), (without, fewer, others) = found[True], found[False]
    assert without != with_it
    assert forwards - fewer == 3 * 4
    assert sorted(shapes) == sorted([*others, *[(5, 5, 3, 3)] * 3])
    assert eproxy(Probe(tiny(space, space.parse(CONV)), *batch), EproxyOptions(c_mid=[5], c_out=5)) == eproxy(
        Probe(tiny(space, space.parse(CONV)), *batch), EproxyOptions(c_mid=[5], c_out=5, use_barrier=True)
    )


def test_barriers_are_drawn_once_for_each_seed_and_setting(tiny: Tiny, batch: Batch) -> None:
    space = NASBench201()
    first, second = (Probe(tiny(space, space.parse(arch), seed), *batch) for seed, arch in enumerate((NONE, CONV)))
    options = EproxyOptions(c_mid=[5], c_out=4)
    drawn = layers.barrier(first, options, 0)
    assert layers.barrier(second, options, 0) is drawn
    assert not any(parameter.requires_grad for parameter in drawn.parameters())
    others = [
        layers.barrier(first, options, 1),
        layers.barrier(first, EproxyOptions(c_mid=[5], c_out=4, barrier_init="xavier_normal"), 0),
        layers.barrier(Probe(first.network, *batch, seed=1), options, 0),
    ]
    assert not any(torch.equal(other.weight, drawn.weight) for other in others)
    assert (
        layers.barrier(
            Probe(tiny(space, space.parse(CONV)).double(), batch[0].double(), batch[1]), options, 0
        ).weight.dtype
        == torch.float64
    )


def test_without_a_barrier_one_iteration_has_a_closed_form(tiny: Tiny, batch: Batch) -> None:
    """Outputs of a normalisation have mean 0 and variance 1, so MSE = 1 + E(Y²) - 2·E(xY), here with E(Y²) = 1."""
    space = NASBench201()
    probe = Probe(tiny(space, space.parse(CONV)), *batch)
    options = EproxyOptions(use_barrier=False, c_mid=[512], c_out=512, stages=1, iterations=1, features=["dot"])
    assert eproxy(probe, options) == pytest.approx(2.0, abs=0.05)  # signs of a fair coin agree with nothing


def test_the_flops_term(tiny: Tiny, batch: Batch) -> None:
    space = NASBench201()
    network = tiny(space, space.parse(CONV))
    plain = eproxy(Probe(network, *batch), EproxyOptions(c_mid=[4], c_out=3))
    with_term = EproxyOptions(c_mid=[4], c_out=3, alpha=-0.5)
    assert eproxy(Probe(network, *batch, relative_flops=0.25), with_term) == pytest.approx(plain * 0.875)
    with pytest.raises(NasError, match="relative_flops"):
        eproxy(Probe(network, *batch), with_term)


def test_diverged_training_is_told(tiny: Tiny, batch: Batch) -> None:
    space = NASBench201()
    with pytest.raises(NasError, match="diverged"):
        eproxy(
            Probe(tiny(space, space.parse(CONV)), *batch),
            EproxyOptions(c_mid=[64], c_out=3, lr=100, iterations=60, barrier_init="xavier_normal"),
        )


def test_it_trains(tiny: Tiny, batch: Batch) -> None:
    """More iterations, a lower loss; the first one is that of the untrained network."""
    space = NASBench201()
    probe = Probe(tiny(space, space.parse(CONV)), *batch)
    losses = [eproxy(probe, EproxyOptions(c_mid=[16], c_out=3, lr=0.1, iterations=n)) for n in (1, 10, 40)]
    assert losses[0] > losses[1] > losses[2]


# features


def test_features_are_the_same_for_all_architectures_and_made_once(
    tiny: Tiny, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = NASBench201()
    first, second = (Probe(tiny(space, space.parse(arch), seed), *batch) for seed, arch in enumerate((NONE, CONV)))
    monkeypatch.setattr(targets, "_features", type(targets._features)())
    net = targets.feature(first, "net", 5)
    monkeypatch.setattr(targets, "_untrained", None)  # not needed any more
    assert targets.feature(second, "net", 5) is net
    other = Probe(first.network, batch[0] / 2, batch[1])
    with pytest.raises(TypeError):  # another batch has others
        targets.feature(other, "net", 5)
    assert not torch.equal(
        targets.feature(first, "dot", 5), targets.feature(Probe(first.network, *batch, seed=1), "dot", 5)
    )


def test_only_the_features_of_a_few_batches_are_kept(tiny: Tiny, batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "_features", type(targets._features)())
    space = NASBench201()
    for seed in range(9):
        targets.feature(Probe(tiny(space, space.parse(NONE)), *batch, seed=seed), "dot", 2)
    assert len(targets._features) == targets.MAX_BATCHES


@pytest.mark.parametrize(("name", "low", "high"), [("sine_low", 0, 8), ("sine_mid", 8, 24), ("sine_high", 24, 32)])
def test_sines_have_their_frequencies(name: str, low: float, high: float, tiny: Tiny, batch: Batch) -> None:
    """They turn along one side and stand still along the other; sin(a)+sin(a+2w) = 2cos(w)sin(a+w) tells w."""
    space = NASBench201()
    value = targets.feature(Probe(tiny(space, space.parse(NONE)), *batch), name, 40).double()
    rows = (value - value[:, :, :, :1]).abs().amax((2, 3)) < 1e-6  # nothing changes along a row
    columns = (value - value[:, :, :1]).abs().amax((2, 3)) < 1e-6
    assert (rows ^ columns).all()
    assert 0.3 < rows.double().mean() < 0.7
    lines = torch.where(rows[..., None], value[:, :, :, 0], value[:, :, 0])
    inner = lines[..., 1:-1]
    cosine = ((lines[..., :-2] + lines[..., 2:]) * inner).sum(-1) / (2 * inner.square().sum(-1))
    frequency = torch.acos(cosine.clamp(-1, 1)) / (2 * math.pi) * 64
    assert low - 0.5 < frequency.min() < frequency.max() < high + 0.5


def test_dots_are_signs_of_a_fair_coin(tiny: Tiny, batch: Batch) -> None:
    space = NASBench201()
    value = targets.feature(Probe(tiny(space, space.parse(NONE)), *batch), "dot", 40)
    assert set(value.unique().tolist()) == {-1.0, 1.0}
    assert abs(value.mean()) < 0.05


def test_sum_and_coefficient(tiny: Tiny, batch: Batch) -> None:
    space = NASBench201()
    probe = Probe(tiny(space, space.parse(NONE)), *batch)
    expected = 1.5 * (targets.feature(probe, "dot", 4) + targets.feature(probe, "sine_low", 4))
    options = EproxyOptions(features=["dot+sine_low"], coefficient=[1.5], c_out=4)
    assert torch.equal(targets.target(probe, options, 0), expected)


@pytest.mark.parametrize(
    ("init", "variance", "bias"),
    [
        ("default", 1 / (3 * 20 * 9), None),
        ("kaiming_normal", 2 / (30 * 9), 0.0),
        ("kaiming_uniform", 2 / (30 * 9), 0.0),
        ("xavier_normal", 2 / (50 * 9), 0.01),
        ("xavier_uniform", 2 / (50 * 9), 0.01),
    ],
)
def test_initialisations(init: str, variance: float, bias: float | None) -> None:
    weight, offset = layers.draw((30, 20, 3, 3), init, torch.Generator().manual_seed(0))
    assert weight.var().item() == pytest.approx(variance, rel=0.1)
    assert (weight.abs().max() < 2 * math.sqrt(variance)) == (not init.endswith("normal"))
    if bias is not None:
        assert set(offset.tolist()) == {torch.tensor(bias).item()}


def test_a_frozen_parameter_is_frozen_again(tiny: Tiny, batch: Batch) -> None:
    network = tiny(NASBench201(), NASBench201().parse(CONV))
    network.body.classifier.bias.requires_grad_(False)
    before = {name: parameter.requires_grad for name, parameter in network.named_parameters()}
    eproxy(Probe(network, *batch), EproxyOptions(iterations=1, alpha=0.0))
    assert {name: parameter.requires_grad for name, parameter in network.named_parameters()} == before
