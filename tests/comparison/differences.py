"""What two commands printed and wrote, as leaves that can be compared, without what may differ between any two runs."""

from __future__ import annotations

import csv
import difflib
import io
import json
import math
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

TIME, VERSION, REVISION, PLACE = "<time>", "<version>", "<revision>", "<place>"
SAVED_AS = {".pt": "torch", ".safetensors": "safetensors"}
NOTHING = 1e-12  # floats that differ by less are equal, such as rounding errors of 0
THERE = "<there>"  # in place of the content of a file that is not compared
NOT_READ = (".sha256", ".png", ".pdf", ".onnx", ".images", ".good.sqlite", ".sqlite-wal", ".sqlite-shm", "lock")
NUMBER = re.compile(r"(?<![\w.])[-+−]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?(?!\w)")
_UNIT = r"(?:ms|s|min|h|seconds?|minutes?|hours?|days?)"
TIMES = re.compile(rf"(?<![\w.])\d+(?:[.,]\d+)*(?:–\d[\d.,]*)? ?{_UNIT}(?![\w/-])")
COMMIT = re.compile(r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])( with changes)?")
MEMORY = re.compile(r"memory\s+[\d.,]+ [MG]B")
PROGRESS = re.compile(r"^[\w -]+: [\d,]+ of [\d,]+(, .*)?$|^[\w -]+: [\d,]+(, [\d,]+ failed)?$")
EVENTS = re.compile(r"events\.out\.tfevents\.[^/]*")
MEASURED = re.compile(
    r"(^|_)seconds$|^latency$|^memory_mb(_per_process)?$|^seconds/|^latency/|^progress/"
)  # names of keys, columns, and rows of a store whose values are times or memory
METER = re.compile(r'(class="meter"><i style="width:)[\d.]+%')  # a share of the time that a run took
TABLE, ROW, CELL = re.compile(r"<table.*?</table>", re.S), re.compile(r"<tr"), re.compile(r"(<t[hd][^>]*>)")
TEXT = "text"  # the leaf that holds all lines of a text
SESSIONS = re.compile(r"<tr>(?:(?!</tr>).)*other sessions.*?</tr>", re.S)  # of a run that another revision began
REVISED = ("source", "revision", "commit", "earlier")


@dataclass(frozen=True)
class Masks:
    """What is replaced in every text: the places of a tree, its version, any commit, times and memory."""

    places: tuple[str, ...]
    version: str

    def __call__(self, text: str) -> str:
        for place in sorted(self.places, key=len, reverse=True):
            text = text.replace(place, PLACE)
        text = COMMIT.sub(REVISION, text)
        if self.version:
            text = re.sub(rf"(?<![\w.]){re.escape(self.version)}(?![\w.])", VERSION, text)
        return TIMES.sub(TIME, MEMORY.sub("memory <memory>", text))


Leaf = tuple[str, Any]


def leaves(value: Any, masks: Masks, at: str = "") -> Iterator[Leaf]:
    """Path and value of everything in nested dictionaries and lists; empty ones are leaves too."""
    key = at.rpartition(".")[2]
    if isinstance(value, dict) and key == "versions":
        yield at, sorted(value)
    elif key in REVISED and (value is None or isinstance(value, (dict, str, list))):
        yield at, REVISION
    elif isinstance(value, dict) and value:
        for name, one in value.items():
            path = f"{at}.{masks(str(name))}"
            yield from leaves(_without_measured(one) if MEASURED.search(str(name)) else one, masks, path)
    elif isinstance(value, (list, tuple)) and value:
        for place, one in enumerate(value):
            yield from leaves(one, masks, f"{at}[{place}]")
    elif isinstance(value, str):
        yield at, masks(value)
    else:
        yield at, value


def _without_measured(value: Any) -> Any:
    """A measured value, with all of its numbers replaced."""
    if isinstance(value, dict):
        return {name: _without_measured(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_without_measured(one) for one in value]
    return TIME if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def text_leaves(text: str, masks: Masks) -> Iterator[Leaf]:
    """The lines, without those that show progress; several blanks or rules in a row count as one."""
    lines = [line for line in text.splitlines() if not PROGRESS.match(line.strip())]
    plain = [re.sub(r"[ \t]+", " ", re.sub(r"[─━]+", "─", masks(line))).strip() for line in lines]
    yield TEXT, [line for line in plain if line]


def html_leaves(text: str, masks: Masks) -> Iterator[Leaf]:
    """Tags and the texts between them, with characters unescaped; the content of embedded images is not compared."""
    text = re.sub(r"data:[\w/+-]+;base64,[\w+/=]+", THERE, text)
    text = TABLE.sub(_without_measured_columns, METER.sub(r"\1", SESSIONS.sub("", text)))
    yield (
        TEXT,
        [plain for part in re.findall(r"<[^>]*>|[^<]+", text) if (plain := " ".join(masks(unescape(part)).split()))],
    )


def _without_measured_columns(match: re.Match[str]) -> str:
    """A table of a page without the cells below a header that names a time."""
    rows = ROW.split(match.group())
    measured: set[int] = set()
    for number, row in enumerate(rows):
        cells = CELL.split(row)  # tag and text in turn, the first text before any tag
        headers = [re.sub("<[^>]*>", " ", text).strip() for text in cells[2::2]]
        measured |= {
            place for place, text in enumerate(headers) if cells[1].startswith("<th") and MEASURED.search(text)
        }
        if not cells[1:] or any(cells[1 + 2 * place].startswith("<th") for place in measured if place < len(headers)):
            continue
        for place in measured:
            if place < len(headers):
                cells[2 + 2 * place] = TIME
        rows[number] = "".join(cells)
    return "<tr".join(rows)


def printed_leaves(text: str, masks: Masks) -> Iterator[Leaf]:
    """The leaves of printed text: of its values if it is JSON, else its lines."""
    try:
        value = json.loads(text)
    except ValueError:
        yield from text_leaves(text, masks)
    else:
        yield from leaves(value, masks)


def _json_lines(path: Path, masks: Masks) -> Iterator[Leaf]:
    yield from leaves([json.loads(line) for line in path.read_text().splitlines() if line.strip()], masks)


def _csv(path: Path, masks: Masks) -> Iterator[Leaf]:
    rows = list(csv.reader(io.StringIO(path.read_text())))
    yield "columns", rows[0] if rows else []
    for number, row in enumerate(rows[1:]):
        for name, cell in zip(rows[0], row):
            yield f"[{number}].{name}", TIME if MEASURED.search(name) and cell else _value(masks(cell))
        if len(row) != len(rows[0]):
            yield f"[{number}]", f"{len(row)} cells"


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _database(path: Path, masks: Masks) -> Iterator[Leaf]:
    """Every row under its first column, with JSON parsed; checksums of rows, which depend on times, are left out."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in sorted(tables):
            cursor = connection.execute(f'SELECT * FROM "{table}"')
            columns = [description[0] for description in cursor.description]
            yield f"{table} columns", columns
            for row in cursor:
                key = masks(str(row[0]))
                for name, cell in zip(columns[1:], row[1:]):
                    if name == "checksum" or key == "environments":
                        continue
                    value = _value(cell) if isinstance(cell, str) else cell
                    value = _without_measured(value) if MEASURED.search(name) or MEASURED.search(key) else value
                    yield from leaves(value, masks, f"{table}[{key}].{name}")
    connection.close()


def _saved(path: Path, masks: Masks) -> Iterator[Leaf]:
    import torch

    if SAVED_AS[path.suffix] == "torch":
        value = torch.load(path, map_location="cpu", weights_only=True)
    else:
        from safetensors.torch import load_file

        value = load_file(path)
    yield from leaves(_plain(value), masks)


def _plain(value: Any) -> Any:
    """The value, with each tensor replaced by its type, its shape, and three numbers that depend on all elements."""
    import torch

    if isinstance(value, torch.Tensor):
        found: dict[str, Any] = {"type": str(value.dtype), "shape": list(value.shape)}
        if value.numel():
            numbers = value.detach().double().flatten()
            weights = torch.arange(1, len(numbers) + 1, dtype=torch.float64) / len(numbers)
            found |= {"norm": numbers.norm().item(), "sum": numbers.sum().item(), "place": (numbers @ weights).item()}
        return found
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value


READERS: dict[str, Callable[[Path, Masks], Iterable[Leaf]]] = {
    ".json": lambda path, masks: leaves(json.loads(path.read_text()), masks),
    ".jsonl": _json_lines,
    ".csv": _csv,
    ".html": lambda path, masks: html_leaves(path.read_text(), masks),
    ".svg": lambda path, masks: html_leaves(path.read_text(), masks),
    ".sqlite": _database,
    **dict.fromkeys(SAVED_AS, _saved),
}


def file_leaves(path: Path, masks: Masks) -> dict[str, Any]:
    """The leaves of a file by their paths; if the file cannot be read as its suffix says, one leaf with the error."""
    if path.name.endswith(NOT_READ) or EVENTS.search(path.name):
        return {"": THERE}
    read = READERS.get(path.suffix, lambda path, masks: text_leaves(path.read_text(), masks))
    try:
        return dict(read(path, masks))
    except Exception as error:
        return {"": f"unreadable: {type(error).__name__}: {masks(str(error))}"}


def folder_leaves(folder: Path, masks: Masks) -> dict[str, dict[str, Any]]:
    """The leaves of every file below `folder`, by its relative path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = EVENTS.sub("events.out.tfevents", path.relative_to(folder).as_posix())
            found[masks(name)] = file_leaves(path, masks)
    return found


def same(one: Any, other: Any, tolerance: float) -> bool:
    """Whether two leaves are equal: floats within the relative `tolerance`; everything else exactly.

    In texts the numbers with a decimal point or an exponent are floats.
    """
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        if type(one) is not type(other):
            return False
        return one == other or (isinstance(one, float) and _near(one, other, tolerance))
    if isinstance(one, str) and isinstance(other, str):
        return one == other or _same_text(one, other, tolerance)
    return type(one) is type(other) and one == other


def _near(one: float, other: float, tolerance: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    if math.isinf(one) or math.isinf(other):
        return one == other
    return abs(one - other) <= max(tolerance * max(abs(one), abs(other)), NOTHING)


def _same_text(one: str, other: str, tolerance: float) -> bool:
    if NUMBER.split(one) != NUMBER.split(other):
        return False
    for first, second in zip(NUMBER.findall(one), NUMBER.findall(other)):
        if first == second:
            continue
        if not all("." in text or "e" in text for text in (first, second)):
            return False
        numbers = [float(text.replace(",", "").replace("−", "-").lstrip("+")) for text in (first, second)]
        if not _near(numbers[0], numbers[1], tolerance):
            return False
    return True


def differences(old: dict[str, Any], new: dict[str, Any], tolerance: float) -> list[str]:
    """A line for each leaf that is not the same in both, and for each that only one has."""
    found = []
    for path in [*old, *(path for path in new if path not in old)]:
        if path not in new:
            found.append(f"{path}: only the old one has it: {_short(old[path])}")
        elif path not in old:
            found.append(f"{path}: only the new one has it: {_short(new[path])}")
        elif path == TEXT:
            found += [f"line {line}" for line in _text_differences(old[path], new[path], tolerance)]
        elif not same(old[path], new[path], tolerance):
            found.append(f"{path}: {_short(old[path])} → {_short(new[path])}")
    return found


def _text_differences(old: list[str], new: list[str], tolerance: float) -> list[str]:
    found = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        paired = b - a == d - c
        if kind == "equal" or (paired and all(map(lambda x, y: same(x, y, tolerance), old[a:b], new[c:d]))):
            continue
        if paired:
            pairs = zip(range(a, b), old[a:b], new[c:d])
            found += [f"{at + 1}: {_short(x)} → {_short(y)}" for at, x, y in pairs if not same(x, y, tolerance)]
        else:
            found += [f"{at + 1}: only the old one has it: {_short(old[at])}" for at in range(a, b)]
            found += [f"{at + 1}: only the new one has it: {_short(new[at])}" for at in range(c, d)]
    return found


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 160 else f"{text[:160]}…"
