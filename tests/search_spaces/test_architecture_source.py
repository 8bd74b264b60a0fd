"""Architectures that are given: every string once, in the order of the sources, or a line that says what is wrong."""

from __future__ import annotations

import csv
import io
import json
import sys
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest
from score_stub import CELL, OTHER, SPACE, Number, Numbers, Stub, candidates, row_file, texts_of

from nas.core.errors import InputError
from nas.results import ScoreRow
from nas.scoring.loop import Counts, score
from nas.search_spaces import DARTS, NASBench201
from nas.search_spaces.architecture_source import MAX_FRUITLESS_DRAWS


def test_every_string_is_once_and_in_the_order_of_the_sources(tmp_path: Path) -> None:
    file = tmp_path / "archs.txt"
    file.write_text(f"{OTHER}\n\n  {CELL}\n{OTHER}\n")
    sample = texts_of(sample=5)
    texts = texts_of(CELL, CELL, file=str(file), sample=5, everything=True)
    assert texts[:2] == [CELL, OTHER]
    assert texts[2:7] == sample
    assert sorted(texts) == sorted(map(str, SPACE))


def test_rows_have_the_fields_string_however_an_architecture_was_given(tmp_path: Path) -> None:
    """And each architecture once, also where it is written in two ways; the name of a published one stays."""
    operations = SPACE.parse(CELL).operations
    five = str(SPACE.parse("5"))
    assert texts_of("5", CELL.replace("+", " + "), str(operations), CELL) == [five, CELL]
    log = tmp_path / "log.txt"
    log.write_text(f"[2021-06-23 08:09:56] Structure(4 nodes with {CELL})\n5\n{json.dumps(operations)}\n")
    assert texts_of(file=str(log)) == [CELL, five]
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"arch": arch}) + "\n" for arch in (5, CELL, operations)))
    assert texts_of(file=str(rows)) == [five, CELL]
    table = tmp_path / "table.csv"
    table.write_text(f'n,arch_str\n1,5\n2,"{operations}"\n3,{CELL}\n')
    assert texts_of(file=str(table)) == [five, CELL]
    genotype = DARTS().parse("DARTS_V2")
    line = f"2018-06-27 13:25:46,379 genotype = {genotype}"
    assert texts_of("PC_DARTS", line, "DARTS_V2", space=DARTS()) == ["PC_DARTS", str(genotype)]
    assert texts_of("pcdarts", "PC-DARTS", "P-DARTS", "AdvRush", space=DARTS()) == ["PC_DARTS", "PDARTS", "ADVRUSH"]


def test_the_place_of_the_trouble_is_told_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "archs.txt"
    file.write_text(f"{CELL}\n{CELL.replace('none~1', 'nome~1')}\n")
    with pytest.raises(InputError, match=r"archs\.txt, line 2: .*'nome'.* at character \d+, in `.*nome~1") as caught:
        texts_of(file=str(file))
    assert "|nor_conv_3x3~0|+|none~0|skip" not in str(caught.value)


def test_a_file_begun_with_other_notations_goes_on(tmp_path: Path) -> None:
    """As earlier versions wrote the rows: the text as it was given."""
    path = tmp_path / "a.jsonl"
    with row_file(path) as file:
        file.begin()
        for text in ("DARTS_V2", "advrush", str(DARTS().parse("PC_DARTS")).replace("[2, 3, 4, 5]", "range(2, 6)")):
            file.add(ScoreRow(text, text, {"params": 1.0}, 0.0))
    with row_file(path) as file:
        sources = candidates("DARTS_V2", "PC_DARTS", "ADVRUSH", "AdvRush", "RACL", space=DARTS())
        assert score(sources, Stub(), file) == Counts(scored=1, before=3)


def test_each_class_is_once_by_its_representative() -> None:
    texts = texts_of(CELL, everything=True, unique=True)
    assert texts[0] == str(SPACE.canonical(SPACE.parse(CELL)))
    assert len(texts) == len(set(texts)) == 6466
    assert all(str(SPACE.canonical(SPACE.parse(text))) == text for text in texts)
    assert candidates(everything=True, unique=True).total == 6466


@pytest.mark.parametrize("space", [NASBench201(), DARTS()])
@pytest.mark.parametrize("unique", [False, True])
def test_a_smaller_sample_begins_a_larger_one(space: Any, unique: bool) -> None:
    few, many = (texts_of(space=space, sample=size, seed=3, unique=unique) for size in (5, 40))
    assert many[:5] == few
    assert len(set(many)) == 40
    assert texts_of(space=space, sample=5, seed=4, unique=unique) != few
    classes = {space.canonical(space.parse(text)) for text in many}
    assert len(classes) == 40 or not unique


def test_a_sample_does_not_depend_on_the_other_sources() -> None:
    sample = texts_of(sample=6)
    assert texts_of(sample[2], sample=6) == [sample[2], *sample[:2], *sample[3:]]


@pytest.mark.parametrize(("unique", "size"), [(False, 15_625), (True, 6466)])
def test_a_space_that_is_too_small_is_said_at_once(unique: bool, size: int) -> None:
    assert candidates(sample=size, unique=unique).total == size
    with pytest.raises(InputError, match=f"at most {size}"):
        candidates(sample=size + 1, unique=unique)


def test_a_large_space_of_few_classes_is_said_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.search_spaces.architecture_source.MAX_FRUITLESS_DRAWS", MAX_FRUITLESS_DRAWS // 500)
    monkeypatch.setattr(Numbers, "canonical", lambda self, arch: Number(arch.value % 3))
    drawn = candidates(space=Numbers(), sample=4, unique=True).new(set())
    assert {candidate.text for candidate in islice(drawn, 3)} == {"number 0", "number 1", "number 2"}
    with pytest.raises(InputError, match="smaller sample"):
        next(drawn)


def test_a_small_sample_can_be_the_whole_space() -> None:
    assert len(set(texts_of(space=Numbers(200), sample=200))) == 200
    assert set(texts_of(space=Numbers(300), sample=3, unique=True)) == {"number 0", "number 100", "number 200"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", f"{CELL}\n{OTHER}"),
        ("a.txt", f"\ufeff{CELL}\r\n\r\n{OTHER}\r\n"),
        ("a.csv", f"index,arch_str,accuracy\n0,{CELL},9.5\n\n1,{OTHER},8\n"),
        ("a.csv", f'arch , "x"\n"{CELL}",1\n{OTHER},"2\n3"\n'),
        ("a.csv", f"arch_str,arch\n?,{CELL}\n?,{OTHER}\n"),
        ("a.jsonl", "".join(json.dumps({"arch": arch, "scores": {}}) + "\n" for arch in (CELL, OTHER))),
        ("a.dat", json.dumps({"arch": CELL}) + f"\n{OTHER}"),
    ],
)
def test_forms_of_a_file(name: str, content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).write_text(content, newline="")
    given = candidates(file=str(tmp_path / name))
    assert given.total == 2
    assert [candidate.text for candidate in given.new(set())] == [CELL, OTHER]
    monkeypatch.setattr(sys, "stdin", io.StringIO(content.removeprefix("\ufeff")))
    streamed = candidates(file="-")
    assert streamed.total is None
    assert [candidate.text for candidate in streamed.new(set())] == [CELL, OTHER]


def test_genotypes_in_files(tmp_path: Path) -> None:
    space = DARTS()
    archs = [str(space.sample(Random(seed))) for seed in range(3)]
    plain, table, objects = (tmp_path / name for name in ("g.txt", "g.csv", "g.json"))
    plain.write_text("\n".join(archs))
    with table.open("w") as file:
        csv.writer(file).writerows([["arch", "score"], *([arch, 1] for arch in archs)])
    found = [space.parse(arch) for arch in archs]
    objects.write_text("\n".join(json.dumps({"normal": arch.normal, "reduce": arch.reduce}) for arch in found))
    assert texts_of(space=space, file=str(plain)) == texts_of(space=space, file=str(table)) == archs
    assert [candidate.arch for candidate in candidates(space=space, file=str(objects)).new(set())] == found


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", f"{CELL}\n\n|foo~0|\n", "a.txt, line 3"),
        ("a.csv", f"{CELL}\n", "arch or arch_str"),
        ("a.csv", f"index,arch\n0,{CELL}\n1\n", "line 3"),
        ("a.csv", "arch\nnonsense\n", "line 2"),
        ("a.jsonl", '{"architecture": "x"}\n', 'with "arch"'),
        ("a.jsonl", '{"arch": "nonsense"}\n', "line 1"),
        ("a.jsonl", "{" * 100_000, "line 1"),
        ("a.txt", "\n \n", "none"),
    ],
)
def test_a_bad_file_is_said_before_anything_else(name: str, content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=words):
        candidates(file=str(tmp_path / name))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("missing", ".", "binary"):
        with pytest.raises(InputError, match="Expected"):
            candidates(file=str(tmp_path / name))


def test_no_source_is_an_error() -> None:
    with pytest.raises(InputError, match="--sample"):
        candidates()
    with pytest.raises(InputError, match="at least 1"):
        candidates(sample=0)
