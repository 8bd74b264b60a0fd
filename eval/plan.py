"""Which attacks an evaluation runs, at which radii: what is asked for by name, and the curves over eps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nas.core.errors import InputError
from nas.core.registry import suggest
from nas.eval.attacks import ATTACKS, Attack, named

if TYPE_CHECKING:
    from nas.eval.settings import EvalSettings

Plan = list[tuple[str, Attack]]  # with the name under which an attack's outcomes are kept


@dataclass(frozen=True)
class Curve:
    """One attack at several radii; `step` is PGD's step over the radius, None the usual one."""

    attack: str
    radii: tuple[float, ...]
    step: float | None = None


def _levels(*levels: float) -> tuple[float, ...]:
    return tuple(level / 255 for level in levels)


_FEW = _levels(0.1, 0.5, 1, 2, 3, 4, 8)
PRESETS = {  # eval.sweep_preset
    "robustness-dataset": (  # Jung et al., ICLR 2023 (arXiv:2306.06712): the radii of its meta.json
        Curve("fgsm", _levels(0.1, 0.5, 1, 2, 3, 4, 5, 6, 7, 8, 255)),
        Curve("pgd40", _FEW, 0.01 / 0.3),
        Curve("apgd-ce", _FEW),
        Curve("square", _FEW),
    ),
}


def made(name: str, settings: EvalSettings, eps: float | None = None, step: float | None = None) -> Attack:
    """The attack of this name, at the settings' radius where none is given; `step` is its step over the radius.

    `InputError` where there is no such attack, or not for the settings' norm.
    """
    eps = settings.eps if eps is None else eps
    if step is None and settings.step_size is not None:
        step = settings.step_size / settings.eps
    kind, more = named(ATTACKS, name)
    step_size = None if step is None else step * eps
    return kind(eps, step_size=step_size, norm=settings.norm, restarts=settings.restarts, **more)


def curves_of(settings: EvalSettings) -> list[Curve]:
    """The curves that `eval.sweep` or `eval.sweep_preset` asks for."""
    if settings.sweep_preset is not None:
        return list(PRESETS[settings.sweep_preset])
    radii = tuple(factor * settings.eps for factor in settings.sweep)
    return [Curve(name, radii) for name in settings.sweep_attack] if radii else []


def at(curve: Curve, eps: float) -> str:
    """The name of a curve's point."""
    return f"{curve.attack}@{eps:.6g}"


def plan_of(settings: EvalSettings, num_classes: int, image_size: int) -> Plan:
    """Every attack to run, those of the curves last; `InputError` where one cannot finish on such data."""
    plan = attacks_of(settings)
    for _, attack in plan:
        attack.check(num_classes, image_size)
    return plan


def attacks_of(settings: EvalSettings) -> Plan:
    """`plan_of` whatever the classes and the image size."""
    plan = [(name, made(name, settings)) for name in settings.attacks]
    for curve in curves_of(settings):
        plan += [(at(curve, eps), made(curve.attack, settings, eps, curve.step)) for eps in curve.radii]
    return plan


def check_attacks(settings: EvalSettings) -> None:
    """`InputError` where an attack of `settings` is unknown, before anything expensive has run."""
    if not settings.attacks:
        raise InputError(
            "Expected at least one attack in eval.attacks but got none; the usual are fgsm,pgd20,autoattack."
        )
    if settings.sweep_preset is not None:
        if settings.sweep_preset not in PRESETS:
            raise InputError(
                f"Expected eval.sweep_preset of {', '.join(PRESETS)} but got {settings.sweep_preset!r}"
                f"{suggest(settings.sweep_preset, list(PRESETS))}."
            )
        if settings.sweep:
            raise InputError("Expected eval.sweep or eval.sweep_preset but got both; leave one out.")
    for name in settings.attacks:
        made(name, settings)
    for curve in curves_of(settings):
        made(curve.attack, settings)
