"""What stands before a run: warnings about what makes a number mean less than it says."""

from __future__ import annotations

import logging

import pytest

from nas.commands import run_commands
from nas.settings.schema import load

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
LABEL = "objective=trained:fgsm"
TINY = ("device=cpu", "data.size=8", "eval.n_test=4", "label.epochs=1")


@pytest.mark.parametrize(
    ("command", "overrides", "said"),
    [
        ("train", ["data.validation=1"], "the best epoch is chosen by it"),
        ("run", ["data.validation=1.0"], "the best epoch is chosen by it"),
        ("search", ["data.validation=1", LABEL], "trained:fgsm is measured on it"),
        ("run", ["data.validation=1", "train.select=last", LABEL], "trained:fgsm is measured on it"),
        ("train", ["data.validation=1", "train.select=last"], None),
        ("search", ["data.validation=1"], None),
        ("train", ["data.validation=2"], None),
        ("train", ["data.validation=.1"], None),
        ("train", ["data.validation=0", "train.select=last"], None),
    ],
)
def test_one_withheld_image(
    command: str, overrides: list[str], said: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    cell = [f"arch={CELL}"] if command == "train" else []
    with caplog.at_level(logging.WARNING, "nas"):
        run_commands()[command]().check(load("quickstart", [*overrides, *cell, *TINY]), keep=False)
    if said is None:
        assert caplog.records == []
    else:
        (remark,) = [record.getMessage() for record in caplog.records]
        assert said in remark
        assert "one image, not all" in remark
