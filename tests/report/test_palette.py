"""Colours and the words of attacks stand once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import nas.report
from nas.report import palette, wording
from nas.report.identity import METHOD_LABELS, identities

ROOT = Path(nas.report.__file__).resolve().parent.parent


def test_colours_are_written_in_the_palette_alone() -> None:
    sources = [file for file in ROOT.rglob("*") if file.suffix in (".py", ".html", ".css", ".svg")]
    files = [file for file in sources if re.search(r"#[0-9a-fA-F]{6}\b", file.read_text(encoding="utf-8"))]
    assert [file.relative_to(ROOT).as_posix() for file in files] == ["report/palette.py"]


def test_no_two_curves_differ_in_colour_alone() -> None:
    looks = [palette.series(number) for number in range(20)]
    assert len({(str(look["linestyle"]), look["marker"]) for look in looks}) == len(looks)
    models = identities({f"{cell}-{training}": None for cell in "abcdefg" for training in METHOD_LABELS}).values()
    assert len({(model.dashes, model.marker) for model in models}) == len(models)
    assert all(palette.MARKERS[model.marker] == model.marker_path for model in models)


def test_a_ball_is_its_norm_and_its_radius() -> None:
    assert wording.ball("Linf", 8 / 255) == "L∞ ε = 8/255"
    assert wording.ball("L2", 0.5) == "L2 ε = 0.5"
    assert wording.norm("L1") == "L1"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (119, "119 s"), (150, "2 min"), (7199, "120 min"), (9000, "2.5 h")]
)
def test_an_estimate_of_time_has_one_unit(seconds: float, words: str) -> None:
    assert wording.rough_duration(seconds) == words


@pytest.mark.parametrize(("p", "words"), [(None, "–"), (0.0004, "< .001"), (0.049, ".049"), (1.0, "1.000")])
def test_a_p_value_of_few_seeds_has_three_decimals(p: float | None, words: str) -> None:
    assert wording.probability_of_few(p) == words
