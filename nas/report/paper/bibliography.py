"""The bibliography: BibTeX entries by key, of which the components name those that describe them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from nas.core.errors import InputError

ENTRY = re.compile(r"@\w+\{\s*([^\s,{}]+)\s*,")


@cache
def entries() -> dict[str, str]:
    """The BibTeX entry of each key, in the order of the keys."""
    text = (files("nas.report.paper") / "references.bib").read_text(encoding="utf-8")
    return {key_of(entry): entry.strip() for entry in re.split(r"\n(?=@)", text)}


def key_of(reference: str) -> str:
    """The key of a reference, which is a key of the bibliography or a whole BibTeX entry, as components have them.

    Raises InputError if it is neither.

    >>> key_of("@misc{me2026, title = {Mine}}"), key_of("madry2018towards")
    ('me2026', 'madry2018towards')
    """
    match = ENTRY.match(reference.strip())
    if match:
        return match[1]
    if reference in entries():
        return reference
    raise InputError(
        f"Expected a key of the bibliography or a BibTeX entry in `references` but got {reference!r}; give the whole "
        "entry: '@misc{key, ...}'."
    )


def bibliography(references: Iterable[str]) -> str:
    """The BibTeX entries of these references, each once, in the order of their keys. Raises InputError as `key_of`."""
    found = {key_of(reference): reference for reference in references}
    texts = [entries().get(key, found[key]).strip() for key in sorted(found)]
    return "\n\n".join(texts) + "\n" if texts else ""
