"""Explain in one line why a text is not YAML: the place, the reason, and what to do."""

from __future__ import annotations

from yaml import MarkedYAMLError
from yaml.error import Mark
from yaml.reader import ReaderError

QUOTES = "put the value in quotes"


def explained(error: BaseException, text: str | None = None) -> str:
    """The parser's reason and, if the `text` is given, the line and column, counted from 1.

    Architectures such as `|nor_conv_3x3~0|+|...|` need quotes: in YAML, `|` begins a text of several lines.
    """
    if isinstance(error, ReaderError):
        return _placed(text, error.position, str(error).splitlines()[0])
    if not isinstance(error, MarkedYAMLError):
        return _first_line(str(error)) or type(error).__name__
    reason = _first_line(error.problem or str(error))
    mark = error.problem_mark or error.context_mark
    context, start = error.context or "", error.context_mark
    if start is not None and mark is not None and start.line != mark.line and text is not None:
        reason += f" ({_first_line(context)} that begins in {_place(start)})"
    elif context:
        reason += f" ({_first_line(context)})"
    place = f"{_place(mark)}: " if mark is not None and text is not None else ""
    return f"{place}{reason}{_advice(error)}"


def _advice(error: MarkedYAMLError) -> str:
    problem = error.problem or ""
    if "'\\t'" in problem:
        return "; indent with spaces, not with tabs"
    needs_quotes = "block scalar" in (error.context or "") or "cannot start any token" in problem
    return f"; {QUOTES}" if needs_quotes else ""


def _place(mark: Mark) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"


def _placed(text: str | None, position: int, reason: str) -> str:
    if text is None:
        return reason
    before = text[:position]
    return f"line {before.count(chr(10)) + 1}, column {position - before.rfind(chr(10))}: {reason}"


def _first_line(text: str) -> str:
    return next((line.strip().rstrip(".") for line in text.splitlines() if line.strip()), "")
