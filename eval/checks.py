"""Does an accuracy under attack mean anything? Further attacks on a few images, and what should hold between them.

An attack that fails because gradients vanish, and not because the network is robust, shows in at least one of them.
Sources: Athalye et al., ICML 2018 (arXiv:1802.00420); Carlini et al. 2019 (arXiv:1902.06705); the flags of AutoAttack.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from itertools import pairwise

import torch

from nas.core.statistics.paired import paired_difference
from nas.eval.attack_runner import AttackRunner, Flags, Tick
from nas.eval.attacks import ATTACKS, Attack
from nas.eval.attacks.auto import square_fits
from nas.eval.attacks.gradient import PGD
from nas.eval.outputs import WarningCollector, autoattack_checks, check_outputs, verdict
from nas.eval.plan import AttackOptions, make_attack
from nas.results import Check, Correct, Curve

STEPS = 20
MORE = 4 * STEPS
RESTARTS = 5
QUERIES = 1000  # of Square
DRAWS = 10  # of random noise
SCALES = (0.25, 0.5, 1.0, 2.0)  # of eps
GAIN = 0.03  # accuracy that more steps or restarts may take
LEFT = 0.05  # accuracy that may be left where every image is within reach
WHITE_BOX = ("pgd", "more", "restarts")
SQUARE_GAIN = 0.002  # accuracy that Square may take after AutoAttack's other parts: its own limit


@dataclass
class CheckOptions(AttackOptions):
    """Whether the attacks are checked, and on how many images."""

    checks: bool = False  # whether the numbers mean anything: further attacks on the first images
    checks_images: int = 100  # the first so many of the n_test images

    def check(self) -> None:
        super().check()
        self.check_at_least_one("checks_images")


@dataclass(frozen=True)
class CheckResults:
    """Which of the images stand what, and the radii of the accuracy over eps."""

    standing: dict[str, Flags]
    radii: tuple[float, ...]

    def accuracy(self, label: str) -> float:
        return sum(self.standing[label]) / len(self.standing[label])


def check(subject: AttackRunner, settings: CheckOptions, sweep: list[Curve], tick: Tick) -> list[Check]:
    """Every check on the first `checks_images` images; `sweep` is that of the evaluation."""
    few = subject.first(settings.checks_images, "check/")
    clean = few.clean(tick)
    if not any(clean):
        nothing = Check("clean", "skipped", f"none of {len(clean)} images is classified rightly")
        return [nothing, *check_outputs(few, settings.norm), _dynamic(few)]
    whole = _whole(settings, few)
    radii = _radii(settings, whole)
    plan = _plan(settings, radii, few.images[0].shape[-1])
    standing = {label: few.robust(label, attack, clean, tick) for label, attack in plan.items()}
    standing["white-box"] = [int(all(each)) for each in zip(*(standing[label] for label in WHITE_BOX))]
    found = CheckResults({"clean": clean, **standing}, radii)
    one_draw = few.after["noise", "pgd"] / len(clean)
    return [
        _falls(found, sweep),
        _reaches_zero(found, whole),
        _black_box(found),
        Check("transfer", "skipped", "needs another checkpoint: nas transfer CHECKPOINT CHECKPOINT"),
        _converged(found, "more-steps", f"{MORE} steps instead of {STEPS}", "more"),
        _converged(found, "restarts", f"{RESTARTS} random starts instead of one", "restarts"),
        _noise(found, one_draw),
        _weaker(found, "one-step", "one step of size eps", "one-step", f"PGD-{STEPS}", "pgd"),
        *check_outputs(few, settings.norm),
        _dynamic(few),
        _square(subject, settings),
    ]


def transfer_check(attack: str, names: list[str], correct: list[list[Correct]]) -> Check:
    """Adversarial examples of another network must not break more images than those of a network's own.

    `correct` has a row per source and a column per target, in the order of `names`.
    """
    found = []
    for target, name in enumerate(names):
        own = correct[target][target].tolist()
        for source in range(len(names)):
            other = correct[source][target].tolist()
            if source != target and _beats(other, own):
                found.append(
                    f"{attack} on {names[source]} leaves {name} {_percent(sum(other) / len(other))}, on itself "
                    f"{_percent(sum(own) / len(own))}"
                )
    fine = f"no example of another network breaks more than {attack} on the network itself (uncorrected 95 % interval)"
    return Check("transfer", verdict(bool(found)), "; ".join(found) or fine)


def check_passes(settings: CheckOptions, image_size: int) -> float:
    """Forward+backward passes per checked image that stands everything."""
    if not settings.checks:
        return 0.0
    return 1 + sum(attack.passes() for attack in _plan(settings, _radii(settings, math.inf), image_size).values())


def check_ticks(settings: CheckOptions, image_size: int) -> float:
    """The sum of what `check` tells its `tick`."""
    return -(-min(settings.checks_images, settings.n_test) // settings.batch_size) * check_passes(settings, image_size)


def _radii(settings: CheckOptions, whole: float) -> tuple[float, ...]:
    return (*(scale * settings.eps for scale in SCALES if scale * settings.eps < whole), whole)


def _whole(settings: CheckOptions, subject: AttackRunner) -> float:
    """The radius from which every image is in reach: 1 in L∞, the diagonal of the unit cube in L2."""
    return 1.0 if settings.norm == "Linf" else math.sqrt(subject.images[0][0].numel())


class _FromImage(PGD):
    """PGD that starts at the image itself."""

    random_start = False


def _plan(settings: CheckOptions, radii: tuple[float, ...], image_size: int) -> dict[str, Attack]:
    """The attacks of the checks by name; without Square where it cannot start."""
    once = replace(settings, restarts=1)
    name = f"pgd{STEPS}"
    step = _FromImage(settings.eps, step_size=settings.eps, steps=1, norm=settings.norm)
    plan = {
        "pgd": make_attack(name, once),
        **{_at(eps): make_attack(name, once, eps) for eps in radii if eps != settings.eps},
        "more": make_attack(f"pgd{MORE}", once),
        "restarts": make_attack(name, replace(settings, restarts=RESTARTS)),
        "one-step": make_attack("fgsm", once) if settings.norm == "Linf" else step,
        "noise": ATTACKS.get("pgd")(settings.eps, steps=0, norm=settings.norm, restarts=DRAWS),  # random starts alone
    }
    if settings.norm == "Linf" or square_fits(image_size):
        plan["square"] = make_attack(f"square{QUERIES}", once)
    return plan


def _at(eps: float) -> str:
    return f"pgd@{eps:.6g}"


def _beats(first: Flags, second: Flags) -> bool:
    """Whether fewer images stand the first than the second, by the uncorrected 95 % interval of the difference.

    A check warns rather too often than too rarely, so it is not corrected for the number of checks.
    """
    return paired_difference([bool(flag) for flag in second], [bool(flag) for flag in first]).low > 0


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _falls(found: CheckResults, sweep: list[Curve]) -> Check:
    """A larger ball holds the smaller one, so accuracy can only fall; a rise is an attack that fails."""
    labels = [_at(eps) if _at(eps) in found.standing else "pgd" for eps in found.radii]
    curves = {f"PGD-{STEPS}": (found.radii, [found.standing[label] for label in labels])}
    for one in sweep:
        curves[f"the sweep's {one.attack}"] = (tuple(one.eps), [flags.tolist() for flags in one.correct])
    rises = [
        f"{name} leaves {_percent(sum(b) / len(b))} at eps {upper:.4g} but {_percent(sum(a) / len(a))} at {lower:.4g}"
        for name, (radii, points) in curves.items()
        for (lower, a), (upper, b) in pairwise(zip(radii, points))
        if _beats(a, b)
    ]
    path = ", ".join(f"{100 * found.accuracy(label):.1f}" for label in labels)
    fine = f"PGD-{STEPS} leaves {path} % at eps {', '.join(f'{eps:.4g}' for eps in found.radii)}"
    return Check("falls-with-eps", verdict(bool(rises)), "; ".join(rises) or fine)


def _reaches_zero(found: CheckResults, whole: float) -> Check:
    left = found.accuracy(_at(whole))
    reason = f"PGD-{STEPS} leaves {_percent(left)} at eps {whole:.4g}, where every image is in reach (limit {LEFT:.0%})"
    return Check("zero-at-full-eps", verdict(left > LEFT), reason)


def _weaker(found: CheckResults, name: str, title: str, weak: str, strong_title: str, strong: str) -> Check:
    """What knows less of the network must not break more images."""
    reason = f"{title} leaves {_percent(found.accuracy(weak))}, {strong_title} {_percent(found.accuracy(strong))}"
    return Check(name, verdict(_beats(found.standing[weak], found.standing[strong])), reason)


def _black_box(found: CheckResults) -> Check:
    if "square" not in found.standing:
        return Check("black-box", "skipped", "Square cannot start in L2 on images of this size")
    return _weaker(found, "black-box", f"Square ({QUERIES:,} queries)", "square", "PGD", "white-box")


def _converged(found: CheckResults, name: str, title: str, label: str) -> Check:
    gain = found.accuracy("pgd") - found.accuracy(label)
    warns = gain > GAIN and _beats(found.standing[label], found.standing["pgd"])
    reason = (
        f"{title}: {_percent(found.accuracy(label))} instead of {_percent(found.accuracy('pgd'))} "
        f"(limit {100 * GAIN:.0f} points)"
    )
    return Check(name, verdict(warns), reason)


def _noise(found: CheckResults, one_draw: float) -> Check:
    reason = (
        f"random noise within eps leaves {_percent(one_draw)} of {_percent(found.accuracy('clean'))}, the worst of "
        f"{DRAWS} draws {_percent(found.accuracy('noise'))}, PGD {_percent(found.accuracy('white-box'))}"
    )
    return Check("random-noise", verdict(_beats(found.standing["noise"], found.standing["white-box"])), reason)


def _dynamic(few: AttackRunner) -> Check:
    """Whether the forward pass itself computes gradients, which AutoAttack sees by the functions that it calls."""

    def messages() -> list[str]:
        said, found = WarningCollector(), autoattack_checks()
        found.funcs.update(dict.fromkeys(found.funcs, 0))  # it counts calls over the whole process
        tracer = sys.gettrace()
        with torch.no_grad():
            found.check_dynamic(few.network, few.images[0], False, logger=said)
        sys.settrace(tracer)  # which it takes away
        return said.messages

    said = WarningCollector()
    said.messages = few.kept("dynamic", messages)
    return said.check("dynamic", "the forward pass computes no gradients")


def _square(subject: AttackRunner, settings: CheckOptions) -> Check:
    """Square, which sees no gradient, should find nothing after the other parts of AutoAttack."""
    name, label = "square-in-autoattack", "autoattack"
    if label not in settings.attacks:
        return Check(name, "skipped", "autoattack is not among the attacks")
    total = sum(map(len, subject.labels))
    *_, before, after = (subject.after[label, stage] / total for stage in make_attack(label, settings).stages)
    reason = (
        f"Square takes AutoAttack from {_percent(before)} to {_percent(after)} (limit {100 * SQUARE_GAIN:g} points)"
    )
    return Check(name, verdict(before - after > SQUARE_GAIN), reason)
