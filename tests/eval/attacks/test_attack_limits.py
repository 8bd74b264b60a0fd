"""Attacks on which the packages would fail are refused before the start; useless messages of theirs are hidden."""

from __future__ import annotations

import inspect
import logging
import random
import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.core.errors import InputError
from nas.core.seeds import seeded
from nas.eval import ATTACKS, Attack, EvalSettings, checks
from nas.eval.attacks import parse_attack
from nas.eval.attacks.auto import square_fits
from nas.eval.measures import check_measures
from nas.eval.plan import plan_of

ABSENT = "torchattacks, whose classes are asked, is not installed"
SHORT = {"steps": 2, "n_queries": 12, "num_iter_set": 2}


def attack_of(text: str, norm: str = "Linf", eps: float = 0.01) -> Attack:
    kind, said = parse_attack(ATTACKS, text)
    return kind(eps, norm=norm, **said)


def linear(classes: int, size: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * size * size, classes)).eval().requires_grad_(False)


def fails(attack: Attack, classes: int, size: int) -> bool:
    """Try whether the package fails on as many images as there are classes."""
    network = linear(classes, size)
    x = torch.rand(classes, 3, size, size, generator=torch.Generator().manual_seed(0))
    try:
        with seeded(1):
            attack.perturb(network, x, torch.arange(classes), attack.stages[-1], 1)
    except Exception:
        return True
    return False


def refused(attack: Attack, classes: int, size: int) -> bool:
    try:
        attack.check(classes, size)
    except InputError:
        return True
    return False


@pytest.mark.parametrize("largest", [27, pytest.param(64, marks=pytest.mark.slow)])
def test_square_in_l2_is_refused_at_the_sizes_at_which_its_package_fails(largest: int) -> None:
    sizes = range(1, largest + 1)
    found = {size for size in sizes if fails(attack_of("square3", "L2", 1e-4), 3, size)}
    assert {size for size in sizes if not square_fits(size)} == found
    assert found == {1, 2, 3, 4, 12, 14, 18, 19, 24}
    assert all(map(square_fits, range(25, 1000)))
    for size in (4, 12, 13, 24, 32):
        assert refused(attack_of("square", "L2"), 10, size) == (size in found)
        assert refused(attack_of("autoattack", "L2"), 10, size) == (size in found)
        for name, norm in (("square", "Linf"), ("autoattack", "Linf"), ("apgd-ce", "L2"), ("autoattack-rand", "L2")):
            assert not refused(attack_of(name, norm), 10, size)


def test_what_is_refused_is_said_with_a_size_that_works() -> None:
    with pytest.raises(InputError, match=r"squares of square .* 18 pixels .*eval\.norm=Linf, or images of 20 pixels"):
        attack_of("square", "L2").check(10, 18)
    with pytest.raises(InputError, match=r"squares of autoattack .* 3 pixels .* images of 5 pixels"):
        attack_of("autoattack", "L2").check(10, 3)


def _classes() -> list[str]:
    try:
        import torchattacks
    except ImportError:
        return []
    slow = {"AutoAttack", "SPSA"}  # SPSA works with any number of classes, AutoAttack is tested below
    return [name for name in torchattacks.__all__ if name not in {*torchattacks.__wrapper__, *slow}]


@pytest.mark.slow
@pytest.mark.parametrize("name", _classes() or [pytest.param("", marks=pytest.mark.skip(ABSENT))])
def test_classes_of_torchattacks_are_refused_where_they_fail(name: str) -> None:
    """With 2, 3, 4, 9, 10 and 12 classes, and at sizes at which Square in L2 fails or works."""
    import torchattacks

    known = inspect.signature(getattr(torchattacks, name).__init__).parameters
    options = ",".join(f"{key}={value}" for key, value in SHORT.items() if key in known)
    for norm in ("Linf", "L2"):
        try:
            attack = attack_of(f"torchattacks:{name}({options})", norm)
        except InputError:  # the class has the other norm only
            continue
        for classes, size in ((2, 8), (3, 8), (4, 8), (9, 8), (10, 8), (12, 8), (10, 4), (10, 12), (10, 13)):
            assert refused(attack, classes, size) == fails(attack, classes, size), (norm, classes, size)


@pytest.mark.parametrize(
    ("text", "fewest"),
    [
        ("torchattacks:APGDT(steps=2)", 4),
        ("torchattacks:APGD(steps=2,loss=dlr)", 3),
        ("torchattacks:APGD(steps=2)", 2),
        ("torchattacks:JSMA", 10),
        ("torchattacks:AutoAttack", 4),
        ("torchattacks:AutoAttack(version=plus)", 4),
        ("torchattacks:AutoAttack(version=rand)", 3),
    ],
)
def test_the_classes_that_a_class_of_torchattacks_needs(text: str, fewest: int) -> None:
    pytest.importorskip("torchattacks", reason=ABSENT)
    attack = attack_of(text)
    assert [classes for classes in range(2, 13) if refused(attack, classes, 8)] == list(range(2, fewest))
    if fewest > 2:
        with pytest.raises(InputError, match=rf"at least {fewest} classes for {re.escape(text.partition('(')[0])}"):
            attack.check(fewest - 1, 8)
        assert "plus" in text or fails(attack, fewest - 1, 8)
    assert "AutoAttack" in text or not fails(attack, fewest, 8)  # AutoAttack takes long


@pytest.mark.parametrize(
    ("text", "fit"), [("Square", False), ("AutoAttack", False), ("AutoAttack(version=rand)", True)]
)
def test_the_squares_of_torchattacks_are_the_same(text: str, fit: bool) -> None:
    pytest.importorskip("torchattacks", reason=ABSENT)
    for size in (12, 14, 18, 19, 24):
        assert refused(attack_of(f"torchattacks:{text}", "L2"), 10, size) is not fit
    assert not refused(attack_of(f"torchattacks:{text}", "L2"), 10, 16)
    assert not refused(attack_of(f"torchattacks:{text}", "Linf"), 10, 12)


@pytest.mark.parametrize(
    "text", ["BIM(steps=many)", "AutoAttack(version=custom)", "TIFGSM(kernel_name=box)", "Jitter(scale=much)"]
)
def test_options_with_which_it_fails_are_refused_too(text: str) -> None:
    pytest.importorskip("torchattacks", reason=ABSENT)
    with pytest.raises(InputError, match=rf"torchattacks:{text.partition('(')[0]} with .* 8 pixels and 10 classes but"):
        attack_of(f"torchattacks:{text}").check(10, 8)


def test_a_trial_leaves_random_numbers_alone() -> None:
    pytest.importorskip("torchattacks", reason=ABSENT)
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    attack_of("torchattacks:OnePixel").check(10, 8)
    attack_of("torchattacks:PGD").check(10, 8)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert random.getstate() == before[2]


@pytest.mark.parametrize(
    "settings",
    [
        {"attacks": ["pgd2", "square"], "norm": "L2"},
        {"attacks": ["pgd2", "autoattack"], "norm": "L2"},
        {"attacks": ["pgd2"], "sweep": [0.5], "sweep_attack": ["square50"], "norm": "L2"},
        {"attacks": ["pgd2"], "cascade": True, "sweep": [0.5, 1], "sweep_attack": ["pgd2", "autoattack"], "norm": "L2"},
    ],
)
def test_a_plan_is_refused_for_any_of_its_attacks(settings: Any) -> None:
    plan_of(EvalSettings(**settings), 10, 16)
    with pytest.raises(InputError, match="19 pixels"):
        plan_of(EvalSettings(**settings), 10, 19)


def test_the_attack_of_a_measure_is_checked_too() -> None:
    settings = EvalSettings(attacks=["pgd2"], norm="L2", measures=["calibration"], measure_attack="square50")
    settings.check()
    check_measures(settings, 10, 16)
    with pytest.raises(InputError, match="12 pixels"):
        check_measures(settings, 10, 12)


def test_checks_in_l2_go_without_square_where_it_cannot_start() -> None:
    settings = EvalSettings(attacks=["pgd2"], norm="L2", eps=0.5, checks=True)
    assert "square" in checks._plan(settings, (0.5,), 16)
    assert "square" not in checks._plan(settings, (0.5,), 12)
    assert "square" in checks._plan(EvalSettings(checks=True), (0.5,), 12)
    assert checks._black_box(checks.CheckResults({"clean": [1]}, ())).ok == "skipped"
    square = checks.check_passes(settings, 16) - checks.check_passes(settings, 12)
    assert square == pytest.approx(checks.SQUARE_QUERIES / 3)


# messages of the package


def said(caplog: pytest.LogCaptureFixture, name: str, network: nn.Module, stage: str | None = None) -> list[str]:
    caplog.clear()
    attack = attack_of(name)
    x = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with caplog.at_level(logging.WARNING), seeded(1):
        attack.perturb(network, x, network(x).argmax(1), stage or attack.stages[0], 1)
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ("name", "stage"),
    [("apgd-dlr3", None), pytest.param("autoattack-rand", "apgd-dlr", marks=pytest.mark.slow)],
)
def test_nothing_is_said_of_a_loss_that_is_not_used(
    name: str, stage: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    assert said(caplog, name, linear(3, 8), stage) == []


class Noisy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.network = linear(3, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x) + 0.1 * torch.randn(len(x), 3)


class Rounded(Noisy):
    def forward(self, x: Tensor) -> Tensor:
        return self.network((x * 8).round() / 8)


def test_warnings_that_matter_are_still_said(caplog: pytest.LogCaptureFixture) -> None:
    assert "randomized" in " ".join(said(caplog, "apgd-dlr3", Noisy()))
    assert "zero gradient" in " ".join(said(caplog, "apgd-dlr3", Rounded()))
    log = logging.getLogger("auto-attack")
    assert log.filters == []
    with caplog.at_level(logging.WARNING):
        log.warning("it is not possible to use the targeted DLR loss!")  # by other code, afterwards
    assert "targeted DLR loss" in caplog.text
