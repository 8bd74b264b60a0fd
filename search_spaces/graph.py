"""Features of any cell graph: the operations on its edges, its paths, and the function that it computes.

A cell is a directed acyclic graph with operations on its edges; a node adds (or concatenates) what arrives. Each block
of features is a function from the graph to a dict name → number. The names depend on the kinds of operations and not on
the edges, so they are the same for all cells of a space. `one_hot`, `counts` and `by_subset` use the graph as it is
written. The other blocks use `Flow`, the function of the cell: edges that no input reaches, or that do not reach the
output, are removed, and identities are wires. So these blocks are equal for cells that differ only in the numbering of
nodes, in dead edges, or in the placement of identities.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations, product

PLACES = ("edge ", "edges from node ", "degree of node ")  # in names of features that depend on how nodes are numbered
WIRE = ""  # the kind of an edge that is no operation, such as one into a concatenation
ABSENT = -1.0  # the minimum and the maximum of an empty set


@dataclass(frozen=True)
class Graph:
    """Edges (from node, to node, kind of operation) between nodes numbered in topological order.

    The first `inputs` nodes are the cell's inputs, the last is its output. An operation that passes nothing on (`none`)
    is not an edge.
    """

    edges: tuple[tuple[int, int, str], ...]
    nodes: int
    inputs: int = 1


@dataclass(frozen=True)
class Kinds:
    """The kinds of operations, which of them return their input unchanged, and which have weights."""

    names: tuple[str, ...]
    identities: frozenset[str] = frozenset()
    learned: frozenset[str] = frozenset()

    @cached_property
    def active(self) -> tuple[str, ...]:
        """The kinds that change their input."""
        return tuple(name for name in self.names if name not in self.identities)

    @cached_property
    def groups(self) -> dict[str, frozenset[str]]:
        """Sets of active kinds that are counted together: each kind, each pair, and all of them."""
        sets = [group for size in {1, 2, len(self.active)} for group in combinations(self.active, size)]
        return {"+".join(group): frozenset(group) for group in sorted(sets, key=len)}

    def __hash__(self) -> int:
        return hash(self.names)


class Flow:
    """The function of a cell: its live active operations in topological order, and the input of each of them.

    The input of an operation is a sum of inputs of the cell and results of earlier operations, each with the number of
    times that it occurs. `sequences[i]` counts the paths from the cell's inputs up to and including operation i, by
    (input, kinds on the path). `onward[i]` counts the paths from operation i to the output, by the kinds after i.
    `paths` counts the paths from the inputs to the output, by (input, kinds on the path).
    """

    def __init__(self, graph: Graph, kinds: Kinds) -> None:
        reached = set(range(graph.inputs))
        for source, target, _ in sorted(graph.edges, key=lambda edge: edge[1]):
            if source in reached:
                reached.add(target)
        useful = {graph.nodes - 1}
        for source, target, _ in sorted(graph.edges, key=lambda edge: -edge[0]):
            if target in useful:
                useful.add(source)
        live = [edge for edge in graph.edges if edge[0] in reached and edge[1] in useful]
        self.kinds: list[str] = []
        self.feeds: list[Counter[int]] = []  # what feeds each operation; keys: i is operation i, -1 - i input i
        at: list[Counter[int]] = [
            Counter({-1 - node: 1}) if node < graph.inputs else Counter() for node in range(graph.nodes)
        ]
        for node in range(graph.inputs, graph.nodes):
            for source, target, kind in live:
                if target != node:
                    continue
                if kind == WIRE or kind in kinds.identities:
                    at[node].update(at[source])
                else:
                    self.feeds.append(at[source])
                    self.kinds.append(kind)
                    at[node][len(self.kinds) - 1] += 1
        self.output = at[-1]

        self.sequences: list[Counter[tuple[int, tuple[str, ...]]]] = []
        for kind, feed in zip(self.kinds, self.feeds):
            self.sequences.append(
                Counter({(start, (*way, kind)): count for (start, way), count in self._arriving(feed).items()})
            )
        self.paths = self._arriving(self.output)
        self.onward: list[Counter[tuple[str, ...]]] = [Counter() for _ in self.kinds]
        for number in reversed(range(len(self.kinds))):
            self.onward[number][()] += self.output[number]
            for later in range(number + 1, len(self.kinds)):
                times = self.feeds[later][number]
                if times:
                    for way, count in self.onward[later].items():
                        longer = (self.kinds[later], *way)
                        self.onward[number][longer] += times * count
            self.onward[number] += Counter()  # removes zeros

    def _arriving(self, feed: Counter[int]) -> Counter[tuple[int, tuple[str, ...]]]:
        ways: Counter[tuple[int, tuple[str, ...]]] = Counter()
        for producer, times in feed.items():
            if producer < 0:
                ways[-1 - producer, ()] += times
            else:
                for way, count in self.sequences[producer].items():
                    ways[way] += times * count
        return ways


@cache
def _subsets(kinds: Kinds) -> tuple[tuple[str, int], ...]:
    """The label and the bits of every non-empty subset of kinds."""
    numbered = [(name, 1 << bit) for bit, name in enumerate(kinds.names)]
    sizes = range(1, len(numbered) + 1)
    subsets = [subset for size in sizes for subset in combinations(numbered, size)]
    return tuple(("+".join(name for name, _ in subset), sum(bit for _, bit in subset)) for subset in subsets)


def by_subset(graph: Graph, kinds: Kinds, degrees: bool = True) -> dict[str, float]:
    """For every subset of kinds: the paths with only these kinds from each input, and the degree of each node.

    The paths give three features: their number, the length of the shortest one, and the length of the longest one (both
    0 if there is no path). Identities count in these lengths. The degree of a node counts its edges of these kinds.
    """
    bits = {name: 1 << number for number, name in enumerate(kinds.names)} | {WIRE: 0}
    edges = sorted(graph.edges, key=lambda edge: edge[1])
    ends: list[list[tuple[int, int]]] = []  # per input: the bits and the length of each path
    for start in range(graph.inputs):
        arriving: list[list[tuple[int, int]]] = [[] for _ in range(graph.nodes)]
        arriving[start] = [(0, 0)]
        for source, target, kind in edges:
            step = int(kind != WIRE)
            arriving[target] += [(used | bits[kind], length + step) for used, length in arriving[source]]
        ends.append(arriving[-1])
    touching: list[list[int]] = [[] for _ in range(graph.nodes)]  # per node: the bits of its edges
    for source, target, kind in edges:
        touching[source].append(bits[kind])
        touching[target].append(bits[kind])
    features: dict[str, float] = {}
    for label, allowed in _subsets(kinds):
        for start, paths in enumerate(ends):
            tail = label if graph.inputs == 1 else f"{label} from {start}"
            lengths = [length for used, length in paths if not used & ~allowed]
            features[f"paths {tail}"] = len(lengths)
            features[f"shortest path {tail}"] = min(lengths, default=0)
            features[f"longest path {tail}"] = max(lengths, default=0)
        if degrees:
            for node, at in enumerate(touching):
                features[f"degree of node {node} {label}"] = sum(1 for bit in at if bit & allowed)
    return features


@cache
def _sequences(kinds: Kinds, longest: int) -> tuple[tuple[str, tuple[str, ...]], ...]:
    ways = [way for length in range(longest + 1) for way in product(kinds.active, repeat=length)]
    return tuple((">".join(way) or "identity", way) for way in ways)


def by_sequence(flow: Flow, kinds: Kinds, inputs: int = 1, longest: int = 3) -> dict[str, float]:
    """For every sequence of at most `longest` active kinds: the number of paths from each input that have it."""
    tails = [""] if inputs == 1 else [f" from {start}" for start in range(inputs)]
    return {
        f"ways {label}{tail}": flow.paths[start, way]
        for start, tail in enumerate(tails)
        for label, way in _sequences(kinds, longest)
    }


def live(flow: Flow, kinds: Kinds) -> dict[str, float]:
    """The number of live operations of each active kind: those on a path from an input to the output."""
    return {f"live {kind}": flow.kinds.count(kind) for kind in kinds.active}


def extremes(flow: Flow, kinds: Kinds) -> dict[str, float]:
    """For each group of active kinds: the number of its operations on a path, and the paths within the group.

    The number is given as minimum, maximum, sum and mean over all paths. Paths within the group have no other active
    operation; their number and their shortest and longest length are given.
    """
    features: dict[str, float] = {}
    ways = [(way, count) for (_, way), count in flow.paths.items()]
    total = sum(count for _, count in ways)
    for label, group in kinds.groups.items():
        hits = [sum(kind in group for kind in way) for way, _ in ways]
        weighted = sum(hit * count for hit, (_, count) in zip(hits, ways))
        features[f"least {label} on a path"] = min(hits, default=ABSENT)
        features[f"most {label} on a path"] = max(hits, default=ABSENT)
        features[f"sum of {label} on paths"] = weighted
        features[f"mean {label} on a path"] = weighted / total if total else ABSENT
        inside = [(len(way), count) for hit, (way, count) in zip(hits, ways) if hit == len(way)]
        features[f"ways within {label}"] = sum(count for _, count in inside)
        features[f"shortest within {label}"] = min((length for length, _ in inside), default=ABSENT)
        features[f"longest within {label}"] = max((length for length, _ in inside), default=ABSENT)
    return features


def roles(flow: Flow, kinds: Kinds) -> dict[str, float]:
    """Where in the cell the operations of each active kind are, as sum, maximum and minimum over these operations.

    For each operation: the number of paths into it and out of it; the largest number of learned operations on a path
    before it and on a path after it; the same two numbers for operations that are not learned; how often the cell's
    input is a term of its input; and how often its result is a term of the cell's output.
    """
    of_kind: dict[str, list[list[float]]] = {kind: [] for kind in kinds.active}
    for number, kind in enumerate(flow.kinds):
        before = [way[:-1] for _, way in flow.sequences[number]]
        after = list(flow.onward[number])
        values: list[float] = [flow.sequences[number].total(), flow.onward[number].total()]
        for ways in (before, after):
            deep = [sum(kind in kinds.learned for kind in way) for way in ways]
            values += [max(deep), max(len(way) - count for way, count in zip(ways, deep))]
        fed = flow.feeds[number]
        values += [sum(times for producer, times in fed.items() if producer < 0), flow.output[number]]
        of_kind[kind].append(values)
    features: dict[str, float] = {}
    for kind, rows in of_kind.items():
        for place, label in enumerate(_ROLES):
            column = [row[place] for row in rows]
            features[f"{label} {kind} sum"] = sum(column)
            features[f"{label} {kind} most"] = max(column, default=ABSENT)
            features[f"{label} {kind} least"] = min(column, default=ABSENT)
    return features


_ROLES = (
    *("paths into", "paths out of", "learned before", "others before", "learned behind", "others behind"),
    *("cell input into", "cell output from"),
)


def one_hot(kinds: Sequence[str], choices: Sequence[str], labels: Sequence[str]) -> dict[str, float]:
    """For each place in `labels` and each of `choices`: 1 if that choice is at that place."""
    return {f"{label} is {choice}": float(kind == choice) for label, kind in zip(labels, kinds) for choice in choices}


def counts(kinds: Sequence[str], choices: Sequence[str]) -> dict[str, float]:
    """How often each of `choices` occurs; dead edges count too."""
    return {f"count {choice}": float(kinds.count(choice)) for choice in choices}


def merged(*blocks: Mapping[str, float]) -> dict[str, float]:
    """All blocks as one; no name may be in two of them."""
    features: dict[str, float] = {}
    for block in blocks:
        features |= block
    assert len(features) == sum(map(len, blocks))
    return features


def without_places(names: Sequence[str]) -> list[int]:
    """The positions of the features that do not depend on the numbering of nodes."""
    return [number for number, name in enumerate(names) if not any(place in name for place in PLACES)]
