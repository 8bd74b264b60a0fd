"""When the keys of `train` (and of `label`, which has the same) have an effect."""

from __future__ import annotations

from nas.core.config.conditions import Condition, chosen, may_read
from nas.train.methods import METHODS
from nas.train.methods.base import OPTIONS

VALIDATION = ("eps", "step_size", "validation_steps")  # of the PGD that judges an adversarial training
OF_METHODS = (*OPTIONS, "validation_steps")  # keys that some methods leave alone
CONDITIONS = {
    "milestones": chosen("train", "schedule", "step"),
    "gamma": chosen("train", "schedule", "step", "exponential"),
    "rise": chosen("train", "schedule", "onecycle"),
    "awp_warmup": Condition(lambda settings: settings.awp > 0, "without an awp above 0"),
}


def uses(method: str, key: str, validated: bool = True) -> bool:
    """Whether a training by this method uses the key, in its steps or, where it is `validated`, there."""
    kind = METHODS.get(method)
    return (key in OPTIONS and may_read(kind, key)) or (validated and key in VALIDATION and kind.adversarial)


def users(key: str) -> list[str]:
    """The methods that use the key."""
    return [method for method in METHODS.names() if uses(method, key)]
