"""Run a notebook and keep what each cell shows: `python -m generator.notebook_outputs FILE FOLDER JSON`."""

from __future__ import annotations

import ast
import io
import json
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from generator.notebooks import cells_of


def run(text: str, names: dict[str, Any], prefix: Path) -> Iterator[str]:
    """Run the code cells of a notebook and give the output of each as Markdown.

    The output has what was printed, then the value of the last expression, then the open figures, which are written to
    files that begin with `prefix` and are closed. `names` are the variables of the notebook, as in `exec`.
    """
    for number, cell in enumerate(cell for cell in cells_of(text) if cell.is_code):
        tree = ast.parse(cell.text)
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.Expr):
            tree.body.pop()
        printed, value = io.StringIO(), None
        with redirect_stdout(printed):
            exec(compile(tree, f"cell {number}", "exec"), names)
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
        parts = [_block(printed.getvalue()), _shown(value), *_figures(prefix.with_name(f"{prefix.name}-{number}"))]
        yield "\n\n".join(part for part in parts if part)


def _shown(value: Any) -> str:
    """A value as a notebook shows it: as HTML if it has such a form, else as text."""
    if value is None:
        return ""
    if hasattr(value, "_repr_html_"):
        return f'<div class="output">{value._repr_html_()}</div>'
    return _block(repr(value))


def _block(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```" if text.strip() else ""


def _figures(prefix: Path) -> Iterator[str]:
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    for figure in pyplot.get_fignums() if pyplot is not None else ():
        file = prefix.with_name(f"{prefix.name}-{figure}.png")
        current = pyplot.figure(figure)
        current.savefig(file, dpi=120, bbox_inches="tight")
        yield f"![{current.get_label() or 'Figure'}]({file.name})"
        pyplot.close(figure)


if __name__ == "__main__":
    notebook, folder, result = map(Path, sys.argv[1:])
    outputs = list(run(notebook.read_text(encoding="utf-8"), {"__name__": "__main__"}, folder / notebook.stem))
    result.write_text(json.dumps(outputs), encoding="utf-8")
