"""`nas score` of many architectures: real networks and processes, killed and resumed, piped in and out."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import killed_when, nas, nas_json
from rich.console import Console
from rich.progress import Progress

from nas.cli import progress
from nas.cli.main import run_command
from nas.objectives.constant_logits import REASON
from nas.search_spaces import NASBench201

pytestmark = pytest.mark.landing

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
NOTHING = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
TINY = (
    "scoring.channels=2",
    "scoring.cells_per_stage=1",
    "data.name=digits",
    "data.size=8",
    "proxies.croze.batch_size=4",
    "device=cpu",
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _table(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV without what differs from call to call."""
    with path.open(newline="") as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def _without_seconds(path: Path) -> str:
    """The file's exact text but for the cells of seconds: the last number before the reason, which may be quoted."""
    return re.sub(r",[\d.e-]+,(?=(?:[^,\n]*|\"[^\n]*\")\n)", ",,", path.read_text())


def _rows(path: Path) -> int:
    return path.read_bytes().count(b"\n") - 1 if path.exists() else 0


# killed and resumed


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rows of a sample of 48 by one worker, never stopped."""
    path = tmp_path_factory.mktemp("whole") / "rows.csv"
    assert run_command([*_sampled(path), "executor.workers=1"]) == 0
    return path


def _sampled(path: Path, size: int = 48) -> list[str]:
    return ["score", "--sample", str(size), "--seed", "5", "--proxies", "croze,params", "--output", str(path), *TINY]


@pytest.mark.parametrize(
    ("workers", "then"), [(1, 1), *(pytest.param(*numbers, marks=pytest.mark.slow) for numbers in ((1, 2), (2, 1)))]
)
def test_killed_and_resumed_to_the_same_bytes(workers: int, then: int, undisturbed: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    command = [*_sampled(path), f"executor.workers={workers}"]
    assert killed_when(lambda: _rows(path) >= 10, *command, cwd=tmp_path) == -signal.SIGKILL
    assert 10 <= _rows(path) < 48
    with path.open("ab") as file:
        file.write(b"|nor_conv_3x3~0|+|none~0|sk")  # what a kill in the middle of writing leaves
    done = nas(*_sampled(path), f"executor.workers={then}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert _without_seconds(path) == _without_seconds(undisturbed)
    assert len({row["arch"] for row in _table(path)}) == 48
    assert re.search(
        r"score: \d\d? architectures scored(, \d of them with failures)?; \d+ were in the file already", done.stderr
    )
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)]
)
def test_an_interruption_says_that_the_command_continues(number: int, code: int, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    out, err = tmp_path / "out", tmp_path / "err"
    command = [*_sampled(path), "executor.workers=1"]
    ended = killed_when(lambda: _rows(path) >= 5, *command, cwd=tmp_path, with_signal=number, out=out, err=err)
    assert ended == code, err.read_text()
    assert f"the same command continues with {path}" in err.read_text()
    assert len(err.read_text().strip().splitlines()) == 1, err.read_text()
    assert out.read_text() == ""
    assert path.read_bytes().endswith(b"\n")


@pytest.mark.slow
def test_the_same_rows_for_any_number_of_workers(undisturbed: Path, tmp_path: Path) -> None:
    rows = nas_json(*_sampled(tmp_path / "rows.jsonl", 40), "executor.workers=2", cwd=tmp_path)
    whole = _table(undisturbed)[:40]
    assert [row["arch"] for row in rows] == [row["arch"] for row in whole]
    assert [repr(row["scores"]["croze"]) for row in rows] == [row["croze"] for row in whole]
    kept = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [{key: value for key, value in row.items() if key != "reason"} for row in kept] == rows


# sources and sinks


def test_a_whole_space_by_its_classes(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = ["score", "--all", "--unique", "--proxies", "params,flops", "--output", "rows.csv"]
    assert run_command(command) == 0
    rows = _table(here / "rows.csv")
    assert len(rows) == 6466
    assert all(row["arch"] == row["canonical"] for row in rows)
    assert "6,466 architectures scored" in capfd.readouterr().err
    before = (here / "rows.csv").read_bytes()
    assert run_command(command) == 0
    assert (here / "rows.csv").read_bytes() == before
    assert "0 architectures scored; 6,466 were in the file already" in capfd.readouterr().err
    assert sorted(path.name for path in here.iterdir()) == ["rows.csv", "rows.csv.settings.json"]


def test_a_resumed_array_has_the_new_rows(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = []
    for size in ("4", "6", "6"):
        assert run_command(["score", "--sample", size, "--proxies", "params", "--output", "a.jsonl", "--json"]) == 0
        found.append(json.loads(capfd.readouterr().out))
    assert [len(rows) for rows in found] == [4, 2, 0]


@pytest.mark.slow
def test_rows_come_while_more_architectures_are_on_their_way(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nas", "score", "--file", "-", "--proxies", "params"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for arch in (CELL, NOTHING):
            process.stdin.write(f"{arch}\n")
            process.stdin.flush()
            assert process.stdout.readline() == f"{arch}\n"
            assert "params" in process.stdout.readline()
        process.stdin.close()
        assert process.wait(60) == 0
    assert not list(tmp_path.iterdir())


def test_a_wrong_line_of_standard_input(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"arch\n{CELL}\nnonsense\n"))
    assert run_command(["score", "--file", "-", "--proxies", "params", "--json"]) == 2
    printed = capfd.readouterr()
    assert [row["arch"] for row in json.loads(printed.out)] == [CELL], "what was done, as a valid array"
    assert "standard input, line 3" in printed.err


def test_a_proxy_without_a_value_is_a_row(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = ["score", NOTHING, CELL, *TINY, "executor.workers=1"]
    assert run_command([*command, "--json"]) == 0
    printed = capfd.readouterr()
    failed, other = json.loads(printed.out)
    assert failed["reason"] == f"croze: {REASON}"
    assert set(failed["scores"]) == {"params", "flops"}
    assert set(other) == {"arch", "canonical", "scores", "seconds"}
    assert "score: 2 architectures scored, 1 of them with failures" in printed.err
    assert run_command(command) == 0
    assert f"failed: croze: {REASON}" in capfd.readouterr().out


def test_arguments_come_in_their_order_and_once(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "archs.txt").write_text(f"{CELL}\n{NOTHING}\n")
    assert run_command(["score", NOTHING, "--file", "archs.txt", "--proxies", "params", "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)
    assert [row["arch"] for row in rows] == [NOTHING, CELL]
    space = NASBench201()
    assert [row["scores"]["params"] for row in rows] == [space.cost(space.parse(row["arch"])).params for row in rows]


@pytest.mark.parametrize(("extra", "side"), [((), 16), (("data.size=8",), 8), (("data.size=32",), 32)])
def test_flops_are_those_of_the_data(
    extra: tuple[str, ...], side: int, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As text, as JSON and in a file: digits are 16x16 unless data.size says otherwise."""
    space = NASBench201()
    macs = space.cost(space.parse(CELL), 10, image_size=side).macs
    command = ["score", CELL, "--proxies", "flops,params", *extra]
    assert run_command(command) == 0
    printed = capfd.readouterr()
    assert f"flops {float(macs):.8g}" in printed.out
    assert f"params and flops are for 10 classes of {side}x{side} images" in printed.err
    assert run_command([*command, "--json"]) == 0
    (row,) = json.loads(capfd.readouterr().out)
    assert row["scores"]["flops"] == macs
    assert run_command([*command, "--output", "rows.csv"]) == 0
    assert float(_table(here / "rows.csv")[0]["flops"]) == macs
    beside = json.loads((here / "rows.csv.settings.json").read_text())
    assert beside["counted_for"] == {"num_classes": 10, "image_size": side}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--sample N or --all"),
        (["--sample", "99999"], "at most 15625"),
        (["--sample", "0"], "at least 1"),
        (["--seed", "3", CELL], "--sample"),
        (["--file", "missing.txt"], "missing.txt"),
        (["--file", "wrong.csv"], "arch or arch_str"),
        ([CELL, "--output", "rows.txt"], "FILE.csv"),
        ([CELL, "--output", "wrong.csv"], "choose another"),
        ([CELL, "--output", "rows.csv", "--proxies", "params"], "proxies is croze there and params here"),
        ([CELL, "--output", "new.csv", "proxies.croze.batch_size=60000"], "batch_size"),
        ([CELL, "--proxies", "params,parms"], "did you mean 'params'"),
        ([CELL, "--proxies", ","], "nas list proxies"),
        (["--all", "data.name=npz"], "data.root"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(
    arguments: list[str], words: str, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (here / "wrong.csv").write_text("x,y\n1,2\n")
    (here / "rows.csv").write_text("arch,canonical,croze,seconds,reason\n")
    (here / "rows.csv.settings.json").write_text('{"version": "0", "proxies": ["croze"]}')
    before = {path.name: path.read_bytes() for path in here.iterdir()}
    code = run_command(["score", *arguments, "--json"])
    printed = capfd.readouterr()
    assert code == 2, printed.err
    assert words in printed.err
    assert len(printed.err.strip().splitlines()) == 1, printed.err
    assert printed.out == ""
    assert {path.name: path.read_bytes() for path in here.iterdir()} == before


# progress


def _progress(total: int | None, capfd: pytest.CaptureFixture[str]) -> str:
    counter = progress.CountLines("score", total)
    counter.lines.started -= 60
    counter.update(100, 0)  # of an earlier call
    counter.update(400, 2)
    return capfd.readouterr().err


def test_lines_tell_the_time_left(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", -1)
    assert "score: 400 of 1,000, about 2 min left (2 failed)" in _progress(1000, capfd)
    assert "about 21 min left" in _progress(400 + 6400, capfd)
    assert "left" not in _progress(330_000, capfd), "too little is done for an estimate"
    assert _progress(None, capfd).splitlines()[-1] == "score: 400 (2 failed)"
    monkeypatch.setattr(progress, "QUIET_SECONDS", 30)
    assert _progress(1000, capfd) == ""


def test_rows_stand_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    ours, theirs = pty.openpty()
    with (
        os.fdopen(theirs, "w") as stderr,
        Progress(console=Console(file=screen, force_terminal=True, width=60)) as shown,
    ):
        monkeypatch.setattr(sys, "stderr", stderr)
        bar = progress.CountBar("score", None, shown)
        row = "a row [not markup] that is longer than the sixty columns of this small terminal\n"
        assert bar.print_above(row, theirs)
        assert not bar.print_above("not on this terminal", os.pipe()[0])
        bar.update(3, 1)
    assert "a row [not markup] that is longer than the sixty columns of this small terminal" in screen.getvalue()
    assert "not on this" not in screen.getvalue()
    os.close(ours)


@pytest.mark.slow
def test_on_a_terminal(tmp_path: Path) -> None:
    """All three streams on one terminal: rows and bar do not run into each other."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "nas", "score", "--sample", "3", "--proxies", "params"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "300"}
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        text = b""
        try:
            while part := os.read(ours, 4096):
                text += part
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    assert process.returncode == 0
    lines = [re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]+", text.decode())]
    assert sum(line.startswith("|") and line.endswith("2|") for line in lines) == 3, lines
    assert any("1/3" in line or "3/3" in line for line in lines), lines
    assert any(line.startswith("score: 3 architectures scored") for line in lines)
