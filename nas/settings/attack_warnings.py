"""Warnings about attacks whose steps cannot reach the radius of their ball, so that networks look too robust.

The perturbation in a supernet search is not checked: it measures no accuracy, and in the paper of RNAS it reaches only
.03 of a radius of .031.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

from nas.core.optimisation.attack_steps import Walk, is_short
from nas.eval.attacks import Attack
from nas.eval.checks import STEPS
from nas.eval.plan import attacks_of, make_attack
from nas.eval.settings import EvalSettings
from nas.objectives.notation import TRAINED, source_of
from nas.settings.reader import Reader
from nas.settings.schema import Settings, is_supernet
from nas.train import METHODS, TrainSettings, adversarial


def warn(reader: Reader, settings: Settings) -> None:
    """Log each warning about the settings of a new run once."""
    for text in warnings(reader, settings):
        logging.getLogger("nas").warning("%s", text)


def warnings(reader: Reader, settings: Settings) -> list[str]:
    """A warning for each attack of the command's trainings, labels and evaluations with steps · step size < eps."""
    texts: list[str] = []
    if reader.takes("train.eps"):
        for method in reader.trainings(settings):
            texts += _of_training(replace(settings.train, method=method), settings.data.validation != 0)
    if reader.takes("search.objective") and not is_supernet(settings):
        labels = [name.removeprefix(TRAINED) for name in settings.search.metrics() if source_of(name) == "trained"]
        if labels:
            texts += _of_training(settings.label, settings.label.select == "best")
        names = dict.fromkeys(label.removeprefix("hrs:") for label in labels if label != "clean")
        texts += _of_attacks([(name, make_attack(name, settings.eval)) for name in names])
    if reader.takes("eval.attacks"):
        texts += _of_attacks(_evaluation(settings.eval))
    return list(dict.fromkeys(texts))


def _of_training(settings: TrainSettings, validated: bool) -> Iterator[str]:
    section, eps = settings.section, settings.eps
    walk = METHODS.get(settings.method).walk(settings)
    if walk is not None and is_short(walk, eps):
        own = {"fgsm": "fgsm_alpha", "free": "free_alpha"}.get(settings.method, "step_size")
        yield _sentence(f"{section}.method={settings.method}", walk, f"{section}.eps={eps:.4g}", f"{section}.{own}")
    walk = (settings.validation_steps, settings.step_size)
    if validated and adversarial(settings.method) and is_short(walk, eps):
        attack = f"the PGD of the validation accuracy ({section}.validation_steps)"
        yield _sentence(attack, walk, f"{section}.eps={eps:.4g}", f"{section}.step_size")


def _evaluation(settings: EvalSettings) -> list[tuple[str, Attack]]:
    """All attacks of an evaluation, also those on few images, under names without the radius of a point of a curve."""
    names = [settings.measure_attack] if "calibration" in settings.measures else []
    names += [f"pgd{STEPS}"] if settings.checks else []
    plan = [(label.partition("@")[0], attack) for label, attack in attacks_of(settings)]
    return [*plan, *((name, make_attack(name, settings)) for name in names)]


def _of_attacks(plan: list[tuple[str, Attack]]) -> Iterator[str]:
    """One warning for each attack, however many radii it cannot reach."""
    short: dict[str, dict[float, Walk]] = {}
    for name, attack in plan:
        walk = attack.walk()
        if walk is not None and is_short(walk, attack.eps):
            short.setdefault(name, {})[attack.eps] = walk
    for name, walks in short.items():
        eps, walk = next(iter(walks.items()))
        others = f" (and {len(walks) - 1} other radii)" if len(walks) > 1 else ""
        step = "its alpha" if ":" in name else "eval.step_size"
        yield _sentence(name, walk, f"the radius {eps:.4g}{others}", step)


def _sentence(attack: str, walk: Walk, radius: str, step: str) -> str:
    steps, size = walk
    return (
        f"{attack}: {steps:g} step(s) of {size:.4g} go no farther than {steps * size:.4g}, which is less than "
        f"{radius}, so the attack is weaker than its radius says; set {step} or the number of steps."
    )
