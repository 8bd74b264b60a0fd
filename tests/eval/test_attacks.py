"""Every registered attack keeps its contract; PGD of the library and of the project agree; odd inputs are refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from nas.core.data import DataSettings, load
from nas.core.errors import InputError
from nas.core.images import check_unit_range, unit_range
from nas.core.perturb import fgsm, pgd, uniform_noise
from nas.core.seeds import seeded
from nas.eval import ATTACKS
from nas.eval.attacks import named
from nas.search_spaces import NASBench201, Network


@pytest.fixture(scope="module")
def trained() -> tuple[Network, torch.Tensor, torch.Tensor]:
    """A small network that classifies digits, with 12 images it gets right."""
    data = load(DataSettings())
    space = NASBench201()
    torch.manual_seed(0)
    cell = space.parse("|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|")
    network = space.build(cell, channels=4, cells_per_stage=1, mean=data.mean, std=data.std)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    x, y = unit_range(data.train.images), data.train.labels
    for _ in range(120):
        chosen = torch.randperm(len(y))[:64]
        loss = F.cross_entropy(network(x[chosen]), y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval().requires_grad_(False).zero_grad(set_to_none=True)
    x, y = unit_range(data.test.images[:60]).contiguous(), data.test.labels[:60]
    right = network(x).argmax(1) == y
    assert right.sum() > 30
    return network, x[right][:12], y[right][:12]


@pytest.mark.parametrize("name", ATTACKS.names())
def test_attack_contract(name: str, trained: tuple[Network, torch.Tensor, torch.Tensor]) -> None:
    network, x, y = trained
    eps = 0.25
    attack = ATTACKS.get(name)(eps, None, None)
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
        assert (x_adv - x).abs().max() <= eps + 1e-5
        assert x_adv.min() >= 0
        assert x_adv.max() <= 1
        standing &= network(x_adv).argmax(1) == y
    assert torch.equal(x, before)
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert standing.float().mean() < 0.7, "a standard network does not stand eps = .25"
    assert ATTACKS.get(name).passes(None) > 0


def test_torchattacks_and_own_pgd_agree_from_the_same_start(
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


def test_torchattacks_and_own_fgsm_agree(trained: tuple[Network, torch.Tensor, torch.Tensor]) -> None:
    network, x, y = trained
    theirs = ATTACKS.get("fgsm")(0.1, None, None).perturb(network, x, y, "fgsm", 0)
    assert torch.allclose(theirs, fgsm(lambda z: F.cross_entropy(network(z), y), x, 0.1), atol=1e-6)


def test_step_size_and_steps_reach_the_library(trained: tuple[Network, torch.Tensor, torch.Tensor]) -> None:
    network, x, y = trained
    kind, steps = named(ATTACKS, "pgd1")
    torch.manual_seed(0)
    start = uniform_noise(x, 0.1)
    torch.manual_seed(0)
    moved = kind(0.1, 0.03, steps).perturb(network, x, y, "pgd", 0) - start
    inside = (start > 0.1) & (start < 0.9) & ((start - x).abs() < 0.06)
    assert inside.any()
    assert torch.allclose(moved[inside].abs(), torch.full_like(moved[inside], 0.03), atol=1e-5)


def test_names() -> None:
    assert named(ATTACKS, "pgd20") == (ATTACKS.get("pgd"), 20)
    assert named(ATTACKS, "pgd") == (ATTACKS.get("pgd"), None)
    for bad in ("fgsm3", "pgd0", "pdg20", "", "autoattack5"):
        with pytest.raises(InputError):
            named(ATTACKS, bad)


def test_autoattack_standard_needs_four_classes() -> None:
    attack = ATTACKS.get("autoattack")(0.1, None, None)
    attack.check(4)
    with pytest.raises(InputError, match="4 classes"):
        attack.check(3)


def test_autoattack_is_the_standard_protocol(trained: tuple[Network, torch.Tensor, torch.Tensor]) -> None:
    """Driving the parts one at a time leaves the same images standing as the package's own standard evaluation."""
    from pyautoattack import AutoAttack

    network, x, y = trained
    eps = 0.06
    own = ATTACKS.get("autoattack")(eps, None, None)
    standing = torch.ones(len(y), dtype=torch.bool)
    for stage in own.stages:
        if standing.any():
            x_adv = own.perturb(network, x[standing], y[standing], stage, 5)
            standing[standing.clone()] = network(x_adv).argmax(1) == y[standing]
    whole = AutoAttack(network, norm="Linf", eps=eps, seed=5, version="standard")
    x_adv, _ = whole.run_standard_evaluation(x, y, batch_size=len(x))
    assert torch.equal(standing, network(x_adv).argmax(1) == y)
    assert own.stages == tuple(whole.attacks_to_run)


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


_AUTHORS_INTERFACE = '''
class Part:
    n_target_classes = None


class AutoAttack:
    """The constructor and method of the authors' package, as far as they are used."""

    calls = []

    def __init__(self, model, norm="Linf", eps=0.3, seed=None, verbose=True, attacks_to_run=[],
                 version="standard", is_tf_model=False, device="cuda", log_path=None):
        assert seed is not None and not verbose and version == "standard" and not attacks_to_run
        self.eps, self.norm = eps, norm
        self.apgd_targeted, self.fab = Part(), Part()

    def run_standard_evaluation(self, x_orig, y_orig, bs=250, return_labels=False, state_path=None):
        print("chatter")
        AutoAttack.calls.append((self.attacks_to_run, bs, self.apgd_targeted.n_target_classes))
        return (x_orig + self.eps).clamp(0, 1)
'''


def test_the_authors_package_is_used_where_it_is_installed(
    trained: tuple[Network, torch.Tensor, torch.Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from nas.eval.attacks.auto import package

    assert package() == "pyautoattack"
    (tmp_path / "autoattack.py").write_text(_AUTHORS_INTERFACE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "autoattack", raising=False)
    assert package() == "autoattack"
    network, x, y = trained
    attack = ATTACKS.get("autoattack")(0.1, None, None)
    for stage in attack.stages:
        assert torch.equal(attack.perturb(network, x, y, stage, 1), (x + 0.1).clamp(0, 1))
    calls = sys.modules["autoattack"].AutoAttack.calls
    monkeypatch.delitem(sys.modules, "autoattack")
    assert calls == [([stage], len(x), 9) for stage in ("apgd-ce", "apgd-t", "fab-t", "square")]
    assert capsys.readouterr().out == ""
