"""The proxies of the Jacobian against explicit Jacobians in float64, numpy's correlations and closed forms."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
import torch
from literal import NOTHING, SMALL_GENOTYPE, Batch, Copy, Tiny, chain, double
from torch import nn

from nas.core.errors import InputError, NasError
from nas.core.seeds import derive
from nas.search_spaces import SPACES, Network, SearchSpace
from nas.strategies.proxies import PROXIES
from nas.strategies.proxies.jacobian import JacobianOptions
from nas.strategies.proxies.passes.probe import Probe

JACOV, EPE_NAS, JACOB_FRO = (PROXIES.get(name) for name in ("jacov", "epe_nas", "jacob_fro"))
K = 1e-5


# references


def rows(network: Network, batch: Batch) -> np.ndarray:
    """∂Σlogits/∂x, one row per image: of the logits of all images, which batch normalisation ties together."""
    own = Copy(network, batch)
    return torch.autograd.functional.jacobian(lambda x: own.body(x).sum(), own.images).flatten(1).numpy()


def jacov(network: Network, batch: Batch) -> float:
    eigenvalues = np.linalg.eigvals(np.corrcoef(rows(network, batch))).real
    return -sum(math.log(value + K) + 1 / (value + K) for value in eigenvalues)


def pearson(one: np.ndarray, other: np.ndarray) -> float:
    """By its definition, number after number."""
    n = len(one)
    mean_one, mean_other = math.fsum(one) / n, math.fsum(other) / n
    covariance = math.fsum((a - mean_one) * (b - mean_other) for a, b in zip(one, other))
    squares = math.fsum((a - mean_one) ** 2 for a in one), math.fsum((b - mean_other) ** 2 for b in other)
    return covariance / math.sqrt(squares[0] * squares[1])


def epe_nas(network: Network, batch: Batch, classes: int) -> float:
    """Written out: up to 100 classes, and above."""
    images_of: dict[int, list[np.ndarray]] = {}
    for row, label in zip(rows(network, batch), batch[1].tolist()):
        images_of.setdefault(label, []).append(row)
    scores = []
    for own in images_of.values():
        score = sum(math.log(abs(pearson(one, other)) + K) for one in own for other in own)
        if classes <= 100:
            scores.append(score)
        elif len(own) > 1:
            scores.append(score / len(own))
    if classes <= 100:
        return sum(abs(score) for score in scores)
    return sum(abs(one - another) for one in scores for another in scores) / len(scores)


@pytest.mark.parametrize("seed", [12, 13])
def test_jacov_is_the_reference_in_float64(seed: int, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    network = tiny(space, space.sample(Random(seed)))
    assert JACOV(double(network, batch)) == pytest.approx(jacov(network, batch), rel=1e-5)


@pytest.mark.parametrize("name", ["transnas-micro", "transnas-macro"])
def test_networks_that_end_in_normalisations_have_none(name: str, tiny: Tiny, batch: Batch) -> None:
    """Those of TransNAS-Bench-101: the mean of their last sum over the batch is its shift, whatever the images are."""
    space = SPACES.get(name)()
    for seed in range(4):
        probe = Probe(tiny(space, space.sample(Random(seed))), *batch)
        for proxy in (JACOV, EPE_NAS):
            with pytest.raises(NasError, match="batch normalisation makes the sum constant"):
                proxy(probe)


@pytest.mark.parametrize("classes", [4, 100, 101])
def test_epe_nas_is_the_reference_in_float64(classes: int, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    """Above 100 classes of the data (not of the batch), classes are compared with each other."""
    images, labels = batch[0], torch.tensor([0, 1, 2, 1, 1, 0])
    network = tiny(space, space.sample(Random(12)), classes=classes)
    got = EPE_NAS(double(network, (images, labels)))
    assert got == pytest.approx(epe_nas(network, (images, labels), classes), rel=1e-5)


@pytest.mark.parametrize("classes", [100, 101, 120])
@pytest.mark.parametrize("labels", [[7, 7, 50, 50, 99, 99], [7, 7, 7, 50, 50, 99], [99, 7, 7, 99, 0, 99]])
def test_epe_nas_at_and_above_a_hundred_classes(classes: int, labels: list[int], tiny: Tiny, batch: Batch) -> None:
    """Classes of three images, of two and of one; a hundred are not yet more than a hundred."""
    space = SPACES.get("nasbench201")()
    network = tiny(space, space.sample(Random(12)), classes=classes)
    its = (batch[0], torch.tensor(labels))
    expected = epe_nas(network, its, classes)
    assert EPE_NAS(double(network, its)) == pytest.approx(expected, rel=1e-5)
    assert expected != pytest.approx(epe_nas(network, its, 101 if classes == 100 else 100), rel=1e-2)


def test_classes_of_one_image_do_not_count_above_a_hundred_classes(tiny: Tiny, batch: Batch) -> None:
    """Those of two images alone are compared: |s_1 - s_2| twice over two classes, s the logarithms over two."""
    space = SPACES.get("nasbench201")()
    network = tiny(space, space.sample(Random(12)), classes=101)
    its = (batch[0], torch.tensor([3, 3, 8, 8, 20, 100]))
    jacobian = rows(network, its)
    diagonal = 2 * math.log(1 + K)
    first, second = ((diagonal + 2 * math.log(abs(pearson(jacobian[at], jacobian[at + 1])) + K)) / 2 for at in (0, 2))
    assert EPE_NAS(double(network, its)) == pytest.approx(abs(first - second), rel=1e-6)
    with pytest.raises(NasError, match=r"No class has two images in the batch of 6.*raise proxies\.epe_nas"):
        EPE_NAS(double(network, (batch[0], torch.arange(6))))


def test_epe_nas_of_one_class(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    images, labels = batch[0], torch.full_like(batch[1], 3)
    for classes in (4, 101):
        network = tiny(space, space.sample(Random(12)), classes=classes)
        got = EPE_NAS(double(network, (images, labels)))
        assert got == pytest.approx(epe_nas(network, (images, labels), classes), rel=1e-5, abs=1e-9)
    assert got == 0.0  # one of many classes has none to differ from


def test_epe_nas_of_classes_of_one_image(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    """A row correlates with itself alone."""
    labels = torch.arange(6)
    network = tiny(space, space.sample(Random(12)), classes=6)
    assert EPE_NAS(double(network, (batch[0], labels))) == pytest.approx(6 * math.log(1 + K), rel=1e-5)


# closed forms


def test_equal_images_have_equal_rows(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    """Correlations are all 1: one eigenvalue is 6, five are 0."""
    network = tiny(space, space.sample(Random(12)))
    got = JACOV(double(network, (batch[0][:1].expand(6, -1, -1, -1), torch.zeros(6, dtype=torch.int64))))
    assert got == pytest.approx(-(math.log(6 + K) + 1 / (6 + K)) - 5 * (math.log(K) + 1 / K), rel=1e-5)


def test_two_equal_images_are_finite(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    images = torch.cat([batch[0][:5], batch[0][:1]])
    network = tiny(space, space.sample(Random(12)))
    got = JACOV(double(network, (images, batch[1])))
    assert got == pytest.approx(jacov(network, (images, batch[1])), rel=1e-5)
    assert got == pytest.approx(-1e5, rel=1e-2)


def test_a_linear_network_has_the_same_row_for_every_image(batch: Batch) -> None:
    """∂Σlogits/∂x is the same at all images, so the correlations are those of equal images."""
    network = chain()
    assert JACOV(double(network, batch)) == pytest.approx(-(math.log(6) + 1 / 6) - 5 * (math.log(K) + 1 / K), rel=1e-4)
    pairs = 2 * 4 + 2 * 1  # two classes of two images, two of one
    assert EPE_NAS(double(network, batch)) == pytest.approx(pairs * math.log(1 + K), rel=1e-5)


# the Frobenius norm


def directions(images: int, classes: int, number: int) -> list[np.ndarray]:
    """What the probe of seed 0 draws: per projection a direction for each image."""
    generator = torch.Generator().manual_seed(derive(0, "proxy", f"projections/{number}"))
    drawn = [torch.randn((images, classes), generator=generator, dtype=torch.float64).numpy() for _ in range(number)]
    return [v / np.sqrt((v**2).sum(1, keepdims=True)) for v in drawn]


@pytest.mark.parametrize("number", [1, 3])
def test_jacob_fro_projects_the_explicit_jacobian(number: int, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    network = tiny(space, space.sample(Random(12)))
    jacobian = Copy(network, batch).jacobian()
    squares = []
    for v in directions(6, 4, number):
        projected = sum(v[image, logit] * jacobian[image, logit] for image in range(6) for logit in range(4))
        squares += [(row**2).sum() for row in projected]  # a row per image
    got = JACOB_FRO(double(network, batch), JacobianOptions(projections=number))
    assert got == pytest.approx(4 * np.mean(squares), rel=1e-5)


def test_many_projections_come_near_the_exact_norm(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    """Without bias: within four standard errors of the mean over images of Σ over all logits of ‖∂logit/∂x‖²."""
    images, labels = batch[0][:3], batch[1][:3]
    network = tiny(space, space.sample(Random(12)))
    jacobian = Copy(network, (images, labels)).jacobian()
    exact = (jacobian**2).sum() / 3
    estimates = []
    for v in directions(3, 4, 100):
        projected = np.tensordot(v, jacobian, axes=2)
        estimates.append(4 * (projected**2).sum() / 3)
    got = JACOB_FRO(double(network, (images, labels)), JacobianOptions(projections=100))
    assert got == pytest.approx(np.mean(estimates), rel=1e-5)
    assert abs(got - exact) < 4 * np.std(estimates) / math.sqrt(100)


def test_an_orthonormal_basis_in_place_of_random_directions_is_exact(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E over the directions e_1, ..., e_K of every image; without batch normalisation images stay apart."""
    network = chain(nn.Conv2d(3, 5, 3), nn.ReLU(), channels=5)
    jacobian = Copy(network, batch).jacobian()
    basis = iter(torch.eye(4, dtype=torch.float64))
    monkeypatch.setattr(torch, "randn", lambda shape, **settings: next(basis).expand(shape))
    got = JACOB_FRO(double(network, batch), JacobianOptions(projections=4))
    exact = np.mean([(jacobian[image, :, image] ** 2).sum() for image in range(6)])
    assert got == pytest.approx(exact, rel=1e-6)


def test_the_norm_of_one_linear_layer(batch: Batch) -> None:
    """∂logits/∂x of a pixel is W over the number of pixels; one logit leaves no choice of a direction."""
    network = chain(classes=1)
    weight = network.body.classifier.weight.detach().double()
    got = JACOB_FRO(double(network, (batch[0], torch.zeros(6, dtype=torch.int64))))
    assert got == pytest.approx(weight.square().sum().item() / 64, rel=1e-6)


# edges


def test_normalisation_that_fixes_the_sum_of_the_logits_is_told(batch: Batch) -> None:
    """What is pooled comes straight from a normalisation, so its sum over the batch, and that of the logits, is β's."""

    def ending(*modules: nn.Module) -> Network:
        return chain(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), *modules, channels=5)

    for proxy in (JACOV, EPE_NAS):
        for probe in (double(ending(), batch), Probe(ending(), *batch)):
            with pytest.raises(NasError, match="batch normalisation makes the sum constant"):
                proxy(probe)
        assert math.isfinite(proxy(Probe(ending(nn.ReLU()), *batch)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("pools", [False, True])
def test_darts_cells_that_pool_nowhere_fix_the_sum(pools: bool, dtype: torch.dtype, tiny: Tiny) -> None:
    space = SPACES.get("darts")()
    text = SMALL_GENOTYPE
    if not pools:
        text = text.replace("max_pool_3x3", "sep_conv_3x3").replace("avg_pool_3x3", "skip_connect")
    network = tiny(space, space.parse(text)).to(dtype)
    images = torch.rand((6, 3, 16, 16), generator=torch.Generator().manual_seed(5)).to(dtype)
    probe = Probe(network, images, torch.tensor([0, 1, 2, 3, 1, 0]))
    for proxy in (JACOV, EPE_NAS):
        if pools:
            assert math.isfinite(proxy(probe))
        else:
            with pytest.raises(NasError, match="batch normalisation makes the sum constant"):
                proxy(probe)


def test_a_cell_without_a_path_has_no_correlations(tiny: Tiny, batch: Batch) -> None:
    space = SPACES.get("nasbench201")()
    network = tiny(space, space.parse(NOTHING))
    for proxy in (JACOV, EPE_NAS):
        with pytest.raises(NasError, match="does not depend on the image"):
            proxy(double(network, batch))
    assert JACOB_FRO(double(network, batch)) == 0.0


def test_tiny_jacobians_have_ordinary_correlations(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    """The scale of the logits does not matter, also where squares of the entries would vanish in float32."""
    network = tiny(space, space.sample(Random(12)))
    expected = JACOV(Probe(network, *batch)), EPE_NAS(Probe(network, *batch))
    network.body.classifier.weight.data *= 2.0**-80
    assert (JACOV(Probe(network, *batch)), EPE_NAS(Probe(network, *batch))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("options", [{"projections": 0}, {"projections": 10_001}, {"batch_size": 1}])
def test_impossible_options_are_told(options: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        JacobianOptions(**options).check()
    JacobianOptions(projections=1).check()
    JacobianOptions(projections=10_000).check()
