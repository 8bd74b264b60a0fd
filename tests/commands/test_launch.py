"""What stands before a run: warnings about what makes a number mean less than it says."""

from __future__ import annotations

import logging

import pytest

from nas.commands import launch
from nas.settings.schema import load

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
LABEL = "objective=trained:fgsm"


@pytest.mark.parametrize(
    ("command", "overrides", "said"),
    [
        ("train", ["data.validation=1"], "the best epoch is chosen by it"),
        ("run", ["data.validation=1.0"], "the best epoch is chosen by it"),
        ("search", ["data.validation=1", LABEL], "trained:fgsm is judged on it"),
        ("run", ["data.validation=1", "train.select=last", LABEL], "trained:fgsm is judged on it"),
        ("train", ["data.validation=1", "train.select=last"], None),
        ("search", ["data.validation=1"], None),
        ("train", ["data.validation=2"], None),
        ("train", ["data.validation=.1"], None),
        ("train", ["data.validation=0", "train.select=last"], None),
    ],
)
def test_one_withheld_image(command: str, overrides: list[str], said: str | None) -> None:
    remark = launch.one_image(command, load("quickstart", overrides))
    assert (said in remark and "one image, not all" in remark) if remark is not None and said else remark is said


def test_it_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    settings = load("quickstart", [f"arch={CELL}", "data.validation=1", "device=cpu"])
    with caplog.at_level(logging.WARNING, "nas"):
        launch.preflight("train", settings, keep=False)
    assert [record.getMessage() for record in caplog.records] == [launch.one_image("train", settings)]
