"""Every command: its JSON, its files, and one clear line with exit code 2 for what the user can mend."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import TINY, TINY_TRAIN, nas, nas_json
from names_and_types import EVALUATION, RUN, SEARCH_COMMAND, TRAINING, TRAINING_ON_EVERYTHING, wrong

from nas import __version__
from nas.cli.main import run_command
from nas.core.data import Dataset, DataSettings, attacked, load
from nas.core.images import unit_range
from nas.core.io.files import write_with_checksum
from nas.eval import hrs, wilson
from nas.results import EvalResult, RunResult, SearchResult, TrainResult
from nas.search_spaces import SPACES, NASBench201
from nas.train import load_trained

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
NOTHING = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
GENOTYPE = (
    "Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), ('sep_conv_3x3', 1), "
    "('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 2)], "
    "normal_concat=range(2, 6), reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), "
    "('max_pool_3x3', 0), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)], "
    "reduce_concat=range(2, 6))"
)


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
    assert "`nas report old` corrects it" in resumed.stderr.replace("\n", " ")
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
    listed = nas_json("list", "proxies", cwd=tmp_path)
    published = "grad_norm snip grasp fisher synflow plain l2_norm jacov epe_nas nwot zen zico jacob_fro hessian"
    assert {row["name"] for row in listed} == {
        *published.split(), "flops", "params", "croze", "croze_official", "eproxy"
    }  # fmt: skip
    assert all(row["source"] and row["domain"] in ("linear", "log") and row["passes"] >= 0 for row in listed)
    assert all(row["description"] for row in rows)


@pytest.mark.parametrize("command", ["run", pytest.param("search", marks=pytest.mark.slow), "train"])
def test_a_dry_run_forecasts_and_writes_nothing(command: str, tmp_path: Path, few_digits: str) -> None:
    tiny = [*TINY_TRAIN, f"arch={CELL}"] if command == "train" else TINY
    value = nas_json(command, "quickstart", *tiny, few_digits, "--dry-run", cwd=tmp_path)
    assert value["seconds"]["total"] > 0
    assert not list(tmp_path.iterdir())


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
        (["report", "nowhere"], "config.json"),
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


def test_a_dry_run_keeps_nothing_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for label in range(10):
        folder = tmp_path / "images" / f"class{label}"
        folder.mkdir(parents=True)
        for number in range(12):
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    cache = tmp_path / "cache"
    monkeypatch.setenv("NAS_CACHE", str(cache))
    data = ["data.name=imagefolder", f"data.root={tmp_path / 'images'}"]
    arguments = ["search", "quickstart", *TINY, *data, "proxies.croze.batch_size=4", "search.budget=2"]
    nas_json(*arguments, "--dry-run", cwd=tmp_path)
    assert not cache.exists()
    nas_json(*arguments, "executor.workers=1", cwd=tmp_path)
    assert list(cache.rglob("*.images"))


def test_a_checkpoint_beside_a_foreign_config(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, result = finished
    model = result["models"][0]
    source = folder / "runs" / "quickstart-1" / model["checkpoint"]
    (tmp_path / "best.pt").write_bytes(source.read_bytes())
    (tmp_path / "config.json").write_text('{"model_type": "x"}')
    entry = nas_json("eval", "best.pt", "eval.attacks=fgsm", "eval.n_test=8", "eval.sweep=[]", cwd=tmp_path)
    assert entry["correct"]["clean"] == model["correct"]["clean"]
    assert (tmp_path / "runs" / "eval-best-standard-1" / entry["checkpoint"]).resolve() == tmp_path / "best.pt"


def test_the_versions(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--version"]) == 0
    assert capfd.readouterr().out == f"nas {__version__}, torch {torch.__version__}\n"


def test_nas_alone_prints_its_help(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command([]) in (0, 2)
    assert "Commands:" in capfd.readouterr().out
