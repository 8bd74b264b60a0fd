"""Names and types of the keys of results, as they are promised to those who read the JSON and CSV files.

Typed by hand and not made by the code: a key that goes, comes, or changes its type is noticed. Values are not looked at,
as floats differ between processors (`tests/same.py` compares those of two commits).
"""

from __future__ import annotations

from typing import Any


def names(value: Any, at: str = "") -> set[str]:
    """`path: type` of every value in nested dictionaries and lists; `[]` stands for every element of a list."""
    if isinstance(value, dict) and value:
        return set().union(*(names(one, f"{at}.{key}" if at else str(key)) for key, one in value.items()))
    if isinstance(value, list) and value:
        return set().union(*(names(one, f"{at}[]") for one in value))
    return {f"{at}: {'null' if value is None else type(value).__name__}"}


def expected(*texts: str) -> set[str]:
    """Of lines `path: type`, or `path.{a b c}: type` for several keys."""
    found = set()
    for line in filter(None, (line.strip() for text in texts for line in text.splitlines())):
        before, brace, rest = line.partition("{")
        keys, _, after = rest.partition("}")
        found |= {f"{before}{key}{after}" for key in keys.split()} if brace else {line}
    return found
