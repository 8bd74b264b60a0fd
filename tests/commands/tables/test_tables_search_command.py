"""`nas tables search`: its JSON, its files, its table, and one line for what the user can mend."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from robustness_folder import write_robustness

from nas.cli.main import run_command
from nas.commands.tables.search import TableSearch, _text
from nas.search_spaces import NASBench201
from nas.studies.table_search_result import (
    Feasible,
    ObjectiveResult,
    Quartiles,
    Reached,
    Spread,
    StrategyResult,
    TableSearchResult,
)

SPACE = NASBench201()
N = 6466
TABLE = ["--robustness", "data", "--dataset", "tiny"]
QUICK = [*TABLE, "--queries", "20", "--seeds", "3", "--workers", "1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A robustness folder of all classes (data/tiny), and latencies of them."""
    folder = tmp_path_factory.mktemp("tables")
    cells = list(dict.fromkeys(str(SPACE.canonical(cell)) for cell in SPACE))
    rng = np.random.default_rng(0)
    clean = np.round(0.1 + 0.8 * rng.uniform(size=N), 3)
    values = {"clean": clean, "fgsm@Linf": np.stack([clean / 2, clean / 4], axis=1)}
    write_robustness(folder / "data", "tiny", cells, values, {"fgsm@Linf": [1.0, 8.0]})
    rows = [f"{text},{5 + 3 * value}" for text, value in zip(cells, rng.uniform(size=N))]
    (folder / "latency.csv").write_text("\n".join(["arch_str,edgegpu_latency", *rows]) + "\n")
    return folder


@pytest.mark.landing
def test_json_and_files(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    inputs = ["--robustness", str(folder / "data"), "--dataset", "tiny", "--queries", "25", "--seeds", "12"]
    more = ["--objective", "fgsm@1,clean", "--strategy", "random,local", "--workers", "1", "--ask", "2"]
    assert run_command(["tables", "search", *inputs, *more, "--csv", "new/t.csv", "--plot", "r.png", "--json"]) == 0
    printed = capfd.readouterr()
    result = json.loads(printed.out)
    assert list(result) == [
        *("dataset", "queries", "seeds", "n_classes", "columns"),
        *("optimum", "objectives", "strategies"),
    ]
    assert (result["dataset"], result["queries"], result["seeds"], result["n_classes"]) == ("tiny", 25, 12, N)
    assert result["columns"] == ["clean", "fgsm@1", "hrs:fgsm@1"]
    assert list(result["objectives"]) == ["fgsm@1", "clean"]
    assert result["strategies"] == result["objectives"]["fgsm@1"]["strategies"]
    for cells in result["strategies"].values():
        assert cells["clean"]["mean"] == pytest.approx(2 * cells["fgsm@1"]["mean"])
        assert 0 < cells["fgsm@1"]["mean"] <= result["optimum"]["fgsm@1"]
        assert len(cells["regret"]) == len(cells["regret_quartiles"]["low"]) == 25
        assert cells["regret"][-1] == pytest.approx(result["optimum"]["fgsm@1"] - cells["fgsm@1"]["mean"])
        assert set(cells["queries_to_optimum"]) == {"median", "found"}
        assert cells["seconds"] > 0
    rows = list(csv.DictReader((tmp_path / "new/t.csv").read_text().splitlines()))
    assert list(rows[0]) == [
        *("objective", "strategy", "column", "mean", "sd", "optimum", "queries", "seeds", "found", "seconds")
    ]
    assert [(row["objective"], row["strategy"]) for row in rows[::3]] == [
        *(("fgsm@1", "random"), ("fgsm@1", "local")),
        *(("clean", "random"), ("clean", "local")),
    ]
    with Image.open(tmp_path / "r.png") as picture:
        picture.load()
        assert min(picture.size) > 300
    assert sorted(os.listdir(tmp_path)) == ["new", "r.png"]
    assert "written: r.png" in printed.err


def test_the_table_for_people(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    command = ["tables", "search", *QUICK, "--strategy", "random,evolution", "--objective", "clean,clean+params:min"]
    for width in ("200", "50"):
        monkeypatch.setenv("COLUMNS", width)
        assert run_command([*command[:-1], "clean,fgsm@8"]) == 0
        text = capfd.readouterr().out
        assert f"{N:,} classes of tiny; 3 runs of 20 queries" in text
        assert "in percent: clean, fgsm@1, hrs:fgsm@1, fgsm@8" in text
        table = text.partition("optimum of each column")[2].partition("\n\nclean, random")[0]
        assert all(len(line) <= int(width) for line in table.splitlines())
        assert table.count(" ± ") == 2 * 2 * 4
        assert re.search(r"fgsm@8, evolution: mean regret \d+\.\d+ points; optimum found by", text)
    assert run_command(command) == 2
    assert "take a strategy for several, such as nsga2" in capfd.readouterr().err


@pytest.mark.parametrize("kind", ["accuracy", "scores"])
def test_a_file_of_accuracies_or_scores_alone_gives_its_name(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"{cell},{number}" for number, cell in enumerate(islice(SPACE, 0, None, 900))]
    (tmp_path / "of_imagenet16.csv").write_text("\n".join(["arch,val", *rows]) + "\n")
    command = ["tables", "search", f"--{kind}", "of_imagenet16.csv", "--objective", f"{kind}:val"]
    more = ["--strategy", "random", "--queries", "5", "--seeds", "2", "--workers", "1", "--json"]
    assert run_command([*command, *more]) == 0
    assert json.loads(capfd.readouterr().out)["dataset"] == "of_imagenet16"


@pytest.mark.landing
def test_a_pareto_search_with_latency(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    command = ["tables", "search", *QUICK, "--latency", "latency.csv", "--strategy", "nsga2"]
    command += ["--objective", "clean+edgegpu_latency", "--set", "nsga2.population=6", "--plot", "p.svg", "--json"]
    command[command.index("--queries") + 1] = "14"  # a population of 6 finds few further cells
    assert run_command(command) == 0
    result = json.loads(capfd.readouterr().out)
    (folder / "p.svg").unlink()
    assert result["columns"] == ["clean", "fgsm@1", "hrs:fgsm@1", "edgegpu_latency"]
    cells = result["strategies"]["nsga2"]
    assert 5 <= result["optimum"]["edgegpu_latency"] <= cells["edgegpu_latency"]["mean"] <= 8
    assert 0 < cells["regret"][-1] < cells["regret"][0]


def test_small_numbers_are_no_percentages(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    header, *rows = (folder / "latency.csv").read_text().splitlines()
    faster = [f"{text},{float(value) / 100}" for text, value in (row.split(",") for row in rows)]
    (tmp_path / "latency.csv").write_text("\n".join([header, *faster]) + "\n")
    command = ["tables", "search", *QUICK, "--latency", str(tmp_path / "latency.csv"), "--strategy", "random"]
    assert run_command([*command, "--objective", "clean,edgegpu_latency"]) == 0
    text = capfd.readouterr().out
    assert "in percent: clean, fgsm@1, hrs:fgsm@1\n" in text
    assert re.search(r"^optimum .* 0\.0\d$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give --robustness"),
        ([*TABLE, "--workers", "0"], "--workers between"),
        ([*TABLE, "--queries", "0"], "--queries between"),
        ([*TABLE, "--queries", "6467"], "at most 6,466"),
        ([*TABLE, "--seeds", "0"], "--seeds between"),
        ([*TABLE, "--seed", "-1"], "--seed between"),
        ([*TABLE, "--objective", ""], "different objectives but got none"),
        ([*TABLE, "--objective", "claen"], "did you mean 'clean'"),
        ([*TABLE, "--objective", "fgsm@7"], "there are 1, 8"),
        ([*TABLE, "--objective", "clean++"], "Expected objectives"),
        ([*TABLE, "--strategy", "evolutoin"], "did you mean 'evolution'"),
        ([*TABLE, "--strategy", "random,random"], "different strategies"),
        ([*TABLE, "--strategy", "warmup-move"], "give --cheap"),
        ([*TABLE, "--columns", "pgd@1"], "Expected a column"),
        ([*TABLE, "--strategy", "warmup-move", "--cheap", "sise"], "Expected a column"),
        ([*TABLE, "--set", "evolution.populatio=3"], "did you mean 'population'"),
        ([*TABLE, "--set", "random.tournament=3"], "tournament is a key of evolution, evolution-naszilla, "),
        ([*TABLE, "--set", "evolution.population=3"], "tournament=25"),
        ([*TABLE, "--set", "nsga2.population=3"], "one of random, evolution, local"),
        (["--robustness", "nowhere"], "meta.json but there is no such file"),
        ([*TABLE, "--latency", "missing.csv"], "missing.csv"),
        ([*TABLE, "--plot", "r.jpeg"], ".png"),
        ([*TABLE, "--csv", "data"], "data is a folder"),
        ([*TABLE, "--latency", "latency.csv", "--csv", "./latency.csv"], "is one to read"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], words: str, folder: Path, refused: Callable[[Path, list[str], str], None]
) -> None:
    refused(folder, ["tables", "search", *arguments], words)


def test_help_teaches(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command(["tables", "search", "--help"]) == 0
    text = " ".join(capfd.readouterr().out.split())
    assert "`nas tables search " in text
    assert "--json" in text
    defaults = {option.name: option.default for option in TableSearch.arguments}
    assert (defaults["queries"], defaults["seeds"], defaults["ask"]) == (300, 100, 1)
    run_command(["tables"])
    assert "search" in capfd.readouterr().out


def test_a_file_of_scores_alone_is_a_table(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cells = list(dict.fromkeys(str(SPACE.canonical(cell)) for cell in list(SPACE)[::400]))
    (tmp_path / "mine.csv").write_text(
        "\n".join(["arch,good", *(f"{cell},{n}" for n, cell in enumerate(cells))]) + "\n"
    )
    quick = ["--queries", "5", "--seeds", "2", "--strategy", "random", "--workers", "1", "--json"]
    given = ["tables", "search", "--scores", str(tmp_path / "mine.csv"), "--objective", "scores:good:max"]
    assert run_command([*given, *quick]) == 0
    result = json.loads(capfd.readouterr().out)
    assert (result["n_classes"], result["optimum"]["scores:good"]) == (len(cells), len(cells) - 1)
    assert run_command(["tables", "search", *quick]) == 2
    assert "--latency or --scores" in capfd.readouterr().err


def searched(**more: Any) -> TableSearchResult:
    """A search by `clean`, a fraction, and one by `clean` and `ms` at once, which is not in percent."""
    half = StrategyResult(
        Reached(12.0, 0.25), [0.5, 0.125], Quartiles([0.4, 0.1], [0.6, 0.2]), 2.5, None, Feasible(0.2, 0.75, [], []),
        {"clean": Spread(0.5, 0.0625), "ms": Spread(4.0, 1.5)},
    )  # fmt: skip
    objectives = {name: ObjectiveResult({"random": half}) for name in ("clean", "ms:min", "clean+ms")}
    return TableSearchResult(
        dataset="tiny", queries=2, seeds=4, n_classes=100, columns=["clean", "ms"], optimum={"clean": 0.75, "ms": 2.0},
        limits=["ms<=5"], feasible_share=0.3, objectives=objectives, strategies=objectives["clean"].strategies, **more,
    )  # fmt: skip


def test_every_number_for_people_has_its_scale() -> None:
    text = _text(searched(), {"clean"})
    assert re.search(r"^optimum of each column +75\.00 +2\.00$", text, re.MULTILINE)
    assert len(re.findall(r"^  random +50\.00 ± 6\.25 +4\.00 ± 1\.50$", text, re.MULTILINE)) == 3
    end = "; optimum found by 25% of runs, after 12 queries in the median; 2.5 s of computing\n"
    assert f"clean, random: mean regret 12.50 points{end}" in text
    assert f"ms:min, random: mean regret 0.12{end}" in text
    assert f"clean+ms, random: mean regret 12.50 % of the hypervolume of the best front{end}" in text
    assert text.count("random: 0.20 of the queries within the limits; 25% of runs found none") == 3
    assert "\nlimits: ms<=5; 0.300 of the classes are within them\n" in text
    assert "limits: ms<=5, which candidates are ranked by too; 0.300" in _text(searched(joint=True), {"clean"})


def test_joint_limits_reach_the_search(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    quick = [*TABLE, "--queries", "2", "--seeds", "1", "--workers", "1", "--strategy", "random", "--json"]
    assert run_command(["tables", "search", *quick, "--objective", "clean", "--limit", "fgsm@1<=0.3", "--joint"]) == 0
    assert json.loads(capfd.readouterr().out)["joint"] is True


def test_of_scores_that_are_no_goal_no_optimum_is_shown() -> None:
    """Nobody says whether high or low is good of them."""
    found = searched()
    (half,) = found.objectives["clean"].strategies.values()
    columns = ["clean", "scores:mine"]
    half = replace(half, columns={"clean": Spread(0.5, 0.0625), "scores:mine": Spread(4.0, 1.5)})
    found = replace(
        found,
        columns=columns,
        optimum={"clean": 0.75, "scores:mine": 2.0},
        objectives={"clean": ObjectiveResult({"random": half})},
    )
    assert re.search(r"^optimum of each column +75\.00 +-$", _text(found, {"clean"}), re.MULTILINE)
    goal = replace(found, objectives={"scores:mine:min": ObjectiveResult({"random": half})})
    assert re.search(r"^optimum of each column +75\.00 +2\.00$", _text(goal, {"clean"}), re.MULTILINE)
