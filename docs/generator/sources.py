"""The sources of a component: its entries of the bibliography, each as a line with a link to the paper."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from generator.markdown import prose
from nas.report.paper.bibliography import bibliography, key_of

FIELD = re.compile(r"(\w+)\s*=\s*")
ACCENTS = {"'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303"}  # of LaTeX: combining signs
LETTERS = {r"\L": "Ł", r"\l": "ł", r"\o": "ø", r"\ss": "ß", r"\&": "&", r"\i": "i"}
PLACES = ("journal", "booktitle", "publisher", "institution", "howpublished")
MAX_AUTHORS = 3


def sources(references: Iterable[str]) -> str:
    """The references of a component as Markdown, one after the other; empty if it has none."""
    return "; ".join(_source(bibliography([one])) for one in dict.fromkeys(references))


def _source(entry: str) -> str:
    """`Madry et al., [Towards Deep Learning Models ...](https://arxiv.org/abs/1706.06083), ICLR, 2018`, of an entry."""
    found = fields(entry)
    title = prose(found.get("title", key_of(entry)))
    link = _link(found)
    place = next((found[name] for name in PLACES if name in found and not found[name].startswith("arXiv")), "")
    words = [_authors(found.get("author", "")), f"[{title}]({link})" if link else f"*{title}*"]
    return ", ".join(filter(None, [*words, prose(place), found.get("year", "")]))


def fields(entry: str) -> dict[str, str]:
    """The fields of a BibTeX entry by name, in small letters, as plain text."""
    found, place = {}, entry.index(",")
    while match := FIELD.search(entry, place):
        start = match.end()
        place = _end(entry, start)
        found[match[1].lower()] = plain(entry[start:place])
    return found


def _end(entry: str, start: int) -> int:
    """Where the value that begins here ends: behind its closing brace or quotation mark, or at the next comma."""
    if entry[start] == '"':
        return entry.index('"', start + 1) + 1
    depth = 0
    for place in range(start, len(entry)):
        depth += {"{": 1, "}": -1}.get(entry[place], 0)
        if depth < 0 or (depth == 0 and entry[place] in "},\n"):
            return place + 1 if entry[place] == "}" and depth == 0 else place
    return len(entry)


def plain(value: str) -> str:
    """A value of BibTeX without braces and LaTeX's accents."""
    text = re.sub(r"\\[A-Za-z]+|\\&", lambda found: LETTERS.get(found[0], found[0]), value.strip().strip('"'))
    text = re.sub(r"""\\(['`^"~])\s*\{?(\w)""", lambda found: found[2] + ACCENTS[found[1]], text)
    text = re.sub(r"[{}]", "", text).replace("--", "–")
    return unicodedata.normalize("NFC", " ".join(text.split()))


def _authors(names: str) -> str:
    last = [name.partition(",")[0] for name in names.split(" and ") if name and name != "others"]
    if len(last) > MAX_AUTHORS or " and others" in names:
        return f"{last[0]} et al."
    return " and ".join(filter(None, [", ".join(last[:-1]), last[-1]])) if last else ""


def _link(found: dict[str, str]) -> str:
    if "doi" in found:
        return f"https://doi.org/{found['doi']}"
    return f"https://arxiv.org/abs/{found['eprint']}" if "eprint" in found else found.get("url", "")
