"""The conditions under which the keys of `train` (and of `label`, which has the same keys) have an effect."""

from __future__ import annotations

from nas.core.config.conditions import Condition, chosen, may_read
from nas.train.methods import METHODS
from nas.train.methods.base import OPTIONS

VALIDATION_KEYS = ("eps", "step_size", "validation_steps")  # of the PGD that validates an adversarial training
METHOD_KEYS = (*OPTIONS, "validation_steps")  # keys that some methods ignore
CONDITIONS = {
    "milestones": chosen("train", "schedule", "step"),
    "gamma": chosen("train", "schedule", "step", "exponential"),
    "rise": chosen("train", "schedule", "onecycle"),
    "awp_warmup": Condition(lambda settings: settings.awp > 0, "without an awp above 0"),
}


def method_uses(method: str, key: str, validated: bool = True) -> bool:
    """Whether the method uses the key in its training steps or, if the training is `validated`, for validation."""
    kind = METHODS.get(method)
    return (key in OPTIONS and may_read(kind, key)) or (validated and key in VALIDATION_KEYS and kind.adversarial)


def methods_using(key: str) -> list[str]:
    """The names of the methods that use the key."""
    return [method for method in METHODS.names() if method_uses(method, key)]
