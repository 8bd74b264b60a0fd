"""The chaos script: a killed run and one that met faults are compared to the bit; what would be lost is noticed."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from nas.bench import BENCHES, chaos, damage, faults
from nas.bench.chaos import ChaosBench
from nas.bench.faults import Case, Fault
from nas.bench.forks import Ended, Forks
from nas.bench.kills import Kill, Reference, Trial, kill_at_random, reference, table
from nas.bench.workload import Ground, differences, kept, same, stage
from nas.core.errors import NasError

FAST: tuple[Fault, ...] = (faults.signals, faults.poisoned_label, faults.short_memory)
SLOW: tuple[Fault, ...] = tuple(fault for fault in chaos.FAULTS if fault not in FAST)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("chaos")
    with Forks(folder / "commands") as forks:
        yield Ground(folder, forks, 0, quick=True)


@pytest.fixture(scope="module")
def whole(ground: Ground) -> Reference:
    pytest.importorskip("torchattacks", reason="torchattacks, a class of which attacks in this run, is not installed")
    return reference(ground, [1])


def test_it_is_registered() -> None:
    assert BENCHES.get("chaos") is ChaosBench


def test_kills_at_random_moments_lose_nothing(ground: Ground, whole: Reference) -> None:
    trials = kill_at_random(ground, whole, 2)
    assert sum(len(trial.kills) for trial in trials) == 2
    assert [trial.problems for trial in trials] == [[] for _ in trials]


@pytest.mark.parametrize(
    "fault", [*FAST, *(pytest.param(fault, marks=pytest.mark.slow) for fault in SLOW)], ids=lambda fault: fault.__name__
)
def test_a_fault_comes_out_as_promised(fault: Fault, ground: Ground, whole: Reference) -> None:
    for case in faults.caused(ground, whole, True, (fault,), print):
        assert case.good, case.found


def test_what_is_other_than_in_the_reference_is_noticed(ground: Ground, whole: Reference, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(whole.run, copy)
    assert differences(copy, whole.run) == []
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
    name = best.relative_to(copy)
    assert differences(copy, whole.run) == ["the result differs", "the report differs", f"{name} differs"]
    next(copy.glob("models/*/final.pt")).unlink()
    assert "there is no" in differences(copy, whole.run)[-1]
    (copy / "result.json").unlink()
    assert differences(copy, whole.run) == ["there is no result"]


def test_an_evaluation_that_is_written_again_is_noticed(whole: Reference, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(whole.run, copy)
    before = kept(copy)
    assert {key.partition("/")[0] for key in before} == {"evaluations", "outcome", "cheap", "trained"}
    with sqlite3.connect(copy / "store.sqlite") as connection:
        columns = "key, " + ", ".join(
            row[1] for row in connection.execute("PRAGMA table_info(evaluations)") if row[1] != "key"
        )
        connection.execute(f"INSERT OR REPLACE INTO evaluations SELECT {columns} FROM evaluations LIMIT 1")
    connection.close()
    after = kept(copy)
    assert after.keys() == before.keys()
    assert sum(after[key] != before[key] for key in before) == 1


def test_stages_are_told_apart(whole: Reference, tmp_path: Path) -> None:
    assert stage(tmp_path) == "before the run folder"
    assert stage(whole.run) == "after the result"
    copy = tmp_path / "copy"
    shutil.copytree(whole.run, copy)
    (copy / "result.json").unlink()
    assert stage(copy) == "report"
    for query, expected in (
        ("UPDATE facts SET value = '[3, 9, \"fgsm\"]' WHERE key LIKE 'progress/%'", "attack: fgsm"),
        ("DELETE FROM facts WHERE key = 'training'", "training"),
        ("DELETE FROM facts WHERE key = 'search/result'", "search: proxies"),
    ):
        connection = sqlite3.connect(copy / "store.sqlite")
        with connection:
            connection.execute(query)
        connection.close()
        assert stage(copy) == expected
    (copy / "labels" / "one").mkdir()
    assert stage(copy) == "search: labelling"


def test_the_table_counts_kills_by_stage() -> None:
    trials = [
        Trial("a", 1, [Kill("training", 1.0, "whole group", 3), Kill("report", 1.0, "whole group", 9)]),
        Trial("b", 1, [Kill("training", 1.0, "whole group", 5)], ["lost"]),
    ]
    rows = table(trials)
    assert rows == [
        {"stage": "training", "kills": 2, "identical": 1, "kept": [3, 5]},
        {"stage": "report", "kills": 1, "identical": 1, "kept": [9, 9]},
    ]
    result = {"kills": rows, "runs": 2, "faults": [{"fault": "x", "found": "y", "good": False}], "lost": 2}
    assert "| all, in 2 runs | 3 | 2 |" in chaos.text(result)
    assert "| x | BAD: y |" in chaos.text(result)


def test_damage_is_one_bit_or_a_shorter_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "file"
    content = bytes(range(200))
    path.write_bytes(content)
    damage.flipped(path, rng)
    changed = [one ^ other for one, other in zip(content, path.read_bytes())]
    assert sum(bin(value).count("1") for value in changed) == 1
    path.write_bytes(content)
    damage.truncated(path, rng)
    assert len(path.read_bytes()) < len(content)
    assert content.startswith(path.read_bytes())


@pytest.mark.parametrize(
    ("ended", "problems", "good"),
    [
        (Ended(0, "", ""), [], True),
        (Ended(0, "", "last.pt was damaged"), ["the result differs"], False),
        (Ended(2, "", "nas: Expected a whole last.pt"), [], True),
        (Ended(2, "", "nas: Expected something"), [], False),
        (Ended(1, "", "nas: last.pt"), [], False),
        (Ended(2, "", "Traceback\nnas: last.pt"), [], False),
        (Ended(-9, "", ""), [], False),
    ],
)
def test_damage_must_be_named_or_without_effect(ended: Ended, problems: list[str], good: bool) -> None:
    assert damage.judged(ended, lambda: problems, "last.pt")[1] == good


def test_a_fault_that_cannot_be_caused_is_bad(ground: Ground, whole: Reference) -> None:
    def impossible(ground: Ground, whole: Reference, quick: bool) -> Iterator[Case]:
        yield Case("once", "", True)
        raise NasError("its moment never came")

    cases = faults.caused(ground, whole, True, (impossible,), print)
    assert [case.good for case in cases] == [True, False]
    assert "never came" in cases[1].found


def test_tensors_are_the_same_to_the_bit_only() -> None:
    x = torch.ones(3)
    assert same({"a": [x, 1], "seconds": 1.0}, {"a": [x.clone(), 1], "seconds": 2.0})
    assert not same({"a": x}, {"a": x + 1e-7})
    assert not same({"a": x}, {"a": x.double()})
    assert not same({"a": x}, {"b": x})


@pytest.mark.slow
def test_a_hundred_kills_and_every_fault_lose_nothing() -> None:
    assert ChaosBench().run(print)["lost"] == 0
