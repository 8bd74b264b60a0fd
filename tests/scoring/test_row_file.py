"""A file of rows that a later call continues, and a JSON array that is valid however it ends."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest
from score_stub import NAMES, Stub, candidates, row_file, score_to, texts_of

from nas.core.errors import InputError, NasError
from nas.results import ScoreRow
from nas.scoring.loop import default_row_settings, row_settings, score
from nas.scoring.rows import JsonArray, RowFile
from nas.search_spaces import DARTS
from nas.settings.schema import from_values


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_cut_off_anywhere_it_goes_on_to_the_same_file(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows{suffix}"
    assert str(score_to(path, Stub(fail="nor_conv_1x1"))) == "12 architectures scored, 10 of them with failures"
    whole = path.read_bytes()
    for cut in {*range(0, len(whole), 131), len(whole) - 1, whole.index(b"\n"), whole.index(b"\n") + 1}:
        path.write_bytes(whole[:cut])
        work = Stub(fail="nor_conv_1x1")
        score_to(path, work)
        assert path.read_bytes() == whole, cut
        assert len(work.asked) == min(12, 12 - whole[:cut].count(b"\n") + (suffix == ".csv"))


def test_stopped_and_resumed_again_and_again(tmp_path: Path) -> None:
    score_to(tmp_path / "whole.csv")
    asked: list[str] = []
    for _ in range(3):
        work = Stub(stop_after=3)
        with pytest.raises(KeyboardInterrupt):
            score_to(tmp_path / "parts.csv", work)
        asked += work.asked
    last = Stub()
    score_to(tmp_path / "parts.csv", last)
    assert asked + last.asked == texts_of(sample=12)
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_finished_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    score_to(path)
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    work = Stub()
    del work.scorer  # asking for it would read the data
    counts = score_to(path, work)
    assert str(counts) == "0 architectures scored; 12 were in the file already"
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_more_architectures_are_added_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    score_to(path)
    work = Stub()
    score_to(path, work, sample=15)
    assert work.asked == texts_of(sample=15)[12:]
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["arch"] for row in rows] == texts_of(sample=15)
    assert set(rows[0]) == {"arch", "canonical", "scores", "seconds", "reason"}
    assert rows[0]["reason"] is None


def test_an_architecture_written_in_two_ways_is_one(tmp_path: Path) -> None:
    space = DARTS()
    text = str(space.sample(Random(0)))
    spaced = text.replace(", ", " ,  ")
    assert texts_of(text, spaced, space=space) == [text]
    with row_file(tmp_path / "rows.csv") as file:
        score(candidates(spaced, space=space), Stub(), file)
    with row_file(tmp_path / "rows.csv") as file:
        assert score(candidates(text, space=space), Stub(space="darts"), file).scored == 0


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    score_to(path)
    before = path.read_bytes(), (tmp_path / "rows.csv.settings.json").read_bytes()
    for different, words in (
        ({"seed": 1}, "seed is 0 there and 1 here"),
        ({"data": {"name": "digits", "size": None}}, "data.size is 8 there and unset here"),
        ({"proxies": ["croze"]}, "proxies is params,croze there and croze here"),
    ):
        with pytest.raises(InputError, match=words):
            row_file(path, **different)
    assert (path.read_bytes(), (tmp_path / "rows.csv.settings.json").read_bytes()) == before


def test_the_settings_beside_the_rows_say_what_they_were_computed_with(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    score_to(path)
    about = json.loads((tmp_path / "rows.csv.settings.json").read_text())["environment"]
    assert {"robust-nas", "torch"} <= about["versions"].keys()
    assert about["hardware"]["cpu"]
    assert "source" in about


def test_settings_that_values_depend_on() -> None:
    def of(*overrides: str) -> dict[str, Any]:
        return row_settings(from_values({}, list(overrides)), ["croze", "params"])

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
        row_file(path)
    (tmp_path / "mine.csv.settings.json").write_text("{")
    with pytest.raises(InputError, match="readable"):
        row_file(path)
    with pytest.raises(InputError, match=r"FILE\.csv"):
        row_file(tmp_path / "rows.txt")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="directory"):
        row_file(tmp_path / "folder.csv")
    assert path.read_text() == "precious\n"


def test_an_empty_file_is_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").touch()
    (tmp_path / "rows.csv.settings.json").write_text("{}")  # of a file that was removed
    assert score_to(tmp_path / "rows.csv").scored == 12


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_damaged_row_is_said(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows{suffix}"
    score_to(path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:4], lines[4].replace(",", ";"), *lines[5:]]))
    before = path.read_bytes()
    with pytest.raises(InputError, match="line 5 is damaged"):
        score_to(path)
    assert path.read_bytes() == before


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    score_to(path)
    with row_file(path), pytest.raises(InputError, match="another process"):
        row_file(path)


def test_a_full_disk_is_said_and_the_file_goes_on_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score_to(tmp_path / "whole.csv")
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
            score_to(path)
    assert path.stat().st_size == 700
    score_to(path)
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
        score_to(tmp_path / "rows.csv", NoData())
    assert not list(tmp_path.iterdir())


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


def test_a_file_that_lacks_a_setting_had_its_default(tmp_path: Path) -> None:
    """A setting that did not exist when the file was begun must not refuse it."""
    path, sidecar = tmp_path / "rows.csv", tmp_path / "rows.csv.settings.json"
    default = from_values({"space": "nasbench201"}, [])
    other = from_values({"space": "nasbench201"}, ["data.validation=0"])
    defaults = default_row_settings(other, NAMES)
    of_settings = row_settings(default, NAMES)
    del of_settings["counted_for"]  # of the data, not a setting: tests/runs/test_definitions.py
    assert defaults["data"].pop("order") == "text"  # said only of classes that can be in two orders
    assert {key: defaults[key] for key in of_settings} == of_settings
    with RowFile(path, NAMES, row_settings(default, NAMES), defaults) as file:
        score(candidates(sample=3), Stub(), file)
    about = json.loads(sidecar.read_text())
    assert about["data"].pop("validation") == 0.1
    sidecar.write_text(json.dumps(about))
    with RowFile(path, NAMES, row_settings(default, NAMES), defaults) as file:
        assert score(candidates(sample=5), Stub(), file).before == 3
    with pytest.raises(InputError, match=r"data\.validation is 0\.1 there and 0 here"):
        RowFile(path, NAMES, row_settings(other, NAMES), defaults)
