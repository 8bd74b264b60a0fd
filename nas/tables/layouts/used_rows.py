"""The rows of a file that are used: architectures of the space that have a value."""

from __future__ import annotations

from typing import Any

from nas.core.errors import InputError
from nas.search_spaces import SearchSpace


class UsedRows:
    """The space's own strings of the usable rows, and the numbers of these rows, counted from 0."""

    def __init__(self, space: SearchSpace[Any]) -> None:
        self.space = space
        self.architectures: list[str] = []
        self.numbers: list[int] = []
        self.count = 0  # of all rows
        self.valueless = self.foreign = 0
        self.why = ""  # the first row that is no architecture of the space

    def add(self, architecture: Any, valued: bool) -> None:
        """Take in the next row, with its architecture as text or as a value of JSON."""
        if valued:
            try:
                own = str(self.space.parse_json(architecture))
                # One copy of equal strings stays in memory.
                self.architectures.append(architecture if own == architecture else own)
                self.numbers.append(self.count)
            except InputError as error:
                self.foreign += 1
                self.why = self.why or f"row {self.count + 1}: {error}"
        else:
            self.valueless += 1
        self.count += 1

    def dropped(self) -> dict[str, int]:
        """How many rows are not used, by the reason."""
        counts = {
            "no value in any column": self.valueless,
            f"no architecture of {self.space.name} (the first is {self.why.rstrip('.')})": self.foreign,
        }
        return {reason: count for reason, count in counts.items() if count}
