"""`nas tables` on the table of another space, from the file to what a user reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nas.cli.main import run_command
from nas.runs.metric_sources import MetricSources
from nas.search_spaces import SPACES
from nas.settings.schema import from_values

SPACE = SPACES.get("transnas-macro")()


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> str:
    """120 of the 3,256 points; the column grows with the depth."""
    rows = [f"{arch},{len(str(arch))}.{number:03d}" for number, arch in enumerate(SPACE.draw(120, seed=1))]
    path: Path = tmp_path_factory.mktemp("table") / "macro.csv"
    path.write_text("\n".join(["arch,val", *rows, "not-a-network,3"]) + "\n")
    return str(path)


def common(table: str) -> list[str]:
    return ["--space", SPACE.name, "--accuracy", table]


def test_a_search_is_among_the_rows(table: str, capfd: pytest.CaptureFixture[str]) -> None:
    command = ["tables", "search", *common(table), "--objective", "accuracy:val", "--queries", "120", "--seeds", "2"]
    assert run_command([*command, "--strategy", "random", "--workers", "1", "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert (result["dataset"], result["n_classes"]) == (SPACE.name, 120)
    found = result["objectives"]["accuracy:val"]["strategies"]["random"]
    assert found["regret"][-1] == 0, "all rows were asked for"
    assert found["queries_to_optimum"]["found"] == 1
    assert run_command([*command, "--strategy", "random", "--workers", "1"]) == 0
    printed = capfd.readouterr()
    assert "120 classes of transnas-macro" in printed.out
    assert "120 of 121 rows used" in printed.err
    assert run_command([*command, "--strategy", "evolution"]) == 2
    assert (
        "take agnet, agnet-posterior, bananas, bo, bo-graph, guided, random, xgb or xgb-rank." in capfd.readouterr().err
    )


def test_nas_search_is_among_the_rows_too(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = [f"tables.accuracy={table}", "search.budget=200", "search.constraints=[]", "executor.workers=1"]
    command = ["search", "quickstart", f"space={SPACE.name}", "search.objective=accuracy:val", *settings]
    assert run_command([*command, "strategy.name=evolution"]) == 2
    assert (
        "take agnet, agnet-posterior, bananas, bo, bo-graph, guided, random, xgb or xgb-rank." in capfd.readouterr().err
    )
    assert not list(tmp_path.iterdir())
    assert run_command([*command, "strategy.name=random", "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert (result["evaluated"], result["failed"], result["exhausted"]) == (120, 0, True)
    assert result["best"][0]["metrics"]["accuracy:val"] == max(
        float(line.partition(",")[2]) for line in Path(table).read_text().splitlines()[1:-1]
    )


def test_cells_without_a_row_cost_no_evaluation(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = [f"{arch},{number}" for number, arch in enumerate(SPACE) if number % 21]
    (tmp_path / "most.csv").write_text("\n".join(["arch,x", *rows]))
    settings = [f"space={SPACE.name}", f"tables.scores={tmp_path / 'most.csv'}", "search.constraints=[]"]
    where = [f"run.dir={tmp_path / 'run'}", "search.budget=60", "strategy.population=5", "strategy.tournament=2"]
    where += ["executor.workers=1"]
    assert run_command(["search", "quickstart", "search.objective=scores:x:max", *settings, *where, "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert (result["evaluated"], result["failed"]) == (60, 0)


def test_features_predict_a_column(table: str, capfd: pytest.CaptureFixture[str]) -> None:
    command = ["tables", "predict", *common(table), "--features", "graph", "--targets", "accuracy:val"]
    assert run_command([*command, "--model", "forest", "--splits", "2", "--workers", "1", "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert (result["dataset"], result["n"]) == (SPACE.name, 120)
    assert result["r2"]["accuracy:val"] > 0.9


def test_scores_are_correlated_with_a_column(table: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    archs = [line.partition(",")[0] for line in Path(table).read_text().splitlines()[1:-1]]
    rows = [f"{arch},{len(arch)}" for arch in archs]
    (tmp_path / "scores.csv").write_text("\n".join(["arch,depth", *rows]) + "\n")
    assert run_command(["tables", "correlate", str(tmp_path / "scores.csv"), *common(table), "--json"]) == 0
    assert '"accuracy:val"' in capfd.readouterr().out


def test_a_search_opens_the_table_for_its_space(table: str) -> None:
    settings = from_values({"space": SPACE.name}, [f"tables.accuracy={table}", "objective=accuracy:val"])
    opened = MetricSources(settings).tables
    assert opened is not None
    first = Path(table).read_text().splitlines()[1].split(",")
    assert opened.values("accuracy:val", [first[0]])[0] == float(first[1])
