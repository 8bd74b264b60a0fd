"""How objectives are written: `croze`, `fgsm@1`, `trained:fgsm+params:min`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nas.core.errors import InputError
from nas.core.suggestions import suggest
from nas.eval.attacks import ATTACKS, parse_attack
from nas.strategies.proxies import PROXIES
from nas.tables.collection import SCORES

LATENCY = "latency"
PREDICTED = "predicted"
TRAINED = "trained:"
PYTHON = "python:"  # python:package.module.function, or one of several values of it with /KEY
GRAPH = "graph"  # in search.features: the features that the search space computes
DIRECTIONS = {"max": True, "min": False}
WRONG_DIRECTION = re.compile(r":(m\w{0,4}|m(in|ax)im(um|i[sz]e)|asc|desc|lower|higher)$")


@dataclass(frozen=True)
class Term:
    """One goal: a metric, and the direction that is written with it (None: the metric's own direction)."""

    name: str
    higher_is_better: bool | None = None


def parse(text: str) -> list[Term]:
    """The goals of `a+b:min`: metrics joined by +, each with `:min` or `:max` unless its own direction is meant.

    Raises InputError for an empty or repeated metric, and for a wrong direction.
    """
    terms = []
    for part in text.split("+"):
        name, colon, direction = part.strip().rpartition(":")
        term = Term(name, DIRECTIONS[direction]) if colon and direction in DIRECTIONS else Term(part.strip())
        if WRONG_DIRECTION.search(term.name) and not term.name.startswith((SCORES, PYTHON)):  # scores:mean is allowed
            raise InputError(f"Expected :min or :max after a metric of an objective but got {part.strip()!r}.")
        if not term.name:
            raise InputError(f"Expected objectives such as croze or fgsm@1+params:min but got {text!r}.")
        terms.append(term)
    if len({label(term.name) for term in terms}) < len(terms):
        raise InputError(f"Expected each metric once in an objective but got {text!r}.")
    return terms


def function_of(name: str) -> str:
    """MODULE.NAME of the function of a metric `python:MODULE.NAME/KEY`."""
    return name.removeprefix(PYTHON).partition("/")[0]


def label(name: str) -> str:
    """The name of a metric in results; for a function, the name of its value or, if it has only one, its own.

    >>> label("python:my.module.accuracy"), label("python:my.module.both/params"), label("croze")
    ('accuracy', 'params', 'croze')
    """
    if not name.startswith(PYTHON):
        return name
    path, _, value = name.partition("/")
    own = path.rpartition(".")[2]
    return value or ("objective" if own == "<lambda>" else own)


def source_of(name: str) -> str:
    """The source of a metric: `proxy`, `latency`, `predicted`, `trained`, `python`, or `table` for all others.

    Raises InputError for `trained:` with a metric that does not exist, and for `python:` without a function.
    """
    if name.startswith(PYTHON):
        if not re.fullmatch(r"[^\W\d]\w*(\.(\w+|<\w+>))+(/[^:/+]+)?", name.removeprefix(PYTHON)):
            raise InputError(f"Expected python:package.module.function but got {name!r}.")
        return "python"
    if name.startswith(TRAINED):
        metric = name.removeprefix(TRAINED)
        if metric.removeprefix("hrs:") != "clean":
            parse_attack(ATTACKS, metric.removeprefix("hrs:"))  # raises InputError if there is no such attack
        elif metric != "clean":
            raise InputError(f"Expected an attack after hrs: but got {name!r}; write trained:hrs:fgsm, for example.")
        return "trained"
    if name in (LATENCY, PREDICTED):
        return name
    return "proxy" if name in PROXIES.components else "table"


def builds(name: str) -> bool:
    """Whether the metric is a proxy that needs a network."""
    return name in PROXIES.components and PROXIES.get(name).needs == "network"


def unknown(name: str) -> InputError:
    """The error for a name that could only be a column, although no table is given."""
    near = suggest(name, [*PROXIES.components, LATENCY, PREDICTED])
    return InputError(
        f"Expected an objective but got {name!r}{near}; take a proxy (`nas list proxies`), {LATENCY}, {PREDICTED}, "
        f"{TRAINED}clean, {TRAINED}ATTACK (`nas list attacks`), or a column of the tables given in tables.robustness, "
        "tables.latency, ..."
    )
