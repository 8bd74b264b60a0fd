"""The conditions under which the keys of `eval` have an effect."""

from __future__ import annotations

from nas.core.config.conditions import Condition, either, may_read, readers
from nas.eval.attacks import ATTACKS, parse_attack
from nas.eval.corruptions import select_types
from nas.eval.measures import CLASSES, MEASURES
from nas.eval.plan import curves_of
from nas.eval.settings import EvalSettings


def attacks(settings: EvalSettings, key: str) -> list[str]:
    """The names of an evaluation's attacks to which the setting `key` (step_size or restarts) may apply."""
    own_step = key == "step_size"
    curves = [curve.attack for curve in curves_of(settings) if curve.step is None or not own_step]
    measured = [settings.measure_attack] if "calibration" in settings.measures else []
    checked = ["pgd"] if settings.checks and own_step else []  # the checks have restarts of their own
    return [*settings.attacks, *curves, *measured, *checked]


def _of_attacks(key: str) -> Condition:
    def words(settings: EvalSettings) -> str:
        others = either(readers(ATTACKS.components, key))
        return f"under {', '.join(settings.attacks) or 'no attack'} (only under {others})"

    return Condition(
        lambda settings: any(may_read(parse_attack(ATTACKS, name)[0], key) for name in attacks(settings, key)), words
    )


def _measured(name: str) -> Condition:
    return Condition(lambda settings: name in settings.measures, f"without {name} among eval.measures")


_corrupted = Condition(lambda settings: bool(settings.corruptions), "without eval.corruptions")
_frost = Condition(
    lambda settings: "frost" in select_types(settings.corruptions) and settings.corruption_data is None,
    "without frost among eval.corruptions",
)
_attacked = Condition(lambda settings: bool(settings.attacks), "without an attack")
CONDITIONS = {
    "eps": _attacked,
    "norm": _attacked,
    "step_size": _of_attacks("step_size"),
    "restarts": _of_attacks("restarts"),
    "sweep_attack": Condition(
        lambda settings: bool(settings.sweep) and settings.sweep_preset is None, "without eval.sweep"
    ),
    "checks_images": Condition(lambda settings: settings.checks, "without eval.checks=true"),
    "measure_images": Condition(
        lambda settings: any(name in MEASURES for name in settings.measures),
        f"without a measure other than {CLASSES} among eval.measures",
    ),
    "measure_attack": _measured("calibration"),
    "landscape_points": _measured("landscape"),
    "landscape_reach": _measured("landscape"),
    "severities": _corrupted,
    "corruption_data": _corrupted,
    "corruption_baseline": _corrupted,
    "frost": _frost,
}
