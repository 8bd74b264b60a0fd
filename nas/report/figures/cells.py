"""Draw a cell as a track map: nodes in one row, each edge on its own lane with its operation written on it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from nas.report.figures.cell_files import CellDrawing
from nas.report.palette import NODE, OPERATIONS, OTHER_OPERATIONS
from nas.report.render import render
from nas.report.wording import minus

Edge = tuple[str, str, str]  # from node, to node, operation

NODE_WIDTH = 46
NODE_HEIGHT = 32
NODE_GAP = 94  # more than the width of a label, so that no vertical track crosses a label
LANE_GAP = 29  # more than the height of a label
LABEL_WIDTH = 74
LABEL_HEIGHT = 21
CORNER_RADIUS = 9
PORT_GAP = 9  # between the tracks that enter or leave a node on one side
MARGIN = 8

JOIN = "concat"  # edges of this operation into one node share a lane
SHORT_NAMES = (
    ("nor_conv", "conv"),
    ("sep_conv", "sep"),
    ("dil_conv", "dil"),
    ("avg_pool", "avg"),
    ("max_pool", "max"),
)


@dataclass(frozen=True)
class Track:
    """The route of one edge: on a lane above the nodes (side -1) or below them (1), or straight between two (0)."""

    source: int
    target: int
    operation: str
    side: int
    lane: int


def short(operation: str) -> str:
    """`nor_conv_3x3` → `conv 3×3`."""
    text = operation.removesuffix("_connect")
    for prefix, word in SHORT_NAMES:
        if text.startswith(prefix):
            text = word + text[len(prefix) :]
    return re.sub(r"(\d)x(\d)", "\\1\u00d7\\2", text).replace("_", " ")


def colour(operation: str) -> str:
    return OPERATIONS.get(operation) or OTHER_OPERATIONS[sum(operation.encode()) % len(OTHER_OPERATIONS)]


def legend(operations: Iterable[str]) -> list[tuple[str, str, str]]:
    """Colour, short name and name of each operation; joins last."""
    names = sorted(set(operations), key=lambda name: (name == JOIN, name))
    return [(colour(name), short(name), name) for name in names]


def order(edges: list[Edge]) -> list[str]:
    """The nodes from input to output: each after all nodes that have an edge to it."""
    nodes = list(dict.fromkeys(node for source, target, _ in edges for node in (source, target)))
    needs = {node: {source for source, target, _ in edges if target == node} for node in nodes}
    placed = [node for node in nodes if not needs[node]]
    while len(placed) < len(nodes):
        placed.append(next(node for node in nodes if node not in placed and needs[node] <= set(placed)))
    return placed


def tracks(edges: list[Edge], nodes: list[str]) -> list[Track]:
    """A lane for each edge, short edges nearest to the nodes; no two overlap, except joins into one node."""
    rank = {node: index for index, node in enumerate(nodes)}
    spans = sorted(((rank[b], rank[a], name) for a, b, name in edges), key=lambda span: (span[0] - span[1], span))
    taken: dict[tuple[int, int], list[tuple[int, int]]] = {}
    straight = set()
    placed = []
    for target, source, name in spans:
        if name == JOIN:
            continue
        if target - source == 1 and source not in straight:
            straight.add(source)
            placed.append(Track(source, target, name, 0, 0))
            continue
        sides = [(_free_lane(taken, side, source, target), _lanes_taken(taken, side), side) for side in (-1, 1)]
        lane, _, side = min(sides)
        taken.setdefault((side, lane), []).append((source, target))
        placed.append(Track(source, target, name, side, lane))
    lowest = max([lane for side, lane in taken if side == 1], default=0)
    joins = sorted({target for target, _, name in spans if name == JOIN})
    for number, join in enumerate(joins, start=1):
        members = [(s, t) for t, s, name in spans if name == JOIN and t == join]
        placed += [Track(s, t, JOIN, 1, lowest + number) for s, t in sorted(members)]
    return placed


def _free_lane(taken: dict[tuple[int, int], list[tuple[int, int]]], side: int, source: int, target: int) -> int:
    lane = 1
    while any(max(source, s) < min(target, t) for s, t in taken.get((side, lane), [])):
        lane += 1
    return lane


def _lanes_taken(taken: dict[tuple[int, int], list[tuple[int, int]]], side: int) -> int:
    return sum(len(spans) for (where, _), spans in taken.items() if where == side)


def width(edges: list[Edge]) -> int:
    nodes = len(order(edges))
    return 2 * MARGIN + nodes * NODE_WIDTH + (nodes - 1) * NODE_GAP


def drawing(edges: list[Edge], title: str, name: str = "cell") -> CellDrawing:
    """The cell as inline SVG, which can also be drawn as a file of this name."""
    nodes = order(edges)
    placed = tracks(edges, nodes)
    above = max([track.lane for track in placed if track.side == -1], default=0)
    below = max([track.lane for track in placed if track.side == 1], default=0)
    middle = MARGIN + above * LANE_GAP + LABEL_HEIGHT / 2 + NODE_HEIGHT / 2
    height = middle + NODE_HEIGHT / 2 + below * LANE_GAP + LABEL_HEIGHT / 2 + MARGIN
    ports = _ports(placed, len(nodes))
    joins_first = sorted(placed, key=lambda track: (track.operation != JOIN, -track.lane))  # under everything else
    shown = {
        "title": title,
        "width": width(edges),
        "height": f"{height:g}",
        "lines": [(colour(track.operation), *_line(track, ports, middle)) for track in joins_first],
        "label_size": (LABEL_WIDTH, LABEL_HEIGHT),
        "labels": [_label(track, middle) for track in {(t.target, t.side, t.lane): t for t in placed}.values()],
        "node_size": (NODE_WIDTH, NODE_HEIGHT),
        "node_colour": NODE,
        "nodes": [(_left(index), *_subscripted(node)) for index, node in enumerate(nodes)],
        "middle": middle,
    }
    picture = CellDrawing(render("cell.svg", **shown))
    picture.name, picture.shown = name, shown
    return picture


def _left(node: int) -> int:
    return MARGIN + node * (NODE_WIDTH + NODE_GAP)


def _ports(placed: list[Track], nodes: int) -> dict[tuple[int, int, int, int], float]:
    """The x of both ends of each track, by (node, side, lane, end); `end` is 0 where it arrives and 1 where it leaves.

    The ends at a node are ordered so that no tracks cross.
    """
    places = {}
    for node in range(nodes):
        for side in (-1, 1):
            mine = [track for track in placed if track.side == side]
            arriving = sorted({track.lane for track in mine if track.target == node})
            leaving = sorted({track.lane for track in mine if track.source == node}, reverse=True)
            ends = [(lane, 0) for lane in arriving] + [(lane, 1) for lane in leaving]
            step = min(PORT_GAP, (NODE_WIDTH - 12) / max(1, len(ends) - 1))
            for index, (lane, end) in enumerate(ends):
                x = _left(node) + NODE_WIDTH / 2 + (index - (len(ends) - 1) / 2) * step
                places[node, side, lane, end] = x
    return places


def _line(track: Track, ports: dict[tuple[int, int, int, int], float], middle: float) -> tuple[str, str]:
    """The paths of a track and of its arrowhead."""
    if track.side == 0:
        start, end = _left(track.source) + NODE_WIDTH, _left(track.target)
        return f"M{start} {middle:g}H{end - 6}", f"M{end} {middle:g}l-8 -4.5v9z"
    start_x = ports[track.source, track.side, track.lane, 1]
    end_x = ports[track.target, track.side, track.lane, 0]
    edge = middle + track.side * NODE_HEIGHT / 2
    level = edge + track.side * track.lane * LANE_GAP
    turn = level - track.side * CORNER_RADIUS
    path = (
        f"M{start_x:g} {edge:g}V{turn:g}Q{start_x:g} {level:g} {start_x + CORNER_RADIUS:g} {level:g}"
        f"H{end_x - CORNER_RADIUS:g}Q{end_x:g} {level:g} {end_x:g} {turn:g}V{edge + track.side * 6:g}"
    )
    return path, f"M{end_x:g} {edge:g}l-4.5 {track.side * 8}h9z"


def _label(track: Track, middle: float) -> tuple[float, float, str, str]:
    """The x and y of the middle of a label, its colour and its text."""
    y = middle + (track.side * (NODE_HEIGHT / 2 + track.lane * LANE_GAP) if track.side else 0)
    x = _left(track.target) - NODE_GAP / 2 - (3 if track.side == 0 else 0)
    return x, y, colour(track.operation), short(track.operation)


def _subscripted(name: str) -> tuple[str, str]:
    """`c_{k-1}` → `c`, `k−1`; other names have no subscript."""
    match = re.fullmatch(r"(.+)_\{(.+)\}", name)
    return (match[1], minus(match[2])) if match else (name, "")
