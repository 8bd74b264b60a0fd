"""Newer settings do not change a run's checksum if their values describe the behaviour of earlier versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nas.core import config
from nas.core.io.files import write_with_checksum
from nas.core.provenance import settings_checksum
from nas.runs import settings_checksum as rules
from nas.runs.run_folder import create, reopen
from nas.runs.settings_checksum import CHANGEABLE, EARLIER_DEFAULTS, PLACES, provenance_of, with_earlier_defaults
from nas.settings.schema import load


def settings(*overrides: str) -> Any:
    return load("quickstart", ["device=cpu", *overrides])


def checksum(*overrides: str) -> Any:
    return provenance_of(settings(*overrides))["settings_sha256"]


NEW = (  # settings that the first version did not have
    *("data.validation", "data.order", "data.resize", "data.crop_share", "data.interpolation", "data.test"),
    *("strategy.ranked_by", "strategy.neighbours"),
    *("search.limits", "search.joint", "search.warm_start"),
    *("eval.normalise", "eval.mean", "eval.std"),
)


OF_SUPERNETS = (
    *("mixture", "mix_none", "temperature", "temperature_end", "partial", "edge_weights", "mixture_noise", "nesterov"),
    *("noise_radius", "noise_radius_end", "noise_steps", "penalty", "penalty_coefficient", "penalty_after"),
    *("alpha_coefficient", "alpha_coefficient_after", "skip_dropout", "regulariser_temperature"),
    "compile",
)
LATER_SUPERNETS = (
    *("gdas", "pc-darts", "sdarts-rs", "sdarts-adv", "advrush", "dsrna-jacobian", "drnas", "p-darts", "darts-pt"),
    "robnet",
)
NEVER_COMPILED = ("gdas", "p-darts", "robnet")
NEW_OPTIONS = {  # the same of single strategies
    "evolution": ("init",),
    "local": ("improvement", "init"),
    **dict.fromkeys(("darts", "darts-second-order", "rnas-max", "rnas-uniform"), OF_SUPERNETS),
    **dict.fromkeys(LATER_SUPERNETS, ("compile",)),
}


def of_before(chosen: Any) -> dict[str, Any]:
    """The settings as the first version wrote them."""
    values = config.plain(chosen)
    for key in NEW:
        section, name = key.split(".")
        values[section].pop(name, None)
    for name in NEW_OPTIONS.get(values["strategy"]["name"], ()):
        del values["strategy"][name]
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


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("evolution", "init=5"),
        ("local", "improvement=first"),
        ("local", "init=2"),
        ("darts", "partial=2"),
        ("rnas-max", "mixture=dirichlet"),
        *((name, "compile=cuda-graphs") for name in LATER_SUPERNETS if name not in NEVER_COMPILED),
        *((name, "eps=.01") for name in NEVER_COMPILED),
    ],
)
def test_new_options_of_a_strategy_change_no_checksum(name: str, other: str) -> None:
    chosen = settings(f"strategy.name={name}")
    values = of_before(chosen)
    assert with_earlier_defaults(values)["strategy"] == config.plain(chosen)["strategy"]
    before = settings_checksum(values, (*CHANGEABLE, *PLACES))
    assert checksum(f"strategy.name={name}") == before
    assert checksum(f"strategy.name={name}", f"strategy.{other}") != before


OTHER = {  # for each of the earlier defaults, a value that is not today's
    **{"data.validation": 0.25, "data.order": "text", "data.resize": "crop", "data.crop_share": 0.5},
    **{"data.interpolation": "nearest", "data.test": "all"},
    **{"search.limits": ["latency<=5"], "search.joint": True, "search.warm_start": "earlier"},
    **{"strategy.ranked_by": "objective", "strategy.neighbours": 3},
    **{"eval.normalise": "none", "eval.mean": [0.5], "eval.std": [0.25]},
}
TOGETHER = ("eval.mean", "eval.std")  # neither has a value without the other


@pytest.mark.parametrize("keys", [*((key,) for key in EARLIER_DEFAULTS if key not in TOGETHER), TOGETHER])
def test_a_run_keeps_the_earlier_default_when_that_of_today_is_another(
    keys: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here it is the earlier default that is changed, which makes the same difference."""
    others = {key: OTHER[key] for key in keys}
    monkeypatch.setattr(rules, "EARLIER_DEFAULTS", {**EARLIER_DEFAULTS, **others})
    chosen = settings("strategy.name=warmup-move", "search.cheap=params", f"run.dir={tmp_path / 'run'}")
    with create("search", chosen) as run:
        about = run.store.get("config")
    for key, other in others.items():
        section, _, name = key.partition(".")
        assert about["settings"][section].pop(name) != other
    write_with_checksum(tmp_path / "run" / "config.json", about)
    with reopen(tmp_path / "run") as run:
        values = config.plain(run.settings)
    for key, other in others.items():
        section, _, name = key.partition(".")
        assert values[section][name] == other


def test_earlier_defaults_are_added_only_where_they_are_settings() -> None:
    added = with_earlier_defaults({"strategy": {"name": "random"}, "data": {"validation": 0}})
    assert added["strategy"] == {"name": "random"}
    assert added["data"]["validation"] == 0
    assert set(added) == {"strategy", "data"}
    assert with_earlier_defaults({"data": None}) == {"data": None}
