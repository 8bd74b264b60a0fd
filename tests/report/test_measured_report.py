"""What was measured stands in the report: its numbers, a table for the classes, the landscape as a picture."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import result_factory as make
from markupsafe import escape
from matplotlib.image import imread
from report_pages import page_of, section, text_of, titles

from nas.report.figures.landscapes import picture
from nas.report.write import write_landscapes
from nas.results import EvalResult, Measures

pytestmark = pytest.mark.landing

EVIL = "<b>evil</b>"


def entry(name: str = "best-pgd", **more: Any) -> EvalResult:
    return make.evaluation({"clean": 45, "pgd20": 28}, 50, name=name, **more)


def measured_entry(name: str = "best-pgd") -> EvalResult:
    return entry(name, measures=make.measured())


def test_the_table_holds_what_was_measured() -> None:
    entries = [measured_entry(), entry("random-pgd")]
    text = text_of(section(page_of(*entries), "Measured on test images"))
    for number in (
        "3.1%",
        "45.7%",
        "confidence 95.0%, accuracy 91.9%",
        "3.25",
        "[0.5, 12.3]",
        "123",
        "PGD-20, L∞ ε = 8/255",
    ):
        assert number in text
    assert "best, adversarial" in text
    assert "random" not in text.replace("random sign", "")


def test_classes_are_tabled_with_the_lowest_in_bold() -> None:
    html = section(page_of(measured_entry()), "Accuracy by class")
    assert re.findall(r"<b>(.*?)</b>", html) == ["50.0%", "90.0%"]
    assert "60.0%" in html


def test_what_was_not_measured_leaves_no_section() -> None:
    plain = [entry(), entry("best-standard", measures=Measures.of({"classes": []}))]
    assert not {"Measured on test images", "Accuracy by class", "Loss landscape"} & set(titles(page_of(*plain)))


def test_the_landscape_is_a_picture_in_the_page_and_a_file(tmp_path: Path) -> None:
    html = section(page_of(measured_entry()), "Loss landscape")
    (data,) = re.findall(r'src="data:image/png;base64,([^"]*)"', html)
    (path,) = write_landscapes(tmp_path, [measured_entry(), entry("other")])
    assert path == tmp_path / "landscape-best-pgd.png"
    assert base64.b64decode(data) == path.read_bytes() == picture(make.landscape())
    pixels = imread(io.BytesIO(path.read_bytes()))
    width = pixels.shape[1]
    assert width > 1000
    for third in range(3):  # something is drawn in every panel
        panel = pixels[:, third * width // 3 : (third + 1) * width // 3, :3]
        assert (panel.std(axis=2) > 0.1).mean() > 0.05


def test_another_landscape_is_another_picture() -> None:
    found = make.landscape()
    assert picture(replace(found, loss=np.flip(found.loss, 0).tolist())) != picture(found)


def test_names_are_escaped_beside_what_was_measured() -> None:
    html = page_of(measured_entry(EVIL))
    for title in ("Measured on test images", "Accuracy by class", "Loss landscape"):
        assert EVIL not in section(html, title)
        assert escape(EVIL) in section(html, title)


def test_a_network_that_lacks_a_measure_has_empty_cells() -> None:
    uncalibrated = entry("random-pgd", measures=replace(make.measured(), calibration=None))
    html = section(page_of(measured_entry(), uncalibrated), "Measured on test images")
    heads, *rows = re.findall(r"<tr>(.*?)</tr>", html, re.S)
    assert [row.count("<td") + row.count("<th") for row in rows] == [heads.count("<th")] * 2
