"""Means over types and groups, their interval, the mCE and the baselines that it divides by."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nas.core.errors import InputError
from nas.core.statistics.intervals import clustered_interval
from nas.eval import wilson
from nas.eval.corruptions.scores import Baseline, read_baseline, relative_errors, summary


def test_summary_by_type_group_and_all() -> None:
    accuracy = {"snow": [0.5, 0.3], "fog": [0.8, 0.6], "contrast": [0.2, 0.0], "saturate": [1.0, 1.0]}
    result = summary(accuracy, 0.9)
    assert result.types == pytest.approx({"snow": 0.4, "fog": 0.7, "contrast": 0.1, "saturate": 1.0})
    assert result.groups == pytest.approx({"weather": 0.55, "digital": 0.1})
    assert result.mean == pytest.approx(0.4), "extra types are not in it"
    assert result.hrs == pytest.approx(2 * 0.9 * 0.4 / 1.3)
    assert summary({"saturate": [0.5]}, 0.9).mean == 0.5


def test_the_interval_takes_images_as_the_sample() -> None:
    right = [4, 0, 2, 4, 3, 1, 4, 4]
    shares = np.array(right) / 4
    half = 1.959963984540054 * shares.std(ddof=1) / np.sqrt(8)
    assert clustered_interval(right, 4) == pytest.approx((shares.mean() - half, min(1.0, shares.mean() + half)))
    assert clustered_interval([4] * 8, 4) == wilson(8, 8)
    assert clustered_interval([1], 4) == wilson(0, 1)


BASELINE = {"clean": 0.8, "severities": [1, 2], "accuracy": {"fog": [0.6, 0.4], "snow": [0.5, 0.5], "spatter": [0, 0]}}


def test_mce_is_that_of_the_definition() -> None:
    mine = {"fog": [0.9, 0.7], "snow": [0.8, 0.4], "spatter": [0.5, 0.5]}
    result = relative_errors(mine, 0.95, read_baseline(BASELINE, list(mine), [1, 2]))
    ce = {"fog": 100 * 0.4 / 1.0, "snow": 100 * 0.8 / 1.0}
    relative = {"fog": 100 * (0.4 - 0.1) / (1.0 - 0.4), "snow": 100 * (0.8 - 0.1) / (1.0 - 0.4)}
    assert result.ce == pytest.approx(ce)
    assert result.relative_ce == pytest.approx(relative)
    assert result.mce == pytest.approx(60)
    assert result.relative_mce == pytest.approx(sum(relative.values()) / 2)
    theirs = read_baseline(BASELINE, list(mine), [1, 2])
    own = relative_errors(theirs.accuracy, 0.8, theirs)
    assert own.mce == pytest.approx(100)
    assert own.relative_mce == pytest.approx(100)
    perfect = relative_errors(mine, 0.95, Baseline(1.0, {"fog": [1, 1], "snow": [0.5, 0.5]}))
    assert perfect.ce["fog"] is None
    assert perfect.mce is None


def test_baselines_of_every_form(tmp_path: Path) -> None:
    forms = [BASELINE, {"corruptions": BASELINE, "clean": 0.1}, {"models": [{"corruptions": BASELINE}]}]
    for form in forms:
        path = tmp_path / "baseline.json"
        path.write_text(json.dumps(form))
        for given in (form, str(path)):
            found = read_baseline(given, ["snow", "spatter"], [2])  # type: ignore[arg-type]
            assert found == Baseline(0.8, {"snow": [0.5]})


def test_baselines_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="zoom_blur, severity 3"):
        read_baseline(BASELINE, ["fog", "zoom_blur"], [1, 3])
    with pytest.raises(InputError, match="divide percentages by 100"):
        read_baseline({"clean": 80, "severities": [1], "accuracy": {"fog": [60]}}, ["fog"], [1])
    for wrong in ({"clean": 0.5}, {"models": [BASELINE, BASELINE]}, []):
        with pytest.raises(InputError, match="of one model"):
            read_baseline(wrong, ["fog"], [1])  # type: ignore[arg-type]
    (tmp_path / "broken.json").write_text("{")
    for path in (tmp_path / "broken.json", tmp_path / "none.json"):
        with pytest.raises(InputError, match="cannot be read"):
            read_baseline(str(path), ["fog"], [1])
