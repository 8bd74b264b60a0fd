"""Which parts of an evaluation need gradients of the network in its pixels."""

from __future__ import annotations

from nas.eval.measures import MEASURES
from nas.eval.plan import attacks_of
from nas.eval.settings import EvalSettings


def gradient_users(settings: EvalSettings) -> list[str]:
    """The attacks, measures and checks of the settings that need a gradient, by name."""
    attacks = [label.partition("@")[0] for label, attack in attacks_of(settings) if attack.needs_gradient]
    kinds = [kind(settings) for name, kind in MEASURES.items() if name in settings.measures]
    measures = [f"eval.measures={kind.name}" for kind in kinds if kind.needs_gradient]
    checks = ["eval.checks=true"] if settings.checks else []
    return list(dict.fromkeys([*attacks, *measures, *checks]))
