"""Exactly the attacks whose steps cannot cross their ball cause a warning, once and on standard error."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from forked import Fork, Say
from torch import Tensor, nn

from nas.cli.main import main
from nas.commands import COMMANDS
from nas.commands.search import Search
from nas.core.optimisation.attack_steps import is_short
from nas.eval.attacks import ATTACKS
from nas.eval.plan import make_attack
from nas.eval.settings import EvalSettings
from nas.settings import attack_warnings
from nas.settings.schema import load
from nas.train import METHODS, TrainSettings

LABEL = ["objective=trained:pgd20", "label.method=pgd"]
CASES: list[tuple[str, list[str], list[str]]] = [  # command, settings, the beginnings of the warnings
    ("train", ["train.method=pgd", "train.eps=0.1", "train.step_size=2/255"], ["train.method=pgd: 7", "the PGD of"]),
    ("train", ["train.method=pgd", "train.eps=0.1", "train.step_size=2/255", "data.validation=0", "train.select=last"],
     ["train.method=pgd: 7"]),
    ("train", ["train.method=pgd", "train.eps=0.07", "train.step_size=0.01"], []),  # 7 x .01 is .07 up to rounding
    ("train", ["train.method=pgd", "train.eps=0.071", "train.step_size=0.01"], ["train.method=pgd: 7"]),
    ("train", ["train.method=trades", "train.eps=0.1", "train.step_size=0.01"], ["train.method=trades: 7"]),
    ("train", ["train.method=standard", "train.eps=0.9"], []),  # this method does not attack
    ("train", ["train.method=fgsm", "train.fgsm_alpha=0.9"], ["train.method=fgsm: 1"]),
    ("train", ["train.method=fgsm", "train.fgsm_alpha=1.0", "train.step_size=0.001"], ["the PGD of"]),
    ("train", ["train.method=free", "train.free_replays=2", "train.free_alpha=0.4"], ["train.method=free: 2"]),
    ("train", ["eval.step_size=0.001"], []),  # attacks are for nas eval and nas run
    ("run", ["train.eps=0.9", "run.trainings=standard"], []),
    ("run", ["train.eps=0.3", "run.trainings=standard,pgd,trades"], ["train.method=pgd", "train.method=trades"]),
    ("run", ["train.eps=0.3", "train.steps=8", "train.validation_steps=7"], ["the PGD of"]),
    ("search", ["train.eps=0.9", "eval.step_size=0.001"], []),
    ("search", [*LABEL, "label.eps=0.1"], ["label.method=pgd: 7"]),
    ("search", [*LABEL, "label.eps=0.1", "label.select=best"], ["label.method=pgd: 7", "the PGD of"]),
    ("search", ["label.eps=0.1", "label.method=pgd"], []),  # no labels
    ("search", ["objective=trained:hrs:pgd3", "label.eps=0.03"], ["pgd3: 3"]),
    ("search", ["objective=trained:clean", "eval.attacks=pgd3"], []),
    ("run", [*LABEL, "label.eps=0.1"], ["label.method=pgd: 7"]),
    ("eval", ["eval.step_size=0.007"], ["pgd20: 20"]),
    ("eval", ["eval.step_size=0.0075"], []),
    ("eval", ["eval.attacks=pgd3,pgd4,fgsm,autoattack,apgd-ce,square10", "eval.sweep=[]"], ["pgd3: 3"]),
    ("eval", ["eval.attacks=mifgsm7", "eval.sweep=[]"], []),  # steps of eps / 7
    ("eval", ["eval.attacks=mifgsm7", "eval.sweep=[]", "eval.step_size=0.01"], ["mifgsm7: 7"]),
    ("eval", ["eval.attacks=fgsm", "eval.sweep_attack=pgd2"], ["pgd2: 2"]),
    ("eval", ["eval.attacks=fgsm", "eval.sweep=[]", "eval.step_size=0.001", "eval.sweep_attack=pgd2"], []),
    ("eval", ["eval.attacks=fgsm", "eval.sweep=[]", "eval.sweep_preset=robustness-dataset"], []),
    ("eval", ["eval.attacks=fgsm", "eval.sweep=[]", "eval.checks=true"], []),
    ("eval", ["eval.attacks=fgsm", "eval.sweep=[]", "eval.checks=true", "eval.step_size=0.005"], ["pgd20: 20"]),
    ("eval", ["eval.attacks=fgsm", "eval.sweep=[]", "eval.measure_attack=pgd1"], []),
    ("eval", ["eval.attacks=fgsm", "eval.sweep=[]", "eval.measure_attack=pgd1", "eval.measures=calibration"],
     ["pgd1: 1"]),
    ("eval", ["eval.norm=L2", "eval.attacks=pgd20,cw", "eval.eps=0.5", "eval.step_size=0.02"], ["pgd20: 20"]),
    ("eval", ["eval.attacks=torchattacks:BIM(steps=3),torchattacks:BIM,torchattacks:FGSM,torchattacks:Pixle"],
     ["torchattacks:BIM(steps=3): 3"]),
    ("eval", ["eval.attacks=torchattacks:DIFGSM(alpha=0.01)"], ["torchattacks:DIFGSM(alpha=0.01): 10"]),
    ("eval", ["eval.attacks=torchattacks:FFGSM,torchattacks:PIFGSM"], []),
    ("eval", ["eval.attacks=torchattacks:FFGSM(alpha=0.1)"], ["torchattacks:FFGSM(alpha=0.1): 1 step(s) of 0.1 "]),
    ("transfer", ["eval.attacks=pgd3"], ["pgd3: 3"]),
]  # fmt: skip


def warnings(command: str, overrides: list[str]) -> list[str]:
    return attack_warnings.warnings(COMMANDS.get(command)().reader(), load("quickstart", overrides))


@pytest.mark.parametrize(("command", "overrides", "expected"), CASES)
def test_warns_where_it_is_true_and_only_there(command: str, overrides: list[str], expected: list[str]) -> None:
    found = warnings(command, overrides)
    assert len(found) == len(expected), found
    for text, beginning in zip(found, expected):
        assert text.startswith(beginning)


def test_the_numbers_and_what_to_set() -> None:
    (text,) = warnings("eval", ["eval.step_size=0.003", "eval.sweep=[0.5,2]"])
    assert "20 step(s) of 0.003 go no farther than 0.06, which is less than the radius 0.15 (and 2 other radii)" in text
    assert "set eval.step_size or the number of steps" in text


@pytest.mark.parametrize(
    ("method", "key"), [("pgd", "step_size"), ("trades", "step_size"), ("fgsm", "fgsm_alpha"), ("free", "free_alpha")]
)
def test_it_names_the_setting_that_the_method_reads(method: str, key: str) -> None:
    short = ["train.eps=0.9", "train.fgsm_alpha=0.5", "train.free_alpha=0.01", "data.validation=0", "train.select=last"]
    (text,) = warnings("train", [f"train.method={method}", *short])
    assert f"; set train.{key} or the number of steps." in text


def test_of_a_curve_only_the_radii_that_are_out_of_reach_are_counted() -> None:
    """The step of this attack does not follow the radius: it has an alpha of its own."""
    attack = "torchattacks:BIM(alpha=0.01)"  # 10 steps
    overrides = ["eval.attacks=fgsm", f"eval.sweep_attack=['{attack}']", "eval.sweep=[0.1,0.5,1,2]"]
    (text,) = warnings("eval", overrides)  # radii .015, .075, .15 and .3
    assert "go no farther than 0.1, which is less than the radius 0.15 (and 1 other radii)" in text


class Rising(nn.Module):
    """Logits with which an attack raises every pixel of every image."""

    def forward(self, x: Tensor) -> Tensor:
        total = x.flatten(1).sum(1, keepdim=True)
        return torch.cat([-total, total], dim=1) / 100


@pytest.mark.parametrize("name", ["mifgsm3", "torchattacks:BIM(steps=3)", "torchattacks:MIFGSM(steps=4,alpha=0.02)"])
def test_what_an_attack_says_of_its_steps_is_how_far_it_goes(name: str) -> None:
    x, y = torch.full((2, 3, 4, 4), 0.5), torch.zeros(2, dtype=torch.long)
    attack: Any = make_attack(name, EvalSettings(eps=0.4, step_size=0.03))
    steps, size = attack.walk()
    moved = attack.perturb(Rising(), x, y, attack.stages[0], 0) - x
    torch.testing.assert_close(moved, torch.full_like(x, min(0.4, steps * size)), atol=1e-6, rtol=0)


def test_every_method_that_attacks_says_its_steps() -> None:
    for name, method in METHODS.components.items():
        assert (method.walk(TrainSettings(method=name)) is not None) == method.adversarial
    assert METHODS.get("pgd").walk(TrainSettings(steps=5, step_size=0.2)) == (5, 0.2)
    assert METHODS.get("trades").walk(TrainSettings(steps=5, step_size=0.2)) == (5, 0.2)
    assert METHODS.get("fgsm").walk(TrainSettings(fgsm_alpha=1.5, eps=0.2)) == (1, pytest.approx(0.3))
    assert METHODS.get("free").walk(TrainSettings(free_replays=4, free_alpha=0.5, eps=0.2)) == (4, 0.1)


def test_attacks_of_their_own_step_size_say_nothing() -> None:
    for name in ("fgsm", "cw", "apgd-ce", "square", "autoattack"):
        kind = ATTACKS.get(name)
        assert kind(0.1, norm=kind.norms[0]).walk() is None


def test_short_to_rounding() -> None:
    radii = [level / 255 for level in range(1, 256)]
    assert any(steps * (eps / steps) < eps for steps in range(1, 50) for eps in radii), "as floats"
    assert not any(is_short((steps, eps / steps), eps) for steps in range(1, 50) for eps in radii)
    assert is_short((7, 0.0999 / 7), 0.1)
    assert not is_short(None, 0.1)


QUICK = ["data.size=8", "model.channels=4", "train.epochs=1", "train.method=pgd", "train.eps=0.3", "train.steps=1"]
ARCH = "arch=|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"


def nas(folder: Path, *arguments: str) -> tuple[str, str]:
    """Standard output and standard error of a command that succeeds, in a process of its own."""

    def command(_: Say) -> None:
        os.chdir(folder)
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), number)
            setattr(sys, name, os.fdopen(number, "w"))
        logging.getLogger().handlers.clear()  # the handlers of the tests
        sys.argv = ["nas", *arguments, "device=cpu", "executor.workers=1"]
        main()

    with Fork(command) as fork:
        assert fork.wait() == 0, (folder / "stderr").read_text()
    return (folder / "stdout").read_text(), (folder / "stderr").read_text()


@pytest.mark.parametrize("flag", ["--dry-run", pytest.param("--json", marks=pytest.mark.slow)])
def test_it_is_said_once_on_standard_error(tmp_path: Path, flag: str) -> None:
    out, err = nas(tmp_path, "train", "quickstart", *QUICK, ARCH, flag)
    assert out
    assert err.count("train.method=pgd: 1 step(s) of 0.0375 go no farther than 0.0375") == 1
    assert "go no farther" not in out


def test_a_search_that_ends_in_its_warm_up_says_so(caplog: pytest.LogCaptureFixture) -> None:
    by_objective = ["strategy.name=warmup-move", "strategy.ranked_by=objective", "objective=params", "device=cpu"]
    for budget in (65, 64):
        Search().check(load("quickstart", [*by_objective, "strategy.warmup=64", f"search.budget={budget}"]))
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("A search of 64 evaluations ends within the warm-up of 64 random networks")
