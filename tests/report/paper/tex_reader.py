"""A strict reader of the LaTeX that is written, and LaTeX itself where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

COMMANDS = {  # that may occur, all of LaTeX itself or of booktabs and longtable
    *("begin", "end", "centering", "caption", "label", "smallskip", "small", "setlength", "tabcolsep", "toprule"),
    *("midrule", "bottomrule", "cmidrule", "multicolumn", "medskip", "addtocounter", "endfirsthead", "endhead"),
    *("endfoot", "begingroup", "endgroup", "scriptsize", "textbf", "texttt", "raggedright", "linewidth", "allowbreak"),
    *("paragraph", "par", "cite", "textbackslash", "textasciicircum", "textasciitilde", "textbar", "textless"),
    *("textgreater", "textasciigrave", "symbol", "varepsilon", "infty", "pm", "times", "cdot", "leq", "geq"),
    *("rightarrow", "ss", "ae", "AE", "oe", "OE", "o", "O", "l", "L", "u", "H", "c", "v", "r"),
    *("alpha", "beta", "gamma", "delta", "lambda", "mu", "rho", "sigma", "tau"),
}


def lines_of(text: str) -> str:
    """The text without comments."""
    return "".join(re.sub(r"(?<!\\)((?:\\\\)*)%.*", r"\1", line) + "\n" for line in text.splitlines())


def method_of(text: str) -> str:
    """The method, which stands in the comment at the end."""
    comment = text[text.index("% The method,") :].splitlines()[1:]
    assert all(line == "%" or line.startswith("% ") for line in comment)
    return "\n".join(line[2:] for line in comment) + "\n"


def check(text: str) -> None:
    """Plain ASCII of known commands; braces, mathematics and environments are closed, in order."""
    assert text.isascii()
    text = lines_of(text)
    assert set(re.findall(r"\\([A-Za-z]+)", text.replace(r"\\", " "))) <= COMMANDS
    depth, mathematics = 0, False
    for token in re.findall(r"\\\\|\\.|[{}$#^~_&]", text, re.S):
        depth += {"{": 1, "}": -1}.get(token, 0)
        mathematics ^= token == "$"
        assert depth >= 0
        assert token not in "#^", f"{token} is not escaped"
        assert token != "_" or mathematics, f"{token} is not escaped"
    assert depth == 0
    assert not mathematics
    open_ones: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            open_ones.append(name)
        else:
            assert open_ones.pop() == name
    assert not open_ones
    for columns, body in re.findall(r"\\begin\{(?:tabular|longtable)\}\{(.*?)\}\n(.*?)\\end\{", text, re.S):
        _check_rows(len(re.sub(r"p\{[^}]*\}?", "l", columns)), body)


def _check_rows(columns: int, body: str) -> None:
    rows = [row for row in re.split(r"\\\\\*?(?:\[2pt\])?\n", body) if "&" in row.replace(r"\&", "")]
    assert rows
    for row in rows:
        spanned = sum(int(count) - 1 for count in re.findall(r"\\multicolumn\{(\d+)\}", row))
        assert len(re.findall(r"(?<!\\)&", row)) + 1 + spanned == columns, row


def rows_of(text: str) -> list[list[str]]:
    """The rows of all tables as texts without commands; those of intervals follow the rows of their numbers."""
    found = []
    for line in text.splitlines():
        if re.search(r"\\\\\*?(\[2pt\])?$", line) and "&" in line:
            line = re.sub(r"\\\\\*?(\[2pt\])?$", "", line)
            line = re.sub(r"\\(textbf|scriptsize|raggedright|allowbreak\{\})\s?", "", line)
            cells = re.split(r"(?<!\\)&", line)
            found.append([re.sub(r"\s+", " ", re.sub(r"(?<!\\)[{}]", "", cell)).strip() for cell in cells])
    return found


def compile_alone(folder: Path, text: str) -> str | None:
    """What LaTeX says of a minimal document with this text and its method; None where there is no LaTeX."""
    latex = shutil.which("pdflatex")
    if latex is None:
        return None
    (folder / "table.tex").write_text(text)
    (folder / "method.tex").write_text(method_of(text))
    packages = re.findall(r"\\usepackage\{\w+\}", text.splitlines()[0])
    document = [r"\documentclass{article}", *packages, r"\begin{document}", r"\input{table}", r"\input{method}"]
    (folder / "document.tex").write_text("\n".join([*document, r"\end{document}", ""]))
    command = [latex, "-halt-on-error", "-interaction=nonstopmode", "-draftmode", "document.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    return f"{done.returncode}\n{done.stdout}"
