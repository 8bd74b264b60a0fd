"""What somebody else's code says when it fails, as a part of a message: one line, whole sentences, no colours."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

MOST = 500  # characters of a reason
COLOURS = re.compile(r"\x1b\[[0-9;:?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)")  # what a terminal obeys
ENDS = ".!?"
FORBIDDEN = re.compile(r"Unsupported (?:global: GLOBAL|class) (\S+)")  # what torch says of objects in a file
FILE = "it"  # the file that could not be read
SCRIPT = "TorchScript"
CAUSE = re.compile(r"\n\w+(?:Error|Exception): ([^\n]+)\Z")  # the last line of a trace


def plain(text: str) -> str:
    """`text` on one line, without what colours a terminal."""
    return " ".join(COLOURS.sub("", text).split())


def sentence(text: str) -> str:
    """`text` on one line that ends as a sentence does, so that another one may follow."""
    line = plain(text)
    return line if line.endswith(tuple(ENDS)) else f"{line.rstrip(':;,')}."


def stopped(failures: Iterable[tuple[str, str | None]], folder: Path) -> str:
    """What became of parts of a run, (name, failure) each, and how to go on with it; without the last full stop."""
    parts = "; ".join(f"{name}: {plain(failure or 'it gave no result').rstrip('.')}" for name, failure in failures)
    return f"{sentence(parts)} Finished parts are kept: `nas resume {folder}`"


def reason(error: BaseException) -> str:
    """The kind of the error and what it says."""
    text = said(error)
    if text.startswith(f"{FILE} "):
        return text
    return f"{type(error).__name__}: {text}".rstrip(": ")


def said(error: BaseException) -> str:
    """What the error says, without the last full stop; a long text ends with one of its sentences.

    Of the traces of TorchScript it is the last line, which has the cause; of torch's advice on files that hold Python
    objects it is which object that is.
    """
    whole = str(error)
    if (found := FORBIDDEN.search(whole)) is not None:
        return f"{FILE} holds Python objects ({found[1]}), which are not read because reading them can run code"
    if "weights_only" in whole and SCRIPT in whole:
        return f"{FILE} is a TorchScript archive, which holds a program"
    if "weights_only" in whole:
        return f"{FILE} is no file of tensors"
    cause = CAUSE.search(whole.rstrip()) if SCRIPT in whole else None
    return _shortened(plain(whole if cause is None else cause[1])).rstrip(": .")


def _shortened(text: str) -> str:
    """The first sentences of `text` that fit; where not even one does, its first words."""
    if len(text) <= MOST:
        return text
    end = max(text.rfind(f"{mark} ", 0, MOST) for mark in ENDS)
    return text[: end + 1] if end > 0 else f"{text[:MOST].rpartition(' ')[0]} …"
