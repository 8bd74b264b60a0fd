"""The LaTeX of a paper: its tables, and below them, as a comment, the method of each run."""

from __future__ import annotations

from collections.abc import Iterator

from nas.core.io.records import Json
from nas.report.paper.environment import render_tex
from nas.report.paper.escape import NAME_WIDTH, Tex, breakable, tex
from nas.report.paper.material import Paper
from nas.report.paper.method import method
from nas.report.paper.table import Cell, Table
from nas.report.paper.tables import tables

MAX_COLUMNS = 5  # of numbers side by side; further columns stand below, each time with the names
MAX_LINES = 42  # of a table on one page; a longer one is a longtable
LINES_AROUND = 4  # head and rules of a part
NAMES_WIDTH = 0.3  # of a column of long names, in widths of a line


def latex_of(paper: Paper) -> str:
    """The tables of the runs, for a document that uses `booktabs` (and `longtable`, which the first line says)."""
    shown = [_layout(table) for table in tables(paper)]
    several = len(paper.materials) > 1
    methods = [method(one.run, one.name if several else "") for one in paper.materials]
    lines = [line.rstrip() for line in "\n\n".join(methods).splitlines()]
    long = any(table["long"] for table in shown)
    return render_tex("paper/paper.tex", tables=shown, long=long, method=[Tex(line) for line in lines])


def _layout(table: Table) -> Json:
    """The table in parts that fit the width of a page, each with its lines."""
    count = len(table.columns)
    first = count if table.scores is None else table.scores
    if count <= MAX_COLUMNS:
        first = count  # the scores stand beside the accuracies
    parts = [_part(table, at, min(at + MAX_COLUMNS, first)) for at in range(0, first, MAX_COLUMNS)]
    parts += [_part(table, at, min(at + MAX_COLUMNS, count)) for at in range(first, count, MAX_COLUMNS)]
    wide = any(len(name) > NAME_WIDTH for name, _ in table.rows)
    caption = Tex(" ".join(tex(sentence) for sentence in table.caption if sentence))
    return {
        "label": Tex(table.label),
        "caption": caption,
        "names_column": Tex(f"p{{{NAMES_WIDTH}\\linewidth}}" if wide else "l"),
        "parts": parts,
        "long": sum(len(part["lines"]) + LINES_AROUND for part in parts) > MAX_LINES,
    }


def _part(table: Table, start: int, end: int) -> Json:
    """The columns from `start` to `end` with the names: the rules and titles above them, and the lines."""
    head = " & ".join(tex(name) for name in (table.head, *table.columns[start:end]))
    over = ""
    if table.scores is not None and end > table.scores:
        before = max(table.scores - start, 0)
        count = end - start - before
        rule = f"\\cmidrule(l){{{before + 2}-{before + count + 1}}}"
        over = f"{' &' * before} & \\multicolumn{{{count}}}{{c}}{{HRS under}} \\\\\n{rule}\n"
    return {
        "columns": Tex("r" * (end - start)),
        "head": Tex(f"\\toprule\n{over}{head} \\\\\n\\midrule"),
        "lines": list(_lines(table, start, end)),
    }


def _lines(table: Table, start: int, end: int) -> Iterator[Json]:
    """The lines of these columns: the numbers of a row, and their intervals on a line below."""
    wide = any(len(name) > NAME_WIDTH for name, _ in table.rows)
    for name, cells in table.rows:
        part = cells[start:end]
        below = any(cell.below for cell in part)
        yield {"name": _name(name, wide), "cells": list(map(_number, part)), "gap": not below, "together": below}
        if below:
            yield {"name": "", "cells": list(map(_small, part)), "gap": True, "together": False}


def _name(name: str, wide: bool) -> Tex:
    if not wide:
        return tex(name)
    return Tex(r"\raggedright ") + (name if isinstance(name, Tex) else breakable(name))


def _number(cell: Cell) -> Tex:
    return Tex(rf"\textbf{{{tex(cell.text)}}}") if cell.bold else tex(cell.text)


def _small(cell: Cell) -> Tex:
    return Tex(rf"{{\scriptsize {tex(cell.below)}}}") if cell.below else Tex("")
