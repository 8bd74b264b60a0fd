"""A run that is killed at any moment and resumed has the same result as one that was never stopped."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import TINY, killed_when, nas, nas_json, without_seconds


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, few_digits: str) -> dict[str, Any]:
    """The result of the run with one worker, never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    return nas_json("run", "quickstart", *TINY, few_digits, "executor.workers=1", "run.dir=whole", cwd=folder)


def _rows(store: Path, query: str) -> int:
    """The current number of rows in the run's store; 0 without a store."""
    if not store.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=1) as connection:
            return connection.execute(query).fetchone()[0]
    except sqlite3.OperationalError:
        return 0


EVALUATED = "SELECT COUNT(*) FROM evaluations"
ATTACKED = "SELECT COUNT(*) FROM facts WHERE key LIKE 'outcome/%'"
MOMENTS: dict[str, Callable[[Path], bool]] = {
    "before the search": lambda run: (run / "config.json").exists(),
    "in the search": lambda run: _rows(run / "store.sqlite", EVALUATED) >= 6,
    "in training": lambda run: any(run.glob("models/*/last.pt")),
    "in an attack": lambda run: _rows(run / "store.sqlite", ATTACKED) >= 15,
}


@pytest.mark.slow  # the quick tests with kills at random moments are in tests/faults/test_chaos.py
@pytest.mark.parametrize(
    ("moment", "workers"),
    [("before the search", 2), ("in the search", 2), ("in training", 2), ("in an attack", 1), ("in an attack", 2)],
)
def test_kill_and_resume(
    moment: str, workers: int, tmp_path: Path, undisturbed: dict[str, Any], few_digits: str
) -> None:
    run = tmp_path / "run"
    arguments = ("run", "quickstart", *TINY, few_digits, f"executor.workers={workers}", "run.dir=run")
    code = killed_when(lambda: MOMENTS[moment](run), *arguments, cwd=tmp_path)
    assert code == -signal.SIGKILL
    assert not (run / "result.json").exists()
    other = 3 - workers  # the number of workers may change, from another working directory
    result = nas_json("resume", str(run), f"executor.workers={other}", cwd=Path("/"))
    assert without_seconds(result) == without_seconds(undisturbed)


@pytest.mark.slow
def test_killed_again_and_again(tmp_path: Path, undisturbed: dict[str, Any], few_digits: str) -> None:
    run = tmp_path / "run"
    first = ("run", "quickstart", *TINY, few_digits, "executor.workers=1", "run.dir=run")
    killed_when(lambda: _rows(run / "store.sqlite", EVALUATED) >= 1, *first, cwd=tmp_path)
    for count in (12, 25):
        killed_when(
            lambda count=count: _rows(run / "store.sqlite", EVALUATED) + _rows(run / "store.sqlite", ATTACKED) >= count,  # type: ignore[misc]
            "resume", "run", cwd=tmp_path,
        )  # fmt: skip
    assert without_seconds(nas_json("resume", "run", cwd=tmp_path)) == without_seconds(undisturbed)


@pytest.mark.slow  # the quick ones are in tests/faults/test_chaos.py
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interruption_has_its_exit_code_and_is_resumable(
    number: int, code: int, tmp_path: Path, undisturbed: dict[str, Any], few_digits: str
) -> None:
    run = tmp_path / "run"
    arguments = ("run", "quickstart", *TINY, few_digits, "executor.workers=2", "run.dir=run")
    ended = killed_when(
        lambda: _rows(run / "store.sqlite", EVALUATED) >= 4, *arguments, cwd=tmp_path, with_signal=number
    )
    assert ended == code
    assert without_seconds(nas_json("resume", "run", cwd=tmp_path)) == without_seconds(undisturbed)


@pytest.mark.slow
def test_agnet_with_short_trainings_is_killed_in_a_training_and_resumed(tmp_path: Path, few_digits: str) -> None:
    """The whole recipe `cifar10-nb201-agnet`, tiny: labels, generated candidates, trainings, attacks."""
    small = tuple(text for text in TINY if not text.startswith(("strategy.", "search.", "scoring.")))
    arguments = (
        *("run", "cifar10-nb201-agnet", *small, few_digits, "model.cells_per_stage=1"),
        *("strategy.init=3", "strategy.batch=3", "strategy.pretraining=64", "strategy.epochs=1", "search.budget=9"),
        *("search.ask=3", "search.constraints=[]", "label.epochs=1", "label.n_val=8", "label.batch_size=64"),
        *("label.steps=1", "data.validation=0.2"),
    )
    whole = nas_json(*arguments, "run.dir=whole", cwd=tmp_path)
    killed_when(lambda: _rows(tmp_path / "run/store.sqlite", EVALUATED) >= 5, *arguments, "run.dir=run", cwd=tmp_path)
    assert not (tmp_path / "run/result.json").exists()
    assert without_seconds(nas_json("resume", "run", cwd=tmp_path)) == without_seconds(whole)


@pytest.mark.landing
def test_a_finished_run_is_left_alone(tmp_path: Path, few_digits: str) -> None:
    first = nas_json("search", "quickstart", *TINY, few_digits, "executor.workers=1", "run.dir=run", cwd=tmp_path)
    before = (tmp_path / "run" / "result.json").read_bytes()
    assert nas_json("resume", "run", cwd=tmp_path) == first
    assert (tmp_path / "run" / "result.json").read_bytes() == before


@pytest.mark.landing
def test_a_second_process_on_a_run_is_refused(tmp_path: Path, few_digits: str) -> None:
    run = tmp_path / "run"

    def also_resumed() -> bool:
        if _rows(run / "store.sqlite", EVALUATED) < 2:
            return False
        second = nas("resume", "run", cwd=tmp_path)
        assert second.returncode == 2
        assert "another process" in second.stderr
        return True

    killed_when(
        also_resumed,
        "search",
        "quickstart",
        *TINY,
        few_digits,
        "search.budget=2000",
        "executor.workers=1",
        "run.dir=run",
        cwd=tmp_path,
    )


LABELS = (
    *("objective=trained:fgsm", "strategy.name=guided", "strategy.init=2", "strategy.batch=2"),
    *("label.epochs=1", "label.method=pgd", "label.steps=2", "label.n_val=16", "label.batch_size=32"),
    *("search.budget=4", "search.ask=2", "executor.workers=1"),
)


@pytest.mark.slow
def test_a_predictor_guided_search_by_short_trainings_is_killed_and_goes_on(tmp_path: Path, few_digits: str) -> None:
    settings = [text for text in TINY if not text.startswith(("strategy.", "search.", "scoring."))]
    whole = nas_json("search", "quickstart", *settings, *LABELS, few_digits, "run.dir=whole", cwd=tmp_path)
    arguments = ("search", "quickstart", *settings, *LABELS, few_digits, "run.dir=run")
    run = tmp_path / "run"
    code = killed_when(
        lambda: _rows(run / "store.sqlite", EVALUATED) >= 3 and any(run.glob("labels/*/last.pt")),
        *arguments,
        cwd=tmp_path,
    )
    assert code == -signal.SIGKILL
    result = nas_json("resume", "run", cwd=tmp_path)
    assert {**without_seconds(result), "run": ""} == {**without_seconds(whole), "run": ""}
    assert result["best"][0]["metrics"].keys() == {"trained:fgsm"}
