"""Any text becomes LaTeX that prints it."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tex_reader import check, compile_alone

from nas.report.paper.escape import ACCENTS, PRINTED, Tex, ball, breakable, code, tex

SPECIAL = "\\{}$&#^_~%"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50 % of a_b & c#d", r"50 \% of a\_b \& c\#d"),
        ("{a}$1^2~\\", r"\{a\}\$1\textasciicircum{}2\textasciitilde{}\textbackslash{}"),
        ("|conv~0|", r"\textbar{}conv\textasciitilde{}0\textbar{}"),
        ("[0.1, 0.2]", "{[}0.1, 0.2{]}"),
        ("a--b, ,,c'' `", r"a-{}-b, ,{},c'{}' \textasciigrave{}"),
        ("\u22121.5 ± 2 µ\u03b5", r"$-$1.5 $\pm$ 2 \texttt{U+00B5}$\varepsilon$"),
        ("Café Müller Łódź", r"Caf\'{e} M\"{u}ller \L{}\'{o}d\'{z}"),
        ("中\U0001f600", r"\texttt{U+4E2D}\texttt{U+1F600}"),
        ("two\nlines\t", "two lines "),
        (None, ""),
        (0.5, "0.5"),
        ('"a"', r"\symbol{34}a\symbol{34}"),
    ],
)
def test_what_is_special_is_printed(text: object, expected: str) -> None:
    assert tex(text) == expected


def test_latex_is_left_as_it_is_and_stays_latex() -> None:
    assert tex(Tex(r"\alpha")) == r"\alpha"
    assert Tex(r"\alpha") + "_" == r"\alpha\_"
    assert isinstance(Tex("a") + "b", Tex)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from(string.printable + "".join(PRINTED) + "éÅ中\u0301\x00"), max_size=40))
def test_any_text_is_well_formed(text: str) -> None:
    for made in (tex(text), breakable(text), code(text)):
        check(made)
        assert not re.search(r"(?<!\\)[%&]", made)


def test_every_printed_character_compiles(tmp_path: Path) -> None:
    accented = "".join(f"a{accent}" for accent in ACCENTS)
    every = tex(string.printable + "".join(PRINTED) + accented + "中")
    text = "% \n" + f"{every}\n\n\\section{{{every}}}\n% The method, here:\n% {code(string.punctuation)}\n"
    said = compile_alone(tmp_path, text)
    if said is None:
        pytest.skip("LaTeX is not installed")
    assert said.startswith("0\n"), said


def test_a_long_name_can_be_broken_and_loses_nothing() -> None:
    name = "study/seed-0: best_cell (adversarial)"
    assert breakable(name).replace(r"\allowbreak{}", "") == tex(name)
    assert breakable(name).count(r"\allowbreak{}") == 4


def test_balls() -> None:
    assert ball("Linf", 8 / 255) == r"$L_\infty$, $\varepsilon = 8/255$"
    assert ball("L2", 0.5) == r"$L_2$, $\varepsilon = 0.5$"
    assert ball("L_1", 0.5) == r"L\_1, $\varepsilon = 0.5$"
