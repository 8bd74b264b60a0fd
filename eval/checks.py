"""Whether an accuracy under attack can be trusted: further attacks on a few images must agree in certain ways.

If an attack fails because gradients vanish, and not because the network is robust, at least one check should warn.
Sources: Athalye et al., ICML 2018 (arXiv:1802.00420); Carlini et al. 2019 (arXiv:1902.06705); the flags of AutoAttack.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from itertools import pairwise

import torch

from nas.core.radius import radius
from nas.core.statistics.paired import paired_difference
from nas.eval.attack_runner import AttackRunner, Flags, Tick
from nas.eval.attacks import ATTACKS, Attack
from nas.eval.attacks.auto import square_fits
from nas.eval.attacks.gradient import PGD
from nas.eval.outputs import WarningCollector, autoattack_checks, check_outputs, verdict
from nas.eval.plan import AttackOptions, make_attack
from nas.results import Check, Correct, Curve

AUTOATTACK = "autoattack"
STEPS = 20
MORE_STEPS = 4 * STEPS
RESTARTS = 5
SQUARE_QUERIES = 1000
NOISE_DRAWS = 10
RADII = (0.25, 0.5, 1.0, 2.0)  # as multiples of eps
MAX_GAIN = 0.03  # largest drop of the accuracy by more steps or restarts
MAX_LEFT = 0.05  # largest accuracy at a radius that reaches every image
WHITE_BOX = ("pgd", "more", "restarts")
NOTHING_LEFT = "no image withstands the attack"
MAX_SQUARE_GAIN = 0.002  # largest drop of the accuracy by Square, the last part of AutoAttack; AutoAttack's own limit


@dataclass
class CheckOptions(AttackOptions):
    """Whether the attacks are checked, and on how many images."""

    checks: bool = False  # further attacks on the first images, to see whether the accuracies can be trusted
    checks_images: int = 100  # number of images for the checks, the first of the n_test images

    def check(self) -> None:
        super().check()
        self.check_at_least_one("checks_images")


@dataclass(frozen=True)
class CheckResults:
    """Which images are correct after each attack, and the radii of the curve of accuracy over eps."""

    correct: dict[str, Flags]
    radii: tuple[float, ...]

    def accuracy(self, label: str) -> float:
        return sum(self.correct[label]) / len(self.correct[label])


def check(runner: AttackRunner, settings: CheckOptions, sweep: list[Curve], tick: Tick) -> list[Check]:
    """Make every check on the first `checks_images` images; `sweep` has the evaluation's curves over eps."""
    few = runner.first(settings.checks_images, "check/")
    clean = few.clean(tick)
    if not any(clean):
        nothing = Check("clean", "skipped", f"none of {len(clean)} images is correct without an attack")
        square = [_square(runner, settings)] if AUTOATTACK in settings.attacks else []
        return [nothing, *check_outputs(few, settings.norm), _dynamic(few), *square]
    full_radius = _full_radius(settings, few)
    radii = _radii(settings, full_radius)
    plan = _plan(settings, radii, few.images[0].shape[-1])
    correct = {label: few.robust(label, attack, clean, tick) for label, attack in plan.items()}
    correct["white-box"] = [int(all(each)) for each in zip(*(correct[label] for label in WHITE_BOX))]
    results = CheckResults({"clean": clean, **correct}, radii)
    one_draw = few.left_after["noise", "pgd"] / len(clean)
    return [
        _falls(results, sweep),
        _reaches_zero(results, full_radius),
        _black_box(results),
        Check("transfer", "skipped", "needs another checkpoint: nas transfer CHECKPOINT CHECKPOINT"),
        _converged(results, "more-steps", f"{MORE_STEPS} steps instead of {STEPS}", "more"),
        _converged(results, "restarts", f"{RESTARTS} random starts instead of one", "restarts"),
        _noise(results, one_draw),
        _weaker(results, "one-step", "one step of size eps", "one-step", f"PGD-{STEPS}", "pgd"),
        *check_outputs(few, settings.norm),
        _dynamic(few),
        _square(runner, settings),
    ]


def transfer_check(attack: str, names: list[str], correct: list[list[Correct]]) -> Check:
    """Adversarial examples made on another network must not break more images than those made on the network itself.

    `correct` has a row per source and a column per target, in the order of `names`.
    """
    warnings = []
    for target, name in enumerate(names):
        own = correct[target][target].tolist()
        for source in range(len(names)):
            other = correct[source][target].tolist()
            if source != target and _beats(other, own):
                warnings.append(
                    f"{attack} on {names[source]} leaves {name} {_percent(sum(other) / len(other))}, on {name} itself "
                    f"{_percent(sum(own) / len(own))}"
                )
    fine = f"{attack} on another network breaks no more images than on the network itself (uncorrected 95 % interval)"
    return Check("transfer", verdict(bool(warnings)), "; ".join(warnings) or fine)


def attacks_of(check: Check, norm: str) -> tuple[str, ...]:
    """The names of the attacks from which a check was made; none if it was skipped or attacks nothing."""
    one_step = "fgsm" if norm == "Linf" else "pgd1"
    attacks = {
        "falls-with-eps": (f"pgd{STEPS}",),
        "zero-at-full-eps": (f"pgd{STEPS}",),
        "black-box": (f"square{SQUARE_QUERIES}", f"pgd{STEPS}"),
        "more-steps": (f"pgd{MORE_STEPS}", f"pgd{STEPS}"),
        "restarts": (f"pgd{STEPS}",),
        "random-noise": (f"pgd{STEPS}",),
        "one-step": (one_step, f"pgd{STEPS}"),
        "square-in-autoattack": (AUTOATTACK,),
    }
    return () if check.ok == "skipped" else attacks.get(check.name, ())


def check_passes(settings: CheckOptions, image_size: int) -> float:
    """The number of forward+backward passes for a checked image that stays correct under every attack."""
    if not settings.checks:
        return 0.0
    return 1 + sum(attack.passes() for attack in _plan(settings, _radii(settings, math.inf), image_size).values())


def check_ticks(settings: CheckOptions, image_size: int) -> float:
    """The number of passes that `check` reports to its `tick`, over all calls."""
    return -(-min(settings.checks_images, settings.n_test) // settings.batch_size) * check_passes(settings, image_size)


def _radii(settings: CheckOptions, full_radius: float) -> tuple[float, ...]:
    return (*(scale * settings.eps for scale in RADII if scale * settings.eps < full_radius), full_radius)


def _full_radius(settings: CheckOptions, runner: AttackRunner) -> float:
    """The radius that reaches every image: 1 in L∞, the diagonal of the unit cube in L2."""
    return 1.0 if settings.norm == "Linf" else math.sqrt(runner.images[0][0].numel())


class _FromImage(PGD):
    """PGD that starts at the image itself."""

    random_start = False


def _plan(settings: CheckOptions, radii: tuple[float, ...], image_size: int) -> dict[str, Attack]:
    """The attacks of the checks by name; without Square if it cannot start on images of this size."""
    once = replace(settings, restarts=1)
    name = f"pgd{STEPS}"
    step = _FromImage(settings.eps, step_size=settings.eps, steps=1, norm=settings.norm)
    plan = {
        "pgd": make_attack(name, once),
        **{_pgd_label(eps): make_attack(name, once, eps) for eps in radii if eps != settings.eps},
        "more": make_attack(f"pgd{MORE_STEPS}", once),
        "restarts": make_attack(name, replace(settings, restarts=RESTARTS)),
        "one-step": make_attack("fgsm", once) if settings.norm == "Linf" else step,
        "noise": ATTACKS.get("pgd")(settings.eps, steps=0, norm=settings.norm, restarts=NOISE_DRAWS),  # only starts
    }
    if settings.norm == "Linf" or square_fits(image_size):
        plan["square"] = make_attack(f"square{SQUARE_QUERIES}", once)
    return plan


def _pgd_label(eps: float) -> str:
    return f"pgd@{eps:.6g}"


def _label_at(results: CheckResults, eps: float) -> str:
    """The name of PGD at this radius, which may be that of the evaluation."""
    label = _pgd_label(eps)
    return label if label in results.correct else "pgd"


def _beats(first: Flags, second: Flags) -> bool:
    """Whether fewer images are correct after the first attack, by the uncorrected 95 % interval of the difference.

    The interval is not corrected for the number of checks, so a check warns too often rather than too rarely.
    """
    return paired_difference([bool(flag) for flag in second], [bool(flag) for flag in first]).low > 0


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _falls(results: CheckResults, sweep: list[Curve]) -> Check:
    """A larger ball contains the smaller one, so the accuracy can only fall; if it rises, the attack fails."""
    labels = [_label_at(results, eps) for eps in results.radii]
    curves = {f"PGD-{STEPS}": (results.radii, [results.correct[label] for label in labels])}
    for one in sweep:
        curves[f"the sweep's {one.attack}"] = (tuple(one.eps), [flags.tolist() for flags in one.correct])
    rises = [
        f"{name} leaves {_percent(sum(b) / len(b))} at eps {radius(upper)} "
        f"but {_percent(sum(a) / len(a))} at {radius(lower)}"
        for name, (radii, points) in curves.items()
        for (lower, a), (upper, b) in pairwise(zip(radii, points))
        if _beats(a, b)
    ]
    path = ", ".join(f"{100 * results.accuracy(label):.1f}" for label in labels)
    fine = f"PGD-{STEPS} leaves {path} % at eps {', '.join(map(radius, results.radii))}"
    return Check("falls-with-eps", verdict(bool(rises)), "; ".join(rises) or fine)


def _reaches_zero(results: CheckResults, full_radius: float) -> Check:
    left = results.accuracy(_label_at(results, full_radius))
    where = f"eps {radius(full_radius)}, where every image is in reach"
    reason = f"PGD-{STEPS} leaves {_percent(left)} at {where} (limit {MAX_LEFT:.0%})"
    return Check("zero-at-full-eps", verdict(left > MAX_LEFT), reason)


def _weaker(results: CheckResults, name: str, title: str, weak: str, strong_title: str, strong: str) -> Check:
    """The weaker attack, which has fewer steps or sees less of the network, must not break more images.

    Skipped if the stronger attack leaves no image, since then no attack can break more.
    """
    if not any(results.correct[strong]):
        return Check(name, "skipped", NOTHING_LEFT)
    reason = f"{title} leaves {_percent(results.accuracy(weak))}, {strong_title} {_percent(results.accuracy(strong))}"
    return Check(name, verdict(_beats(results.correct[weak], results.correct[strong])), reason)


def _black_box(results: CheckResults) -> Check:
    if "square" not in results.correct:
        return Check("black-box", "skipped", "Square cannot start in L2 on images of this size")
    return _weaker(results, "black-box", f"Square ({SQUARE_QUERIES:,} queries)", "square", "PGD", "white-box")


def _converged(results: CheckResults, name: str, title: str, label: str) -> Check:
    if not any(results.correct["pgd"]):
        return Check(name, "skipped", NOTHING_LEFT)
    gain = round(results.accuracy("pgd") - results.accuracy(label), 9)  # in binary .5 - .47 exceeds .03
    warns = gain > MAX_GAIN and _beats(results.correct[label], results.correct["pgd"])
    reason = (
        f"{title}: {_percent(results.accuracy(label))} instead of {_percent(results.accuracy('pgd'))} "
        f"(limit {100 * MAX_GAIN:.0f} points"
    )
    unshown = gain > MAX_GAIN and not warns
    reason += f"; more, but {len(results.correct['pgd'])} images do not show it)" if unshown else ")"
    return Check(name, verdict(warns), reason)


def _noise(results: CheckResults, one_draw: float) -> Check:
    if not any(results.correct["white-box"]):
        return Check("random-noise", "skipped", NOTHING_LEFT)
    reason = (
        f"clean accuracy {_percent(results.accuracy('clean'))}; random noise within eps leaves {_percent(one_draw)}, "
        f"{NOISE_DRAWS} draws together leave {_percent(results.accuracy('noise'))}, PGD leaves "
        f"{_percent(results.accuracy('white-box'))}"
    )
    return Check("random-noise", verdict(_beats(results.correct["noise"], results.correct["white-box"])), reason)


def _dynamic(few: AttackRunner) -> Check:
    """Whether the forward pass itself computes gradients; AutoAttack looks at the functions that the pass calls."""

    def messages() -> list[str]:
        collector, library = WarningCollector(), autoattack_checks()
        library.funcs.update(dict.fromkeys(library.funcs, 0))  # the library counts calls over the whole process
        tracer = sys.gettrace()
        with torch.no_grad():
            library.check_dynamic(few.network, few.images[0], False, logger=collector)
        sys.settrace(tracer)  # the library removes it
        return collector.messages

    collector = WarningCollector(few.once("dynamic", messages))
    return collector.check("dynamic", "the forward pass computes no gradients")


def _square(runner: AttackRunner, settings: CheckOptions) -> Check:
    """Square, which sees no gradient, should find nothing after the other parts of AutoAttack."""
    name = "square-in-autoattack"
    if AUTOATTACK not in settings.attacks:
        return Check(name, "skipped", "autoattack is not among the attacks")
    total = sum(map(len, runner.labels))
    stages = make_attack(AUTOATTACK, settings).stages
    *_, before, after = (runner.left_after[AUTOATTACK, stage] / total for stage in stages)
    reason = (
        f"Square takes AutoAttack from {_percent(before)} to {_percent(after)} (limit {100 * MAX_SQUARE_GAIN:g} points)"
    )
    return Check(name, verdict(round(before - after, 9) > MAX_SQUARE_GAIN), reason)
