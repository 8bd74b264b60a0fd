"""Damage, comparisons, records and tables of the study of faults, without a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import chaos
import damage
import numpy as np
import pytest
import torch
from comparing import differences, same
from faults import Case
from forks import Ended
from kills import Kill, Reference, Trial, kill_at_random, table
from record import Record
from run_progress import Part, parts, stage_of
from workload import Sandbox

TRIALS = [
    Trial(1, "training", 1, [Kill("training", 1.0, "whole group", 3), Kill("report", 1.0, "whole group", 9)]),
    Trial(2, "anywhere", 2, [Kill("training", 1.5, "one worker", 5)], ["lost"]),
    Trial(3, "search", 1, [Kill("search: proxies", 0.1, "whole group", 0)]),
    Trial(4, "fgsm", 1),
]


def test_the_table_counts_kills_by_stage() -> None:
    rows = table(TRIALS)
    assert rows == [
        {"stage": "search: proxies", "kills": 1, "aimed": 1, "identical": 1, "results": [0, 0]},
        {"stage": "training", "kills": 2, "aimed": 1, "identical": 1, "results": [3, 5]},
        {"stage": "report", "kills": 1, "aimed": 0, "identical": 1, "results": [9, 9]},
    ]
    result = chaos.summary(TRIALS, [Case("x", "y", False)], {1: 1.0}, 0)
    assert result["lost"] == 2
    assert "| **all**, in 4 runs | **4** | **2** | **3** |" in chaos.text(result)
    assert "| x | BAD: y |" in chaos.text(result)


def test_a_study_goes_on_from_its_record(tmp_path: Path) -> None:
    record = Record(tmp_path / "record")
    for trial in TRIALS:
        record.add_trial(7, trial)
    record.add_cases("signals", [Case("SIGTERM", "exit code 143, “stopped”", True), Case("SIGINT", "", False)])
    record.add_cases("full_disk", [Case("disk full", "refused", True)])
    again = Record(tmp_path / "record")
    assert again.trials(7) == TRIALS
    assert again.trials(8) == []
    assert {cause: [case.good for case in cases] for cause, cases in again.cases().items()} == {
        "signals": [True, False],
        "full_disk": [True],
    }


def test_kills_that_were_recorded_are_not_repeated() -> None:
    """No run is started, so the sandbox is never used."""
    reference = Reference(Path(), {}, [Part("search", "", 0.0, 1.0), Part("training", "search/result", 1.0, 1.0)], [])
    sandbox = cast(Sandbox, None)
    asked = []

    def late() -> bool:
        asked.append(True)
        return True

    stages = ("search", "training", "anywhere")
    assert not list(kill_at_random(sandbox, reference, 3, stages, TRIALS, late=late))
    assert not asked
    assert not list(kill_at_random(sandbox, reference, 4, stages, TRIALS, late=late))  # one more into the search
    assert asked
    assert not list(kill_at_random(sandbox, reference, 1, ("pgd",), TRIALS))  # the run has no such stage


@pytest.mark.parametrize(
    ("milestone", "expected"),
    [
        ("search/result", "search"),
        ("outcome/best/door", "opening a network"),
        ("outcome/best/clean/0/non-finite", "clean"),
        ("outcome/best/pgd20/pgd/1", "pgd"),
        ("outcome/best/fgsm@0.15/fgsm/0", "robustness curve"),
        ("outcome/best/torchattacks:DIFGSM/torchattacks:NAME/0", "torchattacks:DIFGSM"),
        ("outcome/best/corruption/contrast/3/0", "corruptions"),
    ],
)
def test_a_milestone_tells_its_stage(milestone: str, expected: str) -> None:
    assert stage_of(milestone) == expected


def test_parts_of_a_run_follow_each_other() -> None:
    times = {"": 1.0, "search/result": 4.0, "training": 6.0, "outcome/a/clean/0": 6.5, "outcome/a/clean/1": 7.0}
    assert parts(times | {"outcome/b/clean/0": 9.0}, 0.5) == [
        Part("search", "", 0.5, 3.0),
        Part("training", "search/result", 3.5, 2.0),
        Part("clean", "training", 5.5, 1.0),
        Part("clean", "outcome/a/clean/1", 6.5, 2.0),  # of the other network
    ]


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
    assert damage.judge(ended, lambda: problems, "last.pt")[1] == good


def test_tensors_are_the_same_to_the_bit_only() -> None:
    x = torch.ones(3)
    assert same({"a": [x, 1], "seconds": 1.0}, {"a": [x.clone(), 1], "seconds": 2.0})
    assert not same({"a": x}, {"a": x + 1e-7})
    assert not same({"a": x}, {"a": x.double()})
    assert not same({"a": x}, {"b": x})


def finished_run(folder: Path, accuracy: float, changed: bool, weights: torch.Tensor) -> Path:
    """Write the files of a finished run that are compared; `changed`: whether its checkout had changes."""
    provenance = {"seed": 1, "hardware": {"cpu": "x"}, "source": {"commit": "a", "changed": changed}, "earlier": []}
    (folder / "models" / "best").mkdir(parents=True)
    torch.save({"weights": weights, "provenance": provenance}, folder / "models" / "best" / "best.pt")
    provenance["earlier"] = [{"hardware": {"cpu": "x"}, "versions": {}, "source": None}] if changed else []
    result = {"clean": accuracy, "attacks": [{"fgsm": 0.5}], "provenance": provenance, "seconds": {"total": accuracy}}
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "config.json").write_text(json.dumps({"settings": {"run": {"dir": str(folder)}}}))
    rows = f'<tr><th class="name">source</th><td>a{" with changes" * changed}</td></tr>'
    rows += '\n<tr><th class="name">other sessions</th><td>1</td></tr>' * changed
    (folder / "report.html").write_text(f"<table>{rows}</table>{accuracy}")
    return folder


def test_only_a_change_of_the_checkout_is_no_difference(tmp_path: Path) -> None:
    """The record of the study is a file of the checkout: its first row changes the provenance of all later runs."""
    reference = finished_run(tmp_path / "run-1", 0.5, False, torch.ones(2))
    assert differences(finished_run(tmp_path / "run-2", 0.5, True, torch.ones(2)), reference) == []
    assert differences(finished_run(tmp_path / "run-3", 0.25, False, torch.zeros(2)), reference) == [
        "result.json differs in clean",
        "the report differs",
        "models/best/best.pt differs in weights",
    ]
