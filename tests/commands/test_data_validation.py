"""Commands without validation images: what is refused, what is null, and networks of before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import IDLE, TINY, nas, nas_json

from nas.core.io import checkpoint
from nas.core.io.files import write_with_checksum

pytestmark = pytest.mark.landing

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
SMALL = (*TINY, "model.channels=2", "model.cells_per_stage=1", "executor.workers=1", "device=cpu", "eval.attacks=fgsm")
NONE = ("data.validation=0", "train.select=last")
TRAIN = tuple(text for text in SMALL if not text.startswith(("search.", "strategy.", "scoring.")))
VALIDATED = ("train.validation_steps=2",)  # acts only where images are withheld
TRAINED_LABELS = tuple(text for text in SMALL if not text.startswith("scoring.") and text not in VALIDATED)
STANDARD = tuple(text for text in TRAIN if not text.startswith(IDLE))


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [
        ("train", ("data.validation=0",), "set train.select=last"),
        ("run", (*NONE, "objective=trained:fgsm"), "measured on validation images"),
        ("train", ("data.validation=240",), "leave images to train on but got 240 of 240"),
    ],
)
def test_refused_before_anything_is_written(
    command: str, arguments: tuple[str, ...], words: str, few_digits: str, tmp_path: Path
) -> None:
    chosen = (f"arch={CELL}", *STANDARD) if command == "train" else TRAINED_LABELS
    done = nas(command, "quickstart", *chosen, few_digits, *arguments, "run.dir=run", cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1, "one line"
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, few_digits: str) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("trained")
    words = (
        "quickstart",
        f"arch={CELL}",
        *(text for text in TRAIN if text not in VALIDATED),
        few_digits,
        "train.method=pgd",
        *NONE,
    )
    return folder, nas_json("train", *words, "run.dir=run", cwd=folder)


def test_a_training_on_all_images(trained: tuple[Path, dict[str, Any]]) -> None:
    folder, result = trained
    unknown = {"val_accuracy": None, "val_robust_accuracy": None}
    assert {key: result[key] for key in unknown} == unknown == {key: result["final"][key] for key in unknown}
    assert (result["chosen_epoch"], result["epochs"]) == (2, 2)
    assert set(result["provenance"]["data_sha256"]) == {"train", "test"}
    assert "NaN" not in (folder / "run/result.json").read_text()
    best, final = (checkpoint.load(folder / f"run/models/model/{name}.pt", "network") for name in ("best", "final"))
    assert all(torch.equal(best["weights"][name], final["weights"][name]) for name in final["weights"])
    assert best["network"]["data"]["validation"] == 0


def test_what_a_person_reads(trained: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = trained
    done = nas("resume", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "no image was withheld for validation" in done.stdout
    assert "None" not in done.stdout
    assert nas("report", "run", cwd=folder).returncode == 0
    page = (folder / "run/report.html").read_text()
    assert "none withheld for validation" in page
    assert "training loss" in page
    assert "validation accuracy (%)" not in page


def test_the_network_is_evaluated_on_the_same_test_images(
    trained: tuple[Path, dict[str, Any]], few_digits: str, tmp_path: Path
) -> None:
    """Also where its checkpoint is of before and does not say how many images were withheld."""
    folder, _ = trained
    path = folder / "run/models/model/best.pt"
    payload = checkpoint.load(path, "network")
    del payload["network"]["data"]["validation"]
    checkpoint.save(tmp_path / "old.pt", payload)
    words = ("eval.attacks=fgsm", "eval.n_test=30", "executor.workers=1", "device=cpu", "eval.sweep=[]")
    one = nas_json("eval", str(path), *words, cwd=tmp_path)
    two = nas_json("eval", str(tmp_path / "old.pt"), *words, cwd=tmp_path)
    assert one["fingerprint"] == two["fingerprint"]
    assert one["correct"] == two["correct"]
    kept = [json.loads(file.read_text())["settings"]["data"] for file in sorted(tmp_path.glob("runs/*/config.json"))]
    assert sorted(data["validation"] for data in kept) == [0, 0.1]


def test_a_supernet_reports_no_accuracy_and_takes_the_last_epoch(few_digits: str, tmp_path: Path) -> None:
    words = (
        *("data.size=8", "data.name=npz", few_digits, "data.validation=0", "device=cpu", "executor.workers=1"),
        *("strategy.name=rnas-max", "strategy.epochs=2", "strategy.warm_up=1", "strategy.steps=1"),
        *("supernet.channels=2", "supernet.cells_per_stage=1", "run.dir=run"),
    )
    result = nas_json("search", "quickstart", *words, cwd=tmp_path)
    assert result["chosen_epoch"] == 2
    assert result["best"][0]["arch"] == result["epochs"][-1]["architecture"]
    assert set(result["best"][0]["metrics"].values()) == {None}
    assert all(row["val_accuracy"] is row["val_robust_accuracy"] is None for row in result["epochs"])
    done = nas("resume", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "val_" not in done.stdout
    assert nas("report", "run", cwd=tmp_path).returncode == 0
    page = (tmp_path / "run/report.html").read_text()
    assert "loss of the weights" in page
    assert "validation accuracy" not in page


def test_a_run_of_before_goes_on_to_the_same_numbers(few_digits: str, tmp_path: Path) -> None:
    """Its config.json has no data.validation; its data must be found unchanged."""
    words = ("quickstart", f"arch={CELL}", *STANDARD, few_digits)
    whole = nas_json("train", *words, "run.dir=run", cwd=tmp_path)
    about = json.loads((tmp_path / "run/config.json").read_text())
    del about["settings"]["data"]["validation"]
    write_with_checksum(tmp_path / "run/config.json", about)
    (tmp_path / "run/result.json").unlink()
    (tmp_path / "run/result.json.sha256").unlink()
    again = nas_json("resume", "run", cwd=tmp_path)
    for key in ("val_accuracy", "chosen_epoch"):
        assert again[key] == whole[key]
    for key in ("settings_sha256", "data_sha256"):
        assert again["provenance"][key] == whole["provenance"][key]
