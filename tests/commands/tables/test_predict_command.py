"""`nas tables predict`: its JSON, its files, its text, and one line for what the user can mend."""

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
from nas.commands.tables.predict import _cell
from nas.search_spaces import NASBench201

SPACE = NASBench201()
N = 80
TABLE = ["--robustness", "data", "--dataset", "tiny"]
FOREST = [*TABLE, "--scores", "scores.csv"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A robustness folder of 80 classes (data/tiny) and scores of them."""
    folder = tmp_path_factory.mktemp("predict")
    rng, draws = np.random.default_rng(0), Random(0)
    cells = list(dict.fromkeys(str(SPACE.canonical(SPACE.sample(draws))) for _ in range(2 * N)))[:N]
    size = np.argsort(np.argsort([SPACE.cost(SPACE.parse(text)).params for text in cells])) / N
    clean = np.round(0.2 + 0.5 * size + 0.05 * rng.uniform(size=N), 3)
    values = {"clean": clean, "fgsm@Linf": np.stack([clean / 2, clean / 4], axis=1)}
    write_robustness(folder / "data", "tiny", cells, values, {"fgsm@Linf": [1.0, 4.0]})
    lines = ["arch,canonical,good,noise,seconds,reason"]
    for row, text in enumerate(cells):
        lines.append(f"{text},{text},{size[row] if row else ''},{rng.normal()},0.1,")
    (folder / "scores.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.landing
def test_json_and_files(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    inputs = ["--robustness", str(folder / "data"), "--dataset", "tiny", "--scores", str(folder / "scores.csv")]
    outputs = ["--csv", "new/table.csv", "--plot", "gini.png", "--study", "--workers", "1", "--json"]
    assert run_command(["tables", "predict", *inputs, *outputs, "--splits", "2"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert result["n"] == N - 1
    assert result["dropped"]["failed"] == 1
    assert (result["model"], result["features"], result["dataset"]) == ("forest", "proxies", "tiny")
    assert list(result["r2"]) == list(result["r2_sd"]) == ["clean", "fgsm", "clean+fgsm"]
    assert result["r2"]["clean"] > 0.8
    assert set(result["importances"]["clean"]) == {"good", "noise"}
    assert result["study"]["fgsm"]["top"] == "good"
    assert result["study"]["fgsm"]["alone"] > result["study"]["fgsm"]["without"]
    rows = list(csv.DictReader((tmp_path / "new/table.csv").read_text().splitlines()))
    assert list(rows[0]) == [
        *("part", "target", "labelled", "feature", "r2", "r2_sd", "kendall", "kendall_sd", "importance")
    ]
    assert float(rows[0]["r2"]) == result["r2"]["clean"]
    with Image.open(tmp_path / "gini.png") as image:
        image.load()
        assert min(image.size) > 300
    assert sorted(os.listdir(tmp_path)) == ["gini.png", "new"]


@pytest.mark.landing
def test_the_graph_needs_no_scores(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    command = ["tables", "predict", *TABLE, "--features", "graph", "--splits", "paper", "--workers", "1", "--json"]
    assert run_command([*command, "--targets", "clean,fgsm@4,fgsm,clean+fgsm"]) == 0
    printed = capfd.readouterr().out
    result = json.loads(printed)
    assert (result["n"], result["model"]) == (N, "auto")
    assert list(result["r2"]) == ["clean", "fgsm@4", "fgsm", "clean+fgsm"]
    assert result["r2_sd"] == dict.fromkeys(result["r2"], 0)
    assert run_command([*command, "--targets", "clean,fgsm@4,fgsm,clean+fgsm"]) == 0
    assert capfd.readouterr().out == printed


@pytest.mark.landing
def test_the_text_for_people(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("nas.studies.predict.CURVE_SEEDS", 2)
    more = ["--splits", "2", "--curves", "--study", "--model", "extra-trees", "--workers", "1"]
    assert run_command(["tables", "predict", *FOREST, *more]) == 0
    text = capfd.readouterr().out
    for words in (
        "79 classes of tiny; extra-trees on 2 features",
        "clean+fgsm",
        "±",
        "it alone",
        "R² by the number of labelled",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("mean", "sd", "text"),
    [
        (0.123, None, ".123"),
        (-0.5, 0.25, "-.500 ± .250"),
        (-10.123, 20.5, "-10.123 ± 20.500"),
        (100.0, 0.0, "100.000 ± .000"),
        (None, None, "-"),
    ],
)
def test_only_a_leading_zero_is_left_out(mean: float | None, sd: float | None, text: str) -> None:
    assert _cell(mean, sd) == text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give --robustness"),
        (TABLE, "--scores for --features proxies"),
        ([*TABLE, "--features", "grahp"], "did you mean 'graph'"),
        ([*FOREST, "--model", "forrest"], "did you mean 'forest'"),
        ([*FOREST, "--splits", "0"], "between 1 and 1000"),
        ([*FOREST, "--splits", "papre"], "--splits of paper"),
        ([*FOREST, "--targets", "claen"], "did you mean 'clean'"),
        ([*FOREST, "--targets", "fgsm@7"], "there are 1, 4"),
        ([*FOREST, "--targets", "clean+clean"], "different ones joined"),
        ([*FOREST, "--proxies", "goood"], "did you mean 'good'"),
        ([*FOREST, "--seed", "-1"], "--seed of 0 or more"),
        ([*FOREST, "--workers", "0"], "--workers between"),
        ([*FOREST, "--plot", "gini.jpeg"], ".png"),
        ([*FOREST, "--csv", "data"], "data is a folder"),
        ([*FOREST, "--csv", "./scores.csv"], "is one to read"),
        ([*TABLE, "--scores", "missing.csv"], "missing.csv but there is no such file"),
        ([*TABLE, "--features", "graph", "--proxies", "good"], "no --proxies"),
        ([*FOREST, "--study", "--model", "kernel"], "a model with importances"),
        ([*FOREST, "--proxies", "good", "--study", "--splits", "1", "--workers", "1"], "two features"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], words: str, folder: Path, refused: Callable[[Path, list[str], str], None]
) -> None:
    refused(folder, ["tables", "predict", *arguments], words)


def test_help_teaches(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command(["tables", "predict", "--help"]) == 0
    text = " ".join(capfd.readouterr().out.split())
    assert "`nas tables predict " in text
    assert "--splits" in text
