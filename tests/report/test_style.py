"""The style sheet is one that a browser understands, and it stands in every page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from report_pages import page_of

import nas.report
from nas.report.render import render

TEMPLATES = Path(nas.report.__file__).parent / "templates"
CSS = str(render("style.css"))
Rules = list[tuple[str, "Rules | dict[str, str]"]]


def parsed(css: str) -> Rules:
    """The rules of a style sheet: each selector with its declarations, a group (`@media`) with the rules in it."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.S)
    rules: Rules = []
    while css.strip():
        selector, opened, rest = css.partition("{")
        assert opened, f"no block after {selector!r}"
        assert ";" not in selector, f"a declaration outside of a block: {selector!r}"
        assert "}" not in selector, f"a brace too many before {selector!r}"
        depth, end = 1, 0
        while depth:
            end = min((at for at in (rest.find("{", end), rest.find("}", end)) if at >= 0), default=-1) + 1
            assert end, f"the block of {selector!r} is not closed"
            depth += 1 if rest[end - 1] == "{" else -1
        inside, css = rest[: end - 1], rest[end:]
        if selector.strip().startswith("@media"):
            rules.append((selector.strip(), parsed(inside)))
        else:
            pairs = [line.partition(":") for line in inside.split(";") if line.strip()]
            assert all(colon and value.strip() for _, colon, value in pairs), f"in the block of {selector!r}: {inside}"
            rules.append((selector.strip(), {name.strip(): value.strip() for name, _, value in pairs}))
    return rules


def in_group(name: str) -> dict[str, dict[str, str]]:
    """The declarations of a group of rules by single selector."""
    (rules,) = [rules for selector, rules in parsed(CSS) if selector == name]
    return {one.strip(): found for selector, found in rules for one in selector.split(",")}


def test_every_rule_can_be_read() -> None:
    assert len(parsed(CSS)) > 70
    for wrong in ("a { b: c; ", "a { b: c; } }", "a { b }", "b: c;", "a { b: c; } d: e; f { g: h; }"):
        with pytest.raises(AssertionError):
            parsed(wrong)


def test_on_paper_nothing_is_cut() -> None:
    """What belongs together is not divided between two pages, and nothing scrolls."""
    rules = in_group("@media print")
    for selector in ("figure", "tr", "article", ".finding"):
        assert rules[selector]["break-inside"] == "avoid"
    assert rules["h2"]["break-after"] == "avoid"
    assert rules[".scroll"]["overflow"] == "visible"
    assert rules["pre"]["white-space"] == "pre-wrap"
    assert rules["details::details-content"]["content-visibility"] == "visible", "what is folded on a screen is printed"
    assert ".legend code" not in rules  # what is so on a screen too stands outside


def test_on_a_phone_a_figure_is_whole_and_a_wide_table_says_that_it_goes_on() -> None:
    assert "min-width" not in in_group("@media (max-width: 820px)").get(".beside .plot", {})
    (scroll,) = [rules for selector, rules in parsed(CSS) if selector == ".scroll"]
    assert {word for word in ("local", "scroll") if f"no-repeat {word}" in scroll["background"]} == {"local", "scroll"}


def test_every_colour_of_the_style_sheet_is_used_and_none_is_missing() -> None:
    (colours,) = [block for selector, block in parsed(CSS) if selector == ":root"]
    assert isinstance(colours, dict)
    assert {f"--{name}" for name in re.findall(r"var\(--([\w-]+)\)", CSS)} == colours.keys() - {"color-scheme"}


def test_the_style_sheet_stands_in_the_page() -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", page_of(), re.S)
    assert CSS.strip() in style
    assert parsed(style)


def test_every_class_of_a_template_is_styled_or_told_apart() -> None:
    """A class that no rule names is one that was renamed on one side."""
    used = set()
    for file in TEMPLATES.rglob("*"):
        if file.suffix in (".html", ".svg"):
            for value in re.findall(r'class="([^"]*)"', re.sub(r"\{\{.*?\}\}", "", file.read_text(encoding="utf-8"))):
                used |= set(value.split())
    assert used <= set(re.findall(r"\.([a-z][\w-]*)", CSS))
