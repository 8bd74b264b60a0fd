"""Searches of older versions continue to the same numbers, or are refused if a network without a path had a value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import result_factory
from unconnected import ALIVE, DEAD, NOTHING, SPACE, outcomes, problem, settings

from nas.commands import command_of
from nas.core.errors import InputError
from nas.core.storage.base import TaskResult
from nas.core.storage.sqlite import SqliteStore
from nas.objectives.constant_logits import REASON, SINCE
from nas.runs import run_folder as run_module
from nas.runs.run_folder import create, reopen
from nas.runs.stages.context import Watcher


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
    "search.constraints=[params>=60%]",  # all cells of this size have a path
)


def numbers(result: Any) -> Any:
    return result.top, result.evaluated, result.failed


@pytest.mark.parametrize(
    ("began", "now", "expected"),
    [
        ("0.1.0", "0.2.0", "0.1.0"),
        ("0.1.9", "0.10.0", "0.1.9"),
        ("0.1.0", "0.1.0", None),  # the same version
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


@pytest.mark.landing
def test_an_older_search_goes_on_to_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version(monkeypatch, "0.1.0")
    with create("search", settings(*SEARCH, f"run.dir={tmp_path / 'whole'}")) as run:
        whole = command_of(run.folder).finish(run, Watcher())
    with create("search", settings(*SEARCH, f"run.dir={tmp_path / 'run'}")) as run, pytest.raises(Stopped):
        command_of(run.folder).finish(run, StopAt(8))
    version(monkeypatch, "0.2.0")
    with reopen(tmp_path / "run") as run:
        assert numbers(command_of(run.folder).finish(run, Watcher())) == numbers(whole)


@pytest.mark.parametrize("told", [True, False])  # False: the step is unfinished
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
    """It continues until the first network whose outcome would be another now, which is refused."""
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


def test_an_older_result_whose_best_is_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version(monkeypatch, "0.1.0")
    with create("run", settings("objective=grad_norm:min", f"run.dir={tmp_path / 'run'}")) as run:
        run.store.put("search/result", result_factory.searched(DEAD).to_json())
    version(monkeypatch, "0.2.0")
    with reopen(tmp_path / "run") as run, pytest.raises(InputError, match=r"begun by version 0\.1\.0"):
        command_of(run.folder).finish(run, Watcher())


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


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["arch,test_err,val", *(f"{cell},{n % 97 / 100},{n}" for n, cell in enumerate(SPACE))]))
    return path


@pytest.mark.parametrize(
    ("objective", "began", "refused"),
    [
        ("accuracy:test_err", "0.2.0", True),
        ("accuracy:test_err:min", "0.2.0", False),
        ("accuracy:val", "0.2.0", False),
        ("accuracy:test_err", "0.3.0", False),
    ],
)
def test_a_search_goes_on_in_the_direction_in_which_it_began(
    objective: str, began: str, refused: bool, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before version 0.3.0 higher was better in every column of accuracies."""
    version(monkeypatch, began)
    chosen = settings(
        *(f"objective={objective}", f"tables.accuracy={table}", "strategy.name=random", "search.budget=4"),
        f"run.dir={tmp_path / 'run'}",
    )
    with create("search", chosen) as run:
        pass
    version(monkeypatch, "0.3.0")
    with reopen(tmp_path / "run") as run:
        if refused:
            with pytest.raises(InputError, match=r"lower is better for accuracy:test_err but .* for which higher was"):
                command_of(run.folder).finish(run, Watcher())
            return
        with pytest.raises(Stopped):
            command_of(run.folder).finish(run, StopAt(1))
        name = objective.removesuffix(":min")
        higher = run.store.get("search/directions")[name]
        assert higher == (name == "accuracy:val")
        run.store.put("search/directions", {name: not higher})
        with pytest.raises(InputError, match="start a new run"):
            command_of(run.folder).finish(run, Watcher())
