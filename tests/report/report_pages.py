"""Pages for tests, and what a reader sees of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from html.parser import HTMLParser
from typing import Any

import result_factory as make

from nas.report.identity import identities
from nas.report.pages.run import page
from nas.report.run_data import RunData
from nas.results import Difference, EvalResult


def page_of(*entries: EvalResult, differences: Sequence[Difference] = ()) -> str:
    """The page of a run that evaluated these networks, as far as they are concerned."""
    models = identities({entry.name: entry.training for entry in entries})
    settings = {"name": "some run", "seed": 1, "data": {"name": "digits"}, "space": "nasbench201"}
    result = make.whole_run(list(entries), differences)
    return page(RunData(settings, "run", {}, result, [], {}, {}, models, ("nas run some-run", False)))


def section(html: str, title: str) -> str:
    """The section of this title; nothing where there is none."""
    found = re.search(rf"<section><h2>{re.escape(title)}</h2>(.*?)</section>", html, re.S)
    return found[1] if found else ""


def titles(html: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", html)


def text_of(html: str) -> str:
    """What a reader sees, without tags."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", html, flags=re.S))))


class Balance(HTMLParser):
    """Checks that every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in ("meta", "wbr", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check_well_formed(html: str) -> None:
    """One file that asks for nothing from outside, whose elements are closed and whose identifiers are unique."""
    assert not re.search(r"https?://|<script|<link|<iframe|@import|url\((?!#)", html)
    identifiers = re.findall(r'\bid="([^"]*)"', html)
    assert len(identifiers) == len(set(identifiers))
    parser = Balance()
    parser.feed(html)
    assert not parser.open
