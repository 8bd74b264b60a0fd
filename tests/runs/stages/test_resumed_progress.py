"""The progress of a resumed stage begins with the work of earlier sessions of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nas.cli.progress import StageLines
from nas.core.storage.base import TaskResult
from nas.core.storage.memory import InMemoryStore
from nas.runs.stages.context import RunContext, Task, Watcher


class Seen(Watcher):
    def __init__(self) -> None:
        self.begun: list[tuple[str, int, float]] = []
        self.done: list[float] = []
        self.notes: list[str] = []

    def stage(self, name: str, total: int, done: float = 0) -> None:
        self.begun.append((name, total, done))

    def update(self, done: float, note: str) -> None:
        self.done.append(done)
        self.notes.append(note)


@dataclass(frozen=True)
class Nothing(Task[str]):
    def run(self, worker: Any) -> str:
        return "result"


def one_after_the_other(
    tasks: Iterable[tuple[str, Task[str]]], tick: Callable[[], None]
) -> Iterator[TaskResult[str, str]]:
    for name, task in tasks:
        tick()
        yield TaskResult(name, task.run(None), None, 0.0)


def reports_from_the_start(store: InMemoryStore) -> Any:
    """An executor whose tasks report that they have done nothing yet, and only then what they find done."""

    def all_tasks(tasks: Iterable[tuple[str, Task[str]]], tick: Callable[[], None]) -> Iterator[TaskResult[str, str]]:
        for name, task in tasks:
            for done in (0, 4):
                store.put(f"progress/eval/{name}", [done, 8, "fgsm"])
                tick()
            yield TaskResult(name, task.run(None), None, 0.0)

    return all_tasks


def session(store: InMemoryStore, tasks: Any = one_after_the_other) -> Seen:
    """A stage of three tasks in a run with this store."""
    watcher = Seen()
    run: Any = SimpleNamespace(store=store, folder=Path("run"))
    executor: Any = SimpleNamespace(map=tasks)
    stage: Any = SimpleNamespace(name="eval", flush=lambda: None)
    worker: Any = SimpleNamespace()
    assert len(RunContext(run, worker, executor, watcher).all(stage, dict.fromkeys("abc", Nothing()), "attack")) == 3
    return watcher


def test_a_new_stage_begins_with_nothing_and_ends_with_all() -> None:
    watcher = session(InMemoryStore())
    assert watcher.begun == [("attack", 3, 0)]
    assert watcher.done[0] == 0
    assert watcher.done[-1] == 3


def test_a_resumed_stage_begins_with_what_is_done() -> None:
    store = InMemoryStore()
    store.put("progress/eval/a", [8, 8, "fgsm"])
    store.put("progress/eval/b", [2, 8, "fgsm"])
    store.put("progress/train/c", [5, 5, "a task of the same name in another stage"])
    watcher = session(store)
    assert watcher.begun == [("attack", 3, 1.25)]
    assert watcher.done[0] == 1.25
    assert watcher.done[-1] == 3
    assert store.get("progress/eval/b") == [2, 8, ""], "its note is of another session"


def test_the_progress_of_a_resumed_stage_never_falls() -> None:
    store = InMemoryStore()
    store.put("progress/eval/a", [8, 8, "fgsm"])
    store.put("progress/eval/b", [2, 8, "fgsm"])
    watcher = session(store, reports_from_the_start(store))
    assert watcher.done == [1.25, 1.25, 1.25, 1.25, 1.5, 2, 2, 2.5, 3]


def test_a_task_that_has_done_as_much_as_before_has_its_note_again() -> None:
    store = InMemoryStore()
    store.put("progress/eval/b", [4, 8, "of another session"])
    watcher = session(store, reports_from_the_start(store))
    assert watcher.notes == ["a fgsm", "a fgsm", "", "", "b fgsm", "", "c fgsm", "c fgsm", ""]


@pytest.mark.parametrize(
    ("done", "line"),
    [
        (0, "train: 4 to do"),
        (0.5, "train: 4 to do"),
        (1.5, "train: 3 to do (1 of 4 done before)"),
        (4, "train: 0 to do (4 of 4 done before)"),
    ],
)
def test_the_line_of_a_stage_says_what_is_left(done: float, line: str, capfd: pytest.CaptureFixture[str]) -> None:
    StageLines().stage("train", 4, done)
    assert capfd.readouterr().err == f"{line}\n"
