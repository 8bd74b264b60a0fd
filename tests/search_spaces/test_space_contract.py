"""What every registered search space must do."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from itertools import islice, pairwise
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from cutting import cut, each_cut, nothing
from families import one_per_family
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jacobian import depends_on_the_image
from slowly import slow_but
from torch import nn

from nas.core.errors import InputError
from nas.search_spaces import SPACES, Network, SearchSpace
from nas.search_spaces.supernet import Supernet

FEWER_MACS = ("transnas-macro",)  # whose network with the most weights is not that with the most MACs
MALFORMED = [
    "",
    " ",
    "|",
    "Genotype",
    "()",
    "{}",
    "[]",
    "nonsense",
    "[" * 100_000,
    "{" * 5_000,
    "\x00",
    "a\nb",
]


EXPENSIVE = pytest.mark.parametrize("space", one_per_family(), indirect=True)


def weights(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_both_built_in_spaces_register_by_being_there() -> None:
    assert {"nasbench201", "darts"} <= set(SPACES.names())


# points


@hypothesis_settings(deadline=None)  # some spaces make a table at the first draw
@given(st.sampled_from(SPACES.names()), st.integers(min_value=0))
def test_parse_and_str_are_inverse(name: str, seed: int) -> None:
    space = SPACES.get(name)()
    arch = space.sample(Random(seed))
    assert space.parse(str(arch)) == arch
    assert space.parse(f"\n {arch} ") == arch
    assert str(space.parse(str(arch))) == str(arch)


@pytest.mark.parametrize("text", MALFORMED, ids=lambda text: repr(text[:12]))
def test_malformed_text_is_told_in_one_line(space: SearchSpace, text: str) -> None:
    with pytest.raises(InputError, match=r"Expected .* but got .*; ") as caught:
        space.parse(text)
    assert "\n" not in str(caught.value)


def test_architectures_are_frozen_and_hashable(space: SearchSpace, archs: list[Any]) -> None:
    again = [space.parse(str(arch)) for arch in archs]
    assert {hash(arch) for arch in again} == {hash(arch) for arch in archs}
    assert len(set(archs) | set(again)) == len(set(archs))
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(archs[0], dataclasses.fields(archs[0])[0].name, None)


def test_the_same_seed_draws_the_same(space: SearchSpace) -> None:
    def draw(seed: int) -> list[str]:
        rng = Random(seed)
        archs = [space.sample(rng) for _ in range(5)]
        return [str(arch) for arch in archs + [space.mutate(arch, rng) for arch in archs]]

    assert draw(3) == draw(3)
    assert draw(3) != draw(4)


def test_sampling_uses_no_other_randomness(space: SearchSpace) -> None:
    import random

    before = random.getstate(), torch.random.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]
    space.mutate(space.sample(Random(0)), Random(0))
    assert before[0] == random.getstate()
    assert torch.equal(before[1], torch.random.get_rng_state())
    assert np.array_equal(before[2], np.random.get_state()[1])  # type: ignore[index]


def test_mutation_gives_a_neighbor_and_leaves_the_parent_alone(space: SearchSpace, archs: list[Any]) -> None:
    rng = Random(1)
    for arch in archs:
        text, neighbors = str(arch), set(space.neighbors(arch))
        children = [space.mutate(arch, rng) for _ in range(30)]
        assert str(arch) == text
        assert arch not in children
        assert set(children) <= neighbors
        assert len(set(children)) > 5


def test_every_neighbor_can_be_a_mutant(space: SearchSpace, archs: list[Any]) -> None:
    rng = Random(2)
    assert {space.mutate(archs[0], rng) for _ in range(5000)} == set(space.neighbors(archs[0]))


def test_neighbors_are_distinct_valid_and_mutual(space: SearchSpace, archs: list[Any]) -> None:
    for arch in archs[:5]:
        neighbors = list(space.neighbors(arch))
        assert len(set(neighbors)) == len(neighbors) > 0
        assert arch not in neighbors
        assert neighbors == list(space.neighbors(arch))
        for neighbor in neighbors[:: max(1, len(neighbors) // 40)]:
            assert space.parse(str(neighbor)) == neighbor
            assert arch in space.neighbors(neighbor)


def test_canonical_is_idempotent(space: SearchSpace, archs: list[Any]) -> None:
    forms = [space.canonical(arch) for arch in archs]
    assert [space.canonical(form) for form in forms] == forms
    assert [space.parse(str(form)) for form in forms] == forms


@EXPENSIVE
def test_connected_is_what_the_jacobian_says(space: SearchSpace, archs: list[Any], sizes: list[dict[str, Any]]) -> None:
    """Of drawn cells, of those with one operation less, and of ever fewer operations until `none` is everywhere."""
    rng = Random(3)
    points = [*archs[:2], *each_cut(space, archs[2])[::3]]
    for arch in archs[3:5]:
        points += cut(space, arch, rng)[::2]
    points += [none] if (none := nothing(space)) is not None else []
    for arch in points:
        settings = rng.choice(sizes)
        expected = depends_on_the_image(space, arch, **settings)
        assert space.connected(arch, **settings) is expected, f"{arch} at {settings}"


def test_connected_is_a_matter_of_the_class_and_of_what_is_cut(space: SearchSpace, archs: list[Any]) -> None:
    """Isomorphic cells agree, and what is cut off stays so; nothing at all is the end of it."""
    rng = Random(4)
    for arch in archs:
        before = space.connected(arch)
        for step in cut(space, arch, rng):
            now = space.connected(step)
            assert now <= before
            assert space.connected(space.canonical(step)) is now
            before = now
        assert not cut(space, arch, rng) or not before
    if (none := nothing(space)) is not None:
        for settings in (vars(space.Settings()), vars(space.ScoringSettings())):
            assert not space.connected(none, **settings)
    assert space.connected(space.largest())


def test_connected_takes_the_keywords_of_build(space: SearchSpace, archs: list[Any]) -> None:
    """So every network that is scored or trained can be asked about; `space.connected(arch)` is about the default."""
    before = torch.random.get_rng_state()
    for settings in (vars(space.Settings()), vars(space.ScoringSettings())):
        for arch in archs:
            assert isinstance(space.connected(arch, **settings), bool)
    assert [space.connected(arch) for arch in archs] == [space.connected(a, **vars(space.Settings())) for a in archs]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_iteration_is_lazy_and_distinct(space: SearchSpace) -> None:
    first = list(islice(space, 500))
    assert len(set(first)) == 500 <= space.__len__()  # len() itself fails beyond 2^63
    assert first == list(islice(space, 500))
    assert first[0] == space.parse(str(first[0]))


def test_no_sample_costs_more_than_the_largest(space: SearchSpace, archs: list[Any]) -> None:
    largest = space.cost(space.largest())
    for arch in [*archs, *space.neighbors(space.largest())]:
        cost = space.cost(arch)
        assert cost.params <= largest.params
        assert cost.macs <= largest.macs or space.name in FEWER_MACS


# networks


def test_settings_are_the_keywords_of_build(space: SearchSpace) -> None:
    parameters = inspect.signature(space.build).parameters
    defaults = {name: parameters[name].default for name in vars(space.Settings())}
    assert vars(space.Settings()) == defaults
    assert set(parameters) - set(defaults) == {"arch", "num_classes", "mean", "std"}
    assert vars(space.ScoringSettings()).keys() <= defaults.keys()
    costs = inspect.signature(space.cost).parameters
    assert {name: costs[name].default for name in defaults} == defaults
    space.Settings().check()
    space.ScoringSettings().check()


def test_defaults_are_those_of_the_contract(space: SearchSpace) -> None:
    black_to_white = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}  # images are left as they are
    for kind in (SearchSpace, type(space)):
        assert inspect.signature(kind.build).parameters["num_classes"].default == 10
        assert inspect.signature(kind.cost).parameters["num_classes"].default == 10
        assert inspect.signature(kind.cost).parameters["image_size"].default == 32
        given = inspect.signature(kind.supernet).parameters
        assert given["num_classes"].default == 10
        assert {name: given[name].default for name in black_to_white} == black_to_white
    for network in (Network, Supernet):
        given = inspect.signature(network).parameters
        assert {name: given[name].default for name in black_to_white} == black_to_white


def test_impossible_settings_are_refused(space: SearchSpace, archs: list[Any]) -> None:
    for settings in {space.Settings, space.ScoringSettings}:
        for field in dataclasses.fields(settings):
            value = getattr(settings(), field.name)
            if isinstance(value, bool):
                continue
            for bad in (0, -1, 10**6) if isinstance(value, int) else ("no such thing",):
                wrong: dict[str, Any] = {field.name: bad}
                with pytest.raises(InputError, match=r"Expected .* but got .*; "):
                    settings(**wrong).check()
                with pytest.raises(InputError):
                    space.build(archs[0], **wrong)


@pytest.mark.parametrize("image_size", slow_but([8, 13, 32], {13}))
def test_cost_is_exact(
    space: SearchSpace,
    archs: list[Any],
    sizes: list[dict[str, Any]],
    image_size: int,
    count_macs: Callable[[Network, int], int],
) -> None:
    for settings in sizes:
        for num_classes, arch in zip((2, 10, 7, 100), [space.largest(), *archs]):
            network = space.build(arch, num_classes, **settings)
            cost = space.cost(arch, num_classes, image_size=image_size, **settings)
            assert cost.params == weights(network)
            assert cost.macs == count_macs(network, image_size)


@EXPENSIVE
def test_default_size_costs_what_is_built(space: SearchSpace, archs: list[Any]) -> None:
    assert space.cost(archs[0]).params == weights(space.build(archs[0]))


@EXPENSIVE
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(16, 16), (9, 14)])
def test_forward_backward_and_stages(
    space: SearchSpace,
    archs: list[Any],
    sizes: list[dict[str, Any]],
    training: bool,
    shape: tuple[int, int],
) -> None:
    for settings, arch in zip(sizes, archs):
        torch.manual_seed(0)
        network = space.build(arch, 6, **settings).train(training)
        x = torch.rand(2, 3, *shape)
        logits = network(x)
        assert logits.shape == (2, 6)
        stages = network.stages(x)
        assert len(stages) >= 4  # the stem and at least three stages
        for before, after in pairwise(stages[1:]):
            half = torch.Size(-(-side // 2) for side in before.shape[2:])
            assert after.shape[2:] in (half, before.shape[2:])
            assert after.shape[2:] == half or space.name not in ("nasbench201", "darts")
        torch.testing.assert_close(network.body.head(stages[-1]), logits)
        torch.testing.assert_close(network.with_auxiliary(x)[0], logits)
        logits.sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


@EXPENSIVE
def test_the_network_holds_its_normalisation(space: SearchSpace, archs: list[Any], sizes: list[dict[str, Any]]) -> None:
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.5)
    network = space.build(archs[0], **sizes[0], mean=mean, std=std).eval()
    x = torch.rand(2, 3, 16, 16)
    normalised = torch.stack([(x[:, c] - mean[c]) / std[c] for c in range(3)], dim=1)
    torch.testing.assert_close(network(x), network.body(normalised))
    torch.testing.assert_close(network.with_auxiliary(x)[0], network(x))
    torch.testing.assert_close(network.stages(x)[-1], network.body.stages(normalised)[-1])
    assert not torch.allclose(network.stages(x)[0], network.body.stages(x)[0])


@EXPENSIVE
def test_initialisation_follows_the_global_seed(
    space: SearchSpace, archs: list[Any], sizes: list[dict[str, Any]]
) -> None:
    def state(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        network = space.build(archs[0], **sizes[0])
        return torch.cat([parameter.flatten() for parameter in network.parameters()])

    assert torch.equal(state(1), state(1))
    assert not torch.equal(state(1), state(2))


# features and drawing


def test_features_are_finite_named_and_tell_cells_apart(space: SearchSpace, archs: list[Any]) -> None:
    names = space.feature_names()
    assert len(set(names)) == len(names) < 400
    vectors = [space.features(arch) for arch in archs]
    for vector in vectors:
        assert vector.shape == (len(names),)
        assert vector.dtype == np.float32
        assert np.isfinite(vector).all()
    assert len({vector.tobytes() for vector in vectors}) >= len({space.canonical(arch) for arch in archs})


def test_edges_are_the_operations_of_the_string(space: SearchSpace, archs: list[Any]) -> None:
    for arch in archs:
        edges = [edge for cell in space.edges(arch).values() for edge in cell]
        assert len(set(edges)) <= len(edges)
        assert all(source != target for source, target, _ in edges)
        drawn = sorted(operation for _, _, operation in edges if operation not in ("concat", "projection"))
        assert drawn or not space.connected(arch)
        words = (
            word
            for word in re.findall(r"[a-z]+_[a-z]+\w*|conv_\dx\w+|none|conv\dx\d-bn-relu|maxpool3x3", str(arch))
            if word not in ("none", "drop_prob") and not word.endswith("_concat")
        )
        digits = space.name.startswith("transnas")  # say what the operations are
        assert digits or not space.cells or drawn == sorted(words)


@pytest.mark.parametrize("name", SPACES.names())
def test_a_text_in_place_of_an_architecture_is_told(name: str) -> None:
    space = SPACES.get(name)()
    text = str(space.largest())
    expected = rf"^Expected an architecture of {re.escape(name)} but got the text .*space\.parse"
    for method in (space.cost, space.build, space.features, space.canonical):
        with pytest.raises(InputError, match=expected):
            method(text)  # type: ignore[operator]
