"""An extension of griffe, which reads the docstrings for the site: examples that begin with >>> are shown as code.

It runs in the environment of the site, which does not have this project.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension

EXAMPLE = re.compile(r"^>>> .*(?:\n(?!\n).+)*", re.MULTILINE)
DIRECTIVE = re.compile(r" *# doctest:.*$", re.MULTILINE)  # for the tests, not for readers


class Examples(Extension):
    """Puts each example of a docstring into a block of code."""

    def on_instance(self, *, obj: Any, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = EXAMPLE.sub(_as_code, obj.docstring.value)


def _as_code(found: re.Match[str]) -> str:
    return f"```pycon\n{DIRECTIVE.sub('', found[0])}\n```"
