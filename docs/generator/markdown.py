"""Text of the code as Markdown: docstrings, tables, and links to other pages."""

from __future__ import annotations

import inspect
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any

CODE = re.compile(r"(```.*?```|`(?:[^`\n]|\n(?!\s*\n))+`)", re.DOTALL)  # a span may wrap, within its paragraph
MENTION = re.compile(r"`?\bdocs/((?:[\w-]+/)*[\w-]+\.md)\b`?")  # of a page, in the text of the project


def prose(text: str) -> str:
    """Plain text in which `code` is marked, with the signs escaped that Markdown and HTML would read."""
    parts = CODE.split(text)
    return "".join(
        part if n % 2 else re.sub(r"([*\[_~])", r"\\\1", part).replace("<", "&lt;") for n, part in enumerate(parts)
    )


def doc(thing: Any) -> str:
    """The whole docstring of a component, or its `doc`, as Markdown."""
    return prose(inspect.cleandoc(getattr(thing, "doc", None) or thing.__doc__ or ""))


def first_line(text: str) -> str:
    return text.partition("\n")[0]


def code(value: Any) -> str:
    return f"`{value}`"


def codes(values: Iterable[Any]) -> str:
    return ", ".join(map(code, values))


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; line breaks of a cell become spaces, and its bars are escaped."""
    lines = [list(header), *(list(row) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(
        "| " + " | ".join(" ".join(cell.split()).replace("|", r"\|") for cell in line) + " |" for line in lines
    )


def with_plain_bars(text: str) -> str:
    r"""The text in which the bars `|` within the code of a table have no backslash.

    Code hosts need it there, but Python-Markdown, which makes the site, would show it.
    """
    return re.sub(
        r"^\|.*", lambda line: CODE.sub(lambda one: one[0].replace(r"\|", "|"), line[0]), text, flags=re.MULTILINE
    )


def linked(text: str, page: str, titles: Mapping[str, str]) -> str:
    """The text of a page with a link in place of each mention of another one, such as `docs/glossary.md`.

    `page` and the keys of `titles` are paths below docs. Code blocks stay as they are. Raises KeyError if a page that
    is mentioned does not exist.
    """

    def link(match: re.Match[str]) -> str:
        target = match[1]
        if target == page:
            return "this page"
        return f"[{titles[target]}]({posixpath.relpath(target, posixpath.dirname(page) or '.')})"

    parts = re.split(r"(^```.*?^```)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if n % 2 else MENTION.sub(link, part) for n, part in enumerate(parts))
