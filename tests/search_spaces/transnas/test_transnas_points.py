"""Points of TransNAS-Bench-101: notation, counts, classes, neighbours, features, weights; all records of the tables."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import permutations, product
from pathlib import Path
from random import Random

import pytest
from jacobian import depends_on_the_image

from nas.core.errors import InputError
from nas.search_spaces import TransNASMacro, TransNASMicro
from nas.search_spaces.nasbench201.cell import EDGES
from nas.search_spaces.transnas import Layers, MicroCell
from nas.search_spaces.transnas.macro import changed

MICRO, MACRO = TransNASMicro(), TransNASMacro()
TASKS = ("class_object", "class_scene", "autoencoder", "segmentsemantic")


def archs(data_dir: Path, kind: str, task: str) -> list[str]:
    with (data_dir / f"benchmarks/transnas_{kind}_{task}.csv").open(newline="") as file:
        return [row["arch"] for row in csv.DictReader(file)]


# micro


@pytest.mark.parametrize("task", TASKS)
def test_the_micro_records_are_the_space(data_dir: Path, task: str) -> None:
    texts = archs(data_dir, "micro", task)
    assert [str(MICRO.parse(text)) for text in texts] == texts
    assert set(texts) == set(map(str, MICRO))
    assert len(texts) == len(MICRO) == 4096


def test_digits_are_operations_in_the_order_of_the_edges() -> None:
    cell = MICRO.parse("64-41414-1_20_310")
    assert cell.operations == ("skip_connect", "nor_conv_1x1", "none", "nor_conv_3x3", "skip_connect", "none")
    assert MICRO.edges(cell) == {
        "cell": [
            ("in", "1", "skip_connect"),
            ("in", "2", "nor_conv_1x1"),
            ("in", "out", "nor_conv_3x3"),
            ("1", "out", "skip_connect"),
        ]
    }
    for text in ("1_20_310", "'64-41414-1_20_310'", "\n64-41414-1_20_310 "):
        assert MICRO.parse(text) == cell


@pytest.mark.parametrize(
    "text",
    ["64-41414-4_00_000", "64-41414-1_2_310", "64-4141-1_20_310", "32-41414-1_20_310", "64-4111-basic", "x" * 500],
)
def test_what_is_no_cell_is_told(text: str) -> None:
    with pytest.raises(InputError, match=r"Expected a cell of transnas-micro of the form 64-41414-a_bc_def but got '"):
        MICRO.parse(text)


def graph(cell: MicroCell) -> tuple[list[tuple[str, dict[object, int]]], dict[object, int]]:
    """The operations on paths, each with what it is given, and the terms of the output: by following the definition."""
    edges = [(a, b, name) for (a, b), name in zip(EDGES, cell.operations) if name != "none"]
    useful = {3}
    for a, b, _ in sorted(edges, reverse=True):
        useful |= {a} if b in useful else set()
    values: list[Counter[object]] = [Counter({"image": 1})]
    operations: list[tuple[str, dict[object, int]]] = []
    for node in (1, 2, 3):
        value: Counter[object] = Counter()
        for a, b, name in edges:
            if b == node and node in useful and values[a]:
                if name == "skip_connect" and a > 0:
                    value.update(values[a])
                else:
                    value[len(operations)] += 1
                    operations.append((name, dict(values[a])))
        values.append(value)
    return operations, dict(values[3])


def isomorphic(one: MicroCell, other: MicroCell) -> bool:
    """Whether some numbering of the operations of one makes it the other."""
    (ours, out), (theirs, their_out) = graph(one), graph(other)
    if sorted(name for name, _ in ours) != sorted(name for name, _ in theirs):
        return False
    for order in permutations(range(len(ours))):
        number: dict[object, object] = {"image": "image", **dict(enumerate(order))}
        moved = {order[i]: (name, {number[k]: v for k, v in fed.items()}) for i, (name, fed) in enumerate(ours)}
        if {number[k]: v for k, v in out.items()} == their_out and all(moved[i] == theirs[i] for i in moved):
            return True
    return False


@pytest.mark.landing
def test_classes_are_those_of_isomorphic_graphs() -> None:
    """Every class of a sample of kinds of operations, by all numberings; a shared operation is not two of its kind."""
    classes: dict[MicroCell, list[MicroCell]] = defaultdict(list)
    for cell in MICRO:
        classes[MICRO.canonical(cell)].append(cell)
    assert len(classes) == 1376
    rng = Random(0)
    by_kinds: dict[tuple[str, ...], list[MicroCell]] = defaultdict(list)
    for form, members in classes.items():
        by_kinds[tuple(sorted(name for name, _ in graph(form)[0]))].append(form)
        assert all(isomorphic(form, other) for other in rng.sample(members, min(2, len(members))))
    for kinds, forms in by_kinds.items():
        some = rng.sample(forms, min(8 if len(kinds) < 6 else 3, len(forms)))
        assert not any(isomorphic(a, b) for number, a in enumerate(some) for b in some[:number])


def test_a_shared_operation_is_not_two() -> None:
    """1 → out and 1 → 2 → out as wires give twice the one convolution; two convolutions are something else."""
    shared, two = MICRO.parse("3_01_011"), MICRO.parse("3_30_011")
    assert MICRO.canonical(shared) != MICRO.canonical(two)
    assert MICRO.cost(shared).params < MICRO.cost(two).params


def test_a_skip_from_the_input_is_no_wire_but_others_are() -> None:
    assert MICRO.canonical(MICRO.parse("1_00_030")) != MICRO.canonical(MICRO.parse("0_00_300"))
    assert MICRO.canonical(MICRO.parse("3_01_001")) == MICRO.canonical(MICRO.parse("0_00_300"))


def test_representatives_have_the_fewest_weights_and_are_the_first_of_those() -> None:
    classes: dict[MicroCell, list[MicroCell]] = defaultdict(list)
    for cell in MICRO:
        classes[MICRO.canonical(cell)].append(cell)
    for form, members in classes.items():
        assert form == min(members, key=lambda one: (MICRO.cost(one).params, str(one)))


def test_169_cells_have_no_path() -> None:
    dead = [cell for cell in MICRO if not MICRO.connected(cell)]
    assert len(dead) == 169
    assert {str(MICRO.canonical(cell)) for cell in dead} == {"64-41414-0_00_000"}
    rng = Random(1)
    for cell in [*rng.sample(dead, 4), *rng.sample(list(MICRO), 8)]:
        connected = depends_on_the_image(MICRO, cell, channels=2, blocks_per_layer=1)
        assert connected is MICRO.connected(cell)


def test_changing_an_operation_keeps_the_kind_of_cell() -> None:
    cell = MICRO.parse("1_20_310").replace(0, "none")
    assert (type(cell), str(cell)) == (MicroCell, "64-41414-0_20_310")


# macro


@pytest.mark.parametrize("task", TASKS)
def test_the_macro_records_are_the_space_but_for_one(data_dir: Path, task: str) -> None:
    texts = archs(data_dir, "macro", task)
    assert [str(MACRO.parse(text)) for text in texts] == texts
    assert set(map(str, MACRO)) - set(texts) == {"64-113444-basic"}
    assert len(texts) == len(set(texts)) == len(MACRO) - 1 == 3255


def plain_codes() -> Iterator[str]:
    for depth in (4, 5, 6):
        for digits in product("1234", repeat=depth):
            if 1 <= sum(d in "34" for d in digits) <= 4 and 1 <= sum(d in "24" for d in digits) <= 3:
                yield f"64-{''.join(digits)}-basic"


def test_macro_points_are_all_codes_of_the_definition() -> None:
    assert [str(one) for one in MACRO] == list(plain_codes())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("64-1111-basic", "one to four are 3 or 4 .* got '1111'"),
        ("64-2222-basic", "got '2222'"),
        ("64-444411-basic", "got '444411'"),
        ("64-124-basic", "four to six layers .* got '124'"),
        ("64-1234123-basic", "got '1234123'"),
        ("64-1254-basic", "of digits 1 to 4"),
        ("64-41414-1_20_310", "of the form 64-111234-basic but got '64-41414-1_20_310'"),
        ("y" * 500, "but got 'y"),
    ],
)
def test_what_are_no_layers_is_told(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        MACRO.parse(text)
    assert len(str(caught.value)) < 400


def test_macro_notation_may_have_quotes_and_capitals() -> None:
    for text in ("'64-1242-basic'", "64-1242-BASIC", "64-1242", "1242"):
        assert MACRO.parse(text) == Layers((1, 2, 4, 2))


def test_the_digits_may_be_numbers_of_any_kind() -> None:
    with pytest.raises(InputError, match="got '15'"):
        Layers((1, 5))


def test_macro_neighbours_are_one_digit_away() -> None:
    every = set(MACRO)
    for layers in Random(2).sample(sorted(every, key=str), 100):
        text = "".join(map(str, layers.digits))
        near = set()
        for place in range(len(text) + 1):
            near |= {text[:place] + digit + text[place:] for digit in "1234"}
            near |= {text[:place] + digit + text[place + 1 :] for digit in ["", *"1234"]}
        expected = {one for one in every if "".join(map(str, one.digits)) in near} - {layers}
        assert set(changed(layers)) == expected


def test_macro_networks_all_differ() -> None:
    assert len({MACRO.features(layers).tobytes() for layers in MACRO}) == len(MACRO)
    assert all(MACRO.canonical(layers) == layers for layers in MACRO)


def test_the_largest_have_the_most_weights() -> None:
    assert MACRO.cost(MACRO.largest()).params == max(MACRO.cost(layers).params for layers in MACRO)
    assert MICRO.cost(MICRO.largest()).params == max(MICRO.cost(cell).params for cell in MICRO)


# weights: of the release's networks for class_scene, 63 classes


def test_weights_are_those_of_the_release() -> None:
    assert MICRO.cost(MICRO.parse("64-41414-1_11_111"), 63).params == 573_279
    assert MACRO.cost(MACRO.parse("64-4111-basic"), 63).params == 2_325_727
