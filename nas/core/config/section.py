"""A section of the settings. Its keys may be declared by several packages, each in a class of its own."""

from __future__ import annotations

from typing import ClassVar

from nas.core.errors import InputError


class Section:
    """The base of dataclasses that are a section, or a part of one.

    A section inherits from all of its parts, so that their keys are on one level, those of the last base first. Each
    part checks its own keys and calls `super().check()` for the others.
    """

    section: ClassVar[str]  # its name in a configuration, for messages

    def check(self) -> None:
        """Raises InputError if a value is impossible."""

    def check_choices(self, choices: dict[str, tuple[str, ...]]) -> None:
        """Raises InputError unless the value of each key is one of its choices."""
        for key, allowed in choices.items():
            if getattr(self, key) not in allowed:
                raise InputError(
                    f"Expected {self.section}.{key} to be {' or '.join(allowed)} but got {getattr(self, key)!r}."
                )

    def check_between(self, limits: dict[str, tuple[float, float]]) -> None:
        """Raises InputError unless the value of each key is None or between its lowest and highest value."""
        for key, (low, high) in limits.items():
            value = getattr(self, key)
            if value is not None and not low <= value <= high:
                raise InputError(f"Expected {self.section}.{key} between {low} and {high} but got {value}.")

    def check_at_least_one(self, *keys: str) -> None:
        """Raises InputError unless the value of each key is 1 or more."""
        for key in keys:
            if getattr(self, key) < 1:
                raise InputError(f"Expected {self.section}.{key} >= 1 but got {getattr(self, key)}.")

    def check_positive(self, *keys: str) -> None:
        """Raises InputError unless the value of each key is above 0 and below a million."""
        for key in keys:
            if not 0 < getattr(self, key) < 1e6:
                raise InputError(f"Expected {self.section}.{key} > 0 and < 1,000,000 but got {getattr(self, key)}.")
