"""`nas.score` in a plain script, and its advice; test_same_numbers.py compares its numbers with the command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import nas
from nas.core.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
with open("executed", "a") as file:
    file.write(__name__ + " ")

import nas

cells = nas.space("nasbench201").draw(3, seed=1)
settings = {"scoring.channels": 4, "scoring.cells_per_stage": 1}
here, there = [nas.score(cells, proxies=["snip"], settings=settings, workers=workers) for workers in (1, 2)]
assert here.values("snip") == there.values("snip")


@nas.register
class Local(type(nas.space("nasbench201"))):
    name = "local"


try:
    nas.score(cells, space=Local, workers=2)
except Exception as error:
    print(error)
"""


@pytest.mark.slow
def test_a_script_without_a_main_guard_uses_workers_and_is_told_what_they_cannot_import(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert (tmp_path / "executed").read_text() == "__main__ "
    assert done.stdout.startswith("Expected the search space 'local' to be importable, since workers need it, but")
    assert len(done.stdout.splitlines()) == 1


def test_other_settings_for_a_file_are_refused_in_the_words_of_the_caller(tmp_path: Path) -> None:
    (cell,) = nas.space("nasbench201").draw(1, seed=1)
    nas.score(cell, proxies=["params"], run=tmp_path / "scores.csv")
    with pytest.raises(InputError, match=r"seed is 0 there and 5 here.*choose another file in run=\.$"):
        nas.score(cell, proxies=["params"], run=tmp_path / "scores.csv", seed=5)


def test_a_file_of_another_is_refused_in_the_words_of_the_caller(tmp_path: Path) -> None:
    (cell,) = nas.space("nasbench201").draw(1, seed=1)
    (tmp_path / "mine--output.csv").write_text("arch\n")
    with pytest.raises(InputError, match=r"a new file for run= or one .* but .*mine--output\.csv has no"):
        nas.score(cell, proxies=["params"], run=tmp_path / "mine--output.csv")
