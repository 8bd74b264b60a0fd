"""BANANAS against algorithm 1 written out, and against random search."""

from __future__ import annotations

import json
from random import Random
from statistics import mean
from typing import Any

import numpy as np
import pytest

from nas.core.errors import InputError
from nas.search_spaces import DARTS, SPACES, NASBench201, SearchSpace
from nas.strategies import Goal
from nas.strategies.bananas import Bananas, BananasOptions
from nas.strategies.predictors.networks import Networks, NetworksOptions
from nas.strategies.predictors.paths import encode
from nas.strategies.random_search import RandomSearch

GOALS = (Goal("score"),)
WORTH = {"none": 0.0, "skip_connect": 1.0, "avg_pool_3x3": 2.0, "nor_conv_1x1": 3.0, "nor_conv_3x3": 4.0}
SMALL = {"members": 3, "epochs": 15, "layers": 2}


def smooth(arch: Any) -> float:
    """Every edge adds its operation's worth, and edges that meet the output count double."""
    return sum(WORTH[name] * (2 if edge > 2 else 1) for edge, name in enumerate(arch.operations))


def run(strategy: Any, budget: int, score: Any = smooth, ask: int = 10) -> list[Any]:
    proposed: list[Any] = []
    while len(proposed) < budget:
        archs = strategy.ask(ask)
        for arch in archs:
            strategy.tell(arch, {"score": score(arch)})
        proposed += archs
    return proposed


def literal(space: NASBench201, seed: int, steps: int, options: BananasOptions) -> list[str]:
    """Algorithm 1, with the release's candidates, a batch at a time."""
    rng, data, known = Random(seed), [], set()
    while len(data) < options.init:
        arch = space.sample(rng)
        if space.canonical(arch) not in known:
            known.add(space.canonical(arch))
            data.append(arch)
    for _ in range(steps):
        candidates: list[Any] = []
        seen = set(known)
        for parent in sorted(data, key=smooth, reverse=True)[: options.parents]:
            if len(candidates) >= options.candidates:
                break
            for _ in range(options.candidates):
                arch = space.mutate(parent, rng)
                if space.canonical(arch) not in seen:
                    seen.add(space.canonical(arch))
                    candidates.append(arch)
        model = Networks(rng.getrandbits(32), options.networks())
        model.fit(encode(space, [space.canonical(a) for a in data]), np.array([smooth(a) for a in data]))
        average, sd = model.predict(encode(space, [space.canonical(a) for a in candidates]))
        draws = np.random.default_rng(rng.getrandbits(64)).normal(average, sd)
        chosen = [candidates[i] for i in sorted(range(len(draws)), key=lambda i: -draws[i])[: options.batch]]
        data += chosen
        known |= {space.canonical(arch) for arch in chosen}
    return [str(arch) for arch in data]


@pytest.mark.landing
@pytest.mark.parametrize("ask", [10, 1, 5])
def test_it_is_algorithm_1(ask: int) -> None:
    space, options = NASBench201(), BananasOptions(**SMALL)
    for seed in range(2):
        got = run(Bananas(space, GOALS, seed, options), 60, ask=ask)
        assert [str(arch) for arch in got] == literal(space, seed, 5, options)


@pytest.mark.slow
def test_it_finds_better_cells_than_random_search() -> None:
    space, margins, found = NASBench201(), [], 0
    for seed in range(4):
        best = max(map(smooth, run(Bananas(space, GOALS, seed), 100)))
        margins.append(best - max(map(smooth, run(RandomSearch(space, GOALS, seed), 100))))
        found += best == smooth(space.largest())
    assert min(margins) > 0  # paired by seed
    assert mean(margins) >= 3
    assert found >= 3


def test_its_options_are_those_of_the_networks_by_their_names() -> None:
    options = BananasOptions(members=2, layers=3, width=4, epochs=5)
    assert options.networks() == NetworksOptions(members=2, layers=3, width=4, epochs=5)


@pytest.mark.parametrize("random", [0, 7])
def test_random_candidates_are_added_to_the_mutations(random: int) -> None:
    strategy = Bananas(DARTS(), GOALS, 0, BananasOptions(init=5, candidates=30, random=random, parents=1, **SMALL))
    told = run(strategy, 5, lambda arch: sum(map(ord, str(arch))) % 101, ask=5)
    best = strategy._ranking()[0]
    assert best in told
    near = set(map(strategy.space.canonical, strategy.space.neighbors(best)))
    candidates, features = strategy._candidates()
    others = [arch for arch in candidates if strategy.space.canonical(arch) not in near]
    assert len(others) == random, "of 10¹⁸, none is a neighbour"
    assert 20 <= len(candidates) - random <= 30
    assert len(features) == len(candidates)


def test_no_class_is_asked_twice() -> None:
    space = NASBench201()
    for ask in (7, 40):
        got = run(Bananas(space, GOALS, 0, BananasOptions(random=20, **SMALL)), 120, ask=ask)
        assert len({space.canonical(arch) for arch in got}) == len(got)


def test_lower_is_better_is_the_mirror_image() -> None:
    space, options = NASBench201(), BananasOptions(**SMALL)
    down = run(Bananas(space, (Goal("score", False),), 0, options), 30, lambda arch: -smooth(arch))
    assert down == run(Bananas(space, GOALS, 0, options), 30)


@pytest.mark.landing
def test_it_is_restored_in_the_middle_of_a_batch(space: SearchSpace) -> None:
    options = BananasOptions(init=6, batch=7, candidates=20, **SMALL)
    whole = Bananas(space, GOALS, 2, options)
    worth = lambda arch: sum(map(ord, str(arch))) % 101  # noqa: E731
    run(whole, 24, worth, ask=4)
    archs = whole.ask(4)
    assert whole.queue
    whole.tell(archs[0], None)
    again = Bananas(space, GOALS, 9, options)
    again.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    for arch in archs[1:]:
        for strategy in (whole, again):
            strategy.tell(arch, {"score": worth(arch)})
    assert run(whole, 20, worth, ask=4) == run(again, 20, worth, ask=4)


def test_an_exhausted_space_still_answers() -> None:
    class Few(NASBench201):
        """Cells of one edge."""

        def sample(self, rng: Random) -> Any:
            return self.largest().replace(0, rng.choice(["none", "skip_connect", "nor_conv_1x1"]))

        def mutate(self, arch: Any, rng: Random) -> Any:
            return self.sample(rng)

    got = run(Bananas(Few(), GOALS, 0, BananasOptions(init=2, candidates=5, **SMALL)), 30, ask=5)
    assert len({str(arch) for arch in got}) == 3


def test_a_space_without_cells_is_told() -> None:
    class Settings:
        def sample(self, rng: Random) -> int:
            return rng.randrange(5)

    with pytest.raises(InputError, match="Settings has no edges"):
        Bananas(Settings(), GOALS, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"init": 0}, {"batch": 0}, {"random": -1}, {"members": 0}, {"longest": 0}])
def test_impossible_options_are_told(options: dict[str, int]) -> None:
    (key,) = options
    with pytest.raises(InputError, match=f"{key} >= "):
        BananasOptions(**options).check()


def test_what_is_no_cell_is_encoded_by_its_features() -> None:
    space = SPACES.get("nds-resnext-a")()
    strategy = Bananas(space, GOALS, 0, BananasOptions(**SMALL))
    archs = space.draw(3)
    assert not space.cells
    assert np.array_equal(strategy._features(archs), np.stack([space.features(arch) for arch in archs]))
