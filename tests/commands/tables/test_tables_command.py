"""`nas tables correlate`: its JSON, its files, its table, and one line for what the user can mend."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image
from robustness_folder import write_robustness

from nas.cli.main import run_command
from nas.search_spaces import NASBench201

SPACE = NASBench201()
N = 60
PARTIAL = ("partial_given_params", "partial_low", "partial_high")
CELL = {"spearman", "low", "high", "kendall", *PARTIAL}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A robustness folder of 60 classes (data/tiny), scores of them, and both kinds of accuracies as CSV."""
    folder = tmp_path_factory.mktemp("tables")
    rng, draws = np.random.default_rng(0), Random(0)
    cells = list(dict.fromkeys(str(SPACE.canonical(SPACE.sample(draws))) for _ in range(2 * N)))[:N]
    size = np.argsort(np.argsort([SPACE.cost(SPACE.parse(text)).params for text in cells])) / N
    clean = np.round(0.2 + 0.5 * size + 0.2 * rng.uniform(size=N), 3)
    values = {"clean": clean, "fgsm@Linf": np.stack([clean / 2, clean / 4], axis=1)}
    write_robustness(folder / "data", "tiny", cells, values, {"fgsm@Linf": [1.0, 8.0]})
    good = clean + 0.05 * rng.normal(size=N)
    lines = ["arch,canonical,good,flops,seconds,reason"]
    for row, text in enumerate(cells):
        failed = row == 0
        lines.append(f"{text},{text},{'' if failed else good[row]},{size[row]},0.1,{'good: why' if failed else ''}")
    (folder / "scores.csv").write_text("\n".join(lines) + "\n")
    rows = [f"{text},{row},{value}" for row, (text, value) in enumerate(zip(cells, clean))]
    (folder / "accuracy.csv").write_text("\n".join(["arch_str,index,tiny_test_acc", *rows]) + "\n")
    rows = [f"{text},{value},{value / 2},{value / 3},{value / 4}" for text, value in zip(cells, clean)]
    header = "arch_str,tiny#val_acc,tiny#val_fgsm_8_acc,tiny#val_pgd_8_acc,tiny#autoattack"
    (folder / "robbench.csv").write_text("\n".join([header, *rows]) + "\n")
    rows = [f"{text},{1 + place}" for text, place in zip(cells, size)]
    (folder / "latency.csv").write_text("\n".join(["arch_str,fpga_latency", *rows]) + "\n")
    (folder / "broken.csv").write_text("arch,good\nx\n")
    (folder / "genotypes.csv").write_text("arch,good\nGenotype(),1\n")
    return folder


def test_json_and_files(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tau.png").write_text("old")
    os.chmod(tmp_path / "tau.png", 0o644)
    inputs = [str(folder / "scores.csv"), "--robustness", str(folder / "data"), "--dataset", "tiny"]
    more = [
        "--accuracy",
        str(folder / "accuracy.csv"),
        "--robbench",
        str(folder / "robbench.csv"),
        "--against",
        "params",
    ]
    outputs = ["--csv", "new/table.csv", "--plot", "tau.png", "--bootstrap", "100", "--json"]
    assert run_command(["tables", "correlate", *inputs, *more, *outputs]) == 0
    printed = capfd.readouterr()
    result = json.loads(printed.out)
    assert result["n"] == N - 1
    assert result["dropped"]["failed"] == 1
    assert result["failed"] == {"good": 1, "flops": 0}
    assert result["columns"] == [
        *("clean", "fgsm@1", "fgsm@8", "accuracy:tiny_test_acc"),
        *("robbench:clean", "robbench:fgsm@8", "robbench:pgd@8", "robbench:autoattack"),
        *("robbench:hrs:fgsm@8", "robbench:hrs:pgd@8"),
    ]
    assert set(result["proxies"]) == {"good", "flops"}
    for cells in result["proxies"].values():
        assert list(cells) == result["columns"]
        assert all(set(cell) == CELL for cell in cells.values())
        assert cells["clean"] == cells["accuracy:tiny_test_acc"] == cells["robbench:autoattack"]
    assert result["differences"]["good"]["params"]["clean"]["difference"] > 0
    assert any(line.startswith("flops: ranks nearly as size does") for line in result["warnings"])
    rows = list(csv.DictReader((tmp_path / "new/table.csv").read_text().splitlines()))
    assert list(rows[0]) == [*("proxy", "column", "n", "spearman", "low", "high", "kendall"), *PARTIAL]
    assert len(rows) == 2 * len(result["columns"])
    assert float(rows[0]["spearman"]) == result["proxies"]["good"]["clean"]["spearman"]
    with Image.open(tmp_path / "tau.png") as picture:
        picture.load()
        assert min(picture.size) > 300
    assert sorted(os.listdir(tmp_path)) == ["new", "tau.png"]


def test_the_table_for_people(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    command = ["tables", "correlate", "scores.csv", "--robustness", "data", "--dataset", "tiny", "--bootstrap", "100"]
    for width in ("400", "40"):
        monkeypatch.setenv("COLUMNS", width)
        assert run_command(command) == 0
        text = capfd.readouterr().out
        assert "59 classes of isomorphic cells; of 60 rows 1 have a proxy that failed (failed: good 1)" in text
        assert "taken as higher is better (not in `nas list proxies`): good" in text
        assert "warning: flops: ranks nearly as size does" in text
        assert "Spearman's rho ± half its uncorrected 95 % interval; in brackets where" in text
        assert "Spearman's rho given params ± half its uncorrected 95 % interval; in brackets where" in text
        assert "(params)" in text, "size stands beside the proxies where it is not one of them"
        table = text.partition("Spearman's rho ±")[2].partition("warning:")[0]
        assert all(len(line) <= int(width) for line in table.splitlines()[1:] if "±" in line and "half" not in line)
        for word in ("clean", "fgsm@1", "fgsm@8"):
            assert table.count(word) == 3


def test_the_same_seed_gives_the_same_numbers(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = ["tables", "correlate", str(folder / "scores.csv"), "--robbench", str(folder / "robbench.csv")]
    command += ["--dataset", "tiny", "--columns", "robbench:clean", "--bootstrap", "60", "--json"]
    texts = []
    for seed in ("0", "0", "1"):
        assert run_command([*command, "--seed", seed]) == 0
        texts.append(capfd.readouterr().out)
    assert texts[0] == texts[1] != texts[2]


def test_latencies_and_the_suites_own_json(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of which lower is better is not turned: what grows with size grows with latency."""
    monkeypatch.chdir(folder)
    zero, conv = "(1, 1, 1, 1, 1, 1)", "(2, 2, 2, 2, 2, 2)"
    scores = {code: {"nwot": {"score": row}} for row, code in enumerate((zero, conv.replace("2", "3"), conv))}
    (tmp_path / "zc.json").write_text(json.dumps({"tiny": scores}))
    command = ["tables", "correlate", "scores.csv", "--latency", "latency.csv", "--bootstrap", "40", "--json"]
    assert run_command(command) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["columns"] == ["fpga_latency"]
    assert found["proxies"]["flops"]["fpga_latency"]["spearman"] == 1
    command[2] = str(tmp_path / "zc.json")
    assert run_command(command) == 2
    assert "'cifar10' in" in capfd.readouterr().err
    assert run_command([*command, "--dataset", "tiny"]) == 2
    assert "at least 3 architectures" in capfd.readouterr().err


TABLE = ["--robustness", "data", "--dataset", "tiny"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["scores.csv"], "give --robustness"),
        ([], "Missing argument"),
        (["missing.csv", *TABLE], "missing.csv but there is no such file"),
        (["broken.csv", *TABLE], "broken.csv is damaged"),
        (["genotypes.csv", *TABLE], "genotypes.csv, architecture 1: Expected a NAS-Bench-201 cell"),
        (["scores.csv", "scores.csv", *TABLE], "more than once"),
        (["scores.csv", "--robustness", "nowhere"], "meta.json but there is no such file"),
        (["scores.csv", "--robustness", "data", "--dataset", "tinny"], "did you mean 'tiny'"),
        (["scores.csv", "--accuracy", "missing.csv"], "missing.csv but there is no such file"),
        (["scores.csv", "--robbench", "robbench.csv"], "but it has tiny"),
        (["scores.csv", "--latency", "missing.csv"], "missing.csv but there is no such file"),
        (["scores.csv", "--latency", "accuracy.csv"], "no column is called DEVICE_latency"),
        (["scores.csv", "--latency", "latency.csv", "--columns", "fpga"], "did you mean 'fpga_latency'"),
        (["scores.csv", *TABLE, "--columns", "fgsm@7"], "there are 1, 8"),
        (["scores.csv", *TABLE, "--columns", "claen"], "did you mean 'clean'"),
        (["scores.csv", *TABLE, "--columns", "fog"], "fog_accuracy.json but there is no such file"),
        (["scores.csv", *TABLE, "--columns", "pgd@*"], "there are only clean, fgsm@*"),
        (["scores.csv", *TABLE, "--proxies", "goood"], "did you mean 'good'"),
        (["scores.csv", *TABLE, "--against", "goood"], "did you mean 'good'"),
        (["scores.csv", *TABLE, "--bootstrap", "5"], "at least 40"),
        (["scores.csv", *TABLE, "--plot", "tau.jpeg"], ".png"),
        (["scores.csv", *TABLE, "--csv", "data"], "data is a folder"),
        (["scores.csv", *TABLE, "--csv", "./scores.csv"], "is one to read"),
        (["scores.csv", *TABLE, "--csv", "scores.csv/x.csv"], "scores.csv/x.csv"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], words: str, folder: Path, refused: Callable[[Path, list[str], str], None]
) -> None:
    refused(folder, ["tables", "correlate", *arguments], words)


def test_help_teaches(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command(["tables", "correlate", "--help"]) == 0
    text = " ".join(capfd.readouterr().out.split())
    assert "`nas tables correlate " in text
    assert "--json" in text
    run_command(["tables"])
    assert "correlate" in capfd.readouterr().out


def test_what_nas_score_writes_is_read(data_dir: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tables = ["--robustness", str(data_dir / "robustness-dataset"), "--columns", "clean,weather", "--bootstrap", "40"]
    found = []
    for name in ("scores.csv", "scores.jsonl"):
        path = str(tmp_path / name)
        assert run_command(["score", "--sample", "40", "--unique", "--proxies", "params,flops", "--output", path]) == 0
        capfd.readouterr()
        assert run_command(["tables", "correlate", path, *tables, "--json"]) == 0
        found.append(json.loads(capfd.readouterr().out))
    assert found[0] == found[1]
    assert found[0]["proxies"]["params"]["clean"]["spearman"] > 0.5
    assert found[0]["turned"] == found[0]["unknown_direction"] == []
