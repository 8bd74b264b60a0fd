"""AutoAttack: its protocol, its parts, its variant for randomised networks, and the package of its authors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from attack_making import attack_of

from nas.core.errors import InputError
from nas.eval import ATTACKS
from nas.eval.attacks import auto
from nas.search_spaces import Network

pytestmark = pytest.mark.landing


def test_autoattack_standard_needs_four_classes() -> None:
    attack = ATTACKS.get("autoattack")(0.1, None, None)
    attack.check(4, 8)
    with pytest.raises(InputError, match="4 classes"):
        attack.check(3, 8)


def test_autoattack_is_the_standard_protocol(
    trained: tuple[Network, torch.Tensor, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parts, one at a time, leave the same images correct as the package's own standard evaluation."""
    from pyautoattack import AutoAttack

    monkeypatch.setattr(auto, "TARGETS", 2)  # instead of 9, to save time
    lengths, evaluate = set(), AutoAttack.run_standard_evaluation

    def shortened(self: Any, *args: Any, **more: Any) -> Any:
        """Record the length of each part, then run a twentieth of it."""
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
    own = attack.adversary(network, 5, x)  # type: ignore[attr-defined]
    assert attack.stages == tuple(whole.attacks_to_run)
    assert (own.apgd.eot_iter, own.apgd.n_iter, own.apgd.n_restarts) == (20, 100, 1)


def test_parts_of_autoattack_have_its_settings(
    trained: tuple[Network, torch.Tensor, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 iterations and 5,000 queries if the name has no number; steps, restarts and the norm are passed on."""
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
    sys.modules.pop("autoattack")  # not by monkeypatch, which would restore the false package at the end
    assert calls == [([stage], len(x), 9) for stage in ("apgd-ce", "apgd-t", "fab-t", "square")]
    assert capsys.readouterr().out == ""
