"""Any text as LaTeX that prints it: in every table, caption and paragraph, and with every engine."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from nas.core.radius import radius


class Tex(str):
    """A text that is LaTeX already, which `tex` leaves as it is."""

    def __add__(self, other: str) -> Tex:
        return Tex(super().__add__(tex(other)))


GREEK = {
    0x3B1: "alpha", 0x3B2: "beta", 0x3B3: "gamma", 0x3B4: "delta", 0x3B5: "varepsilon", 0x3BB: "lambda", 0x3BC: "mu",
    0x3C1: "rho", 0x3C3: "sigma", 0x3C4: "tau",
}  # fmt: skip
PRINTED = {  # how LaTeX prints the characters that mean something to it, or to TeX's fonts and tables
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "`": r"\textasciigrave{}",
    '"': r"\symbol{34}",
    "[": "{[}",  # after \\ it would begin an optional argument, and so would *
    "]": "{]}",
    "*": "{*}",
    "\u2212": "$-$",
    "\u2013": "--",
    "\u2014": "---",
    "\u00a0": "~",
    "\u00b1": r"$\pm$",
    "\u00d7": r"$\times$",
    "\u00b7": r"$\cdot$",
    "\u2264": r"$\leq$",
    "\u2265": r"$\geq$",
    "\u2192": r"$\rightarrow$",
    "\u221e": r"$\infty$",
    "\u00df": r"\ss{}",
    "\u00e6": r"\ae{}",
    "\u00c6": r"\AE{}",
    "\u0153": r"\oe{}",
    "\u0152": r"\OE{}",
    "\u00f8": r"\o{}",
    "\u00d8": r"\O{}",
    "\u0142": r"\l{}",
    "\u0141": r"\L{}",
    **{sign: f"\\{sign}" for sign in "{}$&#%_"},
    **{chr(code_point): rf"$\{name}$" for code_point, name in GREEK.items()},
}
ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip
LIGATURES = re.compile("(?<=-)-|(?<=,),|(?<=')'")  # characters that TeX joins with the one before
BREAKS = re.compile(r"(?<=[|+/:;,=_.-])(?=.)")  # where a long name may go on in the next line
NAME_WIDTH = 30  # letters; a longer name is broken into lines


def tex(value: object) -> Tex:
    """The value as LaTeX; `Tex` is left as it is, and None is empty.

    Accented Latin letters and the signs of this project are printed by LaTeX's own commands. Any other character
    outside ASCII is printed as its code, such as U+4E2D, because whether a font has it depends on the document.

    >>> print(tex("50 % of a_b & [é]"))
    50 \\% of a\\_b \\& {[}\\'{e}{]}
    """
    if isinstance(value, Tex):
        return value
    text = unicodedata.normalize("NFC", "" if value is None else str(value))
    return Tex("".join(_character(one) for one in LIGATURES.sub(lambda found: f"\x00{found[0]}", text)))


def _character(one: str) -> str:
    if one == "\x00":
        return "{}"
    if one in PRINTED:
        return PRINTED[one]
    if one.isascii():
        return one if one.isprintable() else " "
    letter, *accents = list(unicodedata.normalize("NFD", one))
    if len(accents) == 1 and accents[0] in ACCENTS and letter.isascii():
        return rf"\{ACCENTS[accents[0]]}{{{letter}}}"
    return rf"\texttt{{U+{ord(one):04X}}}"


def code(text: str) -> Tex:
    """A name or a command as typewriter text that may be broken after punctuation."""
    return Tex(rf"\texttt{{{breakable(text)}}}")


def breakable(text: str) -> Tex:
    """A long name, which may be broken after punctuation."""
    return Tex(r"\allowbreak{}".join(tex(part) for part in BREAKS.split(text)))


def ball(norm: str, eps: float) -> Tex:
    """The ball of an attack: its norm and its radius."""
    name = {"Linf": r"L_\infty", "L2": "L_2"}.get(norm)
    return Tex(f"${name}$, " if name else f"{tex(norm)}, ") + Tex(rf"$\varepsilon = {radius(eps)}$")


def cite(keys: Iterable[str]) -> Tex:
    return Tex(rf"~\cite{{{','.join(keys)}}}")
