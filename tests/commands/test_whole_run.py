"""A whole run of `nas run`: its files, its JSON, its report, and what other commands make of it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import TINY, nas, nas_json
from names_and_types import EVALUATION, RUN, SEARCH_COMMAND, TRAINING, TRAINING_ON_EVERYTHING, wrong

from nas.core.data import Dataset, DataSettings, attacked, load
from nas.core.images import unit_range
from nas.core.io.files import write_with_checksum
from nas.eval import hrs, wilson
from nas.results import EvalResult, RunResult, SearchResult, TrainResult
from nas.search_spaces import NASBench201
from nas.train import load_trained

pytestmark = pytest.mark.landing


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, few_digits: str) -> tuple[Path, dict[str, Any]]:
    """A whole tiny run in `runs/quickstart-1` of a folder, and what it printed."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, nas_json("run", "quickstart", *TINY, "eval.attacks=fgsm,pgd3,autoattack", few_digits, cwd=folder)


@pytest.fixture(scope="module")
def digits(few_digits: str) -> Dataset:
    return load(DataSettings(name="npz", root=few_digits.removeprefix("data.root=")))


def test_run_leaves_everything_behind(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, result = finished
    run = folder / "runs" / "quickstart-1"
    assert json.loads((run / "result.json").read_text()) == result
    assert (run / "report.html").stat().st_size > 10_000
    assert [model["name"] for model in result["models"]] == [
        "best-standard",
        "best-pgd",
        "random-standard",
        "random-pgd",
    ]
    assert {"search", "train", "eval", "report", "total"} <= result["seconds"].keys()
    assert result["seeds"]["run"] == 0
    for model in result["models"]:
        assert not Path(model["checkpoint"]).is_absolute()
        torch.load(run / model["checkpoint"], weights_only=True)
        events = list((run / "models" / model["name"] / "tensorboard").glob("events*"))
        assert events
        assert sum(file.stat().st_size for file in events) > 100


def test_names_and_types_of_a_run(finished: tuple[Path, dict[str, Any]]) -> None:
    assert wrong(RunResult, finished[1], *RUN) == []


def test_the_models_of_a_run_are_what_they_are_said_to_be(
    finished: tuple[Path, dict[str, Any]], digits: Dataset
) -> None:
    folder, result = finished
    space = NASBench201()
    sizes = {"channels": 4, "cells_per_stage": 1}
    largest = space.cost(space.largest(), **sizes).params
    part = attacked(digits, 8)
    for model in result["models"]:
        network, trained = load_trained(folder / "runs" / "quickstart-1" / model["checkpoint"])
        assert trained.arch == model["architecture"]
        assert sum(weight.numel() for weight in network.parameters()) == model["params"] <= 0.85 * largest
        with torch.no_grad():
            right = network(unit_range(part.images)).argmax(1) == part.labels
        assert model["correct"]["clean"] == "".join(str(int(flag)) for flag in right)
        assert model["n_test"] == 8
        assert model["clean"] == right.sum().item() / 8
        for attack in ("fgsm", "pgd3", "autoattack"):
            flags = model["correct"][attack]
            assert model["attacks"][attack] == flags.count("1") / 8
            assert all(after <= before for before, after in zip(model["correct"]["clean"], flags))
            assert model["hrs"][attack] == hrs(model["clean"], model["attacks"][attack])
            assert model["intervals"][attack] == list(wilson(flags.count("1"), 8))
    best, random = (result["models"][index]["architecture"] for index in (0, 2))
    assert result["architecture"] == best
    assert space.canonical(space.parse(best)) != space.canonical(space.parse(random))
    weights = [space.cost(space.parse(arch), **sizes).params for arch in (best, random)]
    assert abs(weights[1] - weights[0]) <= 0.1 * weights[0]


def test_report_says_the_same_and_can_be_written_again(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, result = finished
    page = folder / "runs" / "quickstart-1" / "report.html"
    before = page.read_bytes()
    page.unlink()
    assert nas_json("report", "runs/quickstart-1", cwd=folder) == result
    assert page.read_bytes() == before
    both = nas_json("report", "runs/quickstart-1", "runs/quickstart-1", cwd=folder)
    assert both["runs"] == [result, result]
    comparison = both["comparison"]
    assert comparison["page"] == "runs/comparison.html"
    assert (folder / "runs" / "comparison.html").is_file()
    assert [one["name"] for one in comparison["checkpoints"]] == [model["name"] for model in result["models"]]
    pairs = {(row["first"], row["second"]) for row in comparison["differences"]}
    assert len(pairs) == 6  # of four networks on the same images
    alone = nas_json("report", "runs/quickstart-1", "--out", "page.html", cwd=folder)
    assert alone["comparison"] == {**comparison, "page": "page.html"}


def test_run_prints_the_table_and_where_the_report_is(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = finished
    text = nas("report", "runs/quickstart-1", cwd=folder).stdout
    assert "best-pgd" in text
    assert "autoattack" in text
    assert "no difference shown" in text
    assert "Holm's correction for all 20 differences of the result" in text  # four pairs, five accuracies each
    assert "uncorrected 95 % intervals" in text
    assert "report: runs/quickstart-1/report.html" in text


def test_a_run_of_version_0_1_is_reported_corrected_and_resumed_as_it_is(
    finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """Its result calls a difference shown where the uncorrected interval leaves out 0, and has no p."""
    folder, result = finished
    shutil.copytree(folder / "runs" / "quickstart-1", tmp_path / "old")
    old = json.loads(json.dumps(result))
    for row in old["differences"]:
        del row["p"], row["corrected"]
        row["shown"], row["text"] = True, "+99.0 points [+98.0, +99.5]"
    write_with_checksum(tmp_path / "old" / "result.json", old)
    content = (tmp_path / "old" / "result.json").read_bytes()
    assert nas_json("report", "old", cwd=tmp_path) == result
    assert nas("report", "old", cwd=tmp_path).stdout == nas("report", "runs/quickstart-1", cwd=folder).stdout.replace(
        "runs/quickstart-1", "old"
    )
    resumed = nas("resume", "old", "--json", cwd=tmp_path)
    assert json.loads(resumed.stdout) == old
    assert "`nas report old` corrects the verdicts" in resumed.stderr.replace("\n", " ")
    assert "+99.0 points" not in nas("resume", "old", cwd=tmp_path).stdout
    assert (tmp_path / "old" / "result.json").read_bytes() == content
    assert "uncorrected interval" not in nas("resume", "runs/quickstart-1", cwd=folder).stderr


@pytest.mark.slow
@pytest.mark.parametrize("config", ["quickstart", "cifar10-darts-croze"])
def test_search_train_eval_one_after_the_other(config: str, tmp_path: Path) -> None:
    small = ["data.name=digits", "data.size=8", "search.budget=3", "search.ask=2", "train.epochs=1"]
    small += ["proxies.croze.batch_size=4", "eval.n_test=4", "eval.attacks=fgsm", "eval.sweep=[]", "eval.eps=0.1"]
    if config == "quickstart":
        small += ["model.channels=4", "scoring.channels=4"]
    else:
        small += ["model.channels=4", "model.cells=3", "scoring.channels=4", "scoring.cells=3", "train.batch_size=256"]
    searched = nas_json("search", config, *small, cwd=tmp_path)
    assert searched["evaluated"] == 3
    best = searched["best"][0]
    assert set(best) == {"arch", "canonical", "metrics"}
    assert best["metrics"]["croze"] == max(entry["metrics"]["croze"] for entry in searched["best"])
    trained = nas_json("train", searched["run"], "train.method=pgd", "train.steps=1", cwd=tmp_path)
    assert {"checkpoint", "arch", "val_accuracy", "epochs", "seconds"} <= trained.keys()
    assert trained["arch"] == best["arch"]
    assert wrong(SearchResult, searched, *SEARCH_COMMAND) == []
    assert wrong(TrainResult, trained, *(TRAINING if config == "quickstart" else TRAINING_ON_EVERYTHING)) == []
    assert (trained["val_accuracy"] is None) == (config != "quickstart"), "which withholds images"
    entry = nas_json("eval", trained["run"], cwd=tmp_path)
    assert entry["training"] == "pgd"
    assert entry["architecture"] == best["arch"]
    assert entry["n_test"] == 4
    assert wrong(EvalResult, entry, *EVALUATION) == []
    again = nas_json("eval", str(tmp_path / trained["checkpoint"]), "eval.attacks=pgd1", cwd=tmp_path)
    assert again["correct"]["clean"] == entry["correct"]["clean"]
    assert list(again["attacks"]) == ["pgd1"]


def test_a_flipped_bit_in_a_checkpoint_is_noticed(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, result = finished
    content = bytearray((folder / "runs" / "quickstart-1" / result["models"][0]["checkpoint"]).read_bytes())
    content[len(content) // 2] ^= 4
    (tmp_path / "flipped.pt").write_bytes(content)
    done = nas("eval", "flipped.pt", cwd=tmp_path)
    assert done.returncode == 2
    assert "damaged" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("room", ["300k", "700k"])
def test_a_full_disk_is_said_and_the_run_goes_on_later(room: str, tmp_path: Path, few_digits: str) -> None:
    """A real file system that is too small: for the search's store, and for the checkpoints."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        done = nas("run", "quickstart", *TINY, few_digits, "run.dir=disk/run", cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert "disk is full" in done.stderr
        assert "Traceback" not in done.stderr
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        result = nas_json("resume", "disk/run", cwd=tmp_path)
        assert len(result["models"]) == 4
    finally:
        subprocess.run(["umount", str(disk)], check=False)


def test_a_dry_run_of_an_evaluation_is_about_its_checkpoint(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = finished
    run = folder / "runs" / "quickstart-1"
    counts = []
    for name in ("best-standard", "best-pgd"):
        checkpoint = str(run / "models" / name / "best.pt")
        value = nas_json("eval", checkpoint, "eval.attacks=autoattack", "eval.sweep=[]", "--dry-run", cwd=folder)
        counts.append(value["image_passes"]["eval"])
    assert counts[1] > 5 * counts[0], "adversarially trained networks survive, which costs"
    assert [path.name for path in (folder / "runs").iterdir() if path.is_dir()] == ["quickstart-1"]


def test_a_checkpoint_beside_a_foreign_config(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, result = finished
    model = result["models"][0]
    source = folder / "runs" / "quickstart-1" / model["checkpoint"]
    (tmp_path / "best.pt").write_bytes(source.read_bytes())
    (tmp_path / "config.json").write_text('{"model_type": "x"}')
    entry = nas_json("eval", "best.pt", "eval.attacks=fgsm", "eval.n_test=8", "eval.sweep=[]", cwd=tmp_path)
    assert entry["correct"]["clean"] == model["correct"]["clean"]
    assert (tmp_path / "runs" / "eval-best-standard-1" / entry["checkpoint"]).resolve() == tmp_path / "best.pt"
