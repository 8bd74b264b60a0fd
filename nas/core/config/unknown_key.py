"""The error about a key that the schema does not have: which key was probably meant, and what else has this key."""

from __future__ import annotations

from nas.core.errors import InputError
from nas.core.suggestions import suggest


class UnknownKey(InputError):
    """The schema has no such `key`; `listed` names the possible keys in words."""

    def __init__(self, key: str, known: list[str]) -> None:
        self.key = key
        self.listed = ", ".join(known) if known else "nothing: it has no settings"
        super().__init__(f"Unknown key {key!r}{suggest(key, known)}; possible here: {self.listed}.")

    def elsewhere(self, of: str, chosen: str, others: list[str]) -> InputError:
        """The error if `others` have the key but `chosen` does not; `of`, such as `space=`, precedes their names."""
        return InputError(
            f"Unknown key: {self.key} is a key of {of}{', '.join(others)}, not of {chosen}; possible here: "
            f"{self.listed}."
        )
