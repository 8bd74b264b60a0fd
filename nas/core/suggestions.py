"""What a message proposes instead of an unknown name: the nearest known one."""

from __future__ import annotations

import difflib
import re


def suggest(name: str, known: list[str]) -> str:
    """` (did you mean 'x'?)` for the nearest known name, or nothing; capitals, spaces, - and _ make no difference."""
    by_letters = {_letters(one): one for one in reversed(known)}
    near = difflib.get_close_matches(_letters(name[:200]), by_letters, n=1, cutoff=0.5)
    return f" (did you mean {by_letters[near[0]]!r}?)" if near else ""


def _letters(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()
