"""Perturbations stay in the ball and reach closed-form optima, and the network stays as it was."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from nas.core.optimisation.attack_steps import (
    Bounds,
    ball_noise,
    eval_mode,
    fgsm,
    input_gradient,
    is_short,
    mifgsm,
    normal_noise,
    pgd,
    pgd_l2,
    project,
    project_l2,
    uniform_noise,
)
from nas.core.optimisation.shards import BatchShard

SHAPE = (3, 2, 4, 4)
ROUNDING = 2e-7  # of float32 near 1


def images(seed: int = 0) -> Tensor:
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(seed))


def inside(x_adv: Tensor, x: Tensor, eps: float, bounds: Bounds = (0.0, 1.0)) -> bool:
    close = (x_adv - x).abs().max() <= eps + ROUNDING
    return bool(close) and (bounds is None or bool((x_adv >= bounds[0]).all() and (x_adv <= bounds[1]).all()))


# the ball


@given(st.integers(0, 10**6), st.floats(0, 2), st.floats(0, 3), st.sampled_from([(0.0, 1.0), (0.2, 0.7), None]))
def test_project_is_the_nearest_point(seed: int, eps: float, scale: float, bounds: Bounds) -> None:
    x = images(seed).clamp(0.2, 0.7)
    far = x + scale * torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed + 1))
    got = project(far, x, eps, bounds)
    low, high = (-1e9, 1e9) if bounds is None else bounds
    for value, center, result in zip(far.flatten().tolist(), x.flatten().tolist(), got.flatten().tolist()):
        lowest, highest = max(center - eps, low), min(center + eps, high)
        assert result == pytest.approx(min(max(value, lowest), highest), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.floats(1e-4, 1),
    st.floats(1e-4, 2),
    st.integers(1, 6),
    st.sampled_from([(0.0, 1.0), (-1.0, 2.0), None]),
    st.booleans(),
)
def test_pgd_stays_in_the_ball_and_the_bounds(
    seed: int, eps: float, step: float, steps: int, bounds: Bounds, random_start: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = images(seed)
    w = torch.randn(SHAPE, generator=generator)
    start = uniform_noise(x, eps, generator, bounds) if random_start else None
    seen: list[Tensor] = []

    def objective(x_adv: Tensor) -> Tensor:
        seen.append(x_adv.detach().clone())
        return (w * x_adv**2).sum() + (x_adv * 7).sin().sum()

    x_adv = pgd(objective, x, eps, step, steps, start=start, bounds=bounds)
    assert len(seen) == steps  # one forward per step
    assert torch.equal(seen[0], x if start is None else start)
    for point in [*seen, x_adv]:
        assert inside(point, x, eps, bounds)
    assert not x_adv.requires_grad


@given(st.integers(0, 10**6), st.floats(0, 1))
@settings(deadline=None)
def test_uniform_noise_stays_in_the_ball_and_the_bounds(seed: int, eps: float) -> None:
    x = images(seed)
    assert inside(uniform_noise(x, eps), x, eps)
    assert inside(uniform_noise(x, eps, bounds=None), x, eps, None)


def test_uniform_noise_is_uniform() -> None:
    x = torch.full((100_000,), 0.5)
    noise = (uniform_noise(x, 0.2, torch.Generator().manual_seed(0)) - x) / 0.2  # U(-1, 1)
    assert abs(noise.mean().item()) < 0.01  # 5 standard deviations
    assert noise.var().item() == pytest.approx(1 / 3, abs=0.006)
    assert (noise**4).mean().item() == pytest.approx(1 / 5, abs=0.006)


def test_the_generator_repeats_the_noise_and_the_global_one_is_left_alone() -> None:
    x = images()
    before = torch.random.get_rng_state()
    first = uniform_noise(x, 0.1, torch.Generator().manual_seed(1))
    assert torch.equal(first, uniform_noise(x, 0.1, torch.Generator().manual_seed(1)))
    assert not torch.equal(first, uniform_noise(x, 0.1, torch.Generator().manual_seed(2)))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), None])
def test_noise_is_added_as_it_was_drawn(bounds: Bounds) -> None:
    """The numbers of a seed are part of every result: uniform noise, or a direction and a length in the L2 ball."""
    x = images()

    def within(moved: Tensor) -> Tensor:
        return moved if bounds is None else moved.clamp(*bounds)

    drawn = torch.empty(SHAPE).uniform_(-0.6, 0.6, generator=torch.Generator().manual_seed(5))
    assert torch.equal(uniform_noise(x, 0.6, torch.Generator().manual_seed(5), bounds), within(x + drawn))
    normal = torch.empty(SHAPE).normal_(generator=torch.Generator().manual_seed(5))
    assert torch.equal(normal_noise(x, 0.6, torch.Generator().manual_seed(5)), x + 0.6 * normal)
    torch.manual_seed(5)
    direction, length = torch.empty(SHAPE).normal_(), torch.empty(len(x), 1, 1, 1).uniform_(0, 1)
    torch.manual_seed(5)
    expected = within(x + direction / direction.flatten(1).norm(dim=1).view(-1, 1, 1, 1) * length * 3)
    torch.testing.assert_close(ball_noise(x, 3.0, bounds), expected)


def test_normal_noise_is_normal_and_not_clipped() -> None:
    noise = normal_noise(torch.zeros(100_000), 0.5, torch.Generator().manual_seed(0)) / 0.5
    assert abs(noise.mean().item()) < 0.02
    assert noise.var().item() == pytest.approx(1, abs=0.03)
    assert (noise**4).mean().item() == pytest.approx(3, abs=0.2)
    assert noise.min() < 0


@pytest.mark.parametrize("last", [False, True])
def test_a_share_of_a_batch_has_the_noise_of_the_whole(last: bool) -> None:
    x = torch.rand(7, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    x = x.contiguous(memory_format=torch.channels_last) if last else x
    shard = BatchShard(7, torch.tensor([0, 3, 4]))
    for noise in (
        lambda x, generator, shard: uniform_noise(x, 0.1, generator, shard=shard),
        lambda x, generator, shard: normal_noise(x, 0.1, generator, shard),
    ):
        whole = noise(x, torch.Generator().manual_seed(1), None)
        part = noise(x[shard.index], torch.Generator().manual_seed(1), shard)
        assert torch.equal(part, whole[shard.index])


BEYOND = 5.0  # an eps that leads far out of [0, 1]


@pytest.mark.parametrize(
    "move",
    [
        lambda x: project(x + BEYOND * x.new_tensor([-1.0, 1.0]), x, BEYOND),
        lambda x: project_l2(x + BEYOND * x.new_tensor([-1.0, 1.0]), x, 100.0),
        lambda x: uniform_noise(x, BEYOND, torch.Generator().manual_seed(0)),
        lambda x: ball_noise(x, 1000.0),
        lambda x: fgsm(lambda z: (z * z.new_tensor([-1.0, 1.0])).sum(), x, BEYOND),
        lambda x: pgd(lambda z: (z * z.new_tensor([-1.0, 1.0])).sum(), x, BEYOND, BEYOND, 2),
        lambda x: pgd_l2(lambda z: (z * z.new_tensor([-1.0, 1.0])).sum(), x, 100.0, 100.0, 2),
        lambda x: mifgsm(lambda z: (z * z.new_tensor([-1.0, 1.0])).sum(), x, BEYOND, BEYOND, 2),
    ],
    ids=["project", "project_l2", "uniform_noise", "ball_noise", "fgsm", "pgd", "pgd_l2", "mifgsm"],
)
def test_images_stay_between_0_and_1_unless_asked_otherwise(move: Any) -> None:
    torch.manual_seed(0)
    moved = move(torch.full((4, 3, 4, 2), 0.5))
    assert moved.min() == 0
    assert moved.max() == 1


def test_steps_that_cannot_cross_the_radius_are_short() -> None:
    assert is_short((2, 0.1), 0.3)
    assert is_short((7, 0.01), 0.0701)
    assert not is_short((3, 0.1), 0.3)  # just long enough, however 3 · 0.1 is rounded
    assert not is_short((3, 0.1), 0.1 + 0.2)
    assert not is_short((10, 0.1), 0.3)
    assert not is_short(None, 0.3)
    assert not is_short((4, 0.0), 0.0)


def test_the_momentum_of_mifgsm_is_not_decayed_unless_asked() -> None:
    """Dong et al., CVPR 2018: μ = 1. Of the gradients 2, then -1 of the mean 1, the sum is 1 and not -1 or 0."""
    slopes = iter((torch.tensor([2.0, -2.0]), torch.tensor([-1.0, 1.0]) / 2))

    def objective(z: Tensor) -> Tensor:
        return (z * next(slopes)).sum()

    x = torch.full((1, 1, 1, 2), 0.5)
    first = torch.tensor([2.0, -2.0]) / 2
    second = torch.tensor([-1.0, 1.0]) / 1 + first  # 0, so the image does not move
    assert second.tolist() == [0, 0]
    assert mifgsm(objective, x, 0.4, 0.1, 2).flatten().tolist() == pytest.approx([0.6, 0.4])


# optima


@pytest.mark.parametrize("bounds", [(0.0, 1.0), None])
def test_a_linear_objective_reaches_its_corner(bounds: Bounds) -> None:
    x, w = images(), torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    w[0, 0, 0, 0] = 0.0
    corner = x + 0.3 * w.sign()
    if bounds is not None:
        corner = corner.clamp(*bounds)

    def objective(x_adv: Tensor) -> Tensor:
        return (w * x_adv).sum()

    assert torch.equal(fgsm(objective, x, 0.3, bounds), corner)
    torch.testing.assert_close(pgd(objective, x, 0.3, 0.1, 3, bounds=bounds), corner)  # just far enough
    torch.testing.assert_close(pgd(objective, x, 0.3, 0.1, 20, bounds=bounds), corner)
    assert objective(pgd(objective, x, 0.3, 0.1, 2, bounds=bounds)) < objective(corner)
    start = uniform_noise(x, 0.3, torch.Generator().manual_seed(3), bounds)
    got = pgd(objective, x, 0.3, 0.1, 6, start=start, bounds=bounds)
    moved = w != 0
    torch.testing.assert_close(got[moved], corner[moved])


def test_a_concave_objective_reaches_the_nearest_point_to_its_top() -> None:
    x, top = images(), images(5) * 2 - 0.5
    got = pgd(lambda x_adv: -((x_adv - top) ** 2).sum(), x, 0.2, 0.01, 60)
    best = torch.minimum(torch.maximum(top, x - 0.2), x + 0.2).clamp(0, 1)
    assert (got - best).abs().max() <= 0.0101  # within one step


def test_a_convex_objective_has_no_slope_at_its_bottom() -> None:
    """This is why an attack on a distance to the clean output needs a random start."""
    x = images()

    def objective(x_adv: Tensor) -> Tensor:
        return ((x_adv - x) ** 2).sum()

    assert torch.equal(pgd(objective, x, 0.2, 0.05, 10), x)
    start = uniform_noise(x, 0.2, torch.Generator().manual_seed(0))
    got = pgd(objective, x, 0.2, 0.05, 10, start=start)
    expected = torch.where(start > x, x + 0.2, x - 0.2).clamp(0, 1)
    torch.testing.assert_close(got, expected)


def test_an_objective_without_the_image_has_no_gradient() -> None:
    x, w = images(), torch.ones(1, requires_grad=True)
    assert torch.equal(input_gradient(lambda x_adv: 3 * w.sum(), x), torch.zeros_like(x))
    assert torch.equal(fgsm(lambda x_adv: 3 * w.sum(), x, 0.1), x)
    assert torch.equal(pgd(lambda x_adv: 3 * w.sum(), x, 0.1, 0.1, 3), x)


def test_input_gradient_is_the_gradient_also_under_no_grad() -> None:
    x = images()
    with torch.no_grad():
        gradient = input_gradient(lambda x_adv: (x_adv**3).sum(), x)
    torch.testing.assert_close(gradient, 3 * x**2)
    assert not x.requires_grad
    assert not gradient.requires_grad


# the L2 ball, and momentum


@given(st.integers(0, 10**6), st.floats(1e-3, 4), st.floats(0, 3))
@settings(deadline=None)
def test_project_l2_is_the_nearest_point_of_the_ball(seed: int, eps: float, scale: float) -> None:
    x = images(seed)
    far = x + scale * torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed + 1))
    got = project_l2(far, x, eps, None)
    for point, center, result in zip(far.double(), x.double(), got.double()):
        length = (point - center).square().sum().sqrt().item()
        nearest = point if length <= eps else center + (point - center) * (eps / length)
        torch.testing.assert_close(result, nearest, atol=1e-5, rtol=0)
    assert torch.equal(project_l2(far, x, eps), got.clamp(0, 1))
    assert torch.equal(project_l2(x, x, eps), x)  # a change of length 0


def test_ball_noise_has_a_uniform_length_in_every_direction() -> None:
    torch.manual_seed(0)
    x = torch.full((20_000, 3, 1, 1), 0.5)
    moved = (ball_noise(x, 0.3) - x).flatten(1).double()
    length = moved.square().sum(1).sqrt()
    assert length.max() <= 0.3 + ROUNDING
    for share in (0.1, 0.5, 0.9):  # of U(0, 1)
        assert length.quantile(share).item() == pytest.approx(0.3 * share, abs=0.3 * 0.015)
    direction = moved / length[:, None]
    assert direction.mean(0).abs().max() < 0.02
    torch.testing.assert_close(direction.T @ direction / len(x), torch.eye(3).double() / 3, atol=0.02, rtol=0)


def test_a_linear_objective_reaches_the_edge_of_the_l2_ball() -> None:
    x, w = images(), torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    edge = x + 0.4 * w / w.flatten(1).norm(dim=1).view(-1, 1, 1, 1)

    def objective(x_adv: Tensor) -> Tensor:
        return (w * x_adv).sum()

    torch.testing.assert_close(pgd_l2(objective, x, 0.4, 0.1, 4, bounds=None), edge)
    torch.testing.assert_close(pgd_l2(objective, x, 0.4, 0.1, 30, bounds=None), edge)
    torch.testing.assert_close(pgd_l2(objective, x, 0.4, 0.4, 1), edge.clamp(0, 1))
    assert torch.equal(pgd_l2(lambda x_adv: 0 * x_adv.sum(), x, 0.4, 0.1, 3), x)


@given(st.integers(0, 10**6), st.floats(0.01, 2), st.floats(0.01, 2), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_pgd_l2_stays_in_the_ball_and_the_bounds(seed: int, eps: float, step: float, steps: int) -> None:
    x = images(seed)
    w = torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))
    torch.manual_seed(seed)
    got = pgd_l2(lambda z: (w * z**2).sum() + (z * 7).sin().sum(), x, eps, step, steps, start=ball_noise(x, eps))
    assert (got - x).flatten(1).norm(dim=1).max() <= eps * (1 + 1e-5) + 1e-6
    assert got.min() >= 0
    assert got.max() <= 1


def test_mifgsm_is_a_plain_loop_in_double_precision() -> None:
    """The loop goes pixel by pixel, with the derivative by hand."""
    x, w = images().double(), torch.randn(SHAPE, generator=torch.Generator().manual_seed(1)).double()

    def objective(z: Tensor) -> Tensor:
        return (w * (5 * z).sin()).sum()

    for decay in (1.0, 0.5):
        got = mifgsm(objective, x, 0.2, 0.06, 4, decay=decay)
        for center, weights, result in zip(x, w, got):
            now, momentum = center.flatten().tolist(), [0.0] * center.numel()
            for _ in range(4):
                slopes = [5 * a * math.cos(5 * z) for a, z in zip(weights.flatten().tolist(), now)]
                mean = sum(map(abs, slopes)) / len(slopes)
                momentum = [decay * m + slope / mean for m, slope in zip(momentum, slopes)]
                now = [
                    min(max(min(max(z + math.copysign(0.06, m), c - 0.2), c + 0.2), 0.0), 1.0)
                    for z, m, c in zip(now, momentum, center.flatten().tolist())
                ]
            assert result.flatten().tolist() == pytest.approx(now, abs=1e-12)
    assert torch.equal(mifgsm(objective, x, 0.2, 0.06, 0), x)
    assert torch.equal(mifgsm(lambda z: 0 * z.sum(), x, 0.2, 0.06, 3), x)


# the network


class Backwards(TorchDispatchMode):
    """Records which gradients (input, weight, bias) the backward pass of each convolution computes."""

    def __init__(self) -> None:
        super().__init__()
        self.masks: list[list[bool]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.convolution_backward.default:
            self.masks.append(list(args[-1]))
        return func(*args, **(kwargs or {}))


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.Flatten(), nn.LazyLinear(5)
    )  # fmt: skip


@pytest.mark.parametrize("steps", [1, 4])
def test_no_gradient_of_a_weight_is_computed_or_left(steps: int) -> None:
    network = small()
    y = torch.tensor([0, 1, 2])
    network(images())
    with Backwards() as seen:
        pgd(lambda x_adv: F.cross_entropy(network(x_adv), y), images(), 0.1, 0.05, steps)
    assert seen.masks == [[True, False, False]] * (2 * steps)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())
    with Backwards() as seen:  # the same recorder during an ordinary backward pass
        F.cross_entropy(network(images()), y).backward()
    assert seen.masks == [[True, True, True], [False, True, True]]


def test_gradients_already_there_stay() -> None:
    network = small()
    y = torch.tensor([0, 1, 2])
    F.cross_entropy(network(images()), y).backward()
    before = [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]
    fgsm(lambda x_adv: F.cross_entropy(network(x_adv), y), images(), 0.1)
    for parameter, gradient in zip(network.parameters(), before):
        assert torch.equal(parameter.grad, gradient)  # type: ignore[arg-type]


def test_eval_mode_gives_every_part_its_own_mode_back() -> None:
    network = nn.Sequential(nn.Sequential(nn.BatchNorm2d(2), nn.Dropout()), nn.Dropout(), nn.ReLU())
    network.train()
    network.get_submodule("0.0").eval()
    network.get_submodule("1").eval()
    modes = [part.training for part in network.modules()]
    assert len(set(modes)) == 2
    with eval_mode(network):
        assert not any(part.training for part in network.modules())
    assert [part.training for part in network.modules()] == modes
    with pytest.raises(ZeroDivisionError), eval_mode(network):
        raise ZeroDivisionError
    assert [part.training for part in network.modules()] == modes
