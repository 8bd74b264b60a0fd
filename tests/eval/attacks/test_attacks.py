"""The contract of every attack, the project's attacks against those of the libraries, and what is refused."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from attack_making import SHORT, attack_of, needs_library
from slowly import slow_but
from torch.nn import functional as F

from nas.core.errors import InputError
from nas.core.images import check_unit_range, unit_range
from nas.core.optimisation.attack_steps import fgsm, pgd, uniform_noise
from nas.core.seeds import seeded
from nas.eval import ATTACKS
from nas.eval.attacks import parse_attack
from nas.search_spaces import Network

RADII = {"Linf": 0.25, "L2": 3.0}
CASES = [
    (SHORT.get(name, kind.example or name), norm)
    for name, kind in ATTACKS.components.items()
    for norm in kind.norms
    if (kind.example, norm) != ("torchattacks:BIM(steps=20)", "L2")
]

QUICK = [one for one in CASES if not one[0].startswith(("autoattack", "apgd", "square", "cw", "fab"))]


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(("name", "norm"), slow_but(CASES, QUICK, pytest.mark.landing))
def test_attack_contract(name: str, norm: str, trained: tuple[Network, torch.Tensor, torch.Tensor]) -> None:
    needs_library(name)
    network, x, y = trained
    eps = RADII[norm]
    attack = attack_of(name, eps, norm=norm)
    before = x.clone()
    state = {key: value.clone() for key, value in network.state_dict().items()}
    standing = torch.ones(len(y), dtype=torch.bool)
    for stage in attack.stages:
        results = []
        for _ in range(2):
            with seeded(7):
                results.append(attack.perturb(network, x, y, stage, 7).detach())
        assert torch.equal(*results), "the same seed must give the same images"
        x_adv = results[0]
        assert x_adv.shape == x.shape
        moved = (x_adv - x).flatten(1)
        far = (moved.abs().amax(1) if norm == "Linf" else moved.square().sum(1).sqrt()) > eps + 1e-4
        assert not (attack.bounded and far.any())
        assert x_adv.min() >= 0
        assert x_adv.max() <= 1
        assert torch.equal(attack.admitted(x_adv, x), ~far)
        standing &= (network(x_adv).argmax(1) == y) | far
    assert torch.equal(x, before)
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    allowed = 0.9 if name == "cw" else 0.7  # CW cannot change the many pixels that are 0 or 1
    assert standing.float().mean() < allowed, "a standard network does not stand such a radius"
    assert attack.passes() > 0


def test_the_reported_pgd_and_that_of_training_agree_from_the_same_start(
    trained: tuple[Network, torch.Tensor, torch.Tensor],
) -> None:
    network, x, y = trained
    attack = ATTACKS.get("pgd")(0.1, 0.02, 5)
    torch.manual_seed(3)
    theirs = attack.perturb(network, x, y, "pgd", 3)
    torch.manual_seed(3)
    start = uniform_noise(x, 0.1)
    ours = pgd(lambda z: F.cross_entropy(network(z), y), x, 0.1, 0.02, 5, start=start)
    assert torch.allclose(theirs, ours, atol=1e-6)


def test_the_reported_fgsm_and_that_of_training_agree(trained: tuple[Network, torch.Tensor, torch.Tensor]) -> None:
    network, x, y = trained
    theirs = ATTACKS.get("fgsm")(0.1, None, None).perturb(network, x, y, "fgsm", 0)
    assert torch.allclose(theirs, fgsm(lambda z: F.cross_entropy(network(z), y), x, 0.1), atol=1e-6)


def test_names() -> None:
    assert parse_attack(ATTACKS, "pgd20") == (ATTACKS.get("pgd"), {"steps": 20})
    assert parse_attack(ATTACKS, "pgd") == (ATTACKS.get("pgd"), {})
    assert parse_attack(ATTACKS, "apgd-ce50") == (ATTACKS.get("apgd-ce"), {"steps": 50})
    for bad in ("fgsm3", "pgd0", "pdg20", "", "autoattack5", "autoattack-rand2"):
        with pytest.raises(InputError):
            parse_attack(ATTACKS, bad)


@pytest.mark.parametrize(("name", "norm"), [("fgsm", "L2"), ("mifgsm", "L2"), ("cw", "Linf")])
def test_a_norm_that_an_attack_has_not_is_refused(name: str, norm: str) -> None:
    with pytest.raises(InputError, match=r"eval\.norm="):
        attack_of(name, 0.1, norm=norm)


def test_pgd_in_l2_is_the_library_s(trained: tuple[Network, torch.Tensor, torch.Tensor]) -> None:
    torchattacks = pytest.importorskip("torchattacks", reason="torchattacks is not installed")
    network, x, y = trained
    torch.manual_seed(3)
    theirs = torchattacks.PGDL2(network, eps=0.8, alpha=0.2, steps=5)(x, y)
    torch.manual_seed(3)
    assert torch.equal(attack_of("pgd5", 0.8, norm="L2").perturb(network, x, y, "pgd", 3), theirs)


def test_restarts_of_pgd_are_stages_with_starts_of_their_own() -> None:
    assert attack_of("pgd3", 0.1, restarts=3).stages == ("pgd", "pgd-2", "pgd-3")
    assert attack_of("pgd3", 0.1).stages == ("pgd",)
    assert attack_of("pgd3", 0.1, restarts=3).passes() == 9


def test_mifgsm_stays_where_there_is_no_gradient(trained: tuple[Network, torch.Tensor, torch.Tensor]) -> None:
    """The library divides by the mean gradient, which is 0 here."""
    _, x, y = trained

    class Flat(torch.nn.Module):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return z.flatten(1)[:, :10] * 0

    flat = Flat().requires_grad_(False)
    flat.register_parameter("unused", torch.nn.Parameter(torch.zeros(1)))
    assert torch.equal(attack_of("mifgsm3", 0.1).perturb(flat, x, y, "mifgsm", 0), x)


def test_cw_counts_within_the_radius_only(trained: tuple[Network, torch.Tensor, torch.Tensor]) -> None:
    needs_library("cw")
    network, x, y = trained
    found = attack_of("cw", 9.0, norm="L2").perturb(network, x, y, "cw", 0)
    lengths = (found - x).flatten(1).norm(dim=1)
    fooled = network(found).argmax(1) != y
    assert fooled.sum() > 1
    middle = lengths[fooled].median().item()
    small, large = (attack_of("cw", eps, norm="L2").admitted(found, x) for eps in (middle * 0.99, 9.0))
    assert torch.equal(small, lengths <= middle * 0.99)
    assert not small.all()
    assert large.all()


@pytest.mark.parametrize(
    "images",
    [
        torch.rand(2, 3, 4, 4) * 255,
        torch.randn(2, 3, 4, 4),
        torch.full((2, 3, 4, 4), float("nan")),
        torch.zeros(2, 3, 4, 4, dtype=torch.uint8),
    ],
)
def test_other_input_ranges_are_refused(images: torch.Tensor) -> None:
    with pytest.raises(InputError, match=r"\[0, 1\]"):
        check_unit_range(images)


def test_unit_range_takes_bytes() -> None:
    images = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 2, 2)
    check_unit_range(unit_range(images))
    assert unit_range(images).flatten(1).mean(1).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("name", ATTACKS.names())
def test_an_attack_reads_the_settings_that_it_declares(
    name: str, trained: tuple[Network, torch.Tensor, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_library(name)
    kind, more = parse_attack(ATTACKS, ATTACKS.get(name).example or name)
    read: set[str] = set()

    class Recorded(kind):  # type: ignore[misc, valid-type]
        def __getattribute__(self, key: str) -> Any:
            read.add(key)
            return super().__getattribute__(key)

        def adversary(self, *_: Any) -> MagicMock:  # for attacks that have one
            return MagicMock()

    if kind.default_steps is not None:
        more["steps"] = 2
    attack = Recorded(0.1, step_size=0.05, norm=kind.norms[0], restarts=2, **more)
    read.clear()
    network, x, y = trained
    for stage in attack.stages:
        attack.perturb(network.eval(), x[:2], y[:2], stage, 0)
    assert read & {"step_size", "restarts"} == vars(kind)["reads"]
