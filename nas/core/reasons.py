"""Turn errors of libraries into part of a message: on one line, in whole sentences, without terminal colours."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

MAX_CHARACTERS = 500  # of a reason
COLOURS = re.compile(r"\x1b\[[0-9;:?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)")  # escape sequences of terminals
SENTENCE_ENDS = ".!?"
FORBIDDEN = re.compile(r"Unsupported (?:global: GLOBAL|class) (\S+)")  # torch's message about Python objects in a file
FILE = "it"  # how a reason refers to the file that could not be read
SCRIPT = "TorchScript"
CAUSE = re.compile(r"\n\w+(?:Error|Exception): ([^\n]+)\Z")  # the last line of a traceback


def plain(text: str) -> str:
    """`text` on one line, without the escape sequences of terminals."""
    return " ".join(COLOURS.sub("", text).split())


def sentence(text: str) -> str:
    """`text` on one line with a full stop (or ! or ?) at its end, so that another sentence can follow."""
    line = plain(text)
    return line if line.endswith(tuple(SENTENCE_ENDS)) else f"{line.rstrip(':;,')}."


def failures_in_words(failures: Iterable[tuple[str, str | None]], folder: Path) -> str:
    """The failed parts of a run, each (name, failure), and how to resume the run; without a full stop."""
    parts = "; ".join(f"{name}: {plain(failure or 'it gave no result').rstrip('.')}" for name, failure in failures)
    return f"{sentence(parts)} Finished parts are kept: `nas resume {folder}`"


def reason(error: BaseException) -> str:
    """The type of the error and its message; only the message if it is a sentence about the file."""
    text = message_of(error)
    if text.startswith(f"{FILE} "):
        return text
    return f"{type(error).__name__}: {text}".rstrip(": ")


def message_of(error: BaseException) -> str:
    """The message of the error without a full stop at the end; a long message is cut at the end of a sentence.

    From a TorchScript traceback it takes only the last line, which names the cause; from torch's advice on files with
    Python objects, only the name of the object.
    """
    whole = str(error)
    if (match := FORBIDDEN.search(whole)) is not None:
        return f"{FILE} holds Python objects ({match[1]}), which are not read because reading them can run code"
    if "weights_only" in whole and SCRIPT in whole:
        return f"{FILE} is a TorchScript archive, which holds a program"
    if "weights_only" in whole:
        return f"{FILE} is not a file of tensors"
    cause = CAUSE.search(whole.rstrip()) if SCRIPT in whole else None
    return _shortened(plain(whole if cause is None else cause[1])).rstrip(": .")


def _shortened(text: str) -> str:
    """The first sentences of `text` that fit; if not even one fits, its first words."""
    if len(text) <= MAX_CHARACTERS:
        return text
    end = max(text.rfind(f"{mark} ", 0, MAX_CHARACTERS) for mark in SENTENCE_ENDS)
    return text[: end + 1] if end > 0 else f"{text[:MAX_CHARACTERS].rpartition(' ')[0]} …"
