"""The space of Eproxy's settings: strings, mutation, and what is impossible in it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from math import prod
from random import Random

import pytest

from nas.core import config
from nas.core.errors import InputError
from nas.strategies import Goal
from nas.strategies.evolution import Evolution, EvolutionOptions
from nas.strategies.proxies.eproxy.genes import OF_A_STAGE, SHARED, Genes
from nas.strategies.proxies.eproxy.settings import EproxyOptions


def test_strings_are_inverse_and_points_are_hashable() -> None:
    rng, space = Random(0), Genes()
    points = [space.sample(rng) for _ in range(200)]
    assert [space.parse(str(point)) for point in points] == points
    assert len({*points}) > 190
    assert {len(point.stages) for point in points} == {1, 2, 3}


def test_every_point_is_a_valid_setting_with_a_feature() -> None:
    rng, space = Random(1), Genes()
    for _ in range(50):
        options = config.checked(asdict(space.sample(rng).options(EproxyOptions())), EproxyOptions)
        assert all(options.features)


def test_options_are_a_point_where_their_values_are_those_of_genes() -> None:
    rng, space = Random(5), Genes()
    for point in (space.sample(rng) for _ in range(50)):
        assert space.of(config.checked(asdict(point.options(EproxyOptions())), EproxyOptions)) == point
    plain = space.of(EproxyOptions())
    assert plain is not None
    assert len(plain.stages) == 3
    assert space.of(EproxyOptions(lr=0.33)) is None
    assert space.of(EproxyOptions(features=["dot+net"])) is None


def test_there_are_as_many_settings_as_is_said() -> None:
    """Shared genes 11·5·5·11; of a stage 3·3·6·31·4, in one, two or three stages."""
    of_a_stage = prod(map(len, OF_A_STAGE.values()))
    settings = prod(map(len, SHARED.values())) * (of_a_stage + of_a_stage**2 + of_a_stage**3)
    assert settings == 3025 * (6696 + 6696**2 + 6696**3)
    assert f"{settings:.2g}".replace("e+", "e") in (Genes.__doc__ or "")


def test_the_genes_have_the_values_of_the_paper() -> None:
    """Li et al., ICCV 2023, section 2.2; `default`, torch's own initialisation, is ours. So many stages as 1 to 3."""
    inits = ("default", "kaiming_normal", "kaiming_uniform", "xavier_normal", "xavier_uniform")
    assert {
        "lr": (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5),
        "init": inits,
        "barrier_init": inits,
        "alpha": (-0.5, -0.4, -0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5),
    } == SHARED
    features = ("net", "sine_low", "sine_mid", "sine_high", "dot")
    subsets = {"+".join(name for bit, name in enumerate(features) if mask >> bit & 1) for mask in range(1, 32)}
    assert {name: set(values) for name, values in OF_A_STAGE.items()} == {
        "transform": {1, 3, 7},
        "barrier": {1, 3, 7},
        "c_mid": {16, 32, 64, 128, 256, 512},
        "features": subsets,
        "coefficient": {0.5, 1.0, 1.5, 2.0},
    }


def test_the_number_of_stages_is_a_gene_too() -> None:
    """Drawn from 1, 2 and 3; a mutation draws it anew with probability .2, cuts the last stages off or adds some."""
    rng, space = Random(7), Genes()
    drawn = Counter(len(space.sample(rng).stages) for _ in range(3000))
    assert [drawn[number] / 3000 for number in (1, 2, 3)] == pytest.approx([1 / 3] * 3, abs=0.04)
    for number in (1, 2, 3):
        parent = space.sample(rng)
        while len(parent.stages) != number:
            parent = space.sample(rng)
        children = Counter(len(space.mutate(parent, rng).stages) for _ in range(3000))
        for other in {1, 2, 3} - {number}:
            assert children[other] / 3000 == pytest.approx(0.2 / 3, abs=0.02)


def test_every_value_of_every_gene_comes_up() -> None:
    rng, space = Random(2), Genes()
    point = space.sample(rng)
    found: dict[str, set[object]] = {name: set() for name in (*SHARED, *OF_A_STAGE)}
    for _ in range(1500):
        point = space.mutate(point, rng)
        for name in SHARED:
            found[name].add(getattr(point, name))
        for name in OF_A_STAGE:
            found[name] |= {getattr(stage, name) for stage in point.stages}
    assert found == {name: set(values) for name, values in (SHARED | OF_A_STAGE).items()}


def test_mutation_leaves_the_parent_alone_and_is_never_equal_to_it() -> None:
    rng, space = Random(3), Genes()
    for _ in range(300):
        parent = space.sample(rng)
        text = str(parent)
        child = space.mutate(parent, rng)
        assert child != parent
        assert str(parent) == text


def test_a_neighbor_differs_in_one_gene() -> None:
    rng, space = Random(6), Genes()
    start = space.sample(rng)
    while len(start.stages) != 2:
        start = space.sample(rng)
    for other in (space.neighbor(start, rng) for _ in range(300)):
        shared = sum(getattr(other, name) != getattr(start, name) for name in SHARED)
        pairs = list(zip(start.stages, other.stages))
        own = sum(getattr(a, name) != getattr(b, name) for a, b in pairs for name in OF_A_STAGE)
        assert shared + own + (len(start.stages) != len(other.stages)) == 1
        assert space.parse(str(other)) == other


def test_a_gene_is_resampled_with_probability_a_fifth() -> None:
    rng, space = Random(4), Genes()
    parent = space.sample(rng)
    changed = sum(space.mutate(parent, rng).lr != parent.lr for _ in range(3000)) / 3000
    assert changed == pytest.approx(0.2 * 10 / 11, abs=0.04)  # children equal to the parent are drawn again


def test_evolution_takes_it_and_continues_the_same_after_a_stop() -> None:
    def told(evolution: Evolution, count: int) -> list[str]:
        texts = []
        for _ in range(count):
            (point,) = evolution.ask(1)
            evolution.tell(point, {"rho": point.lr})
            texts.append(str(point))
        return texts

    space, goal, options = Genes(), (Goal("rho"),), EvolutionOptions(6, 3)
    whole = told(Evolution(space, goal, 1, options), 40)
    first, second = Evolution(space, goal, 1, options), Evolution(space, goal, 2, options)
    start = told(first, 15)
    second.load_state_dict(first.state_dict())
    assert start + told(second, 25) == whole
    assert Genes().parse(whole[-1]).lr > 1.2  # it climbs


@pytest.mark.parametrize(
    "text",
    ["", "lr=1.2", "lr=1.2 | transform=1", "lr=9 init=kaiming_normal barrier_init=kaiming_normal alpha=0.0 | x=1"],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="Expected"):
        Genes().parse(text)


def test_values_outside_the_genes_are_refused() -> None:
    text = str(Genes().sample(Random(0)))
    for old, new in (("lr=", "lr=7"), ("features=", "features=nothing+"), ("c_mid=", "c_mid=9")):
        with pytest.raises(InputError, match="Expected"):
            Genes().parse(text.replace(old, new, 1))
