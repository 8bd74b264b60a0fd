"""What a user says about the data: which set, where it lies, how large the images shall be."""

from __future__ import annotations

from dataclasses import dataclass

from nas.core.config import path_field
from nas.core.errors import InputError

SMALLEST, LARGEST = 4, 1024


@dataclass
class DataSettings:
    """`size` resizes every image to size x size; None keeps the data set's own size (digits: 16)."""

    name: str = "digits"
    root: str | None = path_field()
    size: int | None = None
    download: bool = True

    def check(self) -> None:
        """Raise `InputError` on values no data set can meet."""
        if self.size is None:
            return
        if isinstance(self.size, bool) or not isinstance(self.size, int):
            raise InputError(f"Expected data.size to be a whole number of pixels but got {self.size!r}.")
        if not SMALLEST <= self.size <= LARGEST:
            raise InputError(
                f"Expected data.size between {SMALLEST} and {LARGEST} pixels but got {self.size}; "
                "choose another or leave it out."
            )
