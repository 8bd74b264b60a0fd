"""Many architectures: each once and in order, in constant memory, kept in a file that a later call goes on with."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest

from nas.core.errors import InputError, NasError, ResourceError
from nas.core.storage.base import TaskResult
from nas.results import ScoreRow
from nas.scoring import loop as module
from nas.scoring.loop import Counts, Scored, Work, default_values, described, score
from nas.scoring.rows import JsonArray, RowFile, line_of
from nas.search_spaces import DARTS, NASBench201
from nas.search_spaces.architecture_source import MAX_FRUITLESS_DRAWS, ArchitectureSource
from nas.settings.schema import from_values

SPACE = NASBench201()
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
OTHER = "|avg_pool_3x3~0|+|none~0|none~1|+|none~0|none~1|nor_conv_1x1~2|"
NAMES = ["params", "croze"]
SETTINGS = {"space": "nasbench201", "seed": 0, "data": {"name": "digits", "size": 8}, "proxies": NAMES}


@dataclass(frozen=True)
class Number:
    """An architecture of `Numbers`."""

    value: int

    def __str__(self) -> str:
        return f"number {self.value}"


class Numbers:
    """A large space of which nothing is stored: numbers, those of a hundred isomorphic; counts what is taken."""

    name = "numbers"

    def __init__(self, size: int = 10**7) -> None:
        self.size = size
        self.taken = 0

    def parse(self, text: str) -> Number:
        return Number(int(text.removeprefix("number ")))

    def sample(self, rng: Random) -> Number:
        return Number(rng.randrange(self.size))

    def canonical(self, arch: Number) -> Number:
        return Number(arch.value // 100 * 100)

    def __iter__(self) -> Iterator[Number]:
        for value in range(self.size):
            self.taken += 1
            yield Number(value)

    def __len__(self) -> int:
        return self.size


def _candidates(*texts: str, space: Any = SPACE, **sources: Any) -> ArchitectureSource:
    return ArchitectureSource(space, texts, **sources)


def _texts(*texts: str, seen: set[bytes] | None = None, **sources: Any) -> list[str]:
    return [candidate.text for candidate in _candidates(*texts, **sources).new(set() if seen is None else seen)]


class Stub(Work):
    """Values without networks; `fail` are architectures whose croze has no value, `broken` those that raise."""

    def __init__(
        self,
        workers: int = 1,
        fail: str = "?",
        broken: str = "?",
        stop_after: int | None = None,
        space: str = "nasbench201",
    ) -> None:
        super().__init__(from_values({"executor": {"workers": workers}, "space": space}, []), NAMES)
        self.fail, self.broken, self.stop_after = fail, broken, stop_after
        self.asked: list[str] = []
        self.scorer: Any = None

    def __call__(self, arch: str) -> Scored:
        if self.stop_after is not None and len(self.asked) >= self.stop_after:
            raise KeyboardInterrupt
        self.asked.append(arch)
        if self.broken in arch:
            raise ValueError("a broken\nbuild")
        scores = {"params": float(len(arch)), "croze": arch.count("conv") / 3}
        if self.fail in arch:
            del scores["croze"]
            return Scored(scores, {"croze": "no path,\n at all"}, 0.25)
        return Scored(scores, {}, 0.25)


def _file(path: Path, **different: Any) -> RowFile:
    return RowFile(path, different.get("proxies", NAMES), {**SETTINGS, **different})


def _run(path: Path, work: Stub | None = None, **sources: Any) -> Counts:
    sources = sources or {"sample": 12}
    with _file(path) as file:
        return score(_candidates(**sources), work or Stub(), file)


# sources


def test_every_string_is_once_and_in_the_order_of_the_sources(tmp_path: Path) -> None:
    file = tmp_path / "archs.txt"
    file.write_text(f"{OTHER}\n\n  {CELL}\n{OTHER}\n")
    sample = _texts(sample=5)
    texts = _texts(CELL, CELL, file=str(file), sample=5, everything=True)
    assert texts[:2] == [CELL, OTHER]
    assert texts[2:7] == sample
    assert sorted(texts) == sorted(map(str, SPACE))


def test_rows_have_the_fields_string_however_an_architecture_was_given(tmp_path: Path) -> None:
    """And each architecture once, also where it is written in two ways; the name of a published one stays."""
    operations = SPACE.parse(CELL).operations
    five = str(SPACE.parse("5"))
    assert _texts("5", CELL.replace("+", " + "), str(operations), CELL) == [five, CELL]
    log = tmp_path / "log.txt"
    log.write_text(f"[2021-06-23 08:09:56] Structure(4 nodes with {CELL})\n5\n{json.dumps(operations)}\n")
    assert _texts(file=str(log)) == [CELL, five]
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"arch": arch}) + "\n" for arch in (5, CELL, operations)))
    assert _texts(file=str(rows)) == [five, CELL]
    table = tmp_path / "table.csv"
    table.write_text(f'n,arch_str\n1,5\n2,"{operations}"\n3,{CELL}\n')
    assert _texts(file=str(table)) == [five, CELL]
    genotype = DARTS().parse("DARTS_V2")
    line = f"2018-06-27 13:25:46,379 genotype = {genotype}"
    assert _texts("PC_DARTS", line, "DARTS_V2", space=DARTS()) == ["PC_DARTS", str(genotype)]
    assert _texts("pcdarts", "PC-DARTS", "P-DARTS", "AdvRush", space=DARTS()) == ["PC_DARTS", "PDARTS", "ADVRUSH"]


def test_the_place_of_the_trouble_is_told_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "archs.txt"
    file.write_text(f"{CELL}\n{CELL.replace('none~1', 'nome~1')}\n")
    with pytest.raises(InputError, match=r"archs\.txt, line 2: .*'nome'.* at character \d+, in `.*nome~1") as caught:
        _texts(file=str(file))
    assert "|nor_conv_3x3~0|+|none~0|skip" not in str(caught.value)


def test_a_file_begun_with_other_notations_goes_on(tmp_path: Path) -> None:
    """As earlier versions wrote the rows: the text as it was given."""
    path = tmp_path / "a.jsonl"
    with _file(path) as file:
        file.begin()
        for text in ("DARTS_V2", "advrush", str(DARTS().parse("PC_DARTS")).replace("[2, 3, 4, 5]", "range(2, 6)")):
            file.add(ScoreRow(text, text, {"params": 1.0}, 0.0))
    with _file(path) as file:
        sources = _candidates("DARTS_V2", "PC_DARTS", "ADVRUSH", "AdvRush", "RACL", space=DARTS())
        assert score(sources, Stub(), file) == Counts(scored=1, kept=3)


def test_each_class_is_once_by_its_representative() -> None:
    texts = _texts(CELL, everything=True, unique=True)
    assert texts[0] == str(SPACE.canonical(SPACE.parse(CELL)))
    assert len(texts) == len(set(texts)) == 6466
    assert all(str(SPACE.canonical(SPACE.parse(text))) == text for text in texts)
    assert _candidates(everything=True, unique=True).total == 6466


@pytest.mark.parametrize("space", [NASBench201(), DARTS()])
@pytest.mark.parametrize("unique", [False, True])
def test_a_smaller_sample_begins_a_larger_one(space: Any, unique: bool) -> None:
    few, many = (_texts(space=space, sample=size, seed=3, unique=unique) for size in (5, 40))
    assert many[:5] == few
    assert len(set(many)) == 40
    assert _texts(space=space, sample=5, seed=4, unique=unique) != few
    classes = {space.canonical(space.parse(text)) for text in many}
    assert len(classes) == 40 or not unique


def test_a_sample_does_not_depend_on_the_other_sources() -> None:
    sample = _texts(sample=6)
    assert _texts(sample[2], sample=6) == [sample[2], *sample[:2], *sample[3:]]


@pytest.mark.parametrize(("unique", "size"), [(False, 15_625), (True, 6466)])
def test_a_space_that_is_too_small_is_said_at_once(unique: bool, size: int) -> None:
    assert _candidates(sample=size, unique=unique).total == size
    with pytest.raises(InputError, match=f"at most {size}"):
        _candidates(sample=size + 1, unique=unique)


def test_a_large_space_of_few_classes_is_said_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.search_spaces.architecture_source.MAX_FRUITLESS_DRAWS", MAX_FRUITLESS_DRAWS // 500)
    monkeypatch.setattr(Numbers, "canonical", lambda self, arch: Number(arch.value % 3))
    drawn = _candidates(space=Numbers(), sample=4, unique=True).new(set())
    assert {candidate.text for candidate in islice(drawn, 3)} == {"number 0", "number 1", "number 2"}
    with pytest.raises(InputError, match="smaller sample"):
        next(drawn)


def test_a_small_sample_can_be_the_whole_space() -> None:
    assert len(set(_texts(space=Numbers(200), sample=200))) == 200
    assert set(_texts(space=Numbers(300), sample=3, unique=True)) == {"number 0", "number 100", "number 200"}


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
    given = _candidates(file=str(tmp_path / name))
    assert given.total == 2
    assert [candidate.text for candidate in given.new(set())] == [CELL, OTHER]
    monkeypatch.setattr(sys, "stdin", io.StringIO(content.removeprefix("\ufeff")))
    streamed = _candidates(file="-")
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
    assert _texts(space=space, file=str(plain)) == _texts(space=space, file=str(table)) == archs
    assert [candidate.arch for candidate in _candidates(space=space, file=str(objects)).new(set())] == found


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
        _candidates(file=str(tmp_path / name))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("missing", ".", "binary"):
        with pytest.raises(InputError, match="Expected"):
            _candidates(file=str(tmp_path / name))


def test_no_source_is_an_error() -> None:
    with pytest.raises(InputError, match="--sample"):
        _candidates()
    with pytest.raises(InputError, match="at least 1"):
        _candidates(sample=0)


# order and memory


class Backwards:
    """An executor of several workers whose items end in reverse."""

    def __init__(self, function: Callable[[Any], Any], settings: Any, device: str, most: int | None) -> None:
        self.function = function
        self.workers = settings.workers
        self.largest = 0

    def __enter__(self) -> Backwards:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def map(self, tasks: Iterator[Any], tick: Callable[[], None], ahead: int) -> Iterator[TaskResult[int, Any]]:
        while window := list(islice(tasks, ahead)):
            for key, item in reversed(window):
                tick()
                yield TaskResult(key, self.function(item), None, 0.1)


def test_rows_come_in_order_whatever_ends_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "executor_for", Backwards)
    work, rows, told = Stub(workers=2), [], []
    score(_candidates(sample=100), work, None, rows.append, lambda *numbers: told.append(numbers))
    assert [row.arch for row in rows] == _texts(sample=100)
    assert work.asked[0] != rows[0].arch, "it was the last of its window to be asked"
    assert told[0] == (0, 0)
    assert told[-1] == (100, 0)
    assert told == sorted(told)


@pytest.mark.parametrize(("workers", "ahead"), [(1, 1), (2, 2 * module.WINDOW)])
def test_at_most_a_window_is_taken_ahead(workers: int, ahead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if workers > 1:
        monkeypatch.setattr(module, "executor_for", Backwards)
    space, rows = Numbers(), 0

    def show(row: ScoreRow) -> None:
        nonlocal rows
        rows += 1
        assert row.arch == f"number {rows - 1}"
        assert space.taken <= rows + ahead
        if rows == 500:
            raise StopAsyncIteration  # nothing in between catches it

    with pytest.raises(StopAsyncIteration):
        score(_candidates(space=space, everything=True), Stub(workers), None, show)


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    limit, used = 6000, {}

    def watch(done: int, failed: int) -> None:
        if done in (limit // 4, limit):
            used[done] = tracemalloc.get_traced_memory()[0]
        if done == limit:
            raise KeyboardInterrupt

    work = Stub()
    work.asked = type("Forgetful", (list,), {"append": lambda self, item: None})()
    tracemalloc.start()
    try:
        with pytest.raises(KeyboardInterrupt), _file(tmp_path / "rows.csv") as file:
            score(_candidates(space=Numbers(), everything=True), work, file, None, watch)
    finally:
        tracemalloc.stop()
    assert used[limit] - used[limit // 4] < 20_000


def test_a_space_too_large_to_finish_starts_at_once() -> None:
    space = DARTS()
    given = _candidates(space=space, everything=True)
    assert given.total == len(space)
    assert [candidate.arch for candidate in islice(given.new(set()), 5)] == list(islice(space, 5))
    classes = _candidates(space=space, everything=True, unique=True)
    assert classes.total is None
    assert len({candidate.text for candidate in islice(classes.new(set()), 50)}) == 50


# failures


def test_failures_are_rows_with_their_reasons(tmp_path: Path) -> None:
    rows: list[ScoreRow] = []
    archs = (CELL, OTHER, "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    with _file(tmp_path / "rows.csv") as file:
        counts = score(_candidates(*archs), Stub(fail="none~0|none~1|none~2", broken="avg_pool"), file, rows.append)
    assert (counts.scored, counts.failed) == (3, 2)
    assert str(counts) == "3 architectures scored, 2 of them with failures"
    assert rows[0].reason is None
    assert rows[1].scores == {}
    assert rows[1].reason == "ValueError: a broken build"
    assert set(rows[2].scores) == {"params"}
    assert rows[2].reason == "croze: no path, at all"
    with (tmp_path / "rows.csv").open(newline="") as table:
        cells = list(csv.DictReader(table))
    assert [row["reason"] for row in cells] == ["", rows[1].reason, rows[2].reason]
    assert [row["croze"] == "" for row in cells] == [False, True, True]
    assert [float(row["params"] or "nan") for row in cells][::2] == [float(len(arch)) for arch in archs][::2]
    assert "failed: croze: no path" in line_of(rows[2])


def test_what_says_nothing_about_an_architecture_stops_everything() -> None:
    class Hungry(Stub):
        def __call__(self, arch: str) -> Scored:
            raise MemoryError("no memory")

    with pytest.raises(ResourceError, match="and the same --output"):
        score(_candidates(CELL), Hungry())


# the file


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_cut_off_anywhere_it_goes_on_to_the_same_file(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows{suffix}"
    assert str(_run(path, Stub(fail="nor_conv_1x1"))) == "12 architectures scored, 10 of them with failures"
    whole = path.read_bytes()
    for cut in {*range(0, len(whole), 131), len(whole) - 1, whole.index(b"\n"), whole.index(b"\n") + 1}:
        path.write_bytes(whole[:cut])
        work = Stub(fail="nor_conv_1x1")
        _run(path, work)
        assert path.read_bytes() == whole, cut
        assert len(work.asked) == min(12, 12 - whole[:cut].count(b"\n") + (suffix == ".csv"))


def test_stopped_and_resumed_again_and_again(tmp_path: Path) -> None:
    _run(tmp_path / "whole.csv")
    asked: list[str] = []
    for _ in range(3):
        work = Stub(stop_after=3)
        with pytest.raises(KeyboardInterrupt):
            _run(tmp_path / "parts.csv", work)
        asked += work.asked
    last = Stub()
    _run(tmp_path / "parts.csv", last)
    assert asked + last.asked == _texts(sample=12)
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_finished_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    _run(path)
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    work = Stub()
    del work.scorer  # asking for it would read the data
    counts = _run(path, work)
    assert str(counts) == "0 architectures scored; 12 were there already"
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_more_architectures_are_added_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    _run(path)
    work = Stub()
    _run(path, work, sample=15)
    assert work.asked == _texts(sample=15)[12:]
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["arch"] for row in rows] == _texts(sample=15)
    assert set(rows[0]) == {"arch", "canonical", "scores", "seconds", "reason"}
    assert rows[0]["reason"] is None


def test_an_architecture_written_in_two_ways_is_one(tmp_path: Path) -> None:
    space = DARTS()
    text = str(space.sample(Random(0)))
    spaced = text.replace(", ", " ,  ")
    assert _texts(text, spaced, space=space) == [text]
    with _file(tmp_path / "rows.csv") as file:
        score(_candidates(spaced, space=space), Stub(), file)
    with _file(tmp_path / "rows.csv") as file:
        assert score(_candidates(text, space=space), Stub(space="darts"), file).scored == 0


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    _run(path)
    before = path.read_bytes(), (tmp_path / "rows.csv.settings.json").read_bytes()
    for different, words in (
        ({"seed": 1}, "seed is 0 there and 1 here"),
        ({"data": {"name": "digits", "size": None}}, "data.size is 8 there and unset here"),
        ({"proxies": ["croze"]}, "proxies is params,croze there and croze here"),
    ):
        with pytest.raises(InputError, match=words):
            _file(path, **different)
    assert (path.read_bytes(), (tmp_path / "rows.csv.settings.json").read_bytes()) == before


def test_the_settings_beside_the_rows_say_what_they_were_computed_with(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    _run(path)
    about = json.loads((tmp_path / "rows.csv.settings.json").read_text())["environment"]
    assert {"robust-nas", "torch"} <= about["versions"].keys()
    assert about["hardware"]["cpu"]
    assert "source" in about


def test_settings_that_values_depend_on() -> None:
    def of(*overrides: str) -> dict[str, Any]:
        return described(from_values({}, list(overrides)), ["croze", "params"])

    for same in ("executor.workers=2", "search.budget=7", "data.download=false", "name=other"):
        assert of(same) == of()
    for other in (
        "seed=1",
        "space=darts",
        "data.size=8",
        "scoring.channels=2",
        "model.channels=2",
        "proxies.croze.batch_size=3",
        "executor.threads=2",
    ):
        assert of(other) != of()


def test_a_foreign_file_is_never_written_to(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("precious\n")
    with pytest.raises(InputError, match="choose another"):
        _file(path)
    (tmp_path / "mine.csv.settings.json").write_text("{")
    with pytest.raises(InputError, match="readable"):
        _file(path)
    with pytest.raises(InputError, match=r"FILE\.csv"):
        _file(tmp_path / "rows.txt")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="directory"):
        _file(tmp_path / "folder.csv")
    assert path.read_text() == "precious\n"


def test_an_empty_file_is_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").touch()
    (tmp_path / "rows.csv.settings.json").write_text("{}")  # of a file that was removed
    assert _run(tmp_path / "rows.csv").scored == 12


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_damaged_row_is_said(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows{suffix}"
    _run(path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:4], lines[4].replace(",", ";"), *lines[5:]]))
    before = path.read_bytes()
    with pytest.raises(InputError, match="line 5 is damaged"):
        _run(path)
    assert path.read_bytes() == before


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    _run(path)
    with _file(path), pytest.raises(InputError, match="another process"):
        _file(path)


def test_a_full_disk_is_said_and_the_file_goes_on_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _run(tmp_path / "whole.csv")
    path, write, room = tmp_path / "rows.csv", os.write, [700]

    def narrow(descriptor: int, data: bytes) -> int:
        if room[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        part = data[: room[0]]
        room[0] -= len(part)
        return write(descriptor, part)

    with monkeypatch.context() as patch:
        patch.setattr("nas.scoring.rows.os.write", narrow)
        with pytest.raises(InputError, match="disk is full"):
            _run(path)
    assert path.stat().st_size == 700
    _run(path)
    assert path.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_what_stops_the_work_stops_it_before_anything_is_written(tmp_path: Path) -> None:
    class NoData(Stub):
        @property
        def scorer(self) -> Any:
            raise InputError("Expected data")

        @scorer.setter
        def scorer(self, value: Any) -> None:
            pass

    with pytest.raises(InputError, match="Expected data"):
        _run(tmp_path / "rows.csv", NoData())
    assert not list(tmp_path.iterdir())


# the array


def test_an_array_is_valid_however_it_ends() -> None:
    def written(end: type[BaseException] | None, rows: int) -> str:
        parts: list[str] = []
        try:
            with JsonArray(parts.append) as array:
                for number in range(rows):
                    array.add(ScoreRow(str(number), "", {}, 1.0))
                if end is not None:
                    raise end("stopped")
        except (KeyboardInterrupt, NasError):
            pass
        return "".join(parts)

    assert json.loads(written(None, 0)) == []
    for end in (None, KeyboardInterrupt, NasError):
        assert [row["arch"] for row in json.loads(written(end, 2))] == ["0", "1"]
    assert written(NasError, 0) == ""


# workers


def test_workers_that_are_worth_their_start() -> None:
    def most(left: int | None, *overrides: str, names: tuple[str, ...] = ("croze",)) -> int | None:
        return Work(from_values({"device": "cpu"}, list(overrides)), list(names)).most(left)

    assert most(1) == 1
    assert most(10 * module.WORTHWHILE) == 10
    assert most(None) is None
    assert most(None, "executor.workers=3") is None
    assert most(2, "executor.workers=3") == 2
    assert most(10_000, names=("params", "flops")) == 1


# files of before


def test_a_file_that_lacks_a_setting_had_its_default(tmp_path: Path) -> None:
    """A setting that did not exist when the file was begun must not refuse it."""
    path, sidecar = tmp_path / "rows.csv", tmp_path / "rows.csv.settings.json"
    default = from_values({"space": "nasbench201"}, [])
    other = from_values({"space": "nasbench201"}, ["data.validation=0"])
    defaults = default_values(other, NAMES)
    of_settings = described(default, NAMES)
    del of_settings["counted_for"]  # of the data, not a setting: tests/runs/test_definitions.py
    assert defaults["data"].pop("order") == "text"  # said only of classes that can be in two orders
    assert {key: defaults[key] for key in of_settings} == of_settings
    with RowFile(path, NAMES, described(default, NAMES), defaults) as file:
        score(_candidates(sample=3), Stub(), file)
    about = json.loads(sidecar.read_text())
    assert about["data"].pop("validation") == 0.1
    sidecar.write_text(json.dumps(about))
    with RowFile(path, NAMES, described(default, NAMES), defaults) as file:
        assert score(_candidates(sample=5), Stub(), file).kept == 3
    with pytest.raises(InputError, match=r"data\.validation is 0\.1 there and 0 here"):
        RowFile(path, NAMES, described(other, NAMES), defaults)
