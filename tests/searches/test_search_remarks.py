"""What a search says before it begins."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from nas.objectives.notation import parse
from nas.search_spaces import NASBench201
from nas.searches.search_stage import _remarks
from nas.strategies import Goal
from nas.strategies.nsga2 import NSGA2, NSGA2Options

WITHIN = "Only architectures with params<=85%, flops<=9 are evaluated; search.constraints=[] allows all."


@pytest.mark.parametrize(
    ("objective", "constraints", "said"),
    [
        ("scores:good", ["params<=85%", "flops<=9"], [WITHIN]),
        ("scores:good", [], []),
        ("flops", ["params<=85%", "flops<=9"], []),
        ("flops+scores:good", ["params<=85%", "flops<=9"], [WITHIN]),
    ],
)
def test_the_constraints_of_a_search_on_a_table_are_said(
    objective: str, constraints: list[str], said: list[str]
) -> None:
    assert remarks(objective, constraints, budget=6) == said


def test_a_limit_on_a_column_of_a_table_makes_it_a_search_on_the_table() -> None:
    assert remarks("flops", ["params<=85%", "flops<=9"], budget=6, limited="scores:slow") == [WITHIN]


def test_that_the_whole_budget_is_random_is_said() -> None:
    (said,) = remarks("flops", [], budget=4)
    assert said.startswith("All 4 architectures of nsga2 are random draws, since it first draws 5;")


def remarks(objective: str, constraints: list[str], budget: int, limited: str = "flops") -> list[str]:
    """Those of a search by NSGA-II whose first five draws are random, with a limit on the metric `limited`."""
    strategy = NSGA2(NASBench201(), (Goal("flops"),), 0, NSGA2Options(population=5))
    terms = parse(objective)
    names = [*(term.name for term in terms), limited]
    settings = SimpleNamespace(search=SimpleNamespace(budget=budget, constraints=constraints))
    problem: Any = SimpleNamespace(settings=settings, strategy=strategy, terms=terms, names=names)
    return [line for line in _remarks(problem) if line is not None]
