"""`nas eval` with measures, and `nas report` of several evaluations, as a user meets them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commands import TINY, TINY_TRAIN, nas, nas_json
from names_and_types import MEASURES, wrong

from nas.results import Measures

pytestmark = pytest.mark.landing

ARCH = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
MEASURED = ("eval.measures=calibration,hessian,jacobian,classes,landscape", "eval.measure_images=6")
SMALL = ("eval.landscape_points=3", "eval.measure_attack=pgd2", "eval.attacks=fgsm,pgd3", "eval.sweep=[]")


def test_measures_are_printed_kept_and_compared(few_digits: str, tmp_path: Path) -> None:
    trained = nas_json(
        "train", "quickstart", f"arch={ARCH}", few_digits, *TINY_TRAIN, *SMALL, "train.epochs=1", cwd=tmp_path
    )
    first = nas_json("eval", trained["run"], *MEASURED, *SMALL, "run.dir=first", cwd=tmp_path)
    found = first["measures"]
    assert wrong(Measures, found, MEASURES) == []
    assert list(found) == ["calibration", "hessian", "jacobian", "classes", "landscape"]
    assert found["hessian"]["images"] == 6
    assert sum(row["n"] for row in found["classes"]) == first["n_test"] == 8
    assert len(found["landscape"]["loss"]) == 3
    picture = tmp_path / "first" / "landscape-model.png"
    assert picture.read_bytes().startswith(b"\x89PNG")

    assert "<h2>Measured on test images</h2>" in (tmp_path / "first" / "report.html").read_text()

    text = nas("report", "first", cwd=tmp_path).stdout
    assert "expected calibration error" in text
    assert "largest eigenvalue of the input Hessian" in text
    assert "loss landscape: first/landscape-model.png" in text
    page = (tmp_path / "first" / "report.html").read_text()
    for title in ("Measured on test images", "Accuracy by class", "Loss landscape"):
        assert f"<h2>{title}</h2>" in page

    second = nas_json("eval", trained["run"], "eval.eps=0.5", "run.dir=second", cwd=tmp_path)
    assert "measures" not in second
    both = nas_json("report", "first", "second", "--out", "both.html", cwd=tmp_path)["comparison"]
    assert [row["metric"] for row in both["differences"]] == ["clean"]
    assert both["differences"][0]["exact"] == 1  # the same network
    page = (tmp_path / "both.html").read_text()
    assert re.search(r"not by the same attacks: .*only the clean accuracies are paired", page)
    assert "Training" in page  # of the run that both checkpoints come from


def test_wrong_measures_are_told_before_anything_runs(few_digits: str, tmp_path: Path) -> None:
    done = nas("train", "quickstart", f"arch={ARCH}", few_digits, *TINY_TRAIN, "eval.measures=hesian", cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean 'hessian'" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_comparison_needs_two_evaluated_checkpoints(few_digits: str, tmp_path: Path) -> None:
    searched = nas_json("search", "quickstart", few_digits, *TINY, "search.budget=2", "search.ask=2", cwd=tmp_path)
    done = nas("report", searched["run"], "--out", "page.html", cwd=tmp_path)
    assert done.returncode == 2
    assert "at least two evaluated checkpoints" in done.stderr
    assert not (tmp_path / "page.html").exists()
    several = nas_json("report", searched["run"], searched["run"], cwd=tmp_path)
    assert several["comparison"] is None
    assert len(several["runs"]) == 2
