"""Accuracies under corruption stand in the report and in the text of `nas eval`, as the result has them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import result_factory as make
import torch
from report_pages import page_of, section, text_of

from nas.commands.run import Run
from nas.core.data import DataSettings, load
from nas.core.errors import InputError
from nas.eval import EvalSettings
from nas.eval.corruptions.scores import Baseline, relative_errors, summary
from nas.objectives.network_spec import NetworkSpec
from nas.objectives.short_training import LabelSettings, ShortTraining
from nas.report.notes import non_finite_notes, provenance_table
from nas.report.text import corruption_lines
from nas.results import NOT_COUNTED, EvalResult, Interval, RelativeErrors, Revision
from nas.settings.schema import from_values

ACCURACY = {"fog": [0.91, 0.8, 0.612], "snow": [0.85, 0.7, 0.5], "contrast": [0.7, 0.4, 0.2], "spatter": [0.9] * 3}
EVIL = "<b>evil</b>"


def entry(name: str = "best-pgd", **more: Any) -> EvalResult:
    found = make.corrupted(ACCURACY, 0.9321, severities=[1, 3, 5], interval=Interval(0.6012, 0.6789))
    found = replace(found, **summary(ACCURACY, 0.9321)._asdict(), **more)
    return make.evaluation({"clean": 90, "fgsm": 40}, 100, name=name, corruptions=found)


PLAIN = make.evaluation({"clean": 90, "fgsm": 40}, 100, name="other-pgd")


def relative() -> RelativeErrors:
    return relative_errors(ACCURACY, 0.9321, Baseline(0.8, {kind: [0.5] * 3 for kind in ACCURACY}))


def shown(*entries: EvalResult) -> str:
    return section(page_of(*entries), "Common corruptions")


def test_the_section_holds_the_numbers() -> None:
    html = shown(entry(), entry("random-pgd"), PLAIN)
    text = text_of(html)
    one = entry().corruptions
    assert one is not None
    for share in (one.clean, one.mean, one.hrs, *one.groups.values(), *one.types.values(), 0.612):
        assert f"{100 * share:.1f}%" in text
    for words in ("[60.1, 67.9]", "500 test images", "Means over 3 types, each at severity 1, 3 and 5", "for 32x32"):
        assert words in text
    assert "mCE" not in text
    assert "other" not in text
    assert html.count('<svg class="plot"') == 1
    assert html.count("<details>") == 2
    assert shown(PLAIN) == ""


def test_the_baseline_and_what_was_left_out_are_said() -> None:
    errors = relative()
    text = text_of(shown(entry(left_out={"frost": "no photographs"}, clean_images="other images", relative=errors)))
    for words in (f"{errors.mce:.1f}", f"{errors.relative_mce:.1f}", "relative mCE", "Left out: frost."):
        assert words in text
    assert "The clean accuracy is measured on other images." in text


def test_one_severity_needs_no_curve_and_text_is_escaped() -> None:
    single = {kind: values[:1] for kind, values in ACCURACY.items()}
    html = shown(entry(severities=[1], accuracy=single, images=EVIL))
    assert '<svg class="plot"' not in html
    assert EVIL not in html


def test_the_text_for_people() -> None:
    lines = corruption_lines(entry(left_out={"frost": "no photographs"}, relative=relative()))
    assert lines[0].startswith("accuracy under 3 types of corruption: 63.0 % [60.1-67.9] (clean 93.2, HRS 75.2; wea")
    assert f"mCE: {relative().mce:.1f} % of the baseline's error" in lines
    rows = {line.split()[0]: line.split()[1:] for line in lines}
    assert rows["severity"] == ["1", "3", "5", "mean"]
    assert rows["fog"] == ["91.0", "80.0", "61.2", "77.4"]
    assert rows["left"][-2:] == ["no", "photographs"]
    assert "500 images" in lines[-1]
    assert corruption_lines(PLAIN) == []


def test_a_run_is_refused_before_its_search_where_the_files_are_missing(tmp_path: Path) -> None:
    values = {
        "name": "early",
        "space": "nasbench201",
        "eval": {"attacks": ["fgsm"], "n_test": 20, "corruptions": ["fog"], "corruption_data": str(tmp_path)},
    }
    with pytest.raises(InputError, match=r"labels\.npy"):
        Run().check(from_values(values, []), keep=False)


def test_a_short_training_inside_a_search_meets_no_corruption(tmp_path: Path) -> None:
    data, folder = load(DataSettings()), tmp_path / "trained"
    asked = EvalSettings(attacks=["fgsm"], corruptions=["all"], corruption_data=str(tmp_path / "none"))
    sized = NetworkSpec("nasbench201", {"channels": 4, "cells_per_stage": 1}, data.num_classes, data.image_size)
    judge = ShortTraining(["trained:fgsm"], LabelSettings(), asked, data, {}, sized, folder, 1, torch.device("cpu"))
    assert judge.attack.corruptions == []


def test_a_corruption_with_an_uncounted_severity_has_no_sum_of_non_finite_images() -> None:
    found = make.corrupted({"fog": (0.5, 0.4), "snow": (0.5, 0.4)}, 0.9, non_finite={"fog": [1, None], "snow": [2, 3]})
    counted, unknown = non_finite_notes(make.evaluation({"clean": 9, "fgsm": 5}, 10, corruptions=found))
    assert "snow 5" in counted
    assert "fog" not in counted
    assert "not known for fog:" in unknown


def test_the_images_of_each_measure_with_a_non_finite_logit_are_counted() -> None:
    measures = make.measured()
    assert measures.calibration is not None
    assert measures.landscape is not None
    attacked = replace(measures.calibration.attacked, non_finite=3)
    clean = replace(measures.calibration.clean, non_finite=2)
    measures = replace(
        measures,
        calibration=replace(measures.calibration, attacked=attacked, clean=clean),
        landscape=replace(measures.landscape, non_finite=4),
    )
    counted = {"fgsm": 1, "pgd20": NOT_COUNTED}
    (said,) = non_finite_notes(make.evaluation({"clean": 9, "fgsm": 5}, 10, measures=measures, non_finite=counted))
    assert said.endswith(": fgsm 1, calibration, clean 2, calibration, attacked 3, the loss landscape 4.")


@pytest.mark.parametrize(
    ("deterministic", "changed", "kernels", "source"),
    [
        (True, False, "deterministic ones only", "0123abcd"),
        (False, True, "the fastest, deterministic or not", "0123abcd with changes"),
    ],
)
def test_the_provenance_says_which_kernels_and_which_source(
    deterministic: bool, changed: bool, kernels: str, source: str
) -> None:
    about = replace(make.provenance(), deterministic=deterministic, source=Revision("0123abcd", changed))
    table = provenance_table(about)
    assert (table["kernels"], table["source"]) == (kernels, source)
