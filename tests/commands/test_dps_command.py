"""`nas dps`: from a CSV to a settings file that a search takes; killed and resumed; one line for bad input."""

from __future__ import annotations

import random
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import killed_when, nas, nas_json, without_seconds
from names_and_types import DPS, wrong

from nas.results import DpsResult
from nas.search_spaces.nasbench201 import NASBench201

pytestmark = pytest.mark.landing

TINY = (
    "data.size=8",
    "data.name=npz",
    "scoring.channels=2",
    "proxies.eproxy.batch_size=4",
    "proxies.eproxy.c_mid=8",
    "proxies.eproxy.c_out=3",
    "device=cpu",
)
SMALL = (
    "--count=3",
    "--held-out=4",
    "--evaluations=5",
    "--population=2",
    "--tournament=2",
    "--finalists=2",
    "--draws=2",
)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Twelve architectures; how many convolutions they have stands for the accuracy."""
    rng, space = random.Random(3), NASBench201()
    archs = list(dict.fromkeys(str(space.sample(rng)) for _ in range(12)))
    path: Path = tmp_path_factory.mktemp("labels") / "labels.csv"
    rows = [f"{arch},{arch.count('conv') + number / 100}" for number, arch in enumerate(archs)]
    path.write_text("\n".join(["arch,accuracy", *rows]))
    return f"--labels={path}"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, labels: str, few_digits: str) -> tuple[Path, dict[str, Any]]:
    """The folder and result of a run with one worker, never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    arguments = ("dps", "quickstart", labels, *SMALL, "--output=mine.yaml", *TINY, few_digits)
    return folder, nas_json(*arguments, "executor.workers=1", "run.dir=run", cwd=folder)


def settings_evaluated(run: Path) -> int:
    if not (run / "store.sqlite").exists():
        return 0
    try:
        with sqlite3.connect(f"file:{run / 'store.sqlite'}?mode=ro", uri=True, timeout=1) as connection:
            return connection.execute("SELECT COUNT(*) FROM history").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def test_the_result(whole: tuple[Path, dict[str, Any]], few_digits: str) -> None:
    folder, result = whole
    assert wrong(DpsResult, result, *DPS) == []
    assert result["evaluated"] == 5
    assert result["labels"]["count"] == 3
    assert result["held_out"]["count"] == 4
    assert -1 <= result["held_out"]["dps"]["spearman"] <= 1
    assert 0 <= result["held_out"]["plain"]["top10"] <= 1
    assert Path(result["file"]) == folder / "mine.yaml"
    assert (folder / "run" / "eproxy.yaml").read_text() == (folder / "mine.yaml").read_text()
    values = yaml.safe_load((folder / "mine.yaml").read_text())
    assert values["lr"] == result["options"]["lr"]
    assert (values["batch_size"], values["c_out"]) == (4, 3)
    search = ("search", "quickstart", "objective=eproxy", "objective.settings=mine.yaml", "search.budget=2")
    small = ("data.size=8", "data.name=npz", few_digits, "scoring.channels=2", "model.channels=2", "device=cpu")
    found = nas_json(*search, *small, "executor.workers=1", cwd=folder)
    assert found["objective"] == "eproxy"
    assert [entry["metrics"]["eproxy"] for entry in found["best"]] == sorted(
        entry["metrics"]["eproxy"] for entry in found["best"]
    )


@pytest.mark.slow
def test_kill_and_resume_with_another_number_of_workers(
    tmp_path: Path, whole: tuple[Path, dict[str, Any]], labels: str, few_digits: str
) -> None:
    run = tmp_path / "run"
    arguments = ("dps", "quickstart", labels, *SMALL, "--output=mine.yaml", *TINY, few_digits)
    code = killed_when(
        lambda: settings_evaluated(run) >= 3, *arguments, "executor.workers=2", "run.dir=run", cwd=tmp_path
    )
    assert code == -signal.SIGKILL
    assert not (run / "result.json").exists()
    assert not (tmp_path / "mine.yaml").exists()
    result = nas_json("resume", "run", "executor.workers=1", cwd=tmp_path)
    assert (tmp_path / "mine.yaml").read_text() == (whole[0] / "mine.yaml").read_text()
    places = ("file", "run")
    first, second = ({k: v for k, v in without_seconds(one).items() if k not in places} for one in (result, whole[1]))
    assert first == second


def test_bad_input_is_one_line_and_leaves_nothing(tmp_path: Path, whole: tuple[Path, dict[str, Any]]) -> None:
    (tmp_path / "labels.csv").write_text("arch,accuracy\n|x|,1\n")
    done = nas("dps", "quickstart", "--labels=labels.csv", "run.dir=run", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("nas: Line 2 of labels.csv")
    assert len(done.stderr.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.csv"]


def test_wrong_options_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: str, capsys: Any) -> None:
    from nas.cli.main import run_command

    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.yaml").write_text("")
    for options, said in (
        (("--output=there.yaml",), "new file ending in .yaml"),
        (("--output=mine.txt",), "new file ending in .yaml"),
        (("--evaluations=0",), "--evaluations"),
        (("--tournament=50",), "--tournament"),
        (("--draws=0",), "--draws"),
        (("--count=999",), "at least 999"),
        (("--count=4", "proxies.eproxy.batch_size=5000"), "batch"),
        (("extra",), "key=value"),
    ):
        assert run_command(["dps", "quickstart", labels, *options]) == 2
        assert said in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there.yaml"]
