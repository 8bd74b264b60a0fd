"""The bibliography: every component has a source that is in it, and every entry is BibTeX that compiles."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from nas.core.data.loading import LOADERS
from nas.core.errors import InputError
from nas.core.registry import Registry
from nas.eval.attacks import ATTACKS
from nas.eval.corruptions.base import CORRUPTIONS
from nas.report.paper import citations
from nas.report.paper.bibliography import bibliography, entries, key_of
from nas.search_spaces import SPACES
from nas.strategies import STRATEGIES
from nas.strategies.predictors import PREDICTORS
from nas.strategies.proxies import PROXIES
from nas.strategies.supernet import SUPERNET_STRATEGIES
from nas.strategies.supernet.mixing.mixtures import MIXTURES
from nas.strategies.supernet.mixing.noise import MIXTURE_NOISES
from nas.strategies.supernet.penalties import PENALTIES
from nas.strategies.supernet.perturbations import PERTURBATIONS
from nas.strategies.supernet.regularisers import REGULARISERS
from nas.train.methods import METHODS

REGISTRIES: tuple[Registry[Any], ...] = (
    *(SPACES, STRATEGIES, SUPERNET_STRATEGIES, PROXIES, PREDICTORS, ATTACKS, CORRUPTIONS, LOADERS, METHODS),
    *(PERTURBATIONS, REGULARISERS, PENALTIES, MIXTURES, MIXTURE_NOISES),
)
OF_NOBODY = {"data set": {"imagefolder", "npz"}, "training method": {"standard"}}  # images of the user, cross-entropy
MINE = "@misc{me2026, title = {Mine}}"
REQUIRED = {  # fields that BibTeX's standard styles ask for
    "article": {"author", "title", "journal", "year"},
    "inproceedings": {"author", "title", "booktitle", "year"},
    "book": {"author", "title", "publisher", "year"},
    "techreport": {"author", "title", "institution", "year"},
    "misc": {"author", "title", "year"},
}


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_every_component_names_its_source(registry: Registry[Any]) -> None:
    without = {name for name, one in registry.installed.items() if not one.references}
    assert without == OF_NOBODY.get(registry.kind, set())
    for one in registry.installed.values():
        assert set(one.references) <= set(entries())


@pytest.mark.parametrize("key", entries())
def test_an_entry_has_what_bibtex_asks_for(key: str) -> None:
    text = entries()[key]
    kind = text[1 : text.index("{")]
    fields = dict(re.findall(r"^  (\w+) *= \{(.*)\},$", text, re.M))
    assert REQUIRED[kind] <= set(fields)
    assert text.isascii()
    assert re.match(r"^[a-z0-9]+\d{4}[a-z0-9]*$", key)
    assert fields["year"] in key
    for value in fields.values():
        assert value.count("{") == value.count("}")
        assert not re.search(r"(?<!\\)[&%#_$]", value)
    assert ("eprint" in fields) == ("archiveprefix" in fields)
    if kind == "misc" and "eprint" in fields:  # which the standard styles leave out
        assert fields["howpublished"] == f"arXiv:{fields['eprint']}"
    assert re.fullmatch(r"\d{4}\.\d{4,5}", fields.get("eprint", "2001.00326"))


def test_the_entries_are_sorted_and_all_are_used() -> None:
    assert list(entries()) == sorted(entries())
    named = {key for registry in REGISTRIES for one in registry.installed.values() for key in one.references}
    source = Path(citations.__file__).read_text(encoding="utf-8")
    elsewhere = {key for key in entries() if f'"{key}"' in source}
    assert named | elsewhere == set(entries())


def test_an_arxiv_number_belongs_to_one_entry() -> None:
    """The source that a proxy names in words has the number of its entry."""
    numbers = {key: set(re.findall(r"eprint += \{([\d.]+)\}", text)) for key, text in entries().items()}
    every = [number for found in numbers.values() for number in found]
    assert len(every) == len(set(every))
    for proxy in PROXIES.installed.values():
        for number in re.findall(r"arXiv:(\d+\.\d+)", proxy.source):
            assert any(number in numbers[key] for key in proxy.references)


def test_entries_of_others_are_taken_as_they_are() -> None:
    text = bibliography([MINE, "madry2018towards", MINE])
    assert text == f"{entries()['madry2018towards']}\n\n{MINE}\n"
    assert key_of(MINE) == "me2026"
    assert bibliography([]) == ""
    with pytest.raises(InputError, match="give the whole entry"):
        bibliography(["nobody2000"])
