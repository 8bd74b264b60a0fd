"""The study's Table 7: a history that is found without look-ups, its order, and how many strings are looked up."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from nas.search_spaces import SPACES
from nas.studies.papers import queries
from nas.studies.papers.networks import Networks
from nas.studies.papers.plan import PLANS, SpacePlan
from nas.studies.papers.published import QUERIES
from nas.studies.papers.queries import QUERY_PLAN, evolve, in_short, position, queries_table, ranked, score_queries
from nas.studies.papers.scoring import Scores, Workers

SPACE = SPACES.get("transnas-macro")()


def weights(text: str) -> float:
    return float(SPACE.cost(SPACE.parse(text)).params)


def test_a_history_has_each_string_once_and_ends_in_time() -> None:
    history = evolve(SPACE, weights, 150, seed=1)
    assert len(history) == 150
    assert history == evolve(SPACE, weights, 150, seed=1) != evolve(SPACE, weights, 150, seed=2)
    assert all(value == weights(text) for text, value in history.items())
    tenth = list(history)[9]
    assert list(evolve(SPACE, weights, 150, seed=1, until=frozenset({tenth}))) == list(history)[:10]
    assert evolve(SPACE, lambda text: None, 3, seed=1) == {}


def test_strings_are_looked_up_in_the_order_of_their_fitness() -> None:
    assert ranked({"a": 1.0, "b": 3.0, "c": 1.0, "d": 2.0}) == ["b", "d", "a", "c"]
    assert position(["b", "d", "a"], frozenset({"a", "d"})) == 2
    assert position(["b"], frozenset({"a"})) is None
    assert (in_short([3, None, 4]), in_short([None])) == ("3.5 (2 of 3)", "– (0 of 1)")


def test_losses_are_asked_for_once_and_give_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = {"cifar10": ("made.csv", "val"), "ImageNet16-120": ("made.csv", "val")}
    plan = SpacePlan(QUERY_PLAN, SPACE.name, "Made", "Made", tasks, {}, {}, (32, 4), networks=2, settings=2)
    rows = [f"{arch},{weights(str(arch)) / 1e6}" for arch in islice(SPACE, 0, None, 30)]
    (tmp_path / "made.csv").write_text("\n".join(["arch,val", *rows]))
    monkeypatch.setattr(queries, "STRINGS", 20)
    monkeypatch.setattr(queries, "SEARCHES", 2)
    asked: list[tuple[str, str]] = []

    def loss(workers: Workers, arch: str, setting: str) -> tuple[float, float]:
        asked.append((setting, arch))
        return 0.1, 1 / weights(arch)

    monkeypatch.setattr(Workers, "timed_loss", loss)
    scores, lines = Scores(plan, "small", tmp_path, write=True), []
    one = Networks(plan, tmp_path, limit=1)
    for _ in range(2):
        score_queries(scores, one, tmp_path, lines.append)
    assert len(asked) == len(set(asked)) == len(scores.queries.rows) == 20
    by_weights = sorted(evolve(SPACE, weights, 20, seed=0), key=weights, reverse=True)
    monkeypatch.setattr(queries, "_best", lambda networks, task: frozenset({by_weights[3 if task == "cifar10" else 5]}))
    monkeypatch.setattr(queries, "_on_table", lambda networks, task, best: "–")
    shown = queries_table(scores, one).splitlines()
    assert shown[-1] == "| eproxy | 4.0 (1 of 1) | 6.0 (1 of 1) |", "the second search lacks its losses"
    assert "| evolution (paper) | 563.2 | 715.1 |" in shown


def test_evolution_on_accuracies_looks_up_what_it_proposes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"{arch},{number}" for number, arch in enumerate(islice(SPACE, 0, None, 30))]
    (tmp_path / "made.csv").write_text("\n".join(["arch,val", *rows]))
    plan = replace(
        next(plan for plan in PLANS if plan.name == QUERY_PLAN), space=SPACE.name, tasks={"t": ("made.csv", "")}
    )
    networks = Networks(plan, tmp_path)
    best = queries._best(networks, "t")
    assert best == {rows[-1].partition(",")[0]}
    monkeypatch.setattr(queries, "SEARCHES_ON_TABLE", 1)
    values = dict(zip((row.partition(",")[0] for row in rows), map(float, range(len(rows)))))
    history = list(evolve(SPACE, values.get, len(rows), 0, best))
    assert queries._on_table(networks, "t", best) == f"{len(history)}.0 (1 of 1)"


def test_published_queries_are_those_of_the_paper() -> None:
    """Typed again from Table 7: CIFAR-10, CIFAR-100, TinyImg."""
    assert {name: list(row.values()) for name, row in QUERIES.items()} == {
        "random search": [7782.1, 7621.2, 7726.1],
        "evolution": [563.2, 438.2, 715.1],
        "MCTS": [528.3, 405.4, 578.2],
        "LaNAS": [247.1, 187.5, 292.4],
        "WeakNAS": [182.1, 78.4, 268.4],
        "eproxy+dps, after 20 labels of cifar10": [58.0, 13.7, 74.0],
    }
