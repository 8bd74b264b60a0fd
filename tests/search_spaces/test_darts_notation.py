"""Genotypes as people have them: forms found in public code, logs and issues; each is read in one way or refused."""

from __future__ import annotations

import json
from collections import OrderedDict, namedtuple
from random import Random
from typing import Any

import numpy as np
import pytest

from nas.core.errors import InputError
from nas.search_spaces import DARTS
from nas.search_spaces.darts import Genotype
from nas.search_spaces.twocells.cell import Edges
from nas.search_spaces.twocells.family import brief

SPACE = DARTS()
V2 = SPACE.parse("DARTS_V2")
TEXT = str(V2)
Field = namedtuple("Field", "normal normal_concat reduce reduce_concat")
CONCAT = [2, 3, 4, 5]
DICT = {"normal": list(V2.normal), "normal_concat": CONCAT, "reduce": list(V2.reduce), "reduce_concat": CONCAT}


def pairs(edges: Edges, kind: type) -> Any:
    return kind(kind(edges[at : at + 2]) for at in range(0, 8, 2))


def field(normal: Any, reduce: Any, concat: Any = range(2, 6)) -> str:
    """As Python prints the field's named tuple."""
    return repr(Field(normal, concat, reduce, concat)).replace("Field(", "Genotype(")


def numbered(number: Any) -> str:
    """With other integers than Python's."""
    cells = [[(name, number(source)) for name, source in cell] for cell in (V2.normal, V2.reduce)]
    return field(*cells, [number(node) for node in CONCAT])


FORMS = {
    "as printed": field(list(V2.normal), list(V2.reduce)),
    "a pair for each node": field(pairs(V2.normal, list), pairs(V2.reduce, list)),
    "tuples of tuples": field(pairs(V2.normal, tuple), pairs(V2.reduce, tuple), tuple(CONCAT)),
    "one cell of pairs": field(pairs(V2.normal, list), list(V2.reduce)),
    "with weights": field(*([(name, at, 0.1301) for name, at in cell] for cell in (V2.normal, V2.reduce))),
    "a log line": f"2018-06-27 13:25:46,379 genotype = {TEXT}",
    "a log line of another format": f"06/27 01:25:46 PM | INFO | [epoch 49] genotype: {TEXT}, valid_acc 97.24",
    "several log lines": f"epoch 49 lr 1.0e-03\ngenotype = {TEXT}\n2018-06-27 13:54:15,198 train_acc 99.704000\n",
    "within a sentence": f"最高精度网络结构为genotype = {TEXT}，如何将这种形式变成可读可加载的网络结构呢？",
    "a name": f"DARTS_V2 = {TEXT}",
    "a name without spaces": f"genotype={TEXT}",
    "an entry of a dict": f"'mine': {TEXT},",
    "a module": f"genotypes.{TEXT}",
    "an option": f'--arch "{TEXT}"',
    "a text within JSON": json.dumps({"arch": TEXT, "acc": 97.2}),
    "quotes within JSON": json.dumps({"arch": TEXT.replace("'", '"'), "acc": 97.2}),
    "a file": "# searched\nfrom collections import namedtuple\n\n"
    f"Genotype = namedtuple('Genotype', 'normal normal_concat reduce reduce_concat')\n\ngenotype={TEXT}\n",
    "formatted code": "Genotype(\n    normal=[\n"
    + "".join(f'        [("{a}", {b}), ("{c}", {d})],\n' for (a, b), (c, d) in pairs(V2.normal, list))
    + "    ],\n    normal_concat=range(2, 6),\n    reduce=[\n"
    + "".join(f'        [("{a}", {b}), ("{c}", {d})],  # a node\n' for (a, b), (c, d) in pairs(V2.reduce, list))
    + "    ],\n    reduce_concat=range(2, 6),\n)\n",
    "positions": f"Genotype({list(V2.normal)}, range(2, 6), {list(V2.reduce)}, range(2, 6))",
    "positions, then names": f"Genotype({list(V2.normal)}, [2, 3, 4, 5], reduce={list(V2.reduce)})",
    "numpy 2": TEXT.replace(", 0)", ", np.int64(0))").replace(", 1)", ", np.int64(1))"),
    "numpy": numbered(np.int64),
    "numpy's text": TEXT.replace("'skip_connect'", "np.str_('skip_connect')"),
    "torch": TEXT.replace(", 0)", ", tensor(0, device='cuda:0'))"),
    "a list of a range": TEXT.replace("[2, 3, 4, 5]", "list(range(2, 6))"),
    "a spread range": TEXT.replace("[2, 3, 4, 5]", "[*range(2, 6)]"),
    "an array": TEXT.replace("[2, 3, 4, 5]", "array([2, 3, 4, 5])"),
    "python 2": TEXT.replace("('", "(u'"),
    "a printed page": TEXT.replace("('", "(‘").replace("',", "’,"),
    "operations in another case": TEXT.replace("sep_conv_3x3", "Sep_Conv_3x3").replace("max_pool", "MAX_POOL"),
    "a call in lower case": TEXT.replace("Genotype(", "genotype("),
    "a call in upper case, by position": f"GENOTYPE( {list(V2.normal)}, range(2, 6), {list(V2.reduce)}, range(2, 6))",
    "a log that says genotype, too": f"genotype (best so far): {TEXT}",
    "a log of a dict that says genotype, too": f"genotype([(1)], below) {DICT}",
    "a byte order mark": f"\ufeff{TEXT}",
    "keys that say nothing": TEXT[:-1] + ", connectN=None, connects=None)",
    "a dict": repr(DICT),
    "a dict with ranges": repr({**DICT, "normal_concat": range(2, 6), "reduce_concat": range(2, 6)}),
    "a dict of pairs": repr({"normal": pairs(V2.normal, list), "reduce": pairs(V2.reduce, list)}),
    "a dict in a log": f"[10:00:00] genotype {DICT} after 50 epochs",
    "an ordered dict": "OrderedDict(" + repr(list(OrderedDict(DICT).items())) + ")",
    "a call of dict": f"dict(normal={list(V2.normal)}, reduce={list(V2.reduce)})",
    "JSON": json.dumps({**DICT, "name": 'the "best" (of 3)', "acc": 97.2, "more": {"a": [None, True, 1e-3]}}, indent=2),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_means_the_same(form: str) -> None:
    assert SPACE.parse(FORMS[form]) == V2
    assert str(SPACE.parse(FORMS[form])) == TEXT


@pytest.mark.parametrize(
    ("name", "official"),
    [
        ("darts_v2", "DARTS_V2"),
        ("DARTS-V2", "DARTS_V2"),
        (" darts v2\n", "DARTS_V2"),
        ("pc-darts", "PC_DARTS"),
        ("PCDARTS", "PC_DARTS"),
        ("P-DARTS", "PDARTS"),
        ("AdvRush", "ADVRUSH"),
        ("zcprob-rntk", "ZCPRob_RNTK"),
    ],
)
def test_a_published_name_in_another_case(name: str, official: str) -> None:
    assert SPACE.parse(name) == SPACE.parse(official)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DARTS", ", which may mean DARTS_V1, DARTS_V2, DARTS_PT_0, DARTS_PT_1, DARTS_PT_2 or DARTS_PT_3;"),
        ("darts v", ", which may mean DARTS_V1 or DARTS_V2;"),
        ("rnas", ", which may mean RNAS_H or RNAS_L;"),
        ("pc", " (did you mean 'PC_DARTS'?);"),
        ("lr-nas 2", " (did you mean 'LRNAS'?);"),
        ("...", "'...'; names are"),
    ],
)
def test_what_a_name_may_mean_is_listed(name: str, meant: str) -> None:
    with pytest.raises(InputError) as caught:
        SPACE.parse(name)
    assert meant in str(caught.value)


@pytest.mark.parametrize("text", ["", " \n", "\ufeff", "''", '""'])
def test_an_empty_text_is_told_as_such(text: str) -> None:
    with pytest.raises(InputError, match="got an empty text"):
        SPACE.parse(text)


@pytest.mark.parametrize("name", ["DARTS", "RNAS", "PC", "_PCDARTS", "PCDARTS-", "DARTS_V3", "5", "naslib"])
def test_a_name_that_may_mean_two_or_none_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="the name of a published one"):
        SPACE.parse(name)


LAST = TEXT.index("'dil_conv_3x3'")  # within the edge that begins one character before


@pytest.mark.parametrize(
    ("text", "why", "at"),
    [
        (f"{TEXT}\n{TEXT}", "2 genotypes, the second", len(TEXT) + 1),
        (f"{TEXT} {DICT}", "the key of another genotype", len(TEXT) + 2),
        (f"{TEXT}._replace(normal=[])", "a call that changes the genotype", len(TEXT)),
        (f"{DICT} {DICT}", "two dicts, the second", len(str(DICT)) + 1),
        (TEXT.replace("dil_conv_3x3", "dil_conv_3x4"), "did you mean 'dil_conv_3x3'", LAST - 1),
        (TEXT.replace("'dil_conv_3x3', 2", "'dil_conv_3x3', 5"), "between 0 and 4 but got 5", LAST - 1),
        (TEXT.replace("'dil_conv_3x3', 2", "'dil_conv_3x3', 2, 5"), "an edge (operation, input node)", LAST - 1),
        (TEXT.replace("'dil_conv_3x3', 2", "2, 'dil_conv_3x3'"), "an edge (operation, input node)", LAST - 1),
        (TEXT.replace("'dil_conv_3x3', 2", "'dil_conv_3x3', 2 + 0"), "'+' where ',' should be", LAST + 18),
        (TEXT.replace("'dil_conv_3x3'", "dil_conv_3x3"), "the word 'dil_conv_3x3'", LAST),
        (TEXT.replace("'dil_conv_3x3'", "'dil_conv_3x3"), "a quote that is not closed", LAST),
        (TEXT.replace("'dil_conv_3x3', 2", "*[]"), "other than an edge", LAST - 1),
        (TEXT.replace(", ('dil_conv_3x3', 2)", ""), "8 edges in the normal cell but got 7", 16),
        (TEXT.replace("[2, 3, 4, 5], reduce=", "[3, 4, 5], reduce="), "normal_concat=[3, 4, 5] instead of", 200),
        (TEXT.replace("[2, 3, 4, 5])", "range(2, 7))"), "reduce_concat=range(2, 7) instead of", len(TEXT) - 13),
        (TEXT.replace("[2, 3, 4, 5])", "range(4 - 2, 6))"), "where ',' should be", len(TEXT) - 5),
        (TEXT.replace("[2, 3, 4, 5])", "open('a'))"), "a call of 'open'", len(TEXT) - 13),
        (TEXT[:-2], "the end where ',' should be", len(TEXT) - 2),
        (f"Genotype({list(V2.normal)}, range(2, 6))", "no 'reduce'", 0),
        (f"Genotype({list(V2.normal)}, normal={list(V2.normal)})", "'normal' a second time", 186),
        (f"Genotype(normal={list(V2.normal)}, [2, 3, 4, 5])", "an argument without a name", 186),
        ("Genotype([], [], [], [], [])", "5 values without a name", 25),
        (field(pairs(V2.normal, list)[:3], list(V2.reduce)), "8 edges in the normal cell but got 6", 16),
        (field([*pairs(V2.normal, list)[:3], [("none", 0)]], list(V2.reduce)), "1 instead of 2 edges of a node", 149),
        (field([*V2.normal[:6], list(V2.normal[6:])], list(V2.reduce)), "an edge (operation, input node)", 143),
        (repr(DICT).replace("'reduce_concat'", "'reduce_conkat'"), "key 'reduce_conkat' (did you mean", None),
        ("([('none', 0)], [])", "neither 'Genotype(' nor '{'", 0),
        (f"my{TEXT}", "neither 'Genotype(' nor '{'", 0),
    ],
)
def test_a_refused_one_shows_the_place(text: str, why: str, at: int | None) -> None:
    with pytest.raises(InputError) as caught:
        SPACE.parse(text)
    message = str(caught.value)
    assert why in message
    assert len(message) < 400
    if at is not None:
        assert f"at character {at + 1}, in `" in message
    shown = message.split(", in `")[1].split("`")[0].strip(".")
    assert shown in " ".join(text.split())


def test_an_excerpt_is_of_the_place_and_not_of_the_beginning() -> None:
    bad = TEXT.replace("('skip_connect', 2), ('max_pool_3x3', 1)]", "('skip_connect', 2), ('max_pool_3x2', 1)]")
    with pytest.raises(InputError, match=r"max_pool_3x2', 1\)\], reduce_concat") as caught:
        SPACE.parse(bad)
    assert "Genotype(normal" not in str(caught.value)


def test_the_same_edge_by_edge() -> None:
    """A pair of a node keeps its order: str is the field's text, not a canonical form."""
    swapped = Genotype((V2.normal[1], V2.normal[0], *V2.normal[2:]), V2.reduce)
    read = SPACE.parse(field(pairs(swapped.normal, list), pairs(swapped.reduce, list)))
    assert read == swapped != V2


def test_what_a_message_shows_of_a_value_has_its_length_at_most() -> None:
    assert brief("a" * 78) == repr("a" * 78)  # 80 characters
    assert brief("a" * 79) == "'" + "a" * 76 + "..."
    assert len(brief("a" * 200, 10)) == 10


def test_a_genotype_has_10_000_characters_at_most() -> None:
    text = str(SPACE.sample(Random(0)))
    assert str(SPACE.parse(text.ljust(10_000))) == text
    with pytest.raises(InputError, match="characters"):
        SPACE.parse(text.ljust(10_001))
