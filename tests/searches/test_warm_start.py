"""`search.warm_start`: what a file or an earlier run knows is learnt, not asked again and not counted."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from slowly import slow_but

import nas
from nas.core.errors import InputError
from nas.core.limit import Limit, Limits
from nas.search_spaces import NASBench201
from nas.searches import warm_start
from nas.strategies import STRATEGIES
from nas.strategies.model_based import BatchedStrategy

SPACE = NASBench201()
LEARNERS = sorted(name for name, kind in STRATEGIES.components.items() if issubclass(kind, BatchedStrategy))
SMALL: dict[str, dict[str, Any]] = {
    "agnet": {"generator": "marginals", "pretraining": 64, "epochs": 1},
    "bananas": {"members": 2, "layers": 2, "epochs": 20},
    "guided": {"predictor": "gp"},
    "xgb": {"rounds": 5, "depth": 2},
    "xgb-rank": {"rounds": 5, "depth": 2},
}


def searched(source: Path, strategy: str = "bo", **more: Any) -> Any:
    own = {f"strategy.{key}": value for key, value in SMALL.get(strategy, {}).items()}
    settings = {"search.warm_start": str(source), "search.ask": 2, "strategy.init": 5, "strategy.batch": 2, **own}
    given = {"objective": "flops:max", "strategy": strategy, "budget": 4, **more}
    return nas.search(**{**given, "settings": {**settings, **more.get("settings", {})}})


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight classes and one more string of the first; the cells are large, so that a model knows what is good."""
    path = tmp_path_factory.mktemp("known") / "known.csv"
    cells = [one for one in SPACE.draw(60, unique=True) if str(one).count("3x3") in (1, 4)][:8]
    rows = [f"{cell},{SPACE.cost(cell).macs}" for cell in cells]
    path.write_text("\n".join(["arch,flops", *rows, rows[0]]) + "\n")
    return path


def classes(path: Path) -> set[str]:
    return {str(SPACE.canonical(SPACE.parse(row.split(",")[0]))) for row in path.read_text().splitlines()[1:]}


@pytest.mark.parametrize("strategy", slow_but(LEARNERS, {"bo", "xgb-rank"}))
def test_what_a_file_knows_is_no_query_and_is_not_asked_again(
    known: Path, strategy: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = searched(known, strategy)
    assert "random draws" not in caplog.text, "enough is known for the model from the first query on"
    assert found.evaluated == 4
    asked = {step.arch for step in found._record.data.steps}
    assert not asked & classes(known)
    assert (found.warm_start.source, found.warm_start.classes) == (str(known), 8)
    best = found.warm_start.best
    assert best.metrics["flops"] == max(float(row.split(",")[1]) for row in known.read_text().splitlines()[1:])
    assert found.to_json()["warm_start"]["classes"] == 8


def test_what_is_known_to_be_outside_the_limits_is_learnt_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy: Any = object.__new__(STRATEGIES.get("guided"))
    strategy.limits = Limits((Limit("slow", "<=", 2),))
    learnt: list[tuple[str, bool]] = []
    strategy.know = lambda arch, metrics, within: learnt.append((str(arch), within))
    first, second = map(str, SPACE.draw(2, seed=0))
    known = {first: {"good": 1.0, "slow": 2.0}, second: {"good": 1.0, "slow": 3.0}}
    monkeypatch.setattr(warm_start, "read", lambda problem: known)
    problem: Any = SimpleNamespace(
        strategy=strategy, space=SPACE, settings=SimpleNamespace(search=SimpleNamespace(warm_start="x"))
    )
    warm_start.check(problem)
    assert learnt == [(first, True), (second, False)]


def test_a_model_that_knows_begins_with_better_ones_than_random(known: Path) -> None:
    """Without the file, all four are random: `strategy.init` is five."""
    warm = searched(known).best.metrics["flops"]
    cold = nas.search(
        objective="flops:max", strategy="bo", budget=4, settings={"strategy.init": 5, "search.ask": 2}
    ).best.metrics["flops"]
    assert warm > cold


def test_an_earlier_run_is_a_source(known: Path, tmp_path: Path) -> None:
    first = nas.search(objective="flops:max", strategy="random", budget=6, run=tmp_path / "first")
    found = searched(tmp_path / "first")
    assert found.warm_start.classes == 6
    assert found.warm_start.best.arch == first.best.arch
    assert not {step.arch for step in found._record.data.steps} & {step.arch for step in first._record.data.steps}


def test_a_resumed_search_goes_on_without_its_source(known: Path, tmp_path: Path) -> None:
    source = tmp_path / "source.csv"
    source.write_text(known.read_text())
    whole = searched(source, run=tmp_path / "whole")
    stopped = KeyboardInterrupt

    def stop(done: int, total: int, note: str) -> None:
        if done >= 2:
            raise stopped

    with pytest.raises(KeyboardInterrupt):
        searched(source, run=tmp_path / "part", progress=stop)
    source.unlink()
    again = nas.resume(tmp_path / "part")
    assert [one.arch for one in again.top] == [one.arch for one in whole.top]
    assert again.warm_start.best == whole.warm_start.best


@pytest.mark.parametrize(
    ("strategy", "words"),
    [("evolution", r"with a model for search\.warm_start but got evolution"), ("random", "but got random")],
)
def test_a_strategy_without_a_model_is_refused(known: Path, strategy: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        nas.search(objective="flops", strategy=strategy, budget=2, settings={"search.warm_start": str(known)})


def test_a_source_that_does_not_fit_is_refused(known: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"column params in .* there are arch, flops"):
        searched(known, objective="params")
    with pytest.raises(InputError, match="there is no"):
        searched(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"known\.csv"):
        searched(known, space="darts", objective="flops")
    nas.search(objective="flops:max", strategy="random", budget=2, run=tmp_path / "run")
    with pytest.raises(InputError, match=r"evaluated params .* search\.objective=flops:max"):
        searched(tmp_path / "run", objective="params")
    with pytest.raises(InputError, match=r"run of space=darts .* has space=nasbench201"):
        searched(tmp_path / "run", space="darts")
    with pytest.raises(InputError, match=r"has no config\.json"):
        searched(tmp_path)


def test_values_of_a_proxy_need_the_same_network(tmp_path: Path) -> None:
    small = {"scoring.channels": 2, "scoring.cells_per_stage": 1, "data.size": 8}
    given: dict[str, Any] = {"objective": "l2_norm", "strategy": "random", "budget": 2}
    nas.search(**given, settings=small, run=tmp_path / "run")
    assert searched(tmp_path / "run", objective="l2_norm", settings=small).warm_start.classes == 2
    with pytest.raises(InputError, match=r"same scoring for search\.warm_start, because values of l2_norm"):
        searched(tmp_path / "run", objective="l2_norm", settings={**small, "scoring.channels": 3})
