"""What a message proposes instead of an unknown name: the nearest known one."""

from __future__ import annotations

import difflib


def suggest(name: str, known: list[str]) -> str:
    """` (did you mean 'x'?)` for the nearest known name, or nothing."""
    near = difflib.get_close_matches(name[:200], known, n=1, cutoff=0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""
