"""Networks whose logits do not depend on the image: no search finds one, and older runs do not go on with theirs."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import result_factory

from nas.commands import command_of
from nas.commands.train import Train
from nas.core.errors import InputError, NasError
from nas.core.execution.executor import Executor
from nas.core.seeds import derive
from nas.core.storage.base import Store, TaskResult
from nas.core.storage.memory import InMemoryStore
from nas.core.storage.sqlite import SqliteStore
from nas.objectives.connected import NEVER_VALUED, REASON, SINCE
from nas.objectives.network_spec import NetworkSpec
from nas.objectives.notation import builds
from nas.results import SearchResult
from nas.runs import run_folder as run_module
from nas.runs.run_folder import create, reopen
from nas.runs.stages.context import Watcher, Worker
from nas.scoring.loop import Scored, ScoreWorker, score
from nas.scoring.rows import RowFile
from nas.search_spaces import DARTS, NASBench201
from nas.search_spaces.architecture_source import ArchitectureSource
from nas.searches import dps, supernet_stage
from nas.searches.dps_losses import BASELINE, LossTask, LossWorker
from nas.searches.loop import Search
from nas.searches.problem import SearchProblem
from nas.searches.search_cost import FORECAST_CELLS, feasible
from nas.searches.search_stage import random_peer
from nas.settings.schema import from_values
from nas.strategies.proxies import PROXIES
from nas.strategies.supernet.base import DerivedArchitecture

SPACE = NASBench201()
DEAD = str(SPACE.canonical(SPACE.parse("|none~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|none~2|")))
NOTHING = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
ALIVE = str(SPACE.canonical(SPACE.parse("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|")))
SMALL = (
    *("device=cpu", "data.size=8", "model.channels=4", "model.cells_per_stage=1", "scoring.channels=2"),
    *("scoring.cells_per_stage=1", "executor.workers=1", "proxies.eproxy.c_mid=4", "proxies.eproxy.c_out=3"),
    *("proxies.eproxy.batch_size=4", "proxies.grad_norm.batch_size=8", "proxies.jacob_fro.batch_size=8"),
)


def settings(*overrides: str) -> Any:
    return from_values({"name": "test"}, [*SMALL, *overrides])


def problem(*overrides: str, kept: Store | None = None, older: str | None = None) -> SearchProblem:
    worker = Worker(settings(*overrides), Path("a-run"))
    worker.open_store = None
    return SearchProblem(worker, kept, Executor(worker, 1, 1), older)


def outcomes(of: SearchProblem, *keys: str) -> dict[str, str | dict[str, float]]:
    """Of each architecture its metrics, or why there are none."""
    return {done.key: done.failure or done.result or {} for done in of.evaluate(keys, lambda: None)}


def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The cells of which networks are built from here on."""
    cells: list[str] = []
    build = NASBench201.build

    def noted(self: NASBench201, arch: Any, *args: Any, **others: Any) -> Any:
        cells.append(str(arch))
        return build(self, arch, *args, **others)

    monkeypatch.setattr(NASBench201, "build", noted)
    return cells


# which objectives


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
    """This genotype is connected at a depth of 5 and not at 8: whichever network is the deeper one, it is no find."""
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
    assert is_candidate(5, 8, "params:min")  # for which no network is scored
    assert not is_candidate(8, 5, "params:min")


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
    """What the limits forbid is no failure, and says nothing of an older run."""
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
    """Of the cells as small as this one many have no path."""
    limit = problem().worker.trained.cost(SPACE.parse(NOTHING)).params
    looked = problem("objective=jacov", f"search.constraints=[params<={limit}]")
    drawn = list(islice(looked.sample(Random(0), 5000), 100))
    assert not all(map(SPACE.connected, drawn))
    found = feasible(looked.worker)
    assert len(found) == FORECAST_CELLS
    assert all(SPACE.connected(SPACE.parse(text)) for text in found)


# the random peer


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
            with pytest.raises(InputError, match=r"a-run, whose random cell it is, was begun by version 0\.1\.0"):
                peer(older, best, seed)
    assert passed_over > 0


# older runs


class Stopped(Exception):
    pass


class StopAt(Watcher):
    def __init__(self, evaluated: int) -> None:
        self.evaluated = evaluated

    def update(self, done: float, note: str) -> None:
        if done >= self.evaluated:
            raise Stopped


def version(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(run_module, "__version__", text)


SEARCH = (
    *("objective=grad_norm:min", "strategy.population=6", "strategy.tournament=3", "search.budget=16", "search.ask=4"),
    "search.constraints=[params>=60%]",  # where all cells have a path
)


def numbers(result: Any) -> Any:
    return result.top, result.evaluated, result.failed


@pytest.mark.parametrize(
    ("began", "now", "expected"),
    [
        ("0.1.0", "0.2.0", "0.1.0"),
        ("0.1.9", "0.10.0", "0.1.9"),
        ("0.1.0", "0.1.0", None),  # of one's own
        ("0.2.0", "0.3.0", None),
        ("0.10.0", "0.10.1", None),
        ("0.2.0.dev1", "0.2.0", None),
    ],
)
def test_which_version_began_a_run(
    began: str, now: str, expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version(monkeypatch, began)
    with create("search", settings(f"run.dir={tmp_path / 'run'}")):
        pass
    version(monkeypatch, now)
    with reopen(tmp_path / "run") as run:
        assert run.begun_before(SINCE) == expected


def test_an_older_search_goes_on_to_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version(monkeypatch, "0.1.0")
    with create("search", settings(*SEARCH, f"run.dir={tmp_path / 'whole'}")) as run:
        whole = command_of(run.folder).finish(run, Watcher())
    with create("search", settings(*SEARCH, f"run.dir={tmp_path / 'run'}")) as run, pytest.raises(Stopped):
        command_of(run.folder).finish(run, StopAt(8))
    version(monkeypatch, "0.2.0")
    with reopen(tmp_path / "run") as run:
        assert numbers(command_of(run.folder).finish(run, Watcher())) == numbers(whole)


@pytest.mark.parametrize("told", [True, False])  # in a step under way nothing is told yet
def test_an_older_search_with_such_a_value_is_refused(
    told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version(monkeypatch, "0.1.0")
    with create("search", settings(*SEARCH, f"run.dir={tmp_path / 'run'}")) as run:
        run.store.record(TaskResult(DEAD, {"grad_norm": 0.0}, None, 0.1))
        if told:
            run.store.append_history(DEAD)
    version(monkeypatch, "0.2.0")
    with (
        reopen(tmp_path / "run") as run,
        pytest.raises(InputError, match=r"by version 0\.1\.0.* start a new run"),
    ):
        command_of(run.folder).finish(run, Watcher())


def test_an_older_search_that_had_none_of_it_goes_on(tmp_path: Path) -> None:
    """By jacov, for which there never was one; what is refused is the first that would now be told otherwise."""
    with SqliteStore(tmp_path / "store.sqlite") as store:
        store.record(TaskResult(DEAD, None, "The sum of the logits ...", 0.1))
        older = problem("objective=grad_norm:min", kept=store, older="0.1.0")
        older.check_older()
        assert isinstance(outcomes(older, ALIVE)[ALIVE], dict)
        with pytest.raises(InputError, match=r"begun by version 0\.1\.0"):
            outcomes(older, ALIVE, NOTHING)
        problem("objective=trained:clean", kept=store, older="0.1.0").check_older()


@pytest.mark.parametrize("objective", ["jacov", "params+synflow", "grad_norm+zen", "epe_nas"])
def test_an_older_search_by_what_had_no_value_either_goes_on(objective: str) -> None:
    assert outcomes(problem(f"objective={objective}", older="0.1.0"), DEAD) == {DEAD: REASON}
    table = ("objective=trained:clean", "search.cheap=jacov", "strategy.name=warmup-move")
    assert problem(*table, older="0.1.0")._cheap([SPACE.parse(DEAD)]) == [None]


def test_which_proxies_gave_such_networks_no_value_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each asked for its value as older versions did: without a look at the graph of the cell."""
    monkeypatch.setattr(NetworkSpec, "connected", lambda self, arch: True)
    values = from_values({"name": "test"}, [*SMALL, "data.size=16"])
    names = [name for name in PROXIES.names() if builds(name)]
    scorer = Worker(values, None).scorer(names)
    dead_end = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|none~2|"
    failed = [set(scorer.try_score(text)[1]) for text in (DEAD, NOTHING, dead_end)]
    assert set.intersection(*failed) == NEVER_VALUED


def test_an_older_result_whose_best_is_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version(monkeypatch, "0.1.0")
    with create("run", settings("objective=grad_norm:min", f"run.dir={tmp_path / 'run'}")) as run:
        run.store.put("search/result", result_factory.searched(DEAD).to_json())
    version(monkeypatch, "0.2.0")
    with reopen(tmp_path / "run") as run, pytest.raises(InputError, match=r"begun by version 0\.1\.0"):
        command_of(run.folder).finish(run, Watcher())


def test_training_one_says_so(caplog: pytest.LogCaptureFixture) -> None:
    Train().settings("quickstart", [f"arch='{ALIVE}'"])
    assert not caplog.messages
    Train().settings("quickstart", [f"arch='{DEAD}'", "train.method=standard"])
    (said,) = caplog.messages
    with pytest.raises(InputError, match=r"can be attacked .* do not depend on the image.* train\.method=standard"):
        Train().settings("quickstart", [f"arch='{DEAD}'", "train.method=fgsm"])
    assert said.startswith(f"{DEAD}: The network's logits do not depend on the image")


def test_an_older_searchs_cheap_values_are_looked_at(tmp_path: Path, data_dir: Path) -> None:
    table = f"tables.robustness={data_dir / 'robustness-dataset'}"
    looked = ("objective=clean", table, "search.cheap=grad_norm:min", "strategy.name=warmup-move")
    with SqliteStore(tmp_path / "store.sqlite") as store:
        store.put(f"cheap/params/{DEAD}", [5.0])
        store.put(f"cheap/grad_norm/{NOTHING}", [None])
        older = problem(*looked, kept=store, older="0.1.0")
        older.check_older()
        with pytest.raises(InputError, match=r"begun by version 0\.1\.0"):
            older._cheap([SPACE.parse(DEAD)])
        store.put(f"cheap/grad_norm/{DEAD}", [0.0])
        with pytest.raises(InputError, match=r"begun by version 0\.1\.0"):
            older.check_older()
        problem(*looked, kept=store).check_older()  # a run of this version


# dps


def _dps() -> Any:
    small = {"eproxy": {"batch_size": 4, "c_mid": 4, "c_out": 3, "features": "dot"}}
    scoring = {"channels": 2, "cells_per_stage": 1}
    return from_values({"data": {"size": 8}, "scoring": scoring, "proxies": small, "device": "cpu"}, [])


def test_labelled_ones_have_no_loss(caplog: pytest.LogCaptureFixture) -> None:
    work = LossWorker(_dps(), frozenset([DEAD]))
    assert work(LossTask(DEAD, (BASELINE, BASELINE))) == [REASON, REASON]
    assert not work.losses().probes
    assert isinstance(work(LossTask(ALIVE, (BASELINE,)))[0], float)
    run: Any = SimpleNamespace(settings=_dps(), folder=Path("a-run"), begun_before=lambda version: None)
    dps._check_constant(run, [ALIVE])
    assert not caplog.messages
    dps._check_constant(run, [ALIVE, DEAD, NOTHING])
    (said,) = caplog.messages
    assert said.startswith("2 of the 3 labelled architectures have no loss")


def test_an_older_dps_that_ranked_one_is_refused() -> None:
    run: Any = SimpleNamespace(settings=_dps(), folder=Path("a-run"), begun_before=lambda version: "0.1.0")
    dps._check_constant(run, [ALIVE])
    with pytest.raises(InputError, match=r"a-run was begun by version 0\.1\.0"):
        dps._check_constant(run, [ALIVE, DEAD])


# supernets


def test_a_supernet_that_ends_in_one_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With supernet.allow_none it may; the epochs are not trained again when the run is resumed."""
    done = SimpleNamespace(
        done=True,
        epochs_done=1,
        history=[result_factory.supernet_epoch(ALIVE, val_accuracy=0.1, val_robust_accuracy=0.1)],
        result=lambda: DerivedArchitecture(NOTHING, 1, None),
        load_state_dict=lambda state: None,
    )
    monkeypatch.setattr(supernet_stage, "new_strategy", lambda worker: done)
    tiny = ("strategy.name=rnas-uniform", "supernet.allow_none=true", f"run.dir={tmp_path / 'run'}")
    with create("search", settings(*tiny)) as run:
        for _ in range(2):
            with pytest.raises(NasError, match=r"supernet\.allow_none=false") as caught:
                command_of(run.folder).finish(run, Watcher())
            assert REASON in str(caught.value)
            assert caught.value.exit_code == 1
        assert not (tmp_path / "run" / "result.json").exists()
        done.result = lambda: DerivedArchitecture(ALIVE, 1, None)
        found = command_of(run.folder).finish(run, Watcher())
        assert isinstance(found, SearchResult)
        assert found.best.arch == ALIVE


# files of scores


class Before(ScoreWorker):
    """Scores as an older version gave them, and as this one does."""

    def __init__(self, dead: bool) -> None:
        super().__init__(settings(), ["params", "croze"])
        self.dead = dead
        self.scorer: Any = None

    def __call__(self, arch: str) -> Scored:
        if self.dead or SPACE.connected(SPACE.parse(arch)):
            return Scored({"params": 1.0, "croze": 2.0}, {}, 0.1)
        return Scored({"params": 1.0}, {"croze": REASON}, 0.1)


def scored(path: Path, work: ScoreWorker, *archs: str) -> None:
    with RowFile(path, work.proxies, {"space": "nasbench201"}) as file:
        score(ArchitectureSource(SPACE, archs), work, file)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_file_with_such_a_value_is_refused_until_its_line_is_taken_out(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"scores{suffix}"
    scored(path, Before(dead=True), ALIVE, DEAD)
    before = path.read_bytes()
    with pytest.raises(InputError, match="take out such lines") as caught:
        scored(path, Before(dead=False), ALIVE, DEAD, NOTHING)
    assert DEAD in str(caught.value)
    assert path.read_bytes() == before
    path.write_bytes(b"".join(before.splitlines(keepends=True)[:-1]))
    for _ in range(2):  # rows of this version are no hindrance
        scored(path, Before(dead=False), ALIVE, DEAD, NOTHING)
    assert path.read_text().count(REASON) == 2
    assert path.read_bytes().startswith(before[: before.index(DEAD.encode()) - 20])


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_an_older_file_without_such_a_value_goes_on(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"scores{suffix}"
    scored(path, Before(dead=True), ALIVE)
    before = path.read_bytes()
    scored(path, Before(dead=False), ALIVE, DEAD)
    assert path.read_bytes().startswith(before)
    assert REASON in path.read_text()
