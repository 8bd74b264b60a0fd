"""Cells are drawn with every operation, and neither tracks nor labels overlap."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest
from families import one_per_family
from markupsafe import escape
from slowly import slow_but
from whole_reports import Make, result, write_report

from nas.report.figures import cells
from nas.search_spaces import SPACES


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", slow_but(SPACES.names(), {"nasbench201", "darts"}, pytest.mark.landing))
def test_cells_are_drawn_with_every_operation(make: Make, name: str) -> None:
    space = SPACES.get(name)()
    rng = Random(5)
    best, other = (str(space.sample(rng)) for _ in range(2))
    page = write_report(make(f"space={name}"), result(best, other, name)).read_text()
    drawn = page[page.index("<h2>Cells") : page.index("<h2>Time")]
    for arch in (best, other):
        assert escape(arch) in drawn.replace("<wbr>", "")
        for edges in space.edges(space.parse(arch)).values():
            for _, _, operation in edges:
                assert f"<code>{operation}</code>" in drawn
                assert f">{cells.short(operation)}</text>" in drawn
    graphs = [edges for arch in (best, other) for edges in space.edges(space.parse(arch)).values()]
    assert drawn.count("<svg") == sum(bool(edges) for edges in graphs)


@pytest.mark.parametrize("name", one_per_family())
def test_tracks_and_labels_never_overlap(name: str) -> None:
    space = SPACES.get(name)()
    rng = Random(1)
    for _ in range(200):
        for edges in space.edges(space.sample(rng)).values():
            nodes = cells.order(edges)
            placed = cells.tracks(edges, nodes)
            found = [(nodes[t.source], nodes[t.target], t.operation) for t in placed]
            assert sorted(found) == sorted(edges)
            for a, b in combinations(placed, 2):
                assert a.source < a.target
                if (a.side, a.lane) == (b.side, b.lane) and (a.operation, b.operation) != (
                    cells.JOIN,
                    cells.JOIN,
                ):
                    assert max(a.source, b.source) >= min(a.target, b.target)


def test_two_edges_between_the_same_nodes_run_apart() -> None:
    edges = [("a", "b", "skip_connect"), ("a", "b", "nor_conv_3x3"), ("a", "b", "avg_pool_3x3")]
    placed = cells.tracks(edges, ["a", "b"])
    assert len({(track.side, track.lane) for track in placed}) == 3
