"""Verdicts on the differences of a run need the correction and are the same everywhere, also for version 0.1."""

from __future__ import annotations

import hashlib
import json
import math
import re
from copy import deepcopy
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
import result_factory as make

from nas.commands import command_of
from nas.commands.run import Run
from nas.report.compare import compare
from nas.report.pages.comparison import lines, page
from nas.results import Check, Difference, Interval, RunResult
from nas.runs import run_folder
from nas.runs.difference_wording import UNTESTED, difference_text, disagreement
from nas.runs.differences import corrected, differences, uncorrected
from nas.runs.stages.context import Watcher
from nas.settings import schema

N = 200
TRAININGS = ("standard", "pgd")
LUCKY = (15, 4)  # images correct under only the first, only the second network: p = .019, not significant in 12 rows
CLEAR = (40, 4)
PAIR = ("best-pgd", "random-pgd", "pgd20")


def text_of(folder: Path, result: RunResult) -> str:
    return "\n".join(Run().summary(folder, result))


def test_the_text_names_the_found_cell_and_counts_the_differences_that_it_leaves_to_the_page(tmp_path: Path) -> None:
    found = result(*CLEAR)
    lines = text_of(tmp_path, found).splitlines()
    assert lines[0] == f"found: {found.arch}"
    printed = sum(" minus " in line for line in lines)
    assert 0 < printed < len(found.differences)
    assert f"({len(found.differences) - printed} more differences are in the report)" in lines


def write_report(folder: Path, found: RunResult) -> Path:
    return command_of(folder).report(folder, found)


def result(only_first: int, only_second: int) -> RunResult:
    """A run whose networks agree on every image, except for some that PGD-20 breaks for only one of the two cells."""
    shared, rest = 80, N - 80 - only_first - only_second
    pgd20 = {
        "best": "1" * shared + "1" * only_first + "0" * only_second + "0" * rest,
        "random": "1" * shared + "0" * only_first + "1" * only_second + "0" * rest,
    }
    same = {"clean": "1" * 150 + "0" * 50, "fgsm": "1" * 120 + "0" * 80}
    models = []
    for cell in ("best", "random"):
        for method in TRAININGS:
            entry = make.evaluation({**same, "pgd20": pgd20[cell]}, name=f"{cell}-{method}", arch=cell)
            alone = replace(entry.worst_case, attacks=["pgd20"], correct=entry.correct["pgd20"])
            models.append(replace(entry, worst_case=alone))  # the worst case of one attack is no accuracy of its own
    return make.whole_run(models, differences(models), seconds={"total": 1.0})


def before(found: RunResult) -> RunResult:
    """The same result as version 0.1 wrote it: the verdicts are those of the intervals, and there is no p."""
    rows = []
    for row in found.differences:
        low, high = row.interval
        significant = low > 0 or high < 0
        text = f"{100 * row.difference:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]"
        text = text if significant else f"{text}, no difference shown"
        plain = replace(row, significant=significant, text=text).to_json()
        rows.append({key: value for key, value in plain.items() if key not in ("p", "corrected")})
    return RunResult.from_json({**found.to_json(), "differences": rows})


def row_of(rows: list[Difference], wanted: tuple[str, str, str] = PAIR) -> Difference:
    (row,) = [row for row in rows if (row.first, row.second, row.metric) == wanted]
    return row


def folder_of(tmp_path: Path, found: RunResult) -> Path:
    folder = tmp_path / "run"
    with run_folder.create("run", schema.load("quickstart", [f"run.dir={folder}"])) as opened:
        opened.store.put("training", {model.name: make.training_record().to_json() for model in found.models})
        opened.finish(found)
    return folder


def plain(html: str) -> str:
    html = re.sub(r"<style>.*?</style>", "", html, flags=re.S)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def finding(html: str) -> str:
    return plain(re.findall(r'<p class="finding">(.*?)</p>', html, re.S)[0])


def binomial(only_first: int, only_second: int) -> float:
    total = only_first + only_second
    return min(1.0, 2 * sum(math.comb(total, k) for k in range(min(only_first, only_second) + 1)) / 2**total)


def test_p_is_mcnemars_and_corrected_holms_over_all_rows() -> None:
    rows = result(*LUCKY).differences
    assert len(rows) == 12  # two methods and two cells, each with three accuracies
    row = row_of(rows)
    assert row.p == pytest.approx(binomial(*LUCKY))
    assert [one.p for one in rows].count(1) == 10  # networks that agree on every image
    for one in rows:
        assert one.p is not None
        assert one.corrected == pytest.approx(min(1.0, 12 * one.p))  # 12 times the smallest two, and 1 for the others
        assert one.significant == (one.corrected < 0.05)


def test_an_uncorrected_interval_makes_nothing_more_robust(tmp_path: Path) -> None:
    """An example of the rule's purpose: one interval of 12 excludes 0, which can happen by chance."""
    found = result(*LUCKY)
    row = row_of(found.differences)
    assert row.interval.low > 0
    assert row.p is not None
    assert row.corrected is not None
    assert row.p < 0.05 < row.corrected
    assert not row.significant
    assert row.text.endswith("no difference shown, although the uncorrected interval leaves out 0")
    folder = folder_of(tmp_path, found)
    html = write_report(folder, found).read_text()
    assert "more robust" not in html
    assert "is better" not in html.replace("higher is better", "")  # the direction of the search's goal
    assert '<tr class="shown">' not in html
    assert "no difference shown, although the uncorrected interval leaves out 0" in finding(html)
    text = text_of(folder, found)
    assert "robust" not in text.replace("harmonic robustness", "")
    assert f"best-pgd minus random-pgd, pgd20: {row.text}" in text


def test_a_difference_that_outlasts_the_correction_is_shown_everywhere(tmp_path: Path) -> None:
    found = result(*CLEAR)
    row = row_of(found.differences)
    assert row.significant
    assert "no difference" not in row.text
    folder = folder_of(tmp_path, found)
    html = write_report(folder, found).read_text()
    assert "it is more robust" in finding(html)
    assert len(re.findall(r'<tr class="shown">', html)) == sum(one.significant for one in found.differences)
    assert "best is better" in plain(html)
    worse = result(*reversed(CLEAR))
    assert "it is less robust" in finding(write_report(folder, worse).read_text())


def test_page_and_text_say_once_what_was_corrected(tmp_path: Path) -> None:
    found = result(*CLEAR)
    folder = folder_of(tmp_path, found)
    for said in (plain(write_report(folder, found).read_text()), text_of(folder, found)):
        assert said.count("Holm's correction for all 12 differences") == 1
        assert said.count("The intervals are uncorrected") == 1
        assert "paired on the same images, is below 0.05 after Holm's correction" in said


def test_a_comparison_says_where_interval_and_verdict_differ(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, result(*LUCKY))
    found = compare([folder])
    assert len(found.differences) == 18  # six pairs
    row = next(row for row in found.differences if row.p == pytest.approx(binomial(*LUCKY)))
    assert row.interval.low > 0
    assert not row.significant
    html = page(found)
    assert "is better" not in html
    assert "no difference shown, although the uncorrected interval leaves out 0" in plain(html)
    assert plain(html).count("Holm's correction for all 18 differences on this page") == 1
    alone = sum(not row.significant and row.interval.low * row.interval.high > 0 for row in found.differences)
    assert alone >= 1
    assert re.search(
        rf"^0 of 18 .* uncorrected, and {alone} leaves? out 0 where no difference is shown\.$", lines(found)[0]
    )
    rows = [replace(row, corrected=0.01, significant=True, interval=Interval(-0.01, 0.4)) for row in found.differences]
    text = lines(replace(found, differences=rows))[-1]
    assert text.startswith("18 of 18 ")
    assert text.endswith("the 95 % intervals are uncorrected."), "shown ones are not among those that leave out 0"


def test_a_verdict_against_its_interval_is_said_too() -> None:
    """The opposite case: the test is below .05 and the interval contains 0."""
    row = replace(row_of(result(*CLEAR).differences), difference=0.1, interval=Interval(-0.01, 0.2), significant=True)
    assert difference_text(replace(row, p=0.001, corrected=0.01)) == (
        "+10.0 points [-1.0, +20.0], p = 0.001 (0.01 corrected), best-pgd is better, "
        "although the uncorrected interval contains 0"
    )


def test_a_network_whose_checks_warn_is_better_on_clean_images_only() -> None:
    row = replace(row_of(result(*CLEAR).differences), p=0.001, corrected=0.01)
    for metric, said in (("clean", "best-pgd is better"), ("pgd20", "best-pgd keeps more, but its checks warn")):
        assert difference_text(replace(row, metric=metric), ["best-pgd"]).endswith(f"corrected), {said}")


@pytest.mark.parametrize(("ok", "doubted"), [("warn", True), ("pass", False), ("skipped", False)])
def test_the_differences_of_a_run_know_whose_checks_warn(ok: str, doubted: bool) -> None:
    """Also those of earlier results."""
    found = result(*CLEAR)
    models = [
        replace(one, checks=[Check("logits", ok, "-")]) if one.name == "best-pgd" else one for one in found.models
    ]
    found = replace(found, models=models, differences=differences(models))
    for rows in (found.differences, corrected(before(found)).differences):
        assert row_of(rows).significant
        assert ("keeps more, but its checks warn" in row_of(rows).text) == doubted


@pytest.mark.parametrize(
    ("interval", "significant", "said"),
    [
        ([0.1, 0.2], True, ""),
        ([-0.2, -0.1], True, ""),
        ([-0.1, 0.1], False, ""),
        ([-0.2, -0.1], False, "although the uncorrected interval leaves out 0"),
        ([0.1, 0.2], False, "although the uncorrected interval leaves out 0"),
        ([-0.1, 0.1], True, "although the uncorrected interval contains 0"),
    ],
)
def test_a_disagreement_is_said_for_either_sign(interval: list[float], significant: bool, said: str) -> None:
    row = replace(row_of(result(*CLEAR).differences), interval=Interval(*interval), significant=significant)
    assert disagreement(row) == said


def test_the_worst_case_of_one_attack_is_no_row_of_its_own() -> None:
    """Its row would repeat the attack's, which would count twice in the correction."""
    models = result(*CLEAR).models
    for attacks, count in ((["pgd20"], 12), (["fgsm", "pgd20"], 16)):
        found = [replace(model, worst_case=replace(model.worst_case, attacks=attacks)) for model in models]
        assert len(differences(found)) == count


def test_a_verdict_against_its_interval_is_said_on_the_page(tmp_path: Path) -> None:
    found = result(*CLEAR)
    other = replace(row_of(found.differences), interval=Interval(-0.01, 0.4))
    rows = [other if row == row_of(found.differences) else row for row in found.differences]
    found = replace(found, differences=rows)
    html = write_report(folder_of(tmp_path, found), found).read_text()
    assert "it is more robust , although the uncorrected interval contains 0" in finding(html)
    assert "best is better, although the uncorrected interval contains 0" in plain(html)


# results of earlier versions


def test_verdicts_of_before_are_made_anew_from_the_outcomes(tmp_path: Path) -> None:
    for counts in (LUCKY, CLEAR):
        found = result(*counts)
        old = before(found)
        kept = deepcopy(old)
        assert row_of(old.differences).significant
        assert uncorrected(old)
        assert not uncorrected(found)
        assert corrected(old) == found
        assert corrected(found) is found
        assert text_of(tmp_path, old) == text_of(tmp_path, found)
        assert old == kept
    folder, lucky = folder_of(tmp_path, before(result(*LUCKY))), result(*LUCKY)
    assert write_report(folder, before(lucky)).read_bytes() == write_report(folder, lucky).read_bytes()


def test_differences_of_before_without_outcomes_are_not_tested(tmp_path: Path) -> None:
    """They count in the correction of the other rows, but have no verdict."""
    old = before(result(*CLEAR))
    lost = [replace(model, correct={}) if model.name.endswith("standard") else model for model in old.models]
    old = replace(old, models=lost)
    rows = corrected(old).differences
    known = row_of(rows)
    assert known.p == pytest.approx(binomial(*CLEAR))
    assert known.corrected == pytest.approx(min(1, 12 * known.p))
    assert known.significant
    untested = [row for row in rows if "standard" in row.first + row.second]
    assert len(untested) == 9
    for row in untested:
        assert (row.p, row.corrected, row.significant) == (None, None, False)
        assert row.text.endswith(UNTESTED)
        written = row.to_json()
        assert (written["p"], written["corrected"]) == (None, None)
        assert Difference.from_json(written) == row
    folder = folder_of(tmp_path, old)
    said = plain(write_report(folder, old).read_text())
    assert said.count(UNTESTED) == 10  # in the table and in the first paragraph
    assert f"standard training of this cell the difference is {UNTESTED}" in said
    assert text_of(folder, old).count(UNTESTED) == 3
    json.dumps(corrected(old).to_json(), allow_nan=False)


@pytest.mark.parametrize("text", ["", "101"])
def test_outcomes_of_other_images_are_not_tested(text: str) -> None:
    old = before(result(*CLEAR))
    first, *others = old.models
    old = replace(old, models=[replace(first, correct={**first.correct, "fgsm": make.flags(text)}), *others])
    assert row_of(corrected(old).differences, ("best-standard", "random-standard", "fgsm")).p is None


def test_a_finished_run_of_before_is_returned_as_it_was_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = before(result(*LUCKY))
    folder = folder_of(tmp_path, old)
    content = (folder / "result.json").read_bytes()
    with run_folder.reopen(folder) as opened, caplog.at_level("WARNING"):
        found = command_of(opened.folder).finish(opened, Watcher())
    assert isinstance(found, RunResult)
    assert row_of(found.differences) == row_of(old.differences)
    assert found.to_json() == json.loads(content)
    assert "uncorrected interval" in caplog.text
    assert "nas report" in caplog.text
    write_report(folder, found)
    assert (folder / "result.json").read_bytes() == content
    signature = (folder / "result.json.sha256").read_text().split()[0]
    assert signature == hashlib.sha256(content).hexdigest()


def test_a_finished_run_of_today_is_returned_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = folder_of(tmp_path, result(*LUCKY))
    with run_folder.reopen(folder) as opened, caplog.at_level("WARNING"):
        command_of(opened.folder).finish(opened, Watcher())
    assert not caplog.text
