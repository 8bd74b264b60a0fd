"""The comparison of evaluated checkpoints: what is paired and what is not, its numbers, its page."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import result_factory as make_result
from markupsafe import escape
from matplotlib.figure import Figure
from report_pages import check_well_formed, text_of

from nas.cli.main import run_command
from nas.core.errors import InputError
from nas.core.statistics.paired import holm
from nas.core.storage.sqlite import SqliteStore
from nas.eval import mcnemar, paired_bootstrap, paired_difference
from nas.report.compare import ComparisonData, compare, front
from nas.report.evaluated import count_checkpoints
from nas.report.figures import comparison as drawn
from nas.report.pages.common import Pair
from nas.report.pages.comparison import lines, page, write_comparison
from nas.results import Check, Difference, EvalResult, Interval, Result
from nas.runs import run_folder
from nas.runs.repetitions import summarise
from nas.settings import schema

N = 80
EVIL = "<script>alert('x')</script>"


def entry(name: str, share: float, seed: int = 0, eps: float = 8 / 255, **more: Any) -> EvalResult:
    """An evaluation in which about `share` of the images stands FGSM."""
    rng = np.random.default_rng(seed)
    clean = rng.random(N) < 0.9
    fgsm = clean & (rng.random(N) < share)
    right = {"clean": clean, "fgsm": fgsm, "pgd20": fgsm & (rng.random(N) < 0.8)}
    sweep = [make_result.curve("pgd20", (0.0, clean.mean()), (eps / 2, fgsm.mean()), n=N)]
    outcomes = {metric: flags.tolist() for metric, flags in right.items()}
    return make_result.evaluation(outcomes, name=name, eps=eps, **{"training": "pgd", "sweep": sweep, **more})


def history() -> list[dict[str, float | None]]:
    return [{"epoch": e, "train_loss": 2 / e, "val_accuracy": 1 - 0.5 / e} for e in range(1, 4)]


class Maker:
    """Makes finished run folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def whole(self, name: str, entries: list[EvalResult]) -> Path:
        """As `nas run` leaves one."""
        chosen = schema.load("quickstart", [f"run.dir={self.folder / name}"])
        with run_folder.create("run", chosen) as opened:
            record = make_result.training_record(history(), chosen_epoch=2).to_json()
            opened.store.put("training", {one.name: record for one in entries})
            opened.finish(make_result.whole_run(entries))
        return self.folder / name

    def single(self, name: str, found: Result, *overrides: str, command: str = "eval") -> Path:
        """As `nas eval` (or another command) leaves one."""
        chosen = schema.load("quickstart", [f"run.dir={self.folder / name}", *overrides])
        with run_folder.create(command, chosen, {"name": name}) as opened:
            opened.finish(found)
        return self.folder / name


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def test_ticks_between_whole_percents_are_not_rounded() -> None:
    axes = Figure().subplots()
    drawn._percent(axes, "clean accuracy (%)", "x")
    assert [axes.xaxis.get_major_formatter()(value, None) for value in (0.6, 0.625, 0.675)] == ["60", "62.5", "67.5"]


def test_runs_and_evaluations_are_compared_pair_by_pair(make: Maker) -> None:
    entries = [entry("best-pgd", 0.9, 1), entry("random-pgd", 0.4, 2)]
    other = entry("best-pgd", 0.5, 3)
    found = compare([make.whole("study", entries), make.single("eval-1", other)])
    assert [one.label for one in found.checkpoints] == [
        "study: best (adversarial)", "study: random (adversarial)", "eval-1 (adversarial)",
    ]  # fmt: skip
    assert len({one.identity.colour for one in found.checkpoints}) == 3
    rows = {(row.first, row.second, row.metric): row for row in found.differences}
    assert len(rows) == 3 * 4  # three pairs; clean, two attacks and the worst case
    first, second = (one.correct["pgd20"].tolist() for one in (entries[0], other))
    row = rows["study: best (adversarial)", "eval-1 (adversarial)", "pgd20"]
    expected = paired_difference(first, second)
    assert (row.difference, row.interval) == (expected.difference, (expected.low, expected.high))
    assert row.bootstrap == paired_bootstrap(first, second).p
    assert row.p == mcnemar(first, second)
    assert [row.corrected for row in found.differences] == holm([row.p or 0.0 for row in found.differences])
    assert {row.significant for row in found.differences} == {True, False}
    row = rows["study: best (adversarial)", "study: random (adversarial)", "worst_case"]
    assert row.difference == pytest.approx(entries[0].worst_case.accuracy - entries[1].worst_case.accuracy)
    assert not found.notes


@pytest.mark.usefixtures("undrawn")
def test_a_network_whose_checks_warn_wins_nothing(make: Maker) -> None:
    masked = entry("masked-pgd", 1.0, 1, checks=[Check("logits", "warn", "-"), Check("restarts", "pass", "-")])
    found = compare([make.single("masked", masked), make.single("honest", entry("honest-pgd", 0.2, 2))])
    (note,) = found.notes
    assert note.startswith("masked (adversarial): the check logits warns. Its robust accuracies and scores are upper")
    rows = {row.metric: row for row in found.differences}
    assert rows["pgd20"].significant
    assert rows["pgd20"].text.endswith("corrected), masked (adversarial) keeps more, but its checks warn")
    shown = text_of(page(found))
    assert note in shown
    assert "no. 1 keeps more, but its checks warn" in shown
    assert "no. 1 is better" not in shown
    honest = replace(masked, checks=[])
    again = compare([make.single("a", honest), make.single("b", entry("honest-pgd", 0.2, 2))])
    assert again.notes == []
    assert {row.metric: row.text for row in again.differences}["pgd20"].endswith("), a (adversarial) is better")
    assert "no. 1 is better" in text_of(page(again))


@pytest.mark.usefixtures("undrawn")
def test_other_images_are_not_paired_and_the_page_says_so(make: Maker) -> None:
    folders = [make.single(name, entry(name, 0.8, number)) for number, name in enumerate(("a", "b"))]
    folders.append(make.single("c", entry("c", 0.8, 3, fingerprint="others"), "data.name=digits", "data.size=16"))
    found = compare(folders)
    assert {(row.first[0], row.second[0]) for row in found.differences} == {("a", "b")}
    (note,) = found.notes
    assert "Not attacked on the same images: a (adversarial) and b (adversarial) (digits" in note
    assert f"c (adversarial) (digits at 16 pixels, {N} images)" in note
    assert note in text_of(page(found))
    assert note in lines(found)


@pytest.mark.parametrize("changed", ["eps", "step_size"])
def test_other_attacks_on_the_same_images_pair_the_clean_accuracies_only(make: Maker, changed: str) -> None:
    first = make.single("a", entry("a", 0.8, 1))
    if changed == "eps":
        second = make.single("b", entry("b", 0.8, 2, eps=4 / 255))
    else:
        second = make.single("b", entry("b", 0.8, 2), "eval.step_size=0.001")
    found = compare([first, second])
    assert [row.metric for row in found.differences] == ["clean"]
    (note,) = found.notes
    assert "only the clean accuracies are paired" in note
    assert ("ε = 4/255" if changed == "eps" else "step size 0.001") in note


@pytest.mark.usefixtures("undrawn")
def test_what_was_not_attacked_is_left_out_and_named(make: Maker) -> None:
    search = make.single("only-search", make_result.searched(), command="search")
    folders = [make.single("a", entry("a", 0.8, 1)), search, make.single("b", entry("b", 0.8, 2))]
    found = compare(folders)
    assert len(found.checkpoints) == 2
    assert found.notes == ["only-search has no attacked network and is left out."]
    with pytest.raises(InputError, match="at least two"):
        compare(folders[:2])


def test_a_folder_counts_once_and_a_study_stands_for_its_runs(make: Maker) -> None:
    folder = make.single("a", entry("a", 0.8, 1))
    assert count_checkpoints([folder, folder]) == 1
    seeds = [make_result.whole_run([entry("best-pgd", 0.8, seed)], seeds={"run": seed}) for seed in (0, 1)]
    study = make.single("study", summarise(seeds), command="study")
    for seed in (0, 1):
        make.whole(f"study/seed-{seed}", [entry("best-pgd", 0.8, seed)])
    found = compare([study, folder, study / "seed-0"])
    assert [one.identity.cell for one in found.checkpoints] == ["study/seed-0", "study/seed-1", "a"]


def test_runs_of_one_name_go_by_their_paths(make: Maker, tmp_path: Path) -> None:
    for part in ("one", "two"):
        (tmp_path / part).mkdir()
    found = compare([make.single(f"{part}/eval-1", entry("a", 0.8, 1)) for part in ("one", "two")])
    assert len({one.label for one in found.checkpoints}) == 2
    assert str(tmp_path / "two") in found.checkpoints[1].label


def test_an_unfinished_run_is_refused(make: Maker) -> None:
    folder = make.single("a", entry("a", 0.8, 1))
    (folder / "result.json").unlink()
    with pytest.raises(InputError, match="nas resume"):
        compare([folder, folder])


def test_training_curves_come_from_the_run_that_trained(make: Maker) -> None:
    whole = make.whole("trained", [entry("best-pgd", 0.9, 1)])
    path = "../trained/models/best-pgd/best.pt"
    found = compare([make.single("e", entry("best-pgd", 0.8, 2, checkpoint=path)), whole])
    assert all(one.record and one.record.history == history() for one in found.checkpoints)
    assert "validation accuracy" in text_of(page(found)).lower()
    with SqliteStore(whole / "store.sqlite") as store:
        store.put("training", None)
    assert all(one.record is None for one in compare([whole, make.single("f", entry("f", 0.8, 2))]).checkpoints)


def test_training_curves_of_a_run_with_a_damaged_configuration(make: Maker, caplog: pytest.LogCaptureFixture) -> None:
    """They stand in its store; what is damaged is named."""
    whole = make.whole("trained", [entry("best-pgd", 0.9, 1)])
    path = "../trained/models/best-pgd/best.pt"
    pair = [make.single(name, entry(name, 0.8, 2, checkpoint=path)) for name in ("e", "f")]
    (whole / "config.json").write_text("{")
    with caplog.at_level(logging.WARNING, "nas"):
        found = compare(pair)
    assert all(one.record and one.record.history == history() for one in found.checkpoints)
    for record in caplog.records:
        assert str(whole / "config.json") in record.getMessage()
        assert record.getMessage().endswith("The curves of its training are taken from its store.")
    assert caplog.records


def _two(make: Maker, **more: Any) -> ComparisonData:
    return compare([make.single("a", entry("a", 0.9, 1, **more)), make.single("b", entry("b", 0.4, 2, **more))])


def test_the_page_is_one_well_formed_file_that_asks_for_nothing(make: Maker, tmp_path: Path) -> None:
    found = _two(make)
    path = write_comparison(tmp_path / "page.html", found)
    html = path.read_text()
    check_well_formed(html)
    assert write_comparison(tmp_path / "again.html", found).read_bytes() == path.read_bytes()


@pytest.mark.usefixtures("undrawn")
def test_the_table_holds_the_numbers_of_the_results(make: Maker) -> None:
    found = _two(make)
    text = text_of(page(found))
    for one in found.checkpoints:
        for metric in ("clean", "fgsm", "pgd20", "worst_case"):
            share, (low, high) = one.entry.accuracy(metric)
            assert f"{100 * share:.1f}% [{100 * low:.1f}, {100 * high:.1f}]" in text
        assert f"{100 * one.entry.worst_case.hrs:.1f}%" in text
    for title in ("Results", "Clean against robust accuracy", "Robustness against the attack radius", "Paired"):
        assert title in text
    verdicts = re.findall(r'<tr class="(shown|unshown)">(.*?)</tr>', page(found))
    assert [kind == "shown" for kind, _ in verdicts] == [row.significant for row in found.differences]
    assert all(("is better" in row) == (kind == "shown") for kind, row in verdicts)


def test_names_are_escaped_in_the_page(make: Maker) -> None:
    right = {"clean": 60, EVIL: 30, "pgd20": 20}
    whole = [make_result.evaluation(right, N, name=f"{EVIL}{number}", training=EVIL) for number in (1, 2)]
    html = page(compare([make.whole("a", whole)]))
    assert "<script" not in html
    assert escape(EVIL) in html


@pytest.mark.usefixtures("undrawn")
def test_networks_that_were_not_trained_here_are_shown(make: Maker) -> None:
    found = _two(make, training="unknown", arch="timm:resnet18", checkpoint=None, source="timm:resnet18")
    assert found.checkpoints[0].label == "a (timm:resnet18)"
    assert found.checkpoints[0].identity.label == "a"
    assert "Training" not in re.findall(r"<h2>(.*?)</h2>", page(found))


def test_the_strongest_common_attack_judges() -> None:
    a, b = entry("a", 0.9, 1), entry("b", 0.4, 2)
    assert drawn.judged_by([a, b]) == "worst_case"
    alone = replace(b, worst_case=replace(b.worst_case, attacks=["fgsm"]))
    assert drawn.judged_by([a, alone]) == "pgd20"
    assert drawn.judged_by([alone, alone]) == "fgsm"
    without = replace(alone, attacks={"fgsm": alone.attacks["fgsm"]})
    assert drawn.judged_by([a, without]) == "fgsm"
    assert drawn.judged_by([a, replace(alone, attacks={})]) is None


def test_the_front_is_what_no_other_beats() -> None:
    points = [(0.9, 0.3), (0.8, 0.5), (0.85, 0.3), (0.7, 0.6), (0.7, 0.5), (0.8, 0.5)]
    assert [points[index] for index in front(points)] == [(0.7, 0.6), (0.8, 0.5), (0.8, 0.5), (0.9, 0.3)]


def test_json_has_the_comparison(make: Maker) -> None:
    plain = _two(make).to_json()
    assert [one["label"] for one in plain["checkpoints"]] == ["a (adversarial)", "b (adversarial)"]
    assert plain["checkpoints"][0]["clean"] == entry("a", 0.9, 1).clean
    assert {"first", "second", "metric", "difference", "interval", "p", "exact", "corrected", "shown"} <= set(
        plain["differences"][0]
    )


@pytest.mark.landing
def test_the_report_of_one_run_compares_nothing_unless_that_is_asked_for(
    make: Maker, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = make.whole("whole", [entry("best-pgd", 0.9, 1), entry("random-pgd", 0.8, 2)])
    assert run_command(["report", str(run)]) == 0
    assert "comparison" not in capfd.readouterr().out
    assert not (tmp_path / "comparison.html").exists()
    assert run_command(["report", str(run), "--out", str(tmp_path / "mine.html")]) == 0
    assert "comparison: " in capfd.readouterr().out
    assert (tmp_path / "mine.html").exists()


@pytest.mark.parametrize(("difference", "better"), [(0.2, "no. 1 is better"), (-0.2, "no. 2 is better")])
def test_the_verdict_names_the_better_of_the_two(difference: float, better: str) -> None:
    low, high = sorted((0.5 * difference, 1.5 * difference))
    row = Difference(
        first="a",
        second="b",
        metric="fgsm",
        difference=difference,
        interval=Interval(low, high),
        p=0.001,
        corrected=0.001,
        significant=True,
        text="",
    )
    assert Pair("a", "b", [row], numbers=("1", "2")).verdict(row) == better


@pytest.mark.usefixtures("undrawn")
def test_a_page_explains_only_what_it_shows(make: Maker) -> None:
    """One attack has no worst case of several, and one network that beats the other no line along a front."""
    pair = [
        make_result.evaluation({"clean": clean, "fgsm": fgsm}, N, name=name, training="pgd")
        for name, clean, fgsm in (("best-pgd", 70, 50), ("random-pgd", 60, 30))
    ]
    text = text_of(page(compare([make.whole("one", pair)])))
    assert "worst case" not in text.lower()
    assert "dashed line" not in text
    crossed = [pair[0], make_result.evaluation({"clean": 75, "fgsm": 30, "pgd20": 20}, N, name="b", training="pgd")]
    assert "The dashed line" in text_of(page(compare([make.whole("two", crossed)])))
    assert "Worst case" in text_of(page(_two(make)))
