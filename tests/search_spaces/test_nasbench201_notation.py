"""Cells as people have them: indices, lists, NASLib's numbers, lines of logs; each is read in one way or refused."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest

from nas.core.errors import InputError
from nas.search_spaces import NASBench201
from nas.search_spaces.nasbench201 import Cell
from nas.search_spaces.nasbench201.cell import EDGES
from nas.search_spaces.nasbench201.notation import SIZE, of_index

SPACE = NASBench201()
OPERATIONS = ("nor_conv_3x3", "none", "skip_connect", "avg_pool_3x3", "nor_conv_1x1", "none")
GOOD = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|"
CELL = Cell(OPERATIONS)
FLAT = repr([(name, source) for name, (source, _) in zip(OPERATIONS, EDGES)])  # as many programs hold a cell
KNOWN = {  # as the benchmark's own interface prints them
    0: "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
    1: "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|",
}


@pytest.mark.parametrize(("index", "text"), KNOWN.items())
def test_known_indices(index: int, text: str) -> None:
    assert str(SPACE.parse(f" {index}\n")) == text


@pytest.mark.parametrize(
    "text", ["np.int64(1)", "tensor(1)", "tensor(1, device='cuda:0')", "int32(1)", "numpy.intp(1),"]
)
def test_an_index_as_numpy_and_torch_print_it(text: str) -> None:
    assert str(SPACE.parse(text)) == KNOWN[1]


@pytest.mark.parametrize("text", ["", " \n", "\ufeff", "''", '""'])
def test_an_empty_text_is_told_as_such(text: str) -> None:
    with pytest.raises(InputError, match="got an empty text"):
        SPACE.parse(text)


def test_all_indices_are_those_of_the_benchmark(data_dir: Path) -> None:
    with open(data_dir / "nasbench201" / "cifar10_test_acc.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == SIZE
    for row in rows:
        assert str(SPACE.parse(row["index"])) == row["arch_str"]


def test_indices_are_all_cells_and_touch_no_other_randomness() -> None:
    random.seed(3)
    before = random.getstate()
    assert set(map(of_index, range(SIZE))) == set(SPACE)
    assert random.getstate() == before


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"\n\t{GOOD} ",
        GOOD.replace("+", " + "),
        GOOD.replace("|", " | ").replace("~", " ~  ").replace("+", "\n+\u00a0"),
        f"\ufeff{GOOD}",
        f"'{GOOD}'",
        f'"{GOOD}",',
        f"Structure(4 nodes with {GOOD})",
        f"[2021-06-23 08:09:56] arch={GOOD} acc : 91.71",
        f"| 5 | {GOOD} | 93.7 |",
        f"info :: nodes=4, inC=64, outC=64, [1<-(I0-L0) | 2<-(I0-L1,I1-L2) | 3<-(I0-L3,I1-L4,I2-L5)],{GOOD}",
        f"~/runs/a.log: {GOOD}",
        repr(OPERATIONS),
        repr(list(OPERATIONS)),
        repr(list(OPERATIONS)).replace("'", '"'),
        repr(OPERATIONS).replace(" ", ""),
        repr(OPERATIONS).replace(", ", ",\n    ") + ",",
        repr(OPERATIONS).replace("'none'", "np.str_('none')"),
        "((('nor_conv_3x3', 0),), (('none', 0), ('skip_connect', 1)), (('avg_pool_3x3', 0), ('nor_conv_1x1', 1), "
        "('none', 2)))",
        '[[["nor_conv_3x3", 0]], [["skip_connect", 1], ["none", 0]], [["avg_pool_3x3", 0], ["none", 2], '
        '["nor_conv_1x1", 1]]]',
        "naslib:(2, 1, 4, 0, 3, 1)",
        "NASLib : [2,1,4,0,3,1]",
        "naslib:(np.int64(2), 1, 4, 0, 3, 1)",
        GOOD.upper(),
        GOOD.replace("skip_connect", "Skip_Connect"),
        repr(OPERATIONS).replace("nor_conv", "Nor_Conv"),
        FLAT,
        FLAT.replace("(", "[").replace(")", "]").replace("'", '"'),
        FLAT.replace("0)", "np.int64(0))").replace("avg", "AVG"),
    ],
)
def test_every_notation_means_the_same(text: str) -> None:
    assert SPACE.parse(text) == CELL
    assert str(SPACE.parse(text)) == GOOD


def test_naslib_orders_its_edges_by_their_source() -> None:
    """The example of NAS-Bench-Suite-Zero's file, edge by edge: 1-2, 1-3, 1-4, 2-3, 2-4, 3-4."""
    cell = SPACE.parse("naslib:(4, 0, 3, 1, 4, 3)")
    edges = dict(zip(((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)), cell.operations))
    assert edges == {
        (0, 1): "avg_pool_3x3",
        (0, 2): "skip_connect",
        (0, 3): "nor_conv_1x1",
        (1, 2): "none",
        (1, 3): "avg_pool_3x3",
        (2, 3): "nor_conv_1x1",
    }


@pytest.mark.parametrize(
    ("text", "why", "place"),
    [
        ("15625", "not between 0 and 15624", 1),
        ("9" * 5000, "not between 0 and 15624", 1),
        ("-1", "neither", 1),
        ("007", "begins with 0", 1),
        ("000000", "begins with 0", 1),  # six operations or an index
        ("5.0", "neither", 1),
        ("1e3", "neither", 1),
        ("٣", "neither", 1),
        ("5 6", "neither", 1),
        ("[5]", "a list of six operations", 1),
        ("(4, 0, 3, 1, 4, 3)", "naslib:(4, 0, 3, 1, 4, 3)", 1),
        ("[4, 0, 3, 1, 4, 3]", "naslib:(4, 0, 3, 1, 4, 3)", 1),
        ("4, 0, 3, 1, 4, 3", "naslib:(4, 0, 3, 1, 4, 3)", 1),
        ("naslib:(4, 0, 3, 1, 4, 5)", "not between 0 and 4", 24),
        ("naslib:(4, 0, 3, 1, 4, True)", "not between 0 and 4", 24),
        ("naslib:(4, 0, 3, 1, 4)", "other than six numbers", 8),
        ("naslib:4, 0, 3, 1, 4, 3", "something other than a list", 8),
        ("naslib:(4, 0, 3, 1, 4, 3) + 1", "more than a list", 26),
        (f"naslib:{OPERATIONS}", "not between 0 and 4", 9),
        (f"{GOOD} {GOOD}", "2 cells, the second", 81),
        (GOOD + "+|none~0|none~1|none~2|none~3|", "'~0' beside the six operations", 86),  # of a larger space
        (GOOD.replace("skip_connect", "skip_conect"), "'skip_conect' (did you mean 'skip_connect'?)", 26),
        (GOOD.replace("skip_connect~1", "skip_connect~2"), "'2' where '1' should be", 39),
        (GOOD.replace("none~0|skip", "none~0skip"), "'s' where '|' should be", 25),
        (GOOD.replace("|none~2|", "|none"), "the end where '~' should be", 77),
        (GOOD.replace("none~0", "n one~0"), "'o' where '~' should be", 21),
        (f"epoch 3 {GOOD[:-1]}", "the end where '|' should be", 87),
        (repr(OPERATIONS[:5]), "a list of six operations", 1),
        (repr((*OPERATIONS[:5], "conv")), "the operation 'conv'", len(repr(OPERATIONS[:5])) + 2),
        (repr((*OPERATIONS[:5], 3)), "a list of six operations", 1),
        (repr(OPERATIONS) + "[::-1]", "more than a list", len(repr(OPERATIONS)) + 1),
        ("[('none', 0)]", "something other than a pair", 3),
        ("[[('none', 0)], [('none', 0), ('none', 0)], []]", "something other than a pair", 31),
        ("[[('none', 0)], [('none', 0), ('none', 2)], []]", "inputs of node 2 other than 0 to 1", 17),
        ("__import__('os')", "neither", 1),
        ("np.int64(15625)", "not between 0 and 15624", 1),
        ("np.int64(-1)", "not between 0 and 15624", 1),
        ("np.float64(5.0)", "a call that is not an index", 1),
        ("np.int64(5) + 1", "more than an index", 12),
        (
            FLAT.replace("('none', 0), ('skip_connect', 1)", "('skip_connect', 1), ('none', 0)"),
            "the input 1 where 0",
            40,
        ),
        (FLAT.replace("('none', 2)", "('none', 1)"), "the input 1 where 2 should be", len(FLAT) - 2),
        (FLAT.replace(", ('none', 2)", ""), "5 pairs (operation, input) where six should be", 2),
        (FLAT.replace("'none', 2", "'nome', 2"), "the operation 'nome'", len(FLAT) - 10),
    ],
)
def test_a_refused_one_shows_the_place(text: str, why: str, place: int) -> None:
    with pytest.raises(InputError, match=r"^Expected a NAS-Bench-201 cell .* but got .*; ") as caught:
        SPACE.parse(text)
    message = str(caught.value)
    assert why in message
    assert f"at character {place}, in `" in message
    shown = message.split(", in `")[1].split("`")[0]
    assert " ".join(text.split())[place - 1 : place + 20] in shown
    assert len(message) < 500


def test_a_text_has_10_000_characters_at_most() -> None:
    assert str(SPACE.parse("5".ljust(10_000))) == str(SPACE.parse("5"))
    with pytest.raises(InputError, match="got 10001 characters"):
        SPACE.parse("5".ljust(10_001))
