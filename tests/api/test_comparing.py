"""`nas.compare`: the numbers of `nas report A B`, for results in memory and for folders."""

from __future__ import annotations

import copy
import csv
import json
import pickle
import sys
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import result_factory as make_result

import nas
from nas.api.execution import RunRecord
from nas.api.results import outcome
from nas.api.run_files import RunFiles
from nas.api.run_outcome import RunOutcome
from nas.cli.main import run_command
from nas.core.errors import InputError
from nas.report.run_data import read_run_data
from nas.results import Check, Comparison, EvalResult
from nas.runs import run_folder
from nas.runs.difference_wording import difference_text
from nas.runs.repetitions import summarise
from nas.settings import schema

N = 80


def entry(share: float, seed: int, name: str = "net-pgd", **more: Any) -> EvalResult:
    rng = np.random.default_rng(seed)
    clean = rng.random(N) < 0.9
    right = {"clean": clean.tolist(), "pgd20": (clean & (rng.random(N) < share)).tolist()}
    return make_result.evaluation(right, name=name, training="pgd", **more)


@pytest.fixture
def make(tmp_path: Path) -> Any:
    def made(folder: str, found: Any, *words: str, temporary: bool = False, command: str = "eval") -> Any:
        """The result of a run of `nas eval`, and its folder if it is not temporary."""
        path = tmp_path / folder
        chosen = schema.load("quickstart", [f"run.dir={path}", *words])
        with run_folder.create(command, chosen, {"name": "net", "checkpoint": "net.pt"}) as opened:
            result = opened.finish(found)
        data = read_run_data(path, result, lambda settings, extra: ("nas eval net.pt", False))
        return outcome(result, RunRecord(data, RunFiles.of(path, temporary)))

    return made


@pytest.mark.landing
def test_the_numbers_are_those_of_the_command(make: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    reports = [make("a", entry(0.9, 1)), make("b", entry(0.4, 2))]
    assert run_command(["report", str(tmp_path / "a"), str(tmp_path / "b"), "--json"]) == 0
    expected = json.loads(capfd.readouterr().out)["comparison"]
    page = Path(expected.pop("page"))
    compared = nas.compare(*reports)
    assert json.loads(json.dumps(compared.to_json())) == expected
    assert nas.compare(tmp_path / "a", str(tmp_path / "b")) == compared
    assert compared.save_page(tmp_path / "of/mine.html").read_bytes() == page.read_bytes()


@pytest.mark.landing
def test_results_without_a_folder_have_the_same_numbers(make: Any, tmp_path: Path) -> None:
    kept = nas.compare(make("a", entry(0.9, 1)), make("b", entry(0.4, 2)))
    gone = nas.compare(make("c", entry(0.9, 1), temporary=True), make("d", entry(0.4, 2), temporary=True))
    assert [one.label for one in gone.checkpoints] == ["net-pgd 1 (adversarial)", "net-pgd 2 (adversarial)"]
    assert [one.run for one in gone.checkpoints] == [None, None]
    for one, other in zip(gone.differences, kept.differences, strict=True):
        assert replace(one, first=other.first, second=other.second, text=other.text) == other
        assert one.text.replace("net-pgd 1", "a").replace("net-pgd 2", "b") == other.text
    assert "<h1>2 checkpoints compared</h1>" in gone.save_page(tmp_path / "page.html").read_text()
    mixed = nas.compare(make("e", entry(0.9, 1), temporary=True), tmp_path / "b")
    assert [one.label for one in mixed.checkpoints] == ["net-pgd (adversarial)", "b (adversarial)"]


def test_a_network_whose_checks_warn_is_named(make: Any) -> None:
    warned = entry(0.9, 1)
    warned = replace(warned, checks=[Check("logits", "warn", "-"), Check("restarts", "pass", "-")])
    first, second = make("a", warned), make("b", entry(0.4, 2))
    assert repr(first).endswith("; checks warn: logits>")
    assert "warn" not in repr(second)
    compared = nas.compare(first, second)
    assert repr(compared).endswith("differences are significant; checks warn for a (adversarial)>")
    assert "keeps more, but its checks warn" in compared._repr_html_()
    assert [row["text"] for row in compared._rows()] == [row.text for row in compared.differences]
    assert "warn" not in repr(nas.compare(make("c", entry(0.9, 1)), make("d", entry(0.4, 2))))


def test_what_cannot_be_paired_is_noted(make: Any) -> None:
    first = make("a", entry(0.9, 1), temporary=True)
    others = [
        make("b", entry(0.9, 2, "other-pgd", fingerprint="others"), "data.name=digits", "data.size=16"),
        make("c", entry(0.9, 3, "third-pgd"), "eval.step_size=0.001", temporary=True),
        make("d", make_result.searched(), command="search"),
    ]
    compared = nas.compare(first, *others)
    assert [(row.first, row.second, row.metric) for row in compared.differences] == [
        ("net-pgd (adversarial)", "third-pgd (adversarial)", "clean")
    ]
    assert [note.partition(":")[0] for note in compared.notes] == [
        "d has no attacked network and is left out.",
        "Not attacked on the same images",
        "Attacked on the same images but not by the same attacks",
    ]
    html = compared._repr_html_()
    assert html.count("<tr>") == 2
    assert "left out" in html


def test_a_difference_says_itself_in_words(make: Any) -> None:
    rows = nas.compare(make("a", entry(0.9, 1)), make("b", entry(0.4, 2))).differences
    assert [row.text for row in rows] == [difference_text(row) for row in rows]
    assert rows[1].text.startswith(f"{100 * rows[1].difference:+.1f} points [")


def test_a_changed_copy_keeps_its_run(make: Any) -> None:
    for kind in RunOutcome.__subclasses__():
        assert "_record" in {one.name for one in fields(kind)}, f"dataclasses.replace loses the run of a {kind}"
    report = make("a", entry(0.9, 1))
    renamed = replace(report, name="mine")
    assert (renamed.settings, renamed.run, type(renamed.checks)) == (report.settings, report.run, type(report.checks))
    assert renamed.to_json() == {**report.to_json(), "name": "mine"}
    compared = nas.compare(renamed, make("b", entry(0.4, 2)))
    assert replace(compared, notes=["a note"]).to_csv() == compared.to_csv()


def test_a_run_counts_once(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, gone = make("a", entry(0.9, 1)), make("b", entry(0.4, 2), temporary=True)
    assert len(nas.compare(kept, tmp_path / "a", gone, gone, nas.open_run(tmp_path / "a")).checkpoints) == 2
    monkeypatch.chdir(tmp_path)
    assert len(nas.compare("a", kept, gone).checkpoints) == 2


def test_a_run_of_several_seeds_stands_for_its_runs(make: Any, tmp_path: Path) -> None:
    seeds = [make_result.whole_run([entry(0.8, seed, "best-pgd")], seeds={"run": seed}) for seed in (0, 1)]
    study = make("study", summarise(seeds), command="study")
    for seed in (0, 1):
        make(f"study/seed-{seed}", seeds[seed], command="run")
    labels = [one.label for one in nas.compare(study).checkpoints]
    assert labels == ["study/seed-0 (adversarial)", "study/seed-1 (adversarial)"]
    assert labels == [one.label for one in nas.compare(tmp_path / "study").checkpoints]
    named = [one.label for one in nas.compare({"ours": study}).checkpoints]
    assert named == ["ours/seed-0 (adversarial)", "ours/seed-1 (adversarial)"]


def test_a_mapping_gives_names(make: Any) -> None:
    kept, gone = make("a", entry(0.9, 1)), make("b", entry(0.4, 2), temporary=True)
    compared = nas.compare({"ours": kept, "theirs": gone})
    assert [one.label for one in compared.checkpoints] == ["ours (adversarial)", "theirs (adversarial)"]
    assert "ours" in compared.to_latex()
    assert "\ntheirs," in compared.to_csv()
    assert [row.difference for row in compared.differences] == [
        row.difference for row in nas.compare(kept, gone).differences
    ]
    with pytest.raises(InputError, match="names of networks as texts but got 3"):
        nas.compare({3: kept, "theirs": gone})
    with pytest.raises(InputError, match="names of networks as texts but got ' '"):
        nas.compare({" ": kept, "theirs": gone})


def test_what_is_no_report_is_refused(make: Any, tmp_path: Path) -> None:
    report = make("a", entry(0.9, 1))
    for wrong in ([report, report], 3, None, entry(0.9, 1)):
        with pytest.raises(InputError, match=r"Expected results of nas\.evaluate or folders of runs but got"):
            nas.compare(report, wrong)
    with pytest.raises(InputError, match="at least two"):
        nas.compare(report, report)
    with pytest.raises(InputError, match="gone"):
        nas.compare(report, tmp_path / "gone")


def test_tables_copies_and_texts(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = nas.compare(make("a", entry(0.9, 1)), make("b", entry(0.4, 2)))
    assert repr(compared) == "<Comparison: 2 networks, 1 of 2 paired differences are significant>"
    for again in (pickle.loads(pickle.dumps(compared)), copy.deepcopy(compared)):
        assert again == compared
        assert repr(again) == repr(compared)
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=list))
    row = compared.to_frame()[1]
    assert (row["metric"], row["significant"], row["n"]) == ("pgd20", True, N)
    one = compared.differences[1]
    assert (row["difference"], row["low"], row["high"]) == (one.difference, *one.interval)
    assert (row["p"], row["corrected"]) == (one.p, one.corrected)
    assert (row["first"], row["second"]) == ("a (adversarial)", "b (adversarial)")
    unshown = replace(compared, differences=[replace(one, corrected=0.2, significant=False)])
    assert repr(unshown) == "<Comparison: 2 networks, 0 of 1 paired differences are significant>"
    assert len({one.p, one.corrected, one.bootstrap, one.interval.low, one.interval.high}) == 5
    values = {(row["run"], row["metric"]): row["value"] for row in csv.DictReader(compared.to_csv().splitlines())}
    assert [values[name, "pgd20"] for name in "ab"] == [
        repr(checkpoint.entry.attacks["pgd20"].accuracy) for checkpoint in compared.checkpoints
    ]
    assert Comparison.from_json(json.loads(json.dumps(compared.to_json()))).to_json() == compared.to_json()
