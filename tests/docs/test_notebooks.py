"""The notebooks: their code runs from top to bottom and yields what their first lines promise."""

from __future__ import annotations

import csv
import os
import sys
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forked import Fork, Say
from scipy.stats import spearmanr

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs"))

from generator import notebook_outputs, notebooks  # noqa: E402

FILES = {file.stem: file for file in sorted(notebooks.NOTEBOOKS.glob("*.py"))}
SWITCH = "QUICK = False"
NO_TABLE = "ROBUSTNESS = None  #"
Names = dict[str, Any]


def first_search(names: Names) -> None:
    assert set(names["models"]) == set(names["reports"]) == {"found", "random"}
    assert names["reports"]["found"].arch == names["found"].best.arch != str(names["random_cell"])
    assert {row.metric for row in names["compared"].differences} >= {"clean", "fgsm", "pgd20"}
    assert Path("comparison.html").is_file()
    assert Path("found.pt").is_file()


def own_parts(names: Names) -> None:
    assert names["found"].best.arch in map(str, names["space"])
    assert names["found"].best.metrics.keys() == {"logit_shift"}
    correct = names["report"].correct
    assert names["report"].arch == names["found"].best.arch
    assert set(names["report"].attacks) == {"corners10", "corners100", "pgd20"}
    assert all(correct["clean"][correct[name]].all() for name in names["report"].attacks)
    assert Path("own_parts.html").is_file()


def strategies_on_a_table(names: Names) -> None:
    strategies, shape = list(names["STRATEGIES"]), (names["SEEDS"], names["QUERIES"])
    assert len(strategies) == len(names["queries"]) == 4
    for runs in names["regret"].values():
        assert runs.shape == shape
        assert runs.min() >= 0
        assert (np.diff(runs) <= 0).all()
    assert len({tuple(runs[:, 0]) for runs in names["regret"].values()}) == 1  # runs with the same seed are pairs
    assert list(names["corrected"]) == list(combinations(strategies, 2))
    assert all(0 < p <= 1 for p in names["corrected"].values())
    assert list(names["study"].strategies) == strategies
    assert list(Path().glob("figure-*.png"))


def review_your_network(names: Names) -> None:
    rounded, adaptive = names["rounded"], names["adaptive"]
    assert set(names["reports"]) == {"standard", "adversarial"}
    assert "zero-gradients" in {check.name for check in rounded.checks if check.ok == "warn"}
    assert "zero-gradients" not in {check.name for check in adaptive.checks if check.ok == "warn"}
    assert (rounded.correct["clean"] == adaptive.correct["clean"]).all()
    assert adaptive.attacks["pgd20"].accuracy < rounded.attacks["pgd20"].accuracy
    assert {row.metric for row in names["compared"].differences} >= {"clean", "pgd20", "apgd-dlr", "worst_case"}
    assert Path("adversarial.html").is_file()
    assert Path("comparison.html").is_file()


def worth_of_a_proxy(names: Names) -> None:
    cells = [str(cell) for cell in names["cells"]]
    for file in ("trained.csv", "scores.csv"):
        with open(file, newline="", encoding="utf-8") as lines:
            assert [row["arch"] for row in csv.DictReader(lines)] == cells
    for column in ("clean", "fgsm"):
        first = [names["rows"][number][column] for number in names["valued"]]
        for name in names["proxies"]:
            value, low, high = names["results"][column][name]
            assert -1 <= low <= high <= 1
            assert value == pytest.approx(spearmanr(names["ranked"][name], first).statistic)
        low, high = names["results"][column]["chance"][1:]
        assert low < 0 < high


PROMISED: dict[str, Callable[[Names], None]] = {
    "first_search": first_search,
    "own_parts": own_parts,
    "strategies_on_a_table": strategies_on_a_table,
    "review_your_network": review_your_network,
    "worth_of_a_proxy": worth_of_a_proxy,
}


def run(say: Say, name: str, quick: bool, folder: Path, file: Path | None = None) -> None:
    os.chdir(folder)
    os.environ["MPLBACKEND"] = "agg"
    text = (file or FILES[name]).read_text(encoding="utf-8")
    assert text.count(f"\n{SWITCH}  #") == 1
    names: Names = {"__name__": "__main__"}
    started = time.process_time()
    shown = list(
        notebook_outputs.run(text.replace(SWITCH, "QUICK = True") if quick else text, names, folder / "figure")
    )
    assert ("mean nothing" in shown[0]) == quick
    say(time.process_time() - started)
    PROMISED[name](names)


@pytest.mark.landing
@pytest.mark.parametrize("name", FILES)
def test_a_notebook_gives_what_it_promises(name: str, tmp_path: Path) -> None:
    with Fork(run, name, True, tmp_path) as fork:
        assert fork.wait() == 0


@pytest.mark.landing
@pytest.mark.parametrize("name", ["strategies_on_a_table", "worth_of_a_proxy"])
def test_a_notebook_takes_a_published_table(name: str, data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "published.py"
    text = FILES[name].read_text(encoding="utf-8")
    assert text.count(NO_TABLE) == 1
    file.write_text(
        text.replace(NO_TABLE, f"ROBUSTNESS = {str(data_dir / 'robustness-dataset')!r}  #"), encoding="utf-8"
    )
    with Fork(run, name, True, tmp_path, file) as fork:
        assert fork.wait() == 0


@pytest.mark.landing
@pytest.mark.parametrize("name", FILES)
def test_a_notebook_in_full_gives_what_it_promises_within_a_minute_on_two_cores(name: str, tmp_path: Path) -> None:
    with Fork(run, name, False, tmp_path) as fork:
        assert fork.wait() == 0
        assert float(fork.lines.readline()) < 120


def test_every_notebook_is_tested_and_says_what_one_has_at_the_end() -> None:
    assert set(FILES) == set(PROMISED)
    for file in FILES.values():
        title, *rest = notebooks.cells_of(file.read_text(encoding="utf-8"))
        assert title.text.startswith("# ")
        assert "This notebook is for" in title.text
        assert "At the end you have" in title.text
        assert len([cell for cell in rest if cell.is_code]) >= 5


TOY = """above
# %% [markdown]
# # Toy
#
# Text of it.
# %%
import matplotlib.pyplot as plt
class Shown:
    def _repr_html_(self):
        return "<b>5</b>"
print("one"); 2
# %%

# %%
plt.figure("A line")
plt.plot([1, 2])
Shown()
# %%
x = 1
"""


def test_a_page_has_the_cells_and_what_they_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    file = tmp_path / "toy.py"
    file.write_text(TOY, encoding="utf-8")
    outputs = notebooks.outputs_of(file, tmp_path / "pictures")
    assert outputs[0] == "```text\none\n```\n\n```text\n2\n```"
    assert outputs[1:] == ['<div class="output"><b>5</b></div>\n\n![A line](toy-1-1.png)', ""]
    assert (tmp_path / "pictures/toy-1-1.png").is_file()
    page = notebooks.page(file, outputs)
    assert page.startswith("# Toy\n\nText of it.\n\n")
    assert "above" not in page
    assert "\n\n```python\nx = 1\n```\n" in page
    assert page.index("import matplotlib") < page.index("one\n```") < page.index('plt.figure("A line")')
    assert "```text" not in notebooks.page(file)


def test_a_notebook_that_fails_stops_the_site(tmp_path: Path) -> None:
    file = tmp_path / "toy.py"
    file.write_text("# %% [markdown]\n# # Toy\n# %%\n1 / 0\n", encoding="utf-8")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        notebooks.outputs_of(file, tmp_path)
