"""The command line: lists, help, versions, and one clear line with exit code 2 for what the user can correct."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import nas, nas_json

from nas import __version__
from nas.cli.main import run_command
from nas.commands.base import COMMANDS
from nas.core.errors import Terminated
from nas.core.execution.executor import run_task
from nas.core.io.files import os_errors_as_input_errors
from nas.search_spaces import SPACES, NASBench201

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
NOTHING = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
GENOTYPE = (
    "Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), ('sep_conv_3x3', 1), "
    "('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 2)], "
    "normal_concat=range(2, 6), reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), "
    "('max_pool_3x3', 0), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)], "
    "reduce_concat=range(2, 6))"
)


@pytest.mark.landing
def test_score(tmp_path: Path) -> None:
    space = NASBench201()
    small = ("scoring.channels=4", "scoring.cells_per_stage=1", "data.size=8")
    rows = nas_json("score", CELL, NOTHING, "--proxies", "croze,params,flops", *small, cwd=tmp_path)
    assert [row["arch"] for row in rows] == [CELL, NOTHING]
    for row in rows:
        cost = space.cost(space.parse(row["arch"]), 10, image_size=8)
        assert row["scores"]["params"] == cost.params
        assert row["scores"]["flops"] == cost.macs
        assert row["canonical"] == str(space.canonical(space.parse(row["arch"])))
    assert np.isfinite(rows[0]["scores"]["croze"])
    assert "reason" not in rows[0]
    assert set(rows[1]["scores"]) == {"params", "flops"}
    assert rows[1]["reason"].startswith("croze: ")
    assert "do not depend on the image" in rows[1]["reason"]
    assert not list(tmp_path.iterdir()), "scoring writes nothing"


@pytest.mark.landing
def test_score_of_a_genotype_is_no_override(tmp_path: Path) -> None:
    (row,) = nas_json("score", GENOTYPE, "--space", "darts", "--proxies", "params", cwd=tmp_path)
    darts = SPACES.get("darts")()
    assert row["arch"] == str(darts.parse(GENOTYPE))
    assert row["scores"]["params"] == darts.cost(darts.parse(GENOTYPE)).params


def test_list(tmp_path: Path) -> None:
    rows = nas_json("list", cwd=tmp_path)
    kinds = {row["kind"] for row in rows}
    kinds_there = "configs spaces strategies proxies predictors attacks corruptions datasets trainings benchmarks"
    assert kinds == set(kinds_there.split())
    assert nas_json("list", "recipes", cwd=tmp_path) == [row for row in rows if row["kind"] == "configs"]
    listed = nas_json("list", "proxies", cwd=tmp_path)
    published = (
        "grad_norm snip grasp fisher synflow plain l2_norm jacov epe_nas nwot zen zico jacob_fro hessian linear_regions"
    )
    assert {row["name"] for row in listed} == {
        *published.split(), "ntk_cond", "flops", "params", "croze", "croze_official", "eproxy"
    }  # fmt: skip
    assert all(row["source"] and row["domain"] in ("linear", "log") and row["passes"] >= 0 for row in listed)
    assert all(row["description"] for row in rows)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "quickstrat"], "did you mean 'quickstart'"),
        (["run", "quickstart", "train.epoch=3"], "did you mean 'train.epochs'"),
        (["run", "quickstart", "train.epochs=abc"], "train.epochs"),
        (["run", "quickstart", "train.epochs=0"], "train.epochs"),
        (["run", "quickstart", "eval.eps=-1"], "eval.eps"),
        (["run", "quickstart", "eval.attacks=fsgm"], "did you mean 'fgsm'"),
        (["run", "quickstart", "eval.n_test=100000"], "359"),
        (["run", "quickstart", "space=dart"], "did you mean 'darts'"),
        (["run", "quickstart", "strategy.name=evolutoin"], "did you mean 'evolution'"),
        (["run", "quickstart", "search.objective=crose"], "did you mean 'croze'"),
        (["run", "quickstart", "search.constraints=params<=x"], "constraint"),
        (["run", "quickstart", "data.name=imagefolder", "data.root=nowhere"], "nowhere"),
        (["run", "quickstart", "data.name=npz"], "data.root"),
        (["run", "quickstart", "device=cuda:99x"], "device"),
        (["run", "quickstart", "notanoverride"], "key=value"),
        (["run", "quickstart", "run.dir=taken"], "taken exists"),
        (["train", "quickstart"], "arch="),
        (["train", "quickstart", "arch=|foo~0|+|none~0|none~1|+|none~0|none~1|none~2|"], "foo"),
        (["eval", "broken.pt"], "broken.pt is damaged"),
        (["eval", "missing.pt"], "no such file"),
        (["resume", "taken"], "config.json"),
        (["resume", "taken", "seed=3"], "start a new run"),
        (["report", "nowhere"], "nowhere does not exist"),
        (["score", "nonsense"], "nonsense"),
        (["score", CELL, "--proxies", "croz"], "did you mean 'croze'"),
        (["score", GENOTYPE], "NAS-Bench-201"),
        (["score", CELL, "--frobnicate"], "frobnicate"),
        (["list", "proxy"], "did you mean 'proxies'"),
        (["bench", "biuld"], "did you mean 'build'"),
        (["run", "quickstart", "search.constraints=params<=1"], "params<=1"),
        (["run", "quickstart", "search.constraints=params<=1", "--dry-run"], "params<=1"),
        (["run", "quickstart", "proxies.croze.batch_size=60000"], "batch_size"),
        (["run", "quickstart", f"arch={CELL}"], "nas train"),
        (["run", "quickstart", "train.method=pgd"], "run.trainings"),
        (["run", "quickstart", "device=meta"], "device"),
        (["run", "quickstart", "device=mps"], "device"),
        (["eval", "broken.pt", "model.channels=99"], "model.channels"),
        (["run", "quickstart", "train.trades_beta=3"], "train.trades_beta has no effect"),
        (["search", "quickstart", "label.epochs=3"], "label.epochs has no effect"),
        (["train", "quickstart", f"arch={CELL}", "search.budget=3"], "search.budget has no effect in nas train"),
        (["score", CELL, "search.budget=5"], "search.budget has no effect in nas score"),
        (["score", CELL, "--proxies", "nwot", "proxies.croze.batch_size=5"], "proxies.croze.batch_size has no effect"),
        (["train", "quickstart", f"arch={CELL}", "train.accumulate=33"], "train.accumulate=33"),
        (["run", "quickstart", "train.accumulate=33", "model.channels=4"], "train.accumulate=33"),
        (["search", "quickstart", "objective=trained:clean", "label.accumulate=129"], "label.accumulate=129"),
        (["serach", "quickstart"], "serach"),
        (["run", "quickstart", "eval.sweep="], "[] for the empty list"),
        (["search", "quickstart", "search.constraints="], "[] for the empty list"),
        (["tables", "predict", "--train", "20"], "See `nas tables predict --help`."),
        (["search", "--dry-rum"], "No such option '--dry-rum' (did you mean '--dry-run'?). See `nas search --help`."),
        (["score", "PC_DARTS"], "It is an architecture of another space: give --space darts."),
        (["train", "quickstart", "arch=PC_DARTS"], "It is an architecture of another space: give space=darts."),
        (["run", "cifar10-nb201", "--dry-run"], "leave that out to download the file"),
        (["tables", "foo"], "No such command 'foo'. See `nas tables --help`."),
        (["run"], "Missing argument"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "precious").write_text("mine")
    (tmp_path / "broken.pt").write_bytes(b"PK\x03\x04 half a file")
    code = run_command(arguments)
    printed = capfd.readouterr()
    assert code == 2, printed.err
    assert words in printed.err
    assert len(printed.err.strip().splitlines()) == 1, printed.err
    assert printed.out == ""
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["broken.pt", "precious", "taken"]


@pytest.mark.parametrize(
    "command", ["run", "search", "train", "eval", "score", "dps", "bench", "resume", "report", "list"]
)
def test_help_teaches(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command([command, "--help"]) == 0
    text = capfd.readouterr().out
    assert "--json" in text
    if command != "list":
        assert f"`nas {command} " in text.replace("\n  ", " "), "no example"


def test_bad_input_ends_the_process_with_code_2(tmp_path: Path) -> None:
    done = nas("run", "quickstrat", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("nas: Expected a configuration")


def test_the_versions(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--version"]) == 0
    assert capfd.readouterr().out == f"nas {__version__}, torch {torch.__version__}\n"


def test_nas_alone_prints_its_help(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command([]) in (0, 2)
    assert "Commands:" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("run", "line"),
    [(None, "stopped by SIGTERM."), ("runs/a", "stopped by SIGTERM; the run continues with `nas resume runs/a`.")],
)
def test_only_a_command_with_a_run_can_be_resumed(
    run: str | None, line: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise Terminated(15, run)

    monkeypatch.setattr("nas.cli.main.app", stop)
    assert run_command(["tables"]) == 143
    assert capfd.readouterr().err == f"nas: {line}\n"


WORKERS = {  # how to compute in one process
    **dict.fromkeys(["tables search", "tables predict"], " with --workers 1"),
    "score": " with executor.workers=1",
}


def out_of_memory() -> None:
    raise MemoryError("no memory")


def out_of_room() -> None:
    with os_errors_as_input_errors(Path("rows.csv")):
        raise OSError(errno.ENOSPC, "No space left on device")


def out_of_room_unexpectedly() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("failing", "with_run", "without"),
    [
        (
            lambda: run_task(lambda item: out_of_memory(), 0, None),
            "continue with `nas resume RUN executor.workers=1`.",
            "give the command again{workers}.",
        ),
        (out_of_room, "free some space and continue with `nas resume`.", "free some space and give the command again."),
        (out_of_room_unexpectedly, "free some space and `nas resume` the run.", "and give the command again."),
        (interrupt, "interrupted; `nas resume` continues a run, if one was begun.", "nas: interrupted."),
    ],
)
def test_only_for_a_command_with_a_run_an_error_advises_to_resume_it(
    failing: Callable[[], object],
    with_run: str,
    without: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("nas.cli.main.app", lambda *_, **__: failing())
    runs = {"run", "search", "train", "eval", "dps", "transfer", "resume"}
    for words in [command.cli_name().split() for command in COMMANDS.components.values()]:
        run_command([*words, "something"])
        error = capfd.readouterr().err
        if words[0] in runs:
            assert error.endswith(f"{with_run}\n"), words
        else:
            assert error.endswith(f"{without.format(workers=WORKERS.get(' '.join(words), ''))}\n"), words
    for arguments in (["search", "quickstart", "--dry-run"], ["no-such-command"], ["tables"], []):
        run_command(arguments)
        assert "nas resume" not in capfd.readouterr().err
