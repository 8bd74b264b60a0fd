"""How a step is trained: on clean images, or on adversarial ones made in one of several ways."""

from nas.core.registry import Registry, is_concrete_subclass
from nas.train.methods.base import Method

METHODS: Registry[type[Method]] = Registry(
    "training method", "nas.train.methods", "nas.methods", is_concrete_subclass(Method)
)


def adversarial(method: str) -> bool:
    """Whether the training method of this name makes networks robust; unknown ones are refused."""
    return METHODS.get(method).adversarial


__all__ = ["METHODS", "Method", "adversarial"]
