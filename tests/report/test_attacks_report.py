"""What the report shows of an evaluation: one curve per attack, radii that differ a lot, checks, the norm."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import result_factory as make
from report_pages import page_of, section, text_of

from nas.report.figures import curves
from nas.report.identity import identities
from nas.report.notes import input_notes
from nas.report.pages.run import page
from nas.report.pages.sentences import strongest_attack
from nas.report.run_data import RunData
from nas.report.text import accuracy_table, check_lines
from nas.report.wording import attack, with_interval
from nas.results import Check, Curve, EvalResult, ImageFormat, Result, TransferNetwork, UsedNormalisation
from nas.runs.differences import differences

(MODEL,) = identities({"best-pgd": "pgd"}).values()


def entry(**more: Any) -> EvalResult:
    """Of 100 images; the worst case is worse than each attack."""
    clean, pgd = "1" * 90 + "0" * 10, "1" * 50 + "0" * 50
    apgd = "0" * 13 + "1" * 40 + "0" * 47
    return make.evaluation({"clean": clean, "pgd20": pgd, "apgd-ce": apgd}, norm="L2", eps=0.5, **more)


def curve(name: str, *radii: float) -> Curve:
    return make.curve(name, (0.0, 0.9), *((eps, 0.5) for eps in radii))


def test_each_attack_has_a_figure_with_its_norm() -> None:
    swept = [curve("pgd20", 0.25, 1.0), curve("apgd-ce", 0.25)]
    first, second = (curves.robustness("one", one.attack, [(entry(), one, MODEL)]) for one in swept)
    assert "robust accuracy, PGD-20 (%)" in first
    assert "robust accuracy, APGD-CE (%)" in second
    assert "L2 (images" in first


def test_the_summary_names_all_radii_of_a_curve_the_own_one_too() -> None:
    swept = make.curve("pgd20", (0.0, 0.9), (0.25, 0.5), (1.0, 0.1))
    assert "under PGD-20 at ε = 0.25, 0.5 and 1." in text_of(page_of(entry(sweep=[swept])))
    alone = make.curve("mifgsm", (0.0, 0.9), (0.25, 0.5))
    assert "at ε = 0.25." in text_of(page_of(entry(sweep=[alone])))


def test_a_foreign_network_has_no_cell_and_no_space() -> None:
    found = entry(source="python:a.Net", arch="python:a.Net", name="Net", training="unknown")
    settings = {"name": "some run", "seed": 1, "data": {"name": "digits"}, "space": "nasbench201"}
    models = identities({"Net": "unknown"})
    html = page(RunData(settings, "eval", {}, found, [], {}, {}, models, ("nas eval", False)))
    assert not section(html, "Cells")
    assert "nasbench201" not in text_of(html).split("Settings, seeds")[0]


def test_radii_that_differ_a_lot_are_all_named() -> None:
    drawn = curves.robustness("one", "fgsm", [(entry(), curve("fgsm", 0.1 / 255, 8 / 255, 1.0), MODEL)])
    assert all(f"{level}/255" in drawn for level in ("0.1", "8", "255"))


def test_checks_are_shown_with_their_reasons() -> None:
    found = [Check("black-box", "warn", "Square leaves 1.0 %, PGD 9.0 %")]
    page = section(page_of(entry(checks=found)), "Do these numbers mean anything?")
    assert "black-box" in page
    assert "Square leaves 1.0 %, PGD 9.0 %" in page
    assert check_lines(found) == ["warn    black-box: Square leaves 1.0 %, PGD 9.0 %"]
    assert check_lines([]) == []


def test_the_worst_case_is_a_column_where_there_are_several_attacks() -> None:
    assert "37.0 [28-47]" in accuracy_table([entry()])
    assert "52.4" in accuracy_table([entry()]), "its HRS"
    alone = make.evaluation({"clean": 90, "pgd20": 50}, 100)
    assert "worst case" not in accuracy_table([alone])
    page, other = (section(page_of(one), "Results") for one in (entry(), alone))
    assert page.count("worst case") == 2  # accuracy and HRS
    assert "37.0" in page
    assert f"{100 * entry().worst_case.hrs:.1f}" in page
    assert "worst case" not in other


def test_scores_of_many_attacks_stand_in_a_table_of_their_own() -> None:
    """Beside the accuracies they would make it wider than a page."""
    for count, tables in ((3, 1), (4, 2)):  # and the worst case
        html = section(
            page_of(make.evaluation({"clean": 90} | {f"pgd{n}": 90 - n for n in range(count)}, 100)), "Results"
        )
        assert html.count("<table") == tables
        assert html.count("HRS under") == 1
        assert html.count("<th>PGD-0</th>") == html.count("<th>worst case</th>") == 2
        assert html.count("best, adversarial") == tables


def test_the_worst_case_is_compared_too() -> None:
    right = {"clean": "1111", "pgd20": "1100"}
    both = [
        make.evaluation({**right, "apgd-ce": apgd}, name=f"{cell}-pgd")
        for cell, apgd in (("best", "1010"), ("random", "0010"))
    ]
    (row,) = [row for row in differences(both) if row.metric == "worst_case"]
    assert (row.first, row.second, row.difference) == ("best-pgd", "random-pgd", 0.25)


def test_names_of_attacks() -> None:
    assert attack("apgd-dlr") == "APGD-DLR"
    assert attack("apgd-ce50") == "APGD-CE-50"
    assert attack("autoattack-rand") == "AutoAttack (rand)"
    assert attack("torchattacks:BIM(steps=3)") == "BIM(steps=3)"


def test_what_stands_before_a_network_from_elsewhere_is_said() -> None:
    library = UsedNormalisation("timm", [0.5, 0.25, 0.125], [0.5, 0.5, 0.5])
    first, second = input_notes(entry(normalised=library, source="timm:resnet18@/w.pth"))
    assert first == "Images normalised by timm: mean 0.5, 0.25, 0.125, standard deviation 0.5, 0.5, 0.5."
    assert "eval.normalise=none" in second
    assert input_notes(entry(normalised=library, source="timm:resnet18")) == [first], "the library's own weights"
    shown = TransferNetwork("a", "x", 1, "unknown", library, checkpoint="timm:resnet18@/w.pth")
    assert input_notes(shown) == [first, second]
    none = UsedNormalisation("none", None, None)
    assert input_notes(entry(normalised=none, source="timm:resnet18@/w.pth")) == ["Images in [0, 1], not normalised."]
    unusual = entry(image_format=ImageFormat("channels_last", "float16"))
    assert input_notes(unusual) == ["The network ran on images of type float16 in channels-last order."]
    assert input_notes(entry()) == [], "ours, and results of before"


def page_of_result(result: Result) -> str:
    settings = {"name": "some run", "seed": 1, "data": {"name": "digits"}, "space": "nasbench201"}
    return page(RunData(settings, "transfer", {}, result, [], {}, {}, {}, ("nas transfer", False)))


def test_each_row_of_a_transfer_is_an_attacked_network() -> None:
    found = make.transferred()
    matrix = replace(found.attacks["pgd20"], accuracy=[[0.1, 0.2], [0.3, 0.4]])
    text = text_of(section(page_of_result(replace(found, attacks={"pgd20": matrix})), "Transfer"))
    shares = [share for share in re.findall(r"[\d.]+%", text) if share != "50.0%"]
    assert shares == ["10.0%", "20.0%", "30.0%", "40.0%"]


def test_of_several_attacks_the_worst_case_is_the_number_to_report() -> None:
    several = make.evaluation({"clean": 90, "fgsm": 50, "pgd20": 40}, 100)
    worst = several.worst_case
    text = text_of(page_of(several))
    assert f"over all 2 attacks, the number to report, it keeps {with_interval(worst.accuracy, worst.interval)}" in text
    assert "the number to report" not in text_of(page_of(make.evaluation({"clean": 90, "pgd20": 40}, 100)))
    made = [Check("restarts", "pass", "-"), Check("logits", "warn", "-"), Check("black-box", "warn", "-")]
    doubted = text_of(page_of(entry(checks=made)))
    assert "the number to report" not in doubted
    assert "the checks logits and black-box warn. Its robust accuracies and scores are upper bounds" in doubted
    assert "upper bounds" not in text


def test_of_equally_strong_attacks_the_last_is_told_of() -> None:
    equal = make.evaluation({"clean": 90, "fgsm": 50, "pgd20": 50, "mifgsm": 70}, 100)
    assert strongest_attack([equal]) == "pgd20"


@pytest.mark.parametrize(("robust", "word"), [(80, "raises"), (5, "lowers")])
def test_the_summary_says_in_which_direction_the_training_changed_the_accuracy(robust: int, word: str) -> None:
    entries = [
        make.evaluation({"clean": 90, "fgsm": 85, "pgd20": left}, 100, name=f"best-{method}")
        for method, left in (("pgd", robust), ("standard", 40))
    ]
    text = text_of(page_of(*entries, differences=differences(entries)))
    assert text.count("Adversarial training of this cell") == 1, "of the strongest attack alone"
    assert f"Adversarial training of this cell {word} its robust accuracy" in text
