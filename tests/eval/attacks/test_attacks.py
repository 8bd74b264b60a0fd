"""Every registered attack keeps its contract; PGD of the library and of the project agree; odd inputs are refused."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from nas.core.data import DataSettings, load
from nas.core.errors import InputError
from nas.core.images import check_unit_range, unit_range
from nas.core.optimisation.perturb import fgsm, pgd, uniform_noise
from nas.core.seeds import seeded
from nas.eval import ATTACKS, Attack
from nas.eval.attacks import auto, named
from nas.search_spaces import NASBench201, Network


@pytest.fixture(scope="module")
def trained() -> tuple[Network, torch.Tensor, torch.Tensor]:
    """A small network that classifies digits, with 12 images it gets right."""
    data = load(DataSettings(size=8))
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


SHORT = {"apgd-ce": "apgd-ce5", "apgd-dlr": "apgd-dlr5", "fab": "fab5", "square": "square100"}  # else minutes
RADII = {"Linf": 0.25, "L2": 3.0}
CASES = [
    (SHORT.get(name, kind.example or name), norm)
    for name, kind in ATTACKS.components.items()
    for norm in kind.norms
    if (kind.example, norm) != ("torchattacks:BIM(steps=20)", "L2")
]


def _needs_library(name: str) -> None:
    if name.startswith(("cw", "torchattacks:")):
        pytest.importorskip("torchattacks", reason="torchattacks, which this attack is of, is not installed")


def attack_of(text: str, eps: float, **more: Any) -> Attack:
    kind, said = named(ATTACKS, text)
    return kind(eps, **more, **said)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer of the thousands of passes of AutoAttack's versions."""

    def adjust(self: Attack, adversary: Any, num_classes: int) -> None:
        adversary.apgd.n_iter = adversary.apgd_targeted.n_iter = adversary.fab.n_iter = 5
        adversary.apgd_targeted.n_target_classes = adversary.fab.n_target_classes = 2
        adversary.apgd.eot_iter, adversary.square.n_queries = 2, 60

    for name in ("autoattack", "autoattack-rand"):
        monkeypatch.setattr(ATTACKS.get(name), "adjust", adjust)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(("name", "norm"), CASES)
def test_attack_contract(name: str, norm: str, trained: tuple[Network, torch.Tensor, torch.Tensor]) -> None:
    _needs_library(name)
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
    allowed = 0.9 if name == "cw" else 0.7  # which cannot move the many pixels that are 0 or 1
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


def test_step_size_and_steps_reach_the_library(trained: tuple[Network, torch.Tensor, torch.Tensor]) -> None:
    network, x, y = trained
    kind, said = named(ATTACKS, "pgd1")
    torch.manual_seed(0)
    start = uniform_noise(x, 0.1)
    torch.manual_seed(0)
    moved = kind(0.1, 0.03, **said).perturb(network, x, y, "pgd", 0) - start
    inside = (start > 0.1) & (start < 0.9) & ((start - x).abs() < 0.06)
    assert inside.any()
    assert torch.allclose(moved[inside].abs(), torch.full_like(moved[inside], 0.03), atol=1e-5)


def test_names() -> None:
    assert named(ATTACKS, "pgd20") == (ATTACKS.get("pgd"), {"steps": 20})
    assert named(ATTACKS, "pgd") == (ATTACKS.get("pgd"), {})
    assert named(ATTACKS, "apgd-ce50") == (ATTACKS.get("apgd-ce"), {"steps": 50})
    for bad in ("fgsm3", "pgd0", "pdg20", "", "autoattack5", "autoattack-rand2"):
        with pytest.raises(InputError):
            named(ATTACKS, bad)


def test_autoattack_standard_needs_four_classes() -> None:
    attack = ATTACKS.get("autoattack")(0.1, None, None)
    attack.check(4, 8)
    with pytest.raises(InputError, match="4 classes"):
        attack.check(3, 8)


def test_autoattack_is_the_standard_protocol(
    trained: tuple[Network, torch.Tensor, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Driving the parts one at a time leaves the same images standing as the package's own standard evaluation."""
    from pyautoattack import AutoAttack

    monkeypatch.setattr(auto, "TARGETS", 2)  # of 9, for time
    lengths, evaluate = set(), AutoAttack.run_standard_evaluation

    def shortened(self: Any, *args: Any, **more: Any) -> Any:
        """Each part as long as it came is noted; then a twentieth of it is run."""
        lengths.add((self.apgd.n_iter, self.apgd_targeted.n_iter, self.fab.n_iter, self.square.n_queries))
        self.apgd.n_iter = self.apgd_targeted.n_iter = self.fab.n_iter = 5
        self.square.n_queries = 250
        return evaluate(self, *args, **more)

    monkeypatch.setattr(AutoAttack, "run_standard_evaluation", shortened)
    network, x, y = (trained[0], trained[1][:6], trained[2][:6])
    eps = 0.12
    own = ATTACKS.get("autoattack")(eps, None, None)
    standing = torch.ones(len(y), dtype=torch.bool)
    for stage in own.stages:
        if standing.any():
            x_adv = own.perturb(network, x[standing], y[standing], stage, 5)
            standing[standing.clone()] = network(x_adv).argmax(1) == y[standing]
    whole = AutoAttack(network, norm="Linf", eps=eps, seed=5, version="standard")
    whole.apgd_targeted.n_target_classes = whole.fab.n_target_classes = 2
    x_adv, _ = whole.run_standard_evaluation(x, y, batch_size=len(x))
    assert torch.equal(standing, network(x_adv).argmax(1) == y)
    assert own.stages == tuple(whole.attacks_to_run)
    assert lengths == {(100, 100, 100, 5000)}


@pytest.mark.parametrize(("name", "classes"), [("autoattack-rand", 3), ("apgd-dlr", 3)])
def test_the_dlr_loss_needs_three_classes(name: str, classes: int) -> None:
    attack_of(name, 0.1).check(classes, 8)
    with pytest.raises(InputError, match=f"{classes} classes"):
        attack_of(name, 0.1).check(classes - 1, 8)


def test_autoattack_rand_is_the_package_s_own(trained: tuple[Network, torch.Tensor, torch.Tensor]) -> None:
    from pyautoattack import AutoAttack

    network, x, _ = trained
    attack = ATTACKS.get("autoattack-rand")(0.1)
    whole = AutoAttack(network, eps=0.1, seed=5, version="rand")
    own = attack._adversary(network, 5, x)  # type: ignore[attr-defined]
    assert attack.stages == tuple(whole.attacks_to_run)
    assert (own.apgd.eot_iter, own.apgd.n_iter, own.apgd.n_restarts) == (20, 100, 1)


def test_parts_of_autoattack_have_its_settings(
    trained: tuple[Network, torch.Tensor, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 iterations and 5,000 queries where the name says nothing; steps, restarts and the norm get through."""
    from pyautoattack import AutoAttack

    network, x, y = trained
    seen: list[Any] = []

    def watch(self: Any, images: torch.Tensor, labels: torch.Tensor, **more: Any) -> Any:
        seen.append(self)
        return images, labels

    monkeypatch.setattr(AutoAttack, "run_standard_evaluation", watch)
    for name in ("apgd-ce", "fab", "square", "apgd-dlr30"):
        attack = attack_of(name, 0.5, norm="L2", restarts=2)
        attack.perturb(network, x, y, attack.stages[0], 0)
    ce, fab, square, dlr = seen
    assert [one.attacks_to_run for one in seen] == [["apgd-ce"], ["fab"], ["square"], ["apgd-dlr"]]
    assert (ce.apgd.n_iter, ce.apgd.n_restarts, ce.norm, ce.epsilon) == (100, 2, "L2", 0.5)
    assert (fab.fab.n_iter, fab.fab.n_restarts) == (100, 2)
    assert (square.square.n_queries, square.square.n_restarts) == (5000, 2)
    assert dlr.apgd.n_iter == 30


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
    """The library divides by the mean gradient, here 0."""
    _, x, y = trained

    class Flat(torch.nn.Module):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return z.flatten(1)[:, :10] * 0

    flat = Flat().requires_grad_(False)
    flat.register_parameter("unused", torch.nn.Parameter(torch.zeros(1)))
    assert torch.equal(attack_of("mifgsm3", 0.1).perturb(flat, x, y, "mifgsm", 0), x)


def test_cw_counts_within_the_radius_only(trained: tuple[Network, torch.Tensor, torch.Tensor]) -> None:
    _needs_library("cw")
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
    _needs_library("torchattacks:")
    with pytest.raises(InputError, match=re.escape(said)):
        named(ATTACKS, text)


@pytest.mark.parametrize(("text", "norm"), [("torchattacks:BIM", "L2"), ("torchattacks:PGDL2", "Linf")])
def test_a_class_of_another_norm_is_refused(text: str, norm: str) -> None:
    _needs_library(text)
    with pytest.raises(InputError, match=r"eval\.norm="):
        attack_of(text, 0.1, norm=norm)


def test_an_option_of_the_wrong_kind_is_told(trained: tuple[Network, torch.Tensor, torch.Tensor]) -> None:
    _needs_library("torchattacks:")
    network, x, y = trained
    with pytest.raises(InputError, match="steps"):
        attack_of("torchattacks:BIM(steps=many)", 0.1).perturb(network, x, y, "", 0)


def test_classes_that_draw_from_numpy_are_seeded_and_leave_its_state(
    trained: tuple[Network, torch.Tensor, torch.Tensor],
) -> None:
    _needs_library("torchattacks:")
    network, x, y = trained
    np.random.seed(1)
    state = np.random.get_state()[1].copy()
    attack = attack_of("torchattacks:OnePixel(steps=2,popsize=4)", 3.0, norm="L2")
    first, second = (attack.perturb(network, x[:2], y[:2], "", 9) for _ in range(2))
    assert torch.equal(first, second)
    assert (np.random.get_state()[1] == state).all()


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
        assert seed is not None and not verbose and not attacks_to_run
        self.eps, self.norm, self.version = eps, norm, version
        self.apgd, self.apgd_targeted, self.fab, self.square = Part(), Part(), Part(), Part()
        AutoAttack.last = self

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
    made: list[Any] = []
    for stage in attack.stages:
        assert torch.equal(attack.perturb(network, x, y, stage, 1), (x + 0.1).clamp(0, 1))
    for name, norm in (("square300", "L2"), ("autoattack-rand", "Linf")):
        attack = attack_of(name, 0.1, norm=norm, restarts=3)
        attack.perturb(network, x, y, attack.stages[0], 1)
        made.append((sys.modules["autoattack"].AutoAttack.last, name))
    assert [(one.norm, one.version) for one, _ in made] == [("L2", "standard"), ("Linf", "rand")]
    assert (made[0][0].square.n_queries, made[0][0].square.n_restarts) == (300, 3)
    calls = sys.modules["autoattack"].AutoAttack.calls[:4]
    sys.modules.pop("autoattack")  # not by monkeypatch, which would put the false package back at the end
    assert calls == [([stage], len(x), 9) for stage in ("apgd-ce", "apgd-t", "fab-t", "square")]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ATTACKS.names())
def test_an_attack_reads_the_settings_that_it_declares(
    name: str, trained: tuple[Network, torch.Tensor, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    _needs_library(name)
    kind, more = named(ATTACKS, ATTACKS.get(name).example or name)
    monkeypatch.setattr(auto.FromAutoAttack, "_adversary", lambda *_: MagicMock())
    read: set[str] = set()

    class Recorded(kind):  # type: ignore[misc, valid-type]
        def __getattribute__(self, key: str) -> Any:
            read.add(key)
            return super().__getattribute__(key)

    if kind.default_steps is not None:
        more["steps"] = 2
    attack = Recorded(0.1, step_size=0.05, norm=kind.norms[0], restarts=2, **more)
    read.clear()
    network, x, y = trained
    for stage in attack.stages:
        attack.perturb(network.eval(), x[:2], y[:2], stage, 0)
    assert read & {"step_size", "restarts"} == vars(kind)["reads"]
