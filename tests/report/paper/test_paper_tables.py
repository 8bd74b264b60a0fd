"""The LaTeX tables: the numbers of the results, bold only where that is shown, and documents that compile."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
import result_factory as make
from papers import HOSTILE, N, entries, paper, run_of, whole
from tex_reader import check, compile_alone, method_of, rows_of

from nas.api.checks import Checks
from nas.commands.run import Run
from nas.commands.search import Search
from nas.core.goal import Goal
from nas.core.io.records import Json
from nas.report.pages.run import page
from nas.report.pages.sentences import summary
from nas.report.pages.study import page as study_page
from nas.report.paper import latex
from nas.report.paper.checks import checks_table
from nas.report.paper.citations import uses
from nas.report.paper.escape import tex
from nas.report.paper.latex import latex_of
from nas.report.paper.material import Material, Paper
from nas.report.paper.method import method
from nas.report.paper.run_tables import MAX_FOUND
from nas.results import Check, FoundArchitecture, SearchResult
from nas.runs.repetitions import summarise


def every_kind() -> Paper:
    """A run of each command, with names made of everything that LaTeX could take for something else."""
    hostile = [
        make.evaluation({"clean": 59, HOSTILE: 6, "pgd20": 0}, N, name=f"{HOSTILE}{number}") for number in range(3)
    ]
    corrupted = entries(corruptions=make.corrupted({"fog": [0.5, 0.4]}, 0.9), measures=make.measured())
    study = summarise([make.whole_run(entries(), seeds={"run": seed}) for seed in (0, 1)])
    return paper(
        whole(corrupted),
        whole(hostile, HOSTILE),
        Material("search", run_of(make.searched(), command="search")),
        Material("training", run_of(make.trained(), command="train")),
        Material("transfer", run_of(make.transferred(names=(HOSTILE, "b_c")), command="transfer")),
        Material("dps", run_of(make.discrete_search(), command="dps")),
        Material("study", run_of(study, command="study")),
    )


def test_the_numbers_are_those_of_the_result() -> None:
    networks = entries()
    text = latex_of(paper(whole(networks)))
    check(text)
    rows = rows_of(text)
    names = ["best, standard", "best, adversarial", "random, adversarial"]
    assert rows[0] == ["network", "weights", "clean", "FGSM", "PGD-20", "worst case"]
    for number, (name, one) in enumerate(zip(names, networks)):
        found = [one.accuracy(metric) for metric in ("clean", "fgsm", "pgd20", "worst_case")]
        assert rows[1 + 2 * number] == [name, "67,570", *(f"{100 * share:.1f}" for share, _ in found)]
        assert rows[2 + 2 * number] == ["", "", *(f"[{100 * low:.1f}, {100 * high:.1f}]" for _, (low, high) in found)]
        scores = [one.attacks["fgsm"].hrs, one.attacks["pgd20"].hrs, one.worst_case.hrs]
        assert rows[9 + number] == [name, *(f"{100 * score:.1f}" for score in scores)]
    caption = re.findall(r"\\caption\{(.*)\}", text)[0]
    for word in ("60 test images", r"\varepsilon = 8/255", "FGSM and PGD-20", "Seed: 0.", "Holm's", "12 differences"):
        assert word in caption


def test_scores_of_one_attack_stand_beside_the_accuracies() -> None:
    one = make.evaluation({"clean": 59, "fgsm": 6}, N, name="best-standard")
    text = latex_of(paper(whole([one])))
    check(text)
    assert text.count(r"\begin{tabular}") == 1
    assert rows_of(text)[1] == ["network", "weights", "clean", "FGSM", "FGSM"]
    assert " & & & & \\multicolumn{1}{c}{HRS under} \\\\\n\\cmidrule(l){5-5}\n" in text


def test_the_attacks_of_sweep_and_calibration_have_sources() -> None:
    one = make.evaluation(
        {"clean": 59, "fgsm": 6}, N, name="best-standard", measures=make.measured(),
        sweep=[make.curve("cw10", (0.0, 0.9), (4 / 255, 0.5), n=N)],
    )  # fmt: skip
    found = method(whole([one]).run).replace(r"\allowbreak{}", "")
    attacks = [use.name for use in uses(whole([one]).run) if use.kind == "attack"]
    assert attacks == ["fgsm", "cw10", one.measures.calibration.attack]  # type: ignore[union-attr]
    assert r"cw10~\cite{carlini2017towards}" in found
    assert r"measured under CW-10 at $\varepsilon$ = 4/255." in found


def test_the_method_has_the_settings_that_acted_the_constraint_and_the_epochs() -> None:
    material = whole(entries())
    record = make.training_record([{"val_accuracy": 0.5}] * 3)
    run = replace(material.run, trained={"best-standard": record}, acting=Run().acting(material.run.settings))
    text = method(run).replace(r"\allowbreak{}", "")
    settings = text[text.index("{Settings.}") :]
    for word in ("search.budget=", r"train.batch\_size=", "eval.eps="):
        assert word in settings
    for word in ("label.", "latency.", "supernet.", "proxies.eproxy.", r"eval.corruptions\_", "train.beta"):
        assert word not in settings
    assert r"under the constraint params\textless{}=85\%" in text
    assert "standard training for 3 epochs" in text
    assert "eval." not in method(replace(run, acting=Search().acting(run.settings)))


def test_the_method_has_the_step_size_of_an_attack_that_uses_its_own() -> None:
    material = whole(entries())
    assert r"; step size of \texttt{pgd20}: 2/255." in method(material.run).replace(r"\allowbreak{}", "")
    assert "step size of" not in method(run_of(make.whole_run(entries()), entries(), "eval.step_size=0.01"))
    one = make.evaluation({"clean": 59, "pgd20": 6, "mifgsm6": 3, "fgsm": 9}, N, name="best-standard", eps=12 / 255)
    own = r"; step size of \texttt{pgd20}: 3/255; step size of \texttt{mifgsm6}: 2/255."  # eps/4 and eps/steps
    assert own in method(whole([one]).run).replace(r"\allowbreak{}", "")


def test_bold_is_what_is_better_than_every_other_network_after_correction() -> None:
    text = latex_of(paper(whole(entries())))
    best = text[: text.index("tab:differences")]
    assert re.findall(r"\\textbf\{(.*?)\}", best) == ["68.3", "61.7", "61.7"]  # not the clean 98.3
    (first, second, third) = entries()
    assert r"\textbf" not in latex_of(paper(whole([first])))
    alike = replace(
        third, name="other-pgd", correct=second.correct, attacks=second.attacks, worst_case=second.worst_case
    )
    text = latex_of(paper(whole([first, second, alike])))
    assert r"\textbf" not in text[: text.index("tab:differences")]


def test_nothing_is_bold_for_a_network_whose_checks_warn() -> None:
    first, second, third = entries()
    certain = latex_of(paper(whole([first, second, third])))
    doubted = replace(second, checks=[Check("zero-gradients", "warn", "-")])
    text = latex_of(paper(whole([first, doubted, third])))
    table, differences = text.split(r"\label{tab:differences}")[0], text.split("tab:differences")[-1]
    assert "warn for best, adversarial: accuracies and scores under attack are upper bounds, and never bold" in table
    assert not re.findall(r"\\textbf\{(.*?)\}", text[: text.index("tab:differences")])
    assert r"\textbf" in differences  # clean accuracies are not in doubt
    assert differences.count(r"\textbf") < certain.split("tab:differences")[-1].count(r"\textbf")
    assert "unless checks warn for the better network. Checks of the attacks warn for best, adversarial: " in text
    assert "warn" not in certain


def test_every_paired_difference_is_in_a_table() -> None:
    shown = paper(whole(entries()))
    (text,) = [one for one in latex_of(shown).split(r"\begin{table}") if "tab:differences" in one]
    rows = rows_of(text)
    assert rows[0] == ["networks", "accuracy", "difference", "interval", "p"]
    found = shown.networks.differences
    assert len(rows) == 1 + len(found) == 13
    assert [row[0].replace(",", ", ") for row in rows[1:] if row[0]] == [
        "best, standard $-$ best, adversarial",
        "best, standard $-$ random, adversarial",
        "best, adversarial $-$ random, adversarial",
    ]
    for row, one in zip(rows[1:], found):
        assert row[2] == f"{100 * one.difference:+.1f}".replace("-", "$-$")
        assert (r"\textless" in row[4]) == (one.corrected < 1e-4)
    assert text.count(r"\textbf") == sum(one.significant for one in found) > 0
    assert "all 12 differences" in text


def test_networks_attacked_otherwise_have_a_table_of_their_own() -> None:
    other = [make.evaluation({"clean": 59, "fgsm": 6}, N, eps=4 / 255, name="best-pgd")]
    text = latex_of(paper(whole(entries()), Material("b", run_of(other[0], other, command="eval"))))
    check(text)
    labels = ["tab:robustness-1", "tab:robustness-2", "tab:differences"]
    assert re.findall(r"\\label\{(.*?)\}", text) == labels
    assert r"\varepsilon = 4/255" in text
    assert "b (adversarial)" in text


def test_what_was_not_measured_is_a_dash() -> None:
    other = make.evaluation({"clean": 50, "square": 10}, N, name="best-standard")
    runs = {"a": entries()[1], "b": replace(other, params=-1)}
    rows = rows_of(latex_of(paper(*(Material(name, run_of(one, [one])) for name, one in runs.items()))))
    assert rows[3] == ["b (standard)", "--", "83.3", "--", "--", "16.7"]


def test_the_means_of_a_study() -> None:
    study = summarise([make.whole_run(entries(), seeds={"run": seed}) for seed in (3, 4)])
    text = latex_of(paper(Material("study", run_of(study))))
    check(text)
    assert "over 2 seeds (3 and 4)" in text
    assert r"\textbf" not in text
    assert rows_of(text)[1][:4] == ["best, standard", "98.3", "10.0", "0.0"]
    assert r"$\pm$ 0.0" in rows_of(text)[2][1]


def test_a_search_shows_its_best_and_says_how_many_there_are() -> None:
    found = make.searched()
    many: SearchResult = replace(found, top=found.top * 12)
    text = latex_of(paper(Material("s", run_of(many, command="search"))))
    check(text)
    assert len(rows_of(text)) == 1 + MAX_FOUND
    assert "the first 10 of 12" in text
    assert rows_of(text)[1][1] == "19"


def test_a_long_table_may_go_on_in_the_next_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latex, "MAX_LINES", 12)
    text = latex_of(paper(whole(entries())))
    check(text)
    assert r"\usepackage{longtable}" in text.splitlines()[0]
    assert text.count(r"\label{") == text.count(r"\endfirsthead") - 1 == 2  # the first has two parts
    assert r"\begin{table}" not in text


def test_runs_without_numbers_say_so() -> None:
    assert "no numbers for a table" in latex_of(paper())


def test_names_of_anything_are_escaped_in_every_table() -> None:
    text = latex_of(every_kind())
    check(text)
    check(method_of(text))


def test_the_document_compiles_alone(tmp_path: Path) -> None:
    said = compile_alone(tmp_path, latex_of(every_kind()))
    if said is None:
        pytest.skip("LaTeX is not installed")
    assert said.startswith("0\n"), said[-3000:]
    assert "multiply defined" not in said


def test_the_same_runs_give_the_same_text() -> None:
    assert latex_of(paper(whole(entries()))) == latex_of(paper(whole(entries())))


def test_the_method_has_all_settings_seeds_versions_and_sources() -> None:
    networks = entries()
    text = method_of(latex_of(paper(whole(networks))))
    check(text)
    plain = text.replace(r"\allowbreak{}", "")
    for word in (
        r"search.budget=120",
        r"train.batch\_size=64",
        "run: 7",
        "robust-nas 0.3.0",
        "torch 9.8.7",
        "0123abcd",
    ):
        assert word in plain
    settings = {key: value for key, value in flat(whole(networks).run.settings) if value not in (None, [])}
    assert [key for key in settings if rf"\texttt{{{tex(key)}=" not in plain] == ["name", "run.dir"]
    for word in (r"croze~\cite{ha2023croze}", r"pgd20~\cite{madry2018towards}", r"digits~\cite{alpaydin1998digits}"):
        assert word in plain
    assert "somebody" not in plain  # the folder of the run is not part of the method


def test_a_path_in_the_settings_is_named_without_its_folders() -> None:
    run = run_of(make.searched(), (), "tables.robustness=/home/somebody/tables/robustness")
    assert "tables.\\allowbreak{}robustness=\\allowbreak{}robustness" in latex_of(paper(Material("s", run)))
    assert "somebody" not in latex_of(paper(Material("s", run)))


def test_a_large_score_has_three_digits_and_a_count_has_all() -> None:
    for metric, shown in (("croze", "1.01e+08"), ("params", "101,397,848")):
        top = [FoundArchitecture("a", "a", {metric: 101_397_848.0})]
        found = make.searched(objective=metric, goals=[Goal(metric)], top=top)
        assert f"; the best reached {shown}." in summary(run_of(found, command="search"))["done"][0]


def flat(values: Json, prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        yield from flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, value)]


@pytest.mark.usefixtures("undrawn")
def test_the_page_has_the_same_method_in_a_folded_part() -> None:
    material = whole(entries())
    html = page(material.run)
    (found,) = re.findall(r"<summary>The method in LaTeX.*?</summary><pre>(.*?)</pre></details>", html, re.S)
    assert unescape(found) == method(material.run)
    assert (
        method_of(latex_of(paper(material))).strip()
        == "\n".join(line.rstrip() for line in method(material.run).splitlines()).strip()
    )
    study = summarise([make.whole_run(entries(), seeds={"run": seed}) for seed in (3, 4)])
    assert "The method in LaTeX" in study_page(run_of(study, command="study"))


def test_the_attacks_of_checks_have_sources_unless_they_were_skipped() -> None:
    names = {"black-box": "pass", "one-step": "warn", "restarts": "skipped", "logits": "pass"}
    made = [Check(name, ok, "because") for name, ok in names.items()]
    found = uses(whole([make.evaluation({"clean": 59, "cw10": 6}, N, name="best-standard", checks=made)]).run)
    checks = {use.name: use.references for use in found if use.kind == "check of robust accuracies"}
    assert checks == {
        "masked gradients": ("athalye2018obfuscated", "carlini2019evaluating"),
        "black-box": ("andriushchenko2020square", "madry2018towards"),
        "one-step": ("goodfellow2015explaining", "madry2018towards"),
    }
    none = uses(whole([make.evaluation({"clean": 59}, N, name="best-standard", checks=made[3:])]).run)
    assert not [use for use in none if use.kind == "check of robust accuracies"]


def test_checks_are_a_table() -> None:
    made = [Check("restarts", "warn", HOSTILE), Check("logits", "pass", "50 % & more")]
    text = checks_table(made)
    check(text)
    assert rows_of(text)[-1][:2] == ["logits", "pass"]
    cells = [[one.name, one.ok, one.reason] for one in made]
    assert list(csv.reader(Checks(made).to_csv().splitlines())) == [["check", "verdict", "reason"], *cells]
    assert "Checks: 1 passed, 1 with a warning" in Checks(made)._repr_html_()
    assert Checks(made) == made


def test_a_network_of_unknown_training_is_named_by_what_is_known() -> None:
    one = make.evaluation({"clean": 59, "fgsm": 6}, N, name="Standard", training="unknown")
    text = latex_of(paper(whole([one])))
    assert rows_of(text)[2][0] == "Standard"
    assert "How Standard was trained is not known." in text
