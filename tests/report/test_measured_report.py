"""What was measured stands in the report: its numbers, a table for the classes, the landscape as a picture."""

from __future__ import annotations

import base64
import io
import re
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.image import imread

from nas.report.figures.landscapes import picture
from nas.report.identity import identities
from nas.report.sections import measured

AXIS = [-0.2, -0.1, 0.0, 0.1, 0.2]
EVIL = "<b>evil</b>"


def landscape() -> dict[str, Any]:
    along, across = np.meshgrid(AXIS, AXIS, indexing="ij")
    loss = np.exp(8 * along) + across**2
    return {
        "eps": 0.1,
        "norm": "Linf",
        "axis": AXIS,
        "loss": loss.tolist(),
        "accuracy": (1 / (1 + loss)).tolist(),
        "examples": [loss.tolist(), (2 * loss).tolist(), loss.T.tolist()],
        "images": 40,
    }


def entry(name: str = "best-pgd") -> dict[str, Any]:
    part = {"ece": 0.0312, "confidence": 0.95, "accuracy": 0.9188, "bins": []}
    spread = {"mean": 3.25, "quantiles": {"5": 0.5, "25": 1.0, "50": 2.0, "75": 4.0, "95": 12.34}, "images": 40}
    return {
        "name": name,
        "measures": {
            "calibration": {
                "images": 40, "attack": "pgd20", "eps": 8 / 255, "norm": "Linf", "clean": part,
                "attacked": {**part, "ece": 0.4567},
            },
            "hessian": {**spread, "steps": 20, "largest_error": 1e-6},
            "jacobian": {**spread, "mean": 123.4},
            "classes": [
                {"class": 0, "n": 20, "accuracy": {"clean": 0.95, "pgd20": 0.5}},
                {"class": 1, "n": 30, "accuracy": {"clean": 0.9, "pgd20": 0.6}},
            ],
            "landscape": landscape(),
        },
    }  # fmt: skip


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def test_the_table_holds_what_was_measured() -> None:
    entries = [entry(), {"name": "random-pgd"}]
    text = text_of(measured.measures(entries, identities({one["name"]: "pgd" for one in entries})))
    for number in ("3.1%", "45.7%", "says 95.0%, is 91.9%", "3.25", "[0.5, 12.3]", "123", "PGD-20, L∞ ε = 8/255"):
        assert number in text
    assert "best, adversarial" in text
    assert "random" not in text.replace("random sign", "")


def test_classes_are_tabled_with_the_lowest_in_bold() -> None:
    html = measured.classes([entry()], identities({"best-pgd": "pgd"}))
    assert re.findall(r"<b>(.*?)</b>", html) == ["50.0%", "90.0%"]
    assert "60.0%" in html


def test_what_was_not_measured_leaves_no_section() -> None:
    plain = [{"name": "best-pgd"}, {"name": "best-standard", "measures": {"classes": []}}]
    models = identities({"best-pgd": "pgd", "best-standard": "standard"})
    for part in (measured.measures, measured.classes, measured.landscapes):
        assert part(plain, models) == ""


def test_the_landscape_is_a_picture_in_the_page_and_a_file(tmp_path: Path) -> None:
    models = identities({"best-pgd": "pgd"})
    html = measured.landscapes([entry()], models)
    (data,) = re.findall(r'src="data:image/png;base64,([^"]*)"', html)
    (path,) = measured.write_landscapes(tmp_path, [entry(), {"name": "other"}])
    assert path == tmp_path / "landscape-best-pgd.png"
    assert base64.b64decode(data) == path.read_bytes() == picture(landscape())
    pixels = imread(io.BytesIO(path.read_bytes()))
    width = pixels.shape[1]
    assert width > 1000
    for third in range(3):  # something is drawn in every panel
        panel = pixels[:, third * width // 3 : (third + 1) * width // 3, :3]
        assert (panel.std(axis=2) > 0.1).mean() > 0.05


def test_another_landscape_is_another_picture() -> None:
    other = landscape()
    other["loss"] = np.flip(other["loss"], 0).tolist()
    assert picture(other) != picture(landscape())


def test_names_are_escaped_beside_what_was_measured() -> None:
    models = identities({EVIL: "pgd"})
    for part in (measured.measures, measured.classes, measured.landscapes):
        assert EVIL not in part([entry(EVIL)], models)
