"""Training on clean images."""

from __future__ import annotations

from typing import ClassVar

from nas.train.methods.base import Method


class Standard(Method):
    """clean images"""

    name: ClassVar[str] = "standard"
    label: ClassVar[str] = "standard"
    adversarial: ClassVar[bool] = False
    reads: ClassVar[frozenset[str] | None] = frozenset()
