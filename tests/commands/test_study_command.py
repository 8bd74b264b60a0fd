"""`nas run CONFIG seeds=N`: the runs of N seeds, resumable; other commands have no such setting."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from commands import TINY, killed_when, nas_json, without_seconds
from names_and_types import STUDY, wrong

from nas.cli.main import run_command
from nas.results import StudyResult

pytestmark = pytest.mark.landing

SMALL = (
    *(text for text in TINY if not text.startswith(("eval.", "search.", "train."))),
    *(
        "search.budget=4",
        "search.ask=4",
        "train.epochs=1",
        "train.batch_size=64",
        "run.trainings=standard",
        "executor.workers=1",
    ),
    *("eval.n_test=8", "eval.batch_size=4", "eval.attacks=fgsm,pgd2", "eval.sweep=[]", "eval.eps=0.05"),
)
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"


def in_process(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> Any:
    assert run_command([*arguments, "--json"]) == 0
    return json.loads(capfd.readouterr().out)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, few_digits: str) -> tuple[Path, dict[str, Any]]:
    """The folder in which a study of two seeds ran, and its result."""
    folder = tmp_path_factory.mktemp("study")
    return folder, nas_json("run", "quickstart", *SMALL, few_digits, "seed=4", "seeds=2", "run.dir=whole", cwd=folder)


def test_a_study_is_the_runs_of_its_seeds(
    whole: tuple[Path, dict[str, Any]], few_digits: str, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, study = whole
    assert study["seeds"] == [4, 5]
    assert wrong(StudyResult, study, *STUDY) == []
    alone = nas_json("run", "quickstart", *SMALL, few_digits, "seed=5", "run.dir=alone", cwd=folder)
    second = json.loads((folder / "whole" / "seed-5" / "result.json").read_text())
    assert without_seconds(second) == without_seconds(alone)
    for number, model in enumerate(alone["models"]):
        assert study["models"][number]["metrics"]["fgsm"]["values"][1] == model["attacks"]["fgsm"]
        assert study["models"][number]["architectures"][1] == model["architecture"]
    assert {row["metric"] for row in study["tests"]} == {"clean", "fgsm", "pgd2", "hrs:fgsm", "hrs:pgd2"}
    assert study["smallest_p_flip"] == 0.5
    assert (folder / "whole" / "report.html").stat().st_size > 5000
    for arguments in (["train"], ["eval"], ["export", "net"]):
        command, *rest = arguments
        assert run_command([command, str(folder / "whole"), *rest]) == 2
        assert "whole/seed-4" in capfd.readouterr().err


@pytest.mark.slow
def test_a_killed_study_goes_on_to_the_same_result(
    whole: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    few_digits: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    run, data = tmp_path / "run", tmp_path / "digits.npz"
    shutil.copy(few_digits.removeprefix("data.root="), data)
    code = killed_when(
        lambda: any((run / "seed-5").glob("models/*/last.pt")),
        *("run", "quickstart", *SMALL, f"data.root={data}", "seed=4", "seeds=2", "run.dir=run"),
        cwd=tmp_path,
    )
    assert code == -9
    assert (run / "seed-4" / "result.json").exists()
    assert not (run / "result.json").exists()
    before = (run / "seed-4" / "store.sqlite").stat().st_mtime_ns
    data.rename(tmp_path / "moved.npz")
    monkeypatch.chdir("/")
    again = in_process(["resume", str(run), f"data.root={tmp_path / 'moved.npz'}"], capfd)
    monkeypatch.chdir(tmp_path)
    assert without_seconds(again) == without_seconds(whole[1])
    assert (run / "seed-4" / "store.sqlite").stat().st_mtime_ns == before, "a finished repetition is left alone"
    text = run_command(["resume", "run"]), capfd.readouterr().out
    assert text[0] == 0
    assert "cannot give less than 0.5 with 2 seeds" in text[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "quickstart"],
        ["train", "quickstart", f"arch={CELL}"],
        ["score", CELL],
        ["eval", "torchvision:resnet18", "data.name=digits"],
    ],
)
def test_other_commands_have_no_seeds(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command([*arguments, "seeds=3"]) == 2
    assert "seeds" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_dry_run_multiplies(
    tmp_path: Path, few_digits: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    once, thrice = (
        in_process(["run", "quickstart", *SMALL, few_digits, *more, "--dry-run"], capfd) for more in ([], ["seeds=3"])
    )
    for stage, count in once["image_passes"].items():
        assert thrice["image_passes"][stage] == pytest.approx(3 * count, abs=2)  # rounded after the product
    assert (once["seeds"], thrice["seeds"]) == (1, 3)
    assert not list(tmp_path.iterdir())
