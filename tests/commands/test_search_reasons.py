"""The text of a search says why evaluations failed, and how many architectures of a front it does not print."""

from __future__ import annotations

from pathlib import Path

from result_factory import searched

from nas.commands.search import PRINTED_OF_FRONT, PRINTED_REASONS, Search
from nas.core.storage.base import TaskResult
from nas.core.storage.sqlite import SqliteStore
from nas.results import Goal
from nas.runs.run_files import STORE


def _fill(folder: Path, reasons: list[str]) -> list[str]:
    with SqliteStore(folder / STORE) as store, store.transaction():
        for number, reason in enumerate(reasons):
            store.record(TaskResult(f"key-{number}", None, reason, 0.0))
            store.append_history(f"key-{number}")
    return Search().summary(folder, searched(failed=len(reasons)))


def test_the_most_frequent_reasons_with_their_counts(tmp_path: Path) -> None:
    lines = _fill(tmp_path, ["no luck", "too large", "no luck"])
    assert [line for line in lines if line.startswith("why: ")] == ["why: 2× no luck", "why: 1× too large"]
    assert not any("nas report" in line for line in lines), "the command that prints these lines"
    assert Search().hints(tmp_path) == [f"as a page: nas report {tmp_path}"]


def test_further_reasons_are_on_the_page(tmp_path: Path) -> None:
    lines = _fill(tmp_path, [f"reason {number}" for number in range(PRINTED_REASONS + 2)])
    assert sum(line.startswith("why: ") for line in lines) == PRINTED_REASONS
    assert f"2 more reasons are in the report that nas report {tmp_path} writes" in lines


def test_a_run_without_its_store_has_a_text(tmp_path: Path) -> None:
    assert "12 classes evaluated, 2 of them without a value" in Search().summary(tmp_path, searched())


def test_a_long_front_ends_with_the_number_of_the_others(tmp_path: Path) -> None:
    one, many = searched(), searched().top * (PRINTED_OF_FRONT + 3)
    front = Search().summary(tmp_path, searched(top=many, goals=[*one.goals, Goal("params")]))
    assert front[PRINTED_OF_FRONT - 1].startswith(f"{PRINTED_OF_FRONT}. ")
    assert front[PRINTED_OF_FRONT] == f"3 more architectures of the front are in {tmp_path / 'result.json'}"
    assert Search().summary(tmp_path, searched(top=many))[len(many) - 1].startswith(f"{len(many)}. "), "as asked for"
