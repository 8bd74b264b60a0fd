"""For which attacks the step size and restarts of an evaluation have an effect, and which keys need which settings."""

from __future__ import annotations

from typing import Any

import pytest

from nas.eval.conditions import CONDITIONS, attacks
from nas.eval.settings import EvalSettings


def settings(**values: Any) -> EvalSettings:
    return EvalSettings(**{"attacks": ["fgsm"], "checks": False, **values})


@pytest.mark.parametrize(
    ("values", "with_step", "with_restarts"),
    [
        ({}, ["fgsm"], ["fgsm"]),
        ({"sweep": [0.5], "sweep_attack": ["pgd7", "cw"]}, ["fgsm", "pgd7", "cw"], ["fgsm", "pgd7", "cw"]),
        ({"measures": ["calibration"], "measure_attack": "pgd3"}, ["fgsm", "pgd3"], ["fgsm", "pgd3"]),
        ({"measures": ["landscape"], "measure_attack": "pgd3"}, ["fgsm"], ["fgsm"]),
        ({"checks": True}, ["fgsm", "pgd"], ["fgsm"]),
    ],
)
def test_whose_step_size_and_restarts_they_are(
    values: dict[str, Any], with_step: list[str], with_restarts: list[str]
) -> None:
    assert attacks(settings(**values), "step_size") == with_step
    assert attacks(settings(**values), "restarts") == with_restarts


def test_published_curves_have_steps_of_their_own() -> None:
    """PGD of the robustness dataset (Jung et al., ICLR 2023) has a step of its own."""
    preset = settings(sweep_preset="robustness-dataset")
    assert "pgd40" in attacks(preset, "restarts")
    assert "pgd40" not in attacks(preset, "step_size")


@pytest.mark.parametrize(
    ("key", "values", "others"),
    [
        ("eps", {}, {"attacks": []}),
        ("norm", {}, {"attacks": []}),
        ("step_size", {"attacks": ["pgd20"]}, {"attacks": ["autoattack"]}),
        ("restarts", {"attacks": ["pgd20"]}, {"attacks": ["autoattack"]}),
        ("sweep_attack", {"sweep": [1.0]}, {}),
        ("sweep_attack", {"sweep": [1.0]}, {"sweep": [1.0], "sweep_preset": "robustness-dataset"}),
        ("checks_images", {"checks": True}, {}),
        ("measure_images", {"measures": ["calibration"]}, {"measures": ["classes"]}),
        ("measure_attack", {"measures": ["calibration"]}, {"measures": ["landscape"]}),
        ("landscape_points", {"measures": ["landscape"]}, {"measures": ["calibration"]}),
        ("landscape_reach", {"measures": ["landscape"]}, {}),
        ("severities", {"corruptions": ["fog"]}, {}),
        ("corruption_data", {"corruptions": ["fog"]}, {}),
        ("corruption_baseline", {"corruptions": ["fog"]}, {}),
        ("frost", {"corruptions": ["frost"]}, {"corruptions": ["fog"]}),
        ("frost", {"corruptions": ["frost"]}, {"corruptions": ["frost"], "corruption_data": "a folder"}),
    ],
)
def test_what_a_key_takes(key: str, values: dict[str, Any], others: dict[str, Any]) -> None:
    assert CONDITIONS[key].holds(settings(**values))
    assert not CONDITIONS[key].holds(settings(**others))
    assert CONDITIONS[key].why(settings(**others))
