"""What somebody else's code says when it fails, as a part of a message: one line, whole sentences, no colours."""

from __future__ import annotations

import re

MOST = 500  # characters of a reason
COLOURS = re.compile(r"\x1b\[[0-9;:?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)")  # what a terminal obeys
ENDS = ".!?"
FORBIDDEN = re.compile(r"Unsupported (?:global: GLOBAL|class) (\S+)")  # what torch says of objects in a file
FILE = "it"  # the file that could not be read
SCRIPT = "TorchScript"


def plain(text: str) -> str:
    """`text` on one line, without what colours a terminal."""
    return " ".join(COLOURS.sub("", text).split())


def sentence(text: str) -> str:
    """`text` on one line that ends as a sentence does, so that another one may follow."""
    line = plain(text)
    return line if line.endswith(tuple(ENDS)) else f"{line.rstrip(':;,')}."


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
    lines = [line for line in whole.splitlines() if line.strip()]
    text = plain(lines[-1] if SCRIPT in whole and "Traceback" in whole else whole)
    return _shortened(text).rstrip(": .")


def _shortened(text: str) -> str:
    """The first sentences of `text` that fit; where not even one does, its first words."""
    if len(text) <= MOST:
        return text
    end = max(text.rfind(f"{mark} ", 0, MOST) for mark in ENDS)
    return text[: end + 1] if end > 0 else f"{text[:MOST].rpartition(' ')[0]} ..."
