"""Attacks that cannot finish, or whose package is missing, are refused before a run folder is there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nas.cli.main import run_command

PACKAGE = r"package torchattacks"
ASKED = r"robust-nas[torchattacks]"
NETWORK = ("networks_of_mine:make", "data.name=digits", "executor.workers=1", "eval.n_test=4", "eval.sweep=[]")
SEARCH = ("data.name=digits", "executor.workers=1", "search.budget=2", "search.ask=1", "search.constraints=[]")
L2 = ("eval.norm=L2", "eval.eps=0.5")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with a network for images of any size."""
    (tmp_path / "networks_of_mine.py").write_text(
        "import torch\nfrom torch import nn\n"
        "def make():\n"
        "    torch.manual_seed(0)\n"
        "    return nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 10))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    return tmp_path


def refused(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of the refusal; nothing is written."""
    before = sorted(Path().iterdir())
    assert run_command([*arguments]) == 2
    assert sorted(path for path in Path().iterdir() if path.name != "__pycache__") == before
    (line,) = capfd.readouterr().err.strip().splitlines()
    return line


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
@pytest.mark.parametrize("attacks", ["pgd2,square", "pgd2,autoattack"])
def test_square_in_l2_where_its_squares_do_not_fit(
    attacks: str, more: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    line = refused(capfd, "eval", *NETWORK, *L2, "data.size=12", f"eval.attacks={attacks}", *more)
    assert "12 pixels" in line


def test_the_same_in_every_command_that_attacks(capfd: pytest.CaptureFixture[str]) -> None:
    size = "data.size=12"
    assert "12 pixels" in refused(capfd, "run", "quickstart", *SEARCH, *L2, size, "eval.attacks=pgd2,square")
    objective = ("objective=trained:square50", "label.epochs=1", "eval.attacks=pgd2")
    assert "12 pixels" in refused(capfd, "search", "quickstart", *SEARCH, *L2, size, *objective)
    networks = (NETWORK[0], NETWORK[0], NETWORK[1], NETWORK[3], size)
    assert "12 pixels" in refused(capfd, "transfer", *networks, *L2, "eval.attacks=square")
    measured = ("eval.attacks=pgd2", "eval.measures=calibration", "eval.measure_attack=square9")
    assert "12 pixels" in refused(capfd, "eval", *NETWORK, *L2, size, *measured)


@pytest.mark.parametrize("name", ["cw", "torchattacks:PGDL2(steps=2)"])
def test_the_extra_is_asked_for_by_every_command_that_attacks(
    name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchattacks", None)
    size, attacks = "data.size=8", f"eval.attacks=pgd2,{name}"
    networks = (NETWORK[0], NETWORK[0], NETWORK[1], NETWORK[3], size)
    for arguments in (
        ("eval", *NETWORK, *L2, size, attacks),
        ("eval", *NETWORK, *L2, size, attacks, "--dry-run"),
        ("eval", *NETWORK, *L2, size, "eval.attacks=pgd2", "eval.sweep=[1]", f"eval.sweep_attack={name}"),
        ("eval", *NETWORK, *L2, size, "eval.attacks=pgd2", "eval.measures=calibration", f"eval.measure_attack={name}"),
        ("run", "quickstart", *SEARCH, *L2, size, attacks),
        ("transfer", *networks, *L2, f"eval.attacks={name}"),
    ):
        line = refused(capfd, *arguments)
        assert PACKAGE in line, arguments
        assert ASKED in line, arguments


def test_everything_else_goes_without_the_extra(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchattacks", None)
    attacks = "eval.attacks=fgsm,pgd2,mifgsm2,apgd-ce2,square5"
    assert run_command(["eval", *NETWORK, "data.size=8", attacks]) == 0
    assert "mifgsm2" in capfd.readouterr().out
    assert run_command(["list", "attacks"]) == 0
    small = ("data.size=8", "model.channels=4", "train.epochs=1", "train.method=standard")
    cell = "arch=|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    trained = ("train", "quickstart", cell, *SEARCH[:2], *small, *L2, "eval.attacks=cw")
    assert run_command([*trained]) == 0, "a training attacks nothing with it"
    assert (folder / "runs").is_dir()
