"""A search whose caller evaluates the architectures."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from objective_functions import SPACE, both, params

import nas
from nas.cli.main import run_command
from nas.core.errors import InputError, NasError

MIN = {"params": "min"}
SMALL = {"strategy.population": 6, "strategy.tournament": 2}


def test_the_same_search_as_nas_search() -> None:
    found = nas.search(objective=params, directions=MIN, budget=20, seed=3, settings=SMALL)
    search = nas.open_search(directions=MIN, budget=20, seed=3, settings=SMALL)
    shuffle = random.Random(0).shuffle
    while archs := search.ask():
        shuffle(archs)
        for arch in archs:
            search.tell(str(arch) if params(arch) % 2 else arch, params(arch))
    result = search.result()
    assert result.top == found.top
    assert result.evaluated == 20
    assert search.ask(3) == []


def test_asking_again_gives_what_is_left() -> None:
    search = nas.open_search(strategy="random", directions=MIN)
    archs = search.ask(4)
    assert len(set(archs)) == 4
    assert [SPACE.canonical(arch) for arch in archs] == archs
    search.tell(archs[2], 1.0)
    assert search.ask(7) == [archs[0], archs[1], archs[3]]
    for arch in (archs[3], archs[0], archs[1]):
        search.tell(arch, 1.0)
    assert not set(search.ask(4)) & set(archs)


def test_the_strategy_hears_a_batch_in_the_order_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    search = nas.open_search(strategy="random", directions=MIN)
    heard = []
    monkeypatch.setattr(search._loop.strategy, "tell", lambda arch, metrics: heard.append((arch, metrics)))
    archs = search.ask(3)
    for value, arch in enumerate(reversed(archs)):
        assert heard == []
        search.tell(arch, value)
    assert [metrics for _, metrics in heard] == [{"params": 2.0}, {"params": 1.0}, {"params": 0.0}]


def test_failures_have_reasons() -> None:
    search = nas.open_search(strategy="random", directions={"a": "max"})
    one, two, three, four = search.ask(4)
    search.tell(one, None, reason="the machine was off")
    search.tell(two, float("nan"))
    search.tell(three, None)
    with pytest.raises(NasError, match="Every evaluation"):
        search.result()
    search.tell(four, {"a": 2})
    result = search.result()
    assert (result.failed, result.best.metrics) == (3, {"a": 2.0})
    assert set(result._record.data.failures) == {
        "the machine was off",
        "Expected a finite number for a but got nan.",
        "no value was told",
    }


def test_several_goals() -> None:
    goals = {"params": "min", "macs": "max"}
    search = nas.open_search(strategy="nsga2", directions=goals, budget=8, settings={"strategy.population": 4})
    while archs := search.ask():
        for arch in archs:
            search.tell(arch, both(arch))
    result = search.result()
    assert [(goal.name, goal.higher_is_better) for goal in result.goals] == [("params", False), ("macs", True)]
    archs = nas.open_search(strategy="nsga2", directions=goals, settings={"strategy.population": 4}).ask(1)
    assert len(archs) == 1


def test_constraints_hold() -> None:
    search = nas.open_search(strategy="random", directions=MIN, constraints=["params<=150000"])
    assert all(params(arch) <= 150000 for arch in search.ask(8))


def test_what_does_not_wait_is_refused() -> None:
    search = nas.open_search(strategy="random", directions=MIN)
    one, two = search.ask(2)
    with pytest.raises(InputError, match="was not asked for"):
        search.tell(next(arch for arch in SPACE.draw(9) if SPACE.canonical(arch) not in (one, two)), 1.0)
    search.tell(one, 1.0)
    with pytest.raises(InputError, match="was told already"):
        search.tell(one, 2.0)
    with pytest.raises(InputError, match="at least one architecture"):
        search.ask(0)
    with pytest.raises(InputError):
        search.tell("no cell", 1.0)
    with pytest.raises(InputError, match="asks for values"):
        nas.open_search(strategy="rnas-max")
    for settings in ({"strategy.name": "rnas-max"}, {"strategy": {"name": "rnas-max"}}):
        with pytest.raises(InputError, match="asks for values"):
            nas.open_search(settings=settings)
        with pytest.raises(InputError, match="asks for values"):
            nas.open_search(recipe=settings)
    with pytest.raises(InputError, match="asks for values but got rnas-max"):
        nas.open_search(recipe="cifar10-rnas-max")


@pytest.mark.parametrize(
    ("directions", "message"), [({"a": "down"}, "max or min"), ({"a+b": "min"}, "without"), ({}, "at least one")]
)
def test_wrong_directions_are_refused(directions: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        nas.open_search(strategy="random", directions=directions)


def test_a_class_that_has_its_value_is_told_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    search = nas.open_search(strategy="random", directions=MIN)
    (known,) = search.ask(1)
    search.tell(known, 7.0)
    other = next(arch for arch in map(SPACE.canonical, SPACE.draw(9)) if arch != known)
    heard = []
    monkeypatch.setattr(search._loop.strategy, "ask", lambda count: [known, other])
    monkeypatch.setattr(search._loop.strategy, "tell", lambda arch, metrics: heard.append(metrics))
    assert search.ask(2) == [other]
    search.tell(other, 8.0)
    assert heard == [{"params": 7.0}, {"params": 8.0}]


def test_a_search_in_a_folder_goes_on_after_any_call(tmp_path: Path) -> None:
    whole = nas.search(objective=params, directions=MIN, budget=12, seed=1, settings=SMALL)
    run = tmp_path / "run"
    with nas.open_search(directions=MIN, budget=12, seed=1, settings=SMALL, run=run) as search:
        with pytest.raises(InputError, match="free"):
            nas.open_search(run=run)
        asked = search.ask(8)
    for _ in range(50):
        with nas.open_search(run=run) as search:
            archs = search.ask(8)
            if not archs:
                break
            assert set(archs) <= set(asked) or not set(archs) & set(asked)
            for arch in archs[:3]:
                search.tell(arch, params(arch))
    with nas.open_search(run=run) as search:
        assert search.result().top == whole.top


def test_nas_resume_says_who_goes_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with nas.open_search(directions=MIN, run=tmp_path / "run") as search:
        search.ask(2)
    assert run_command(["resume", str(tmp_path / "run"), "executor.workers=1"]) == 2
    assert "continue it with nas.open_search(run=...)" in capfd.readouterr().err
    nas.search(objective="params", strategy="random", budget=2, run=tmp_path / "other")
    with pytest.raises(InputError, match="is another run"):
        nas.open_search(run=tmp_path / "other")


def test_a_reopened_step_has_as_many_architectures_as_were_asked_for(tmp_path: Path) -> None:
    with nas.open_search(strategy="random", directions=MIN, run=tmp_path / "run") as search:
        asked = search.ask(3)
    with nas.open_search(run=tmp_path / "run") as search:
        assert search.ask(5) == asked
        for arch in asked:
            search.tell(arch, 1.0)
    with nas.open_search(run=tmp_path / "run") as search:
        assert len(search.ask(5)) == 5


def test_a_single_value_is_maximised_and_steps_keep_their_order() -> None:
    search = nas.open_search(strategy="random", budget=4)
    archs = search.ask(4)
    for arch, value in zip(archs, (1.0, 3.0, 2.0, 3.0)):
        search.tell(arch, value)
    result = search.result()
    assert [one.arch for one in result.top] == [str(archs[place]) for place in (1, 3, 2, 0)]  # equal ones as asked


def test_a_result_in_between_is_not_exhausted() -> None:
    search = nas.open_search(strategy="random", budget=8)
    search.tell(search.ask(1)[0], 1.0)
    assert not search.result().exhausted
