"""Finds what tests type a second time from its source: functions, records and constants of the package by name."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def found(name: str) -> Any:
    """What `core.executor:Executor.__init__` names below `nas`."""
    module, _, attribute = name.partition(":")
    value: Any = import_module(f"nas.{module}")
    for part in attribute.split("."):
        value = getattr(value, part)
    return value
