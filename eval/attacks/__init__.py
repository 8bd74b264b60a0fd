"""Attacks by name, each from the library with which most publications report it."""

from nas.core.registry import Registry, is_concrete_subclass
from nas.eval.attacks.base import Attack, parse_attack

ATTACKS: Registry[type[Attack]] = Registry("attack", "nas.eval.attacks", "nas.attacks", is_concrete_subclass(Attack))

__all__ = ["ATTACKS", "Attack", "parse_attack"]
