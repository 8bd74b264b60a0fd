"""Networks whose logits do not depend on the image: no search finds one, and no forecast measures one."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import pytest
from unconnected import ALIVE, DEAD, NOTHING, SPACE, built, outcomes, problem

from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.core.storage.memory import InMemoryStore
from nas.objectives.constant_logits import REASON
from nas.runs.stages.context import Worker
from nas.search_spaces import DARTS
from nas.searches.loop import Search
from nas.searches.problem import SearchProblem
from nas.searches.search_cost import FORECAST_CELLS, feasible
from nas.searches.search_stage import random_peer
from nas.settings.schema import from_values


@pytest.fixture
def labels(tmp_path: Path) -> str:
    rng, path = Random(0), tmp_path / "labels.csv"
    archs = list(dict.fromkeys(str(SPACE.sample(rng)) for _ in range(30)))
    path.write_text("arch,accuracy\n" + "".join(f"{arch},{arch.count('conv')}\n" for arch in archs))
    return f"predicted.labels={path}"


@pytest.mark.parametrize(
    "objective", ["grad_norm:min", "croze", "params:min", "flops+jacob_fro", "latency", "predicted", "latency+params"]
)
def test_a_search_tells_it_as_a_failure_before_anything_is_built(
    objective: str, labels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = built(monkeypatch)
    found = outcomes(problem(f"objective={objective}", labels), DEAD, ALIVE, NOTHING)
    assert found[DEAD] == found[NOTHING] == REASON
    assert isinstance(found[ALIVE], dict)
    assert set(cells) <= {ALIVE}


@pytest.mark.parametrize("objective", ["clean", "fgsm@1:min+clean", "clean+trained:fgsm", "trained:clean"])
def test_columns_of_tables_and_short_trainings_know_its_worth(objective: str, data_dir: Path) -> None:
    of = problem(f"objective={objective}", f"tables.robustness={data_dir / 'robustness-dataset'}")
    assert of.is_candidate(DEAD)
    if "trained" not in objective:
        found = outcomes(of, DEAD)[DEAD]
        assert isinstance(found, dict)
        assert found["clean"] == pytest.approx(0.1)


@pytest.mark.parametrize("objective", ["clean+croze", "clean+params:min", "trained:clean+latency"])
def test_one_other_metric_is_enough(objective: str, data_dir: Path) -> None:
    of = problem(f"objective={objective}", f"tables.robustness={data_dir / 'robustness-dataset'}")
    assert outcomes(of, DEAD) == {DEAD: REASON}


def test_the_network_that_would_be_trained_counts_as_well_as_the_scored_one() -> None:
    """This genotype is connected at a depth of 5 and not at 8; one network with a depth of 8 excludes it."""
    normal, reduce = [("skip_connect", 0), ("none", 1)] * 4, [("none", 0), ("none", 1)] * 4
    text = f"Genotype(normal={normal}, normal_concat=range(2, 6), reduce={reduce}, reduce_concat=range(2, 6))"
    text = str(DARTS().canonical(DARTS().parse(text)))

    def is_candidate(trained: int, scored: int, objective: str) -> bool:
        sizes = [f"model.cells={trained}", f"scoring.cells={scored}", f"objective={objective}"]
        values = from_values({}, ["space=darts", "device=cpu", *sizes])
        return SearchProblem(Worker(values, None)).is_candidate(text)

    assert is_candidate(5, 5, "croze")
    assert not is_candidate(8, 5, "croze")
    assert not is_candidate(5, 8, "croze")
    assert is_candidate(5, 8, "params:min")  # this objective scores no network
    assert not is_candidate(8, 5, "params:min")


@pytest.mark.landing
@pytest.mark.parametrize("objective", ["grad_norm:min", "jacob_fro", "params:min"])
def test_it_never_wins_and_counts_against_the_budget(objective: str) -> None:
    looking = problem(f"objective={objective}", "strategy.name=random")
    store = InMemoryStore()
    search = Search(looking, 40, 10, store)
    while not search.finished:
        search.step()
    result = search.result(objective)
    dead = [one for one in store.history() if not SPACE.connected(SPACE.parse(one.key))]
    assert dead
    assert {one.failure for one in dead} == {REASON}
    assert (result.evaluated, result.failed) == (40, len(dead))
    assert all(SPACE.connected(SPACE.parse(found.arch)) for found in result.top)


LIMITED = "search.constraints=[latency<=1000000]"


@pytest.mark.landing
def test_a_limit_on_measured_latency_builds_none(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = built(monkeypatch)
    looking = problem("objective=params:min", LIMITED, "strategy.name=random", "model.channels=1", "latency.repeats=1")
    store = InMemoryStore()
    search = Search(looking, 60, 60, store)
    search.step()
    assert REASON in [one.failure for one in store.history()]
    assert cells
    assert all(SPACE.connected(SPACE.parse(cell)) for cell in cells)
    peer(looking, "|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|", 3)
    assert all(SPACE.connected(SPACE.parse(cell)) for cell in cells)


def test_a_limit_that_is_known_comes_first() -> None:
    """An architecture that the constraints exclude is not a failure, and does not make an older run invalid."""
    older = problem("search.constraints=[params>=99%, latency<=1000000]", older="0.1.0")
    assert not older.allow(SPACE.parse(DEAD))


def test_what_a_strategy_asks_beside_the_objective_has_no_value_either(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = f"tables.robustness={data_dir / 'robustness-dataset'}"
    archs = [SPACE.parse(DEAD), SPACE.parse(ALIVE)]
    cells = built(monkeypatch)
    cheap = problem("objective=clean", table, "search.cheap=grad_norm:min", "strategy.name=warmup-move")
    dead, alive = cheap._cheap(archs)
    assert dead is None
    assert alive is not None
    features = problem("objective=clean", table, "search.features=[jacob_fro,params]", "strategy.name=guided")
    (of_dead, weights), (of_alive, _) = features._features(archs).tolist()
    assert np.isnan(of_dead)
    assert of_alive > 0
    assert weights > 0
    assert DEAD not in cells


def test_a_forecast_times_candidates() -> None:
    """Many cells that are as small as this one have no path."""
    limit = problem().worker.trained.cost(SPACE.parse(NOTHING)).params
    looked = problem("objective=jacov", f"search.constraints=[params<={limit}]")
    drawn = list(islice(looked.sample(Random(0), 5000), 100))
    assert not all(map(SPACE.connected, drawn))
    found = feasible(looked.worker)
    assert len(found) == FORECAST_CELLS
    assert all(SPACE.connected(SPACE.parse(text)) for text in found)


def peer(of: SearchProblem, best: str, seed: int) -> str:
    return random_peer(of, best, seed, Path("a-run"))


def test_the_random_peer_is_never_one_and_else_the_one_of_before() -> None:
    new, older = problem(), problem(older="0.1.0")
    best = "|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    cost = new.worker.trained.cost
    size = cost(SPACE.parse(best)).params
    passed_over = 0
    for seed in range(60):
        drawn = new.sample(Random(derive(seed, "random cell")), 100_000)
        first = next(arch for arch in drawn if str(arch) != best and abs(cost(arch).params - size) <= 0.1 * size)
        found = peer(new, best, seed)
        assert SPACE.connected(SPACE.parse(found))
        if SPACE.connected(first):
            assert found == str(first) == peer(older, best, seed)
        else:
            passed_over += 1
            with pytest.raises(InputError, match=r"a-run was begun by version 0\.1\.0, .* its random cell"):
                peer(older, best, seed)
    assert passed_over > 0
