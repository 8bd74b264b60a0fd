"""Training methods: on clean images, or on adversarial ones that are made in one of several ways."""

from nas.core.registry import Registry, is_concrete_subclass
from nas.train.methods.base import Method

METHODS: Registry[type[Method]] = Registry(
    "training method", "nas.train.methods", "nas.methods", is_concrete_subclass(Method)
)


def adversarial(method: str) -> bool:
    """Whether the method trains on adversarial images. Raises InputError if there is no method of this name."""
    return METHODS.get(method).adversarial


__all__ = ["METHODS", "Method", "adversarial"]
