"""`nas report --latex --csv --bibtex`: the files of one run and of several."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
import result_factory as make
from papers import entries, finished
from tex_reader import check, method_of

from nas.cli.main import run_command
from nas.report.paper.bibliography import entries as bibliography


@pytest.mark.usefixtures("undrawn")
def test_the_files_of_several_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first, second = (finished(tmp_path / name, one, "eval") for name, one in zip("ab", entries()))
    search = finished(tmp_path / "s", make.searched(), "search")
    paths = {kind: str(tmp_path / "paper" / f"numbers.{kind}") for kind in ("latex", "csv", "bibtex")}
    options = [word for kind, path in paths.items() for word in (f"--{kind}", path)]
    assert run_command(["report", str(first), str(second), str(search), str(first), *options, "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["files"] == paths
    assert len(shown["comparison"]["checkpoints"]) == 2
    text = Path(paths["latex"]).read_text()
    check(text)
    assert re.findall(r"\\label\{(.*?)\}", text) == ["tab:robustness", "tab:differences", "tab:search"]
    with Path(paths["csv"]).open(newline="") as file:
        assert {row["run"] for row in csv.DictReader(file)} == {"a", "b", "s"}
    keys = re.findall(r"@\w+\{(\w+),", Path(paths["bibtex"]).read_text())
    assert keys == sorted(set(keys))
    assert set(keys) <= set(bibliography())
    assert {"mcnemar1947note", "real2019regularized", "ha2023croze", "dong2020nasbench201"} <= set(keys)
    assert "trades" not in "".join(keys)
    cited = {key for keys in re.findall(r"\\cite\{(.*?)\}", method_of(text)) for key in keys.split(",")}
    assert cited <= set(keys)


@pytest.mark.usefixtures("undrawn")
def test_one_run_and_one_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = finished(tmp_path / "a", entries()[0], "eval")
    assert run_command(["report", str(folder), "--csv", str(tmp_path / "a.csv")]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == f"csv: {tmp_path / 'a.csv'}"
    assert run_command(["report", str(folder), "--csv", str(tmp_path)]) == 2
    assert "Traceback" not in capfd.readouterr().err
