"""The chaos script: killed runs and runs with faults end identical to the bit, and a loss would be noticed."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import chaos
import faults
import pytest
import torch
from comparing import differences
from faults import Case, Fault
from forks import Forks
from kills import Reference, kill_at_random, run_reference
from run_progress import finished_work, stage
from workload import Sandbox

from nas.core.errors import NasError

AIMS = ("autoattack", "anywhere")
pytestmark = pytest.mark.slow  # each test compares with a whole run that was never disturbed


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("chaos")
    with Forks(folder / "commands") as forks:
        yield Sandbox(folder, forks, 0, quick=True)


@pytest.fixture(scope="module")
def reference(sandbox: Sandbox) -> Reference:
    pytest.importorskip("torchattacks", reason="torchattacks, a class of which attacks in this run, is not installed")
    return run_reference(sandbox, [1])


def test_kills_in_a_stage_and_anywhere_lose_nothing(sandbox: Sandbox, reference: Reference) -> None:
    trials = list(kill_at_random(sandbox, reference, 2, AIMS))
    assert {trial.aim for trial in trials if trial.hit} == set(AIMS)
    assert [trial.problems for trial in trials] == [[] for _ in trials]


@pytest.mark.parametrize("fault", chaos.FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_comes_out_as_promised(fault: Fault, sandbox: Sandbox, reference: Reference) -> None:
    for case in faults.cause_one(sandbox, reference, True, fault, print):
        assert case.good, case.found


def test_what_is_other_than_in_the_reference_is_noticed(sandbox: Sandbox, reference: Reference, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(reference.run, copy)
    assert differences(copy, reference.run) == []
    page = copy / "report.html"
    page.write_text(page.read_text().replace("eps", "epsilon", 1))
    result = json.loads((copy / "result.json").read_text())
    result["models"][0]["clean"] += 1e-9
    result["seconds"]["total"] += 1
    (copy / "result.json").write_text(json.dumps(result))
    best = next(copy.glob("models/*/best.pt"))
    payload = torch.load(best, weights_only=True)
    weights = next(value for value in payload["weights"].values() if value.is_floating_point())
    weights.view(-1)[0] = torch.nextafter(weights.view(-1)[0], torch.tensor(1e9))
    torch.save(payload, best)
    assert differences(copy, reference.run) == [
        "result.json differs in models[0].clean",
        "the report differs",
        f"{best.relative_to(copy)} differs in weights.mean",
    ]
    next(copy.glob("models/*/final.pt")).unlink()
    assert "there is no" in differences(copy, reference.run)[-1]
    (copy / "result.json").unlink()
    assert differences(copy, reference.run) == ["there is no result"]


def test_an_evaluation_that_is_written_again_is_noticed(reference: Reference, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(reference.run, copy)
    before = finished_work(copy)
    assert {key.partition("/")[0] for key in before} == {"evaluations", "outcome", "cheap", "trained"}
    with sqlite3.connect(copy / "store.sqlite") as connection:
        columns = "key, " + ", ".join(
            row[1] for row in connection.execute("PRAGMA table_info(evaluations)") if row[1] != "key"
        )
        connection.execute(f"INSERT OR REPLACE INTO evaluations SELECT {columns} FROM evaluations LIMIT 1")
    connection.close()
    after = finished_work(copy)
    assert after.keys() == before.keys()
    assert sum(after[key] != before[key] for key in before) == 1


def test_a_count_without_its_outcome_is_no_finished_work(reference: Reference, tmp_path: Path) -> None:
    """The process may die between the two writes; then the batch is attacked again, as it must be."""
    copy = tmp_path / "copy"
    shutil.copytree(reference.run, copy)
    before = finished_work(copy)
    key = next(key for key in before if key.endswith("/clean/0"))
    assert f"{key}/non-finite" in before
    with sqlite3.connect(copy / "store.sqlite") as connection:
        connection.execute("DELETE FROM facts WHERE key = ?", (key,))
    connection.close()
    assert finished_work(copy).keys() == before.keys() - {key, f"{key}/non-finite"}


def test_stages_are_told_apart(reference: Reference, tmp_path: Path) -> None:
    assert stage(tmp_path, reference.milestones) == "before the run folder"
    assert stage(reference.run, reference.milestones) == "after the result"
    copy = tmp_path / "copy"
    shutil.copytree(reference.run, copy)
    (copy / "result.json").unlink()
    assert stage(copy, reference.milestones) == "report"
    for query, expected in (
        ("DELETE FROM facts WHERE key LIKE 'outcome/%/autoattack/apgd-t/0'", "autoattack"),
        ("DELETE FROM facts WHERE key LIKE 'outcome/%/fgsm/fgsm/0'", "fgsm"),
        ("DELETE FROM facts WHERE key LIKE 'outcome/%'", "opening a network"),
        ("DELETE FROM facts WHERE key = 'training'", "training"),
        ("DELETE FROM facts WHERE key = 'search/result'", "search: proxies"),
    ):
        connection = sqlite3.connect(copy / "store.sqlite")
        with connection:
            connection.execute(query)
        connection.close()
        assert stage(copy, reference.milestones) == expected
    (copy / "labels" / "one").mkdir()
    assert stage(copy, reference.milestones) == "search: labelling"


def test_the_reference_knows_its_parts_by_stage(reference: Reference) -> None:
    found = ["search", "training", "opening a network", "clean", "fgsm", "torchattacks:DIFGSM", "autoattack"]
    assert [part.stage for part in reference.parts] == [*found, "checks of the outputs", "report"]
    assert [part.after for part in reference.parts[:3]] == ["", "search/result", "training"]
    assert all(part.seconds > 0 for part in reference.parts)


def test_a_fault_that_cannot_be_caused_is_bad(sandbox: Sandbox, reference: Reference) -> None:
    def impossible(sandbox: Sandbox, reference: Reference, quick: bool) -> Iterator[Case]:
        yield Case("once", "", True)
        raise NasError("its moment never came")

    cases = faults.cause_one(sandbox, reference, True, impossible, print)
    assert [case.good for case in cases] == [True, False]
    assert "never came" in cases[1].found


def test_a_hundred_kills_and_every_fault_lose_nothing() -> None:
    assert chaos.cause(print)["lost"] == 0
