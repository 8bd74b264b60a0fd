"""Any class of torchattacks as an attack: its options, norms, seeds, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from attack_making import attack_of, needs_library

from nas.core.errors import InputError
from nas.core.optimisation.attack_steps import uniform_noise
from nas.core.seeds import seeded
from nas.eval import ATTACKS
from nas.eval.attacks import parse_attack
from nas.search_spaces import Network


@pytest.mark.landing
def test_step_size_and_steps_reach_the_library(trained: tuple[Network, torch.Tensor, torch.Tensor]) -> None:
    network, x, y = trained
    kind, said = parse_attack(ATTACKS, "pgd1")
    torch.manual_seed(0)
    start = uniform_noise(x, 0.1)
    torch.manual_seed(0)
    moved = kind(0.1, 0.03, **said).perturb(network, x, y, "pgd", 0) - start
    inside = (start > 0.1) & (start < 0.9) & ((start - x).abs() < 0.06)
    assert inside.any()
    assert torch.allclose(moved[inside].abs(), torch.full_like(moved[inside], 0.03), atol=1e-5)


@pytest.mark.landing
def test_any_class_of_torchattacks_with_its_options(trained: tuple[Network, torch.Tensor, torch.Tensor]) -> None:
    torchattacks = pytest.importorskip("torchattacks", reason="torchattacks is not installed")
    network, x, y = trained
    attack = attack_of("torchattacks:DIFGSM(steps=3, decay=1.5,random_start=true,alpha=2/255)", 0.1)
    with seeded(4):
        ours = attack.perturb(network, x, y, attack.stages[0], 4)
    with seeded(4):
        theirs = torchattacks.DIFGSM(network, eps=0.1, alpha=2 / 255, steps=3, decay=1.5, random_start=True)(x, y)
    assert torch.equal(ours, theirs)
    assert attack.passes() == 3


@pytest.mark.landing
def test_a_step_size_that_is_not_given_keeps_the_ratio_of_the_library(
    trained: tuple[Network, torch.Tensor, torch.Tensor],
) -> None:
    torchattacks = pytest.importorskip("torchattacks", reason="torchattacks is not installed")
    network, x, y = trained
    with seeded(4):
        ours = attack_of("torchattacks:FFGSM", 0.08).perturb(network, x, y, "", 4)
    with seeded(4):
        theirs = torchattacks.FFGSM(network, eps=0.08, alpha=0.1)(x, y)
    assert torch.allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("torchattacks:DIFGMS", "did you mean 'DIFGSM'"),
        ("torchattacks:NAME", "Expected an attack of torchattacks"),
        ("torchattacks:LGV", "Expected an attack of torchattacks"),
        ("torchattacks:", "torchattacks:NAME"),
        ("torchattacks:BIM(step=3)", "did you mean 'steps'"),
        ("torchattacks:BIM(eps=0.3)", "eval.eps"),
        ("torchattacks:BIM(3)", "it takes alpha, steps"),
        ("torchattack:BIM", "Expected an attack"),
    ],
)
def test_what_torchattacks_has_not_is_refused(text: str, said: str) -> None:
    needs_library("torchattacks:")
    with pytest.raises(InputError, match=re.escape(said)):
        parse_attack(ATTACKS, text)


@pytest.mark.parametrize(("text", "norm"), [("torchattacks:BIM", "L2"), ("torchattacks:PGDL2", "Linf")])
def test_a_class_of_another_norm_is_refused(text: str, norm: str) -> None:
    needs_library(text)
    with pytest.raises(InputError, match=r"eval\.norm="):
        attack_of(text, 0.1, norm=norm)


def test_an_option_of_the_wrong_kind_is_told(trained: tuple[Network, torch.Tensor, torch.Tensor]) -> None:
    needs_library("torchattacks:")
    network, x, y = trained
    with pytest.raises(InputError, match="steps"):
        attack_of("torchattacks:BIM(steps=many)", 0.1).perturb(network, x, y, "", 0)


def test_classes_that_draw_from_numpy_are_seeded_and_leave_its_state(
    trained: tuple[Network, torch.Tensor, torch.Tensor],
) -> None:
    needs_library("torchattacks:")
    network, x, y = trained
    np.random.seed(1)
    state = np.random.get_state()[1].copy()
    attack = attack_of("torchattacks:OnePixel(steps=2,popsize=4)", 3.0, norm="L2")
    first, second = (attack.perturb(network, x[:2], y[:2], "", 9) for _ in range(2))
    assert torch.equal(first, second)
    assert (np.random.get_state()[1] == state).all()
