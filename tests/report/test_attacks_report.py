"""What the report shows of an evaluation: one curve per attack, radii that differ a lot, checks, the norm."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from nas.report.facts import _curves
from nas.report.figures import curves
from nas.report.identity import identities
from nas.report.presentation import checked_lines, table
from nas.report.sections import tables
from nas.report.wording import attack, taken
from nas.runs.differences import differences

MODELS = identities({"best-pgd": "pgd"})


def entry(**more: Any) -> dict[str, Any]:
    return {
        "name": "best-pgd",
        "params": 1000,
        "norm": "L2",
        "eps": 0.5,
        "n_test": 100,
        "clean": 0.9,
        "attacks": {"pgd20": 0.5, "apgd-ce": 0.4},
        "hrs": {"pgd20": 0.64, "apgd-ce": 0.55},
        "intervals": {"clean": [0.8, 1.0], "pgd20": [0.4, 0.6], "apgd-ce": [0.3, 0.5]},
        "worst_case": {"attacks": ["pgd20", "apgd-ce"], "accuracy": 0.37, "interval": [0.28, 0.47], "hrs": 0.524},
        **more,
    }


def curve(name: str, *radii: float) -> dict[str, Any]:
    return {"attack": name, "eps": [0.0, *radii], "accuracy": [0.9, *(0.5 for _ in radii)]}


def test_each_attack_has_a_figure_with_its_norm() -> None:
    one = entry(sweep=[curve("pgd20", 0.25, 1.0), curve("apgd-ce", 0.25)])
    first, second = (curves.robustness([one], MODELS, name) for name in ("pgd20", "apgd-ce"))
    assert "robust accuracy, PGD-20 (%)" in first
    assert "robust accuracy, APGD-CE (%)" in second
    assert "L2 (images" in first


def test_radii_that_differ_a_lot_are_all_named() -> None:
    drawn = curves.robustness([entry(sweep=[curve("fgsm", 0.1 / 255, 8 / 255, 1.0)])], MODELS, "fgsm")
    assert all(f"{level}/255" in drawn for level in ("0.1", "8", "255"))


def test_a_single_curve_of_old_results_is_read() -> None:
    assert _curves({"sweep": curve("pgd20", 0.1)}) == [curve("pgd20", 0.1)]
    assert _curves({"sweep": {"attack": "pgd20", "eps": [0.0], "accuracy": [0.9]}}) == []
    assert _curves({}) == []


def test_checks_are_shown_with_their_reasons() -> None:
    found = [{"name": "black-box", "ok": "warn", "reason": "Square leaves 1.0 %, PGD 9.0 %"}]
    one = entry(checks=found)
    page = tables.checks([one], MODELS)
    assert "black-box" in page
    assert "Square leaves 1.0 %, PGD 9.0 %" in page
    assert checked_lines(one) == ["warn    black-box: Square leaves 1.0 %, PGD 9.0 %"]
    assert checked_lines(entry()) == []


def test_the_worst_case_is_a_column_where_there_are_several_attacks() -> None:
    assert "37.0 [28-47]" in table([entry()])
    alone = entry(attacks={"pgd20": 0.5}, hrs={"pgd20": 0.6}, worst_case={"attacks": ["pgd20"]})
    assert "worst case" not in table([alone])
    page, other = (tables.results(SimpleNamespace(entries=[one], models=MODELS)) for one in (entry(), alone))  # type: ignore[arg-type]
    assert page.count("worst case") == 2  # accuracy and HRS
    assert "37.0" in page
    assert "52.4" in page
    assert "worst case" not in other


def test_the_worst_case_is_compared_too() -> None:
    correct = {"clean": "1111", "pgd20": "1100", "apgd-ce": "1010"}
    both = [
        {"name": f"{cell}-pgd", "correct": correct, "worst_case": {"attacks": ["pgd20", "apgd-ce"], "correct": worst}}
        for cell, worst in (("best", "1000"), ("random", "0000"))
    ]
    (row,) = [row for row in differences(both) if row["metric"] == "worst_case"]
    assert (row["first"], row["second"], row["difference"]) == ("best-pgd", "random-pgd", 0.25)


def test_names_of_attacks() -> None:
    assert attack("apgd-dlr") == "APGD-DLR"
    assert attack("apgd-ce50") == "APGD-CE-50"
    assert attack("autoattack-rand") == "AutoAttack (rand)"
    assert attack("torchattacks:BIM(steps=3)") == "BIM(steps=3)"


def test_what_stands_before_a_network_from_elsewhere_is_said() -> None:
    library = {"by": "timm", "mean": [0.5, 0.25, 0.125], "std": [0.5, 0.5, 0.5]}
    first, second = taken({"normalised": library, "source": "timm:resnet18@/w.pth"})
    assert first == "Images normalised by timm: mean 0.5, 0.25, 0.125, standard deviation 0.5, 0.5, 0.5."
    assert "eval.normalise=none" in second
    assert taken({"normalised": library, "source": "timm:resnet18"}) == [first], "the library's own weights"
    none = {"by": "none", "mean": None, "std": None}
    assert taken({"normalised": none, "checkpoint": "timm:resnet18@/w.pth"}) == ["Images in [0, 1], not normalised."]
    fed = {"fed": {"order": "channels_last", "type": "float16"}}
    assert taken(fed) == ["The network ran on images of type float16 in channels-last order."]
    assert taken(entry()) == [], "ours, and results of before"
