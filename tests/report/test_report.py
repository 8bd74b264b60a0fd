"""The report: its numbers are the result's, it needs nothing from outside, it leaves out what a run lacks."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from itertools import combinations
from pathlib import Path

import pytest
import result_factory as make_result
from markupsafe import escape
from report_pages import check_well_formed, section, text_of, titles
from result_factory import BEST, RANDOM
from whole_reports import RIGHT, Make, data_of, entry, history, result, write_report

from nas.core.errors import InputError
from nas.core.goal import Goal
from nas.core.radius import radius
from nas.core.storage.sqlite import SqliteStore
from nas.report.figures import curves
from nas.report.identity import Identity
from nas.report.palette import BLUE
from nas.report.text import eps_text
from nas.report.wording import duration, percent, points, probability, value_in_column
from nas.results import FoundArchitecture, TrainedModel
from nas.runs import repetitions, run_folder
from nas.runs.differences import differences
from nas.runs.run_files import STORE
from nas.searches.history import Step
from nas.settings import schema

EVIL = "<script>alert('x')</script>"


def test_the_page_is_one_file_that_asks_for_nothing(make: Make) -> None:
    path = write_report(make(), result())
    page = path.read_text()
    assert path.name == "report.html"
    assert "<img" not in page
    check_well_formed(page)
    assert all(target.startswith("#") for target in re.findall(r'(?:href|src)="([^"]*)"', page))
    assert len(page.encode()) < 1_500_000


@pytest.mark.usefixtures("undrawn")
def test_the_table_holds_the_numbers_of_the_result(make: Make) -> None:
    content = result()
    page = write_report(make(), content).read_text()
    table = page[page.index("<h2>Results") : page.index("<h2>Paired")]
    rows = [
        re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in re.findall(r"<tr>(.*?)</tr>", table, re.S)[2:]
    ]
    assert len(rows) == len(content.models)
    for model, (_, weights, *numbers) in zip(content.models, rows):
        assert weights == f"{model.params:,}"
        metrics = ["clean", "fgsm", "pgd20", "worst_case"]
        for metric, cell in zip(metrics, numbers):
            share, (low, high) = model.accuracy(metric)
            assert text_of(cell) == f"{100 * share:.1f}% [{100 * low:.1f}, {100 * high:.1f}] "
        scores = [model.attacks["fgsm"].hrs, model.attacks["pgd20"].hrs, model.worst_case.hrs]
        assert numbers[len(metrics) :] == [f"{100 * value:.1f}%" for value in scores]


@pytest.mark.usefixtures("undrawn")
def test_a_difference_is_claimed_exactly_where_it_is_shown(make: Make) -> None:
    content = result()
    page = write_report(make(), content).read_text()
    table = page[page.index("<h2>Paired") : page.index("<h2>Robustness")]
    rows = [text_of(row) for row in re.findall(r'<tr class="(?:un)?shown">(.*?)</tr>', table)]
    assert len(rows) == len(content.differences)
    assert {row.significant for row in content.differences} == {True, False}
    for row, text in zip(content.differences, rows):
        assert ("no difference shown" in text) == (not row.significant)
        assert ("is better" in text) == row.significant
        assert points(row) in text
        low, high = row.interval
        numbers = [100 * row.difference, 100 * low, 100 * high]
        assert "{:+.1f} points [{:+.1f}, {:+.1f}]".format(*numbers).replace("-", "\u2212") in text
        for p in (row.p, row.corrected):
            assert f" {probability(p)} " in text
    better = next(text for row, text in zip(content.differences, rows) if row.metric == "pgd20" and row.significant)
    assert "best is better" in better


@pytest.mark.usefixtures("undrawn")
def test_the_summary_tells_a_worse_best_cell_plainly(make: Make) -> None:
    best_standard, best_pgd, random_standard, random_pgd = result().models
    swapped = zip((random_standard, random_pgd, best_standard, best_pgd), RIGHT)
    models = [replace(numbers, name=name, arch=BEST) for numbers, name in swapped]
    content = make_result.whole_run(models, differences(models))
    page = write_report(make(), content).read_text()
    finding = text_of(re.findall(r'<p class="finding">(.*?)</p>', page, re.S)[0])
    assert "less robust" in finding
    row = next(r for r in content.differences if (r.first, r.second, r.metric) == ("best-pgd", "random-pgd", "pgd20"))
    assert points(row) in finding


def test_names_and_reasons_are_escaped(make: Make) -> None:
    content = result()
    first, *others = content.models
    search = make_result.searched(EVIL)
    named = {**content.versions, EVIL: EVIL}
    models = [replace(first, name=EVIL), *others]
    content = replace(
        content, search=search, arch=EVIL, models=models, versions=named, seeds={"run": 1, EVIL: 2}, data=EVIL
    )
    folder = make(reason=EVIL)
    written = (folder / "config.json").read_text().replace('"name": "quickstart"', f'"name": "{EVIL}"')
    (folder / "config.json").write_text(written)  # such a name is refused at the start, but files can be edited
    (folder / "config.json.sha256").unlink()
    page = write_report(folder, content).read_text()
    assert "<script" not in page
    assert f"<h1>{escape(EVIL)}</h1>" in page
    assert f"2\u00d7 {escape(EVIL)}" in page


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    "absent", [gone for size in (0, 1, 2, 3) for gone in combinations(("training", "models", "differences"), size)]
)
def test_only_what_is_there_is_shown(make: Make, absent: tuple[str, ...]) -> None:
    content = result()
    if "models" in absent:
        content = replace(content, models=[])
    if "differences" in absent:
        content = replace(content, differences=[])
    folder = make()
    if "training" in absent:
        with run_folder.reopen(folder) as opened:
            opened.store.put("training", None)
    shown = titles(write_report(folder, content).read_text())
    assert "Search" in shown
    for part, title in {"training": "Training", "models": "Results", "differences": "Paired differences"}.items():
        assert (title in shown) == (part not in absent)
    assert ("Robustness against the attack radius" in shown) == ("models" not in absent)


@pytest.mark.usefixtures("undrawn")
def test_results_of_single_commands(make: Make) -> None:
    folder = make()
    (folder / "store.sqlite").rename(folder / "aside")
    one = replace(entry("best-pgd", BEST), seconds={"eval": 3.0, "total": 3.0})
    page = write_report(folder, one).read_text()
    assert {"Results", "Cells", "Time per stage"} <= set(titles(page))
    assert not {"Search", "Training", "Paired differences"} & set(titles(page))
    assert not (folder / "store.sqlite").exists()

    (folder / "aside").rename(folder / "store.sqlite")
    searched = make_result.searched(seconds={"search": 3.0, "total": 3.0})
    page = write_report(folder, searched).read_text()
    assert "Search" in titles(page)
    assert "Results" not in titles(page)

    with run_folder.reopen(folder) as opened:
        opened.store.put("training", {"model": make_result.training_record(history(True)).to_json()})
    page = write_report(folder, make_result.trained()).read_text()
    assert {"Training", "Cells", "Time per stage"} <= set(titles(page))
    assert not {"Search", "Results"} & set(titles(page))
    assert "by adversarial training" in text_of(page)
    assert "standard training" not in text_of(page)


@pytest.mark.landing
def test_the_same_inputs_give_the_same_bytes(make: Make) -> None:
    folder, content = make(), result()
    first = write_report(folder, content).read_bytes()
    later = {**content.seconds, "report": 99.0, "total": 999.0}
    content = replace(content, seconds=later)  # the time of the report itself is known only after it
    assert write_report(folder, content).read_bytes() == first


@pytest.mark.usefixtures("undrawn")
def test_the_report_can_be_written_inside_the_run(make: Make) -> None:
    folder = make()
    with run_folder.reopen(folder):
        assert write_report(folder, result()).exists()


def test_a_logarithmic_axis_has_plain_numbers() -> None:
    steps = [Step(number, "a", value, value, None) for number, value in enumerate((2.0, 30.0, 5000.0), start=1)]
    drawn = curves.search(steps, Goal("synflow", True), False)
    assert "$" not in drawn
    assert ">1000<" in drawn


def test_a_training_of_one_epoch_has_an_axis_of_whole_epochs() -> None:
    record = TrainedModel("a.pt", "a.pt", "|none~0|", 1, 1, [{"train_loss": 2.0}], 1.0)
    model = Identity("best", "standard", BLUE, "o")
    drawn = curves.training("train_loss", {"best": record}, {"best": model})
    assert ">1<" in drawn


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Expected a run folder"):
        write_report(tmp_path, result())


def test_numbers_are_written_alike() -> None:
    assert percent(0.5) == "50.0%"
    assert radius(8 / 255) == "8/255"
    assert radius(0.15) == "0.15"
    assert radius(0.2) == "0.2"
    assert (eps_text(8 / 255), eps_text(0.15)) == ("8/255 = 0.03137", "0.15")
    assert [duration(s) for s in (6.52, 119.6, 3725)] == ["6.5 s", "2 min 00 s", "1 h 02 min"]


def test_numbers_of_a_column_have_the_same_decimals() -> None:
    column = [185.499, 188.491, 527.5]
    assert [value_in_column(one, column) for one in column] == ["185.50", "188.49", "527.50"]
    assert [value_in_column(one, [0.61499, 7.2124295]) for one in (0.61499, 7.2124295)] == ["0.6150", "7.2124"]
    assert [value_in_column(one, [850, 20194]) for one in (850, 20194)] == ["850", "20,194"]
    assert value_in_column(0.001234, [0.001234, 20194.0]) == "0.001234", "of another size"


def test_an_interval_is_of_95_percent_in_one_spelling(make: Make) -> None:
    page = write_report(make(), result()).read_text()
    assert "95 %" in page
    assert "95%" not in re.sub(r"<style>.*?</style>", "", page, flags=re.S)


def test_colour_and_marker_tell_the_cell_and_line_style_the_training(make: Make) -> None:
    folder, content = make(), result()
    models = data_of(folder, content).models
    assert models["best-pgd"].colour == models["best-standard"].colour != models["random-pgd"].colour
    assert models["best-pgd"].marker == models["best-standard"].marker != models["random-pgd"].marker
    assert models["best-pgd"].dashes == models["random-pgd"].dashes != models["best-standard"].dashes
    legend = section(write_report(folder, content).read_text(), "Training").partition("</ul>")[0]
    assert legend.count("<li>") == len(models)
    assert all(f'stroke="{model.colour}"' in legend and model.label in legend for model in models.values())


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("metrics", [{}, {"val_accuracy": None, "val_robust_accuracy": None}])
def test_a_supernet_search_without_accuracies(metrics: dict[str, None], tmp_path: Path) -> None:
    """Those of strategy.validation_images=0 and of data.validation=0."""
    chosen = schema.load("quickstart", [f"run.dir={tmp_path / 'run'}", "strategy.name=rnas-max"])
    result = make_result.supernet_searched(BEST, **metrics)
    with run_folder.create("search", chosen) as opened:
        opened.finish(result)
    write_report(tmp_path / "run", result)
    page = unescape((tmp_path / "run/report.html").read_text())
    assert "2.25" in page
    assert page.count(BEST) >= 2
    assert "validation accuracy" not in page
    assert "None" not in re.sub(r"<style.*?</style>|none~", "", page, flags=re.S)


@pytest.mark.usefixtures("undrawn")
def test_a_method_of_a_package_that_is_not_installed_is_named_by_its_setting(make: Make) -> None:
    folder = make()
    with SqliteStore(folder / STORE) as store:
        store.put("training", {"best-theirs": make_result.training_record(history(True), arch=BEST).to_json()})
    models = [replace(entry("best-pgd", BEST), name="best-theirs", training="theirs")]
    page = write_report(folder, make_result.whole_run(models, [], space="nasbench201")).read_text()
    assert "by theirs training" in page


def test_a_cell_of_two_names_is_shown_once_by_the_first(make: Make) -> None:
    assert data_of(make(), result(random=BEST)).cells() == {"best": BEST}


@pytest.mark.usefixtures("undrawn")
def test_a_search_with_several_goals_found_a_front_and_not_a_best(make: Make) -> None:
    goals = [Goal("croze"), Goal("params", higher_is_better=False)]
    top = [FoundArchitecture(one, one, {"params": 20.0, "croze": 1.0}) for one in (BEST, RANDOM)]
    found = make_result.searched(goals=goals, top=top, seconds={"search": 3.0, "total": 3.0})
    text = text_of(write_report(make(), found).read_text())
    assert "objectives croze and params" in text
    assert "2 form the Pareto front" in text
    assert "take the first of the front, the best by croze" in text
    assert "best so far by croze" in text
    assert "the best reached" not in text
    assert "rank croze" not in text


@pytest.mark.usefixtures("undrawn")
def test_a_transfer_says_by_which_attack(make: Make) -> None:
    text = text_of(
        write_report(make(command="transfer", extra={"networks": {}}), make_result.transferred()).read_text()
    )
    assert "Each of 2 networks was attacked by PGD-20 within L∞ ε = " in text
    assert "4 test images; PGD-20, L∞ ε = " in text
    assert "White-box, black-box" in text


@pytest.mark.usefixtures("undrawn")
def test_a_page_without_differences_explains_none(make: Make) -> None:
    page = write_report(make(), replace(entry("best-pgd", BEST), seconds={"total": 3.0})).read_text()
    assert "Wilson's score interval" in page
    assert "Newcombe" not in page
    assert "McNemar" not in page


def test_the_page_of_several_seeds_leads_with_what_came_out_and_has_its_settings(make: Make) -> None:
    models = [entry(name, BEST) for name in ("best-pgd", "random-pgd")]
    together = repetitions.summarise([make_result.whole_run(models, seeds={"run": seed}) for seed in range(2)])
    found = replace(together, versions=make_result.VERSIONS, runs=["a", "b"])
    text = text_of(write_report(make("name=mine", command="study"), found).read_text())
    assert "were made 2 times" in text
    assert "Under PGD-20, best, adversarial keeps 61.7 ± 0.0% robust accuracy" in text
    assert "random, adversarial" in text
    assert "best-pgd" not in text.partition("All settings")[0]
    assert text.index("budget:") < text.index("Save the settings above as mine.yaml")
