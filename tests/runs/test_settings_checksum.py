"""Newer settings do not change a run's checksum if their values describe the behaviour of earlier versions."""

from __future__ import annotations

from typing import Any

from nas.core import config
from nas.core.provenance import settings_checksum
from nas.runs.settings_checksum import CHANGEABLE, PLACES, provenance_of
from nas.settings.schema import load


def settings(*overrides: str) -> Any:
    return load("quickstart", ["device=cpu", *overrides])


def checksum(*overrides: str) -> Any:
    return provenance_of(settings(*overrides))["settings_sha256"]


NEW = (  # settings that the first version did not have
    *("data.validation", "data.order", "data.resize", "data.crop_share", "data.interpolation", "data.test"),
    *("strategy.ranked_by", "strategy.neighbours"),
    *("eval.normalise", "eval.mean", "eval.std"),
)


def of_before(chosen: Any) -> dict[str, Any]:
    """The settings as the first version wrote them."""
    values = config.plain(chosen)
    for key in NEW:
        section, name = key.split(".")
        values[section].pop(name, None)
    return values


def test_new_options_of_evaluations_change_no_checksum() -> None:
    before = settings_checksum(of_before(settings()), (*CHANGEABLE, *PLACES))
    assert checksum() == before
    for typed in (["eval.normalise=none"], ["eval.mean=0.5", "eval.std=0.25"]):
        assert checksum(*typed) != before


def test_a_setting_that_came_later_changes_no_checksum() -> None:
    """Runs before 0.2.0 had no data.validation and withheld a tenth; their checksums must stay the same."""
    values = of_before(settings())
    before = settings_checksum(values, (*CHANGEABLE, *PLACES))
    assert checksum() == before
    assert checksum("data.validation=.10") == before
    others = [checksum(f"data.validation={value}") for value in (0, 5, 0.2)]
    assert len({before, *others}) == 4


def test_new_options_of_warm_up_and_moves_change_no_checksum() -> None:
    moves = ["strategy.name=warmup-move", "search.cheap=params"]
    values = of_before(settings(*moves))
    assert "ranked_by" not in values["strategy"]
    before = settings_checksum(values, (*CHANGEABLE, *PLACES))
    assert checksum(*moves) == before
    assert checksum(*moves, "strategy.neighbours=5") != before
