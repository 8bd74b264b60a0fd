"""The attacks of an evaluation and their radii: the attacks in `eval.attacks`, and the curves over eps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nas.core.config import Section
from nas.core.errors import InputError
from nas.core.suggestions import suggest
from nas.eval.attacks import ATTACKS, Attack, parse_attack
from nas.eval.attacks.base import NORMS

Plan = list[tuple[str, Attack]]  # each attack with the name under which its outcomes are stored


@dataclass(frozen=True)
class Curve:
    """One attack at several radii; `step` is PGD's step divided by the radius, None for the default."""

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


MAX_L2_EPS = 1000.0  # more than the largest L2 distance of two images: 388 for 3×224×224 pixels


@dataclass
class AttackOptions(Section):
    """Which attacks, how strong, and on how many test images. eps is in units of the image range [0, 1]."""

    section: ClassVar[str] = "eval"

    attacks: list[str] = field(default_factory=lambda: ["fgsm", "pgd20", "autoattack"])  # from `nas list attacks`
    eps: float = 8 / 255  # radius of the attacks; images are in [0, 1]
    norm: str = "Linf"  # or L2
    step_size: float | None = None  # of pgd and mifgsm; by default eps/4 and eps/steps
    restarts: int = 1  # of pgd, apgd-ce, apgd-dlr, fab and square; those of autoattack are part of its protocol
    cascade: bool = False  # each attack only on images that are still correct: faster, gives the worst case alone
    n_test: int = 1000  # number of images (or all, if fewer), the first of a fixed permutation; of arrays the first
    batch_size: int = 250  # images attacked at once; outcomes are stored after each batch
    sweep: list[float] = field(default_factory=list)  # radii of the robustness curve, as multiples of eps
    sweep_attack: list[str] = field(default_factory=lambda: ["pgd20"])  # one curve for each
    sweep_preset: str | None = None  # published attacks and radii instead of `sweep`: robustness-dataset

    def attack_what_there_is(self, available: int) -> None:
        """Where there are fewer images than the default of `n_test`, the default means all of them."""
        if self.n_test == AttackOptions.n_test:
            self.n_test = min(self.n_test, max(available, 1))

    def check(self) -> None:
        super().check()
        if self.norm not in NORMS:
            raise InputError(
                f"Expected eval.norm of {', '.join(NORMS)} but got {self.norm!r}{suggest(self.norm, list(NORMS))}."
            )
        largest = 1.0 if self.norm == "Linf" else MAX_L2_EPS
        if not 0 < self.eps <= largest:
            usual = "8/255" if self.norm == "Linf" else "0.5"
            raise InputError(
                f"Expected eval.eps in (0, {largest:g}] but got {self.eps}; {usual} is the usual one for CIFAR-10."
            )
        if self.step_size is not None and not 0 < self.step_size <= largest:
            raise InputError(f"Expected eval.step_size in (0, {largest:g}] or null but got {self.step_size}.")
        self.check_at_least_one("n_test", "batch_size", "restarts")
        for factor in self.sweep:
            if not 0 < factor * self.eps <= largest:
                raise InputError(
                    f"Expected eval.sweep with factor * eval.eps in (0, {largest:g}] but got factor {factor}."
                )
        if len(set(self.attacks)) != len(self.attacks):
            raise InputError(f"Expected each attack once in eval.attacks but got {', '.join(self.attacks)}.")
        self._check_attacks()

    def _check_attacks(self) -> None:
        if not self.attacks:
            raise InputError(
                "Expected at least one attack in eval.attacks but got none; the defaults are fgsm,pgd20,autoattack."
            )
        if self.sweep_preset is not None:
            if self.sweep_preset not in PRESETS:
                raise InputError(
                    f"Expected eval.sweep_preset of {', '.join(PRESETS)} but got {self.sweep_preset!r}"
                    f"{suggest(self.sweep_preset, list(PRESETS))}."
                )
            if self.sweep:
                raise InputError("Expected eval.sweep or eval.sweep_preset but got both; leave one out.")
        for name in (*self.attacks, *(curve.attack for curve in curves_of(self))):
            make_attack(name, self)


def make_attack(name: str, settings: AttackOptions, eps: float | None = None, step: float | None = None) -> Attack:
    """The attack of this name, by default at the settings' radius; `step` is its step divided by the radius.

    Raises `InputError` if there is no such attack, or if it is not defined for the settings' norm.
    """
    eps = settings.eps if eps is None else eps
    if step is None and settings.step_size is not None:
        step = settings.step_size / settings.eps
    kind, more = parse_attack(ATTACKS, name)
    step_size = None if step is None else step * eps
    return kind(eps, step_size=step_size, norm=settings.norm, restarts=settings.restarts, **more)


def curves_of(settings: AttackOptions) -> list[Curve]:
    """The curves that `eval.sweep` or `eval.sweep_preset` asks for."""
    if settings.sweep_preset is not None:
        return list(PRESETS[settings.sweep_preset])
    radii = tuple(factor * settings.eps for factor in settings.sweep)
    return [Curve(name, radii) for name in settings.sweep_attack] if radii else []


def point_name(curve: Curve, eps: float) -> str:
    """The name of the curve's attack at the radius `eps`."""
    return f"{curve.attack}@{eps:.6g}"


def plan_of(settings: AttackOptions, num_classes: int, image_size: int) -> Plan:
    """Every attack to run, those of the curves last. Raises `InputError` if one cannot finish on such data."""
    plan = attacks_of(settings)
    for _, attack in plan:
        attack.check(num_classes, image_size)
    return plan


def attacks_of(settings: AttackOptions) -> Plan:
    """`plan_of` without its check of the classes and the image size."""
    plan = [(name, make_attack(name, settings)) for name in settings.attacks]
    for curve in curves_of(settings):
        plan += [(point_name(curve, eps), make_attack(curve.attack, settings, eps, curve.step)) for eps in curve.radii]
    return plan
