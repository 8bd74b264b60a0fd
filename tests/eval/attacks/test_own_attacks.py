"""FGSM, PGD and MI-FGSM without torchattacks: the same bits on a CPU, and never mixed where they may differ."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.core.data import Dataset, DataSettings, attacked, load
from nas.core.errors import InputError
from nas.core.images import unit_range
from nas.core.seeds import seeded
from nas.core.storage.memory import InMemoryStore
from nas.eval import ATTACKS, Attack, EvalSettings, checks, evaluate
from nas.eval.attack_runner import AttackRunner
from nas.eval.attacks import library, parse_attack
from nas.eval.attacks.auto import package
from nas.eval.attacks.base import OWN
from nas.eval.attacks.gradient import GradientAttack
from nas.eval.transfer import transfer
from nas.settings.schema import from_values

CPU = torch.device("cpu")
ABSENT = "torchattacks, to compare with, is not installed"
NAMES = [("fgsm", "Linf"), ("pgd1", "Linf"), ("pgd4", "Linf"), ("mifgsm1", "Linf"), ("mifgsm4", "Linf")]
NAMES += [("pgd1", "L2"), ("pgd4", "L2")]


def without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that torchattacks is not installed."""
    monkeypatch.setitem(sys.modules, "torchattacks", None)


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch)


def attack_of(text: str, eps: float, norm: str = "Linf", **more: Any) -> Attack:
    kind, said = parse_attack(ATTACKS, text)
    return kind(eps, norm=norm, **said, **more)


def convolutional(size: int, classes: int) -> nn.Module:
    """A network with ReLU and pooling, which block some gradients."""
    parts = nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    return nn.Sequential(*parts, nn.Linear(5 * (size // 2) ** 2, classes)).eval().requires_grad_(False)


class Saturated(nn.Module):
    """The gradient is 0 for dark images, and for pixels above .6 of the others."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        weight = torch.randn(classes, 3, generator=torch.Generator().manual_seed(0))
        self.weight = nn.Parameter(weight, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        bright = (x.mean((1, 2, 3)) > 0.5).to(x.dtype)[:, None]
        return (x.clamp(max=0.6).mean((2, 3)) * bright) @ self.weight.T * 3


def pictures(seed: int, size: int, count: int) -> Tensor:
    """Noise with some pixels that are exactly 0 or 1."""
    return (torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.3).clamp(0, 1)


def both(
    attack: Attack, network: nn.Module, x: Tensor, y: Tensor, monkeypatch: pytest.MonkeyPatch
) -> tuple[Tensor, Tensor]:
    """The results of torchattacks and of the project, which draw equally many numbers and do not change the images."""
    moved, states = [], []
    for here in (True, False):
        with monkeypatch.context() as context, seeded(7):
            if not here:
                without(context)
            before = x.clone()
            moved.append(attack.perturb(network, x, y, attack.stages[0], 7).detach())
            states.append(torch.random.get_rng_state())
            assert torch.equal(x, before)
    assert torch.equal(*states)
    return moved[0], moved[1]


@pytest.mark.parametrize(("name", "norm"), NAMES)
def test_the_same_bits_as_torchattacks(name: str, norm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchattacks", reason=ABSENT)
    for seed in range(12):
        torch.manual_seed(seed)
        size, count = 4 + seed, 1 + seed % 5
        network = Saturated() if seed % 4 == 3 else convolutional(size, 4)
        x, y = pictures(seed, size, count), torch.randint(0, 4, (count,))
        eps = 10.0 ** (-2 + 2 * torch.rand(()).item())
        for step_size in (None, 1.5 * eps):
            theirs, ours = both(attack_of(name, eps, norm, step_size=step_size), network, x, y, monkeypatch)
            assert torch.equal(theirs, ours), (seed, step_size)
            assert torch.isfinite(ours).all()
            assert seed % 4 == 3 or not torch.equal(ours, x)


@pytest.mark.parametrize("layout", ["channels last", "every other row", "one image repeated"])
@pytest.mark.parametrize("name", ["fgsm", "pgd3", "mifgsm3"])
def test_the_same_bits_in_every_memory_order(name: str, layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchattacks", reason=ABSENT)
    torch.manual_seed(1)
    network, y = convolutional(8, 4), torch.randint(0, 4, (5,))
    x = {
        "channels last": pictures(1, 8, 5).contiguous(memory_format=torch.channels_last),
        "every other row": torch.cat([pictures(1, 8, 5), pictures(2, 8, 5)], dim=2)[:, :, ::2],
        "one image repeated": pictures(1, 8, 1).expand(5, -1, -1, -1),
    }[layout]
    theirs, ours = both(attack_of(name, 0.1), network, x, y, monkeypatch)
    assert torch.equal(theirs, ours)
    assert theirs.stride() == ours.stride()


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_the_same_bits_without_a_step_and_from_the_image_itself(norm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchattacks", reason=ABSENT)
    torch.manual_seed(1)
    network, x, y = convolutional(8, 4), pictures(1, 8, 5), torch.randint(0, 4, (5,))
    theirs, ours = both(ATTACKS.get("pgd")(0.3, steps=0, norm=norm), network, x, y, monkeypatch)
    assert torch.equal(theirs, ours)
    assert not torch.equal(ours, x)
    theirs, ours = both(checks._FromImage(0.3, step_size=0.3, steps=1, norm=norm), network, x, y, monkeypatch)
    assert torch.equal(theirs, ours)


def test_the_one_step_of_the_checks_in_l2_is_that_of_torchattacks() -> None:
    torchattacks = pytest.importorskip("torchattacks", reason=ABSENT)
    torch.manual_seed(1)
    network, x, y = convolutional(8, 4), pictures(1, 8, 5), torch.randint(0, 4, (5,))
    step = checks._plan(EvalSettings(norm="L2", eps=0.7, checks=True), (0.7,), 8)["one-step"]
    theirs = torchattacks.PGDL2(network, eps=0.7, alpha=0.7, steps=1, random_start=False)(x, y)
    assert torch.equal(step.perturb(network, x, y, "", 0), theirs)


@pytest.mark.usefixtures("absent")
def test_a_network_without_weights_can_be_attacked() -> None:
    """torchattacks takes the device of the network from its first weight."""

    class Bare(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean((2, 3))

    x, y = pictures(1, 8, 4), torch.tensor([0, 1, 2, 0])
    for name, norm in NAMES:
        assert not torch.equal(attack_of(name, 0.1, norm).perturb(Bare(), x, y, "", 0), x)


# whole evaluations


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load(DataSettings(size=8))


@pytest.fixture(scope="module")
def network(data: Dataset) -> nn.Module:
    torch.manual_seed(0)
    network = convolutional(8, 10).requires_grad_(True)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    x, y = unit_range(data.train.images), data.train.labels
    for _ in range(100):
        chosen = torch.randperm(len(y))[:64]
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x[chosen]), y[chosen]).backward()
        optimizer.step()
    return network.requires_grad_(False)


LINF = EvalSettings(
    attacks=["fgsm", "pgd2", "mifgsm3"], eps=0.05, restarts=2, n_test=31, batch_size=12, sweep=[0.5, 2.0],
    sweep_attack=["pgd3"], measures=["calibration"], measure_images=9, measure_attack="pgd2",
)  # fmt: skip
L2 = replace(LINF, attacks=["pgd3"], norm="L2", eps=0.4, cascade=True, sweep=[], measures=[])


@pytest.mark.parametrize("settings", [LINF, L2], ids=["Linf", "L2"])
def test_an_evaluation_is_the_same_and_goes_on_from_one_to_the_other(
    settings: EvalSettings, network: nn.Module, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torchattacks", reason=ABSENT)
    theirs = InMemoryStore()
    entry = evaluate(network, data, settings, 3, CPU, theirs)
    assert entry.providers == {}
    assert 0 < entry.worst_case.accuracy < entry.clean
    without(monkeypatch)
    ours = InMemoryStore()
    assert evaluate(network, data, settings, 3, CPU, ours) == entry
    assert ours.facts == theirs.facts
    half = InMemoryStore(dict(list(theirs.facts.items())[: len(theirs.facts) // 2]))
    assert evaluate(network, data, settings, 3, CPU, half) == entry


def test_a_transfer_is_the_same(network: nn.Module, data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchattacks", reason=ABSENT)
    part, kept, found = attacked(data, 20), [InMemoryStore(), InMemoryStore()], []
    settings = replace(LINF, sweep=[], measures=[])
    for memory in kept:
        networks = {"one": network, "other": Saturated(10)}
        found.append(transfer("one", networks, part, settings, 3, CPU, memory))
        without(monkeypatch)
    assert found[0] == found[1]
    assert kept[0].facts == kept[1].facts


@pytest.mark.usefixtures("absent")
def test_checks_need_no_torchattacks(network: nn.Module, data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "SQUARE_QUERIES", 20)
    settings = EvalSettings(attacks=["pgd2"], norm="L2", eps=0.8, n_test=8, checks=True, checks_images=8)
    found = evaluate(network, data, settings, 3, CPU, InMemoryStore()).checks
    assert {"one-step", "black-box", "random-noise"} <= {one.name for one in found}


# where they may differ


def test_outcomes_of_two_providers_are_kept_apart(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """With double precision as an example of numbers that may differ between the two."""
    pytest.importorskip("torchattacks", reason=ABSENT)
    outcomes, attack, part = InMemoryStore(), attack_of("pgd2", 0.1), attacked(data, 9)
    torch.manual_seed(0)
    network = convolutional(8, 10).double()
    subject = AttackRunner(network, unit_range(part.images).double(), part.labels, 4, 3, CPU, outcomes)
    subject.robust("pgd2", attack, [1] * 9, lambda passes, note: None)
    assert subject.providers == {"pgd2": "torchattacks"}

    def flags() -> list[str]:
        return [key for key in outcomes.facts if key.startswith("pgd2/") and not key.endswith("non-finite")]

    assert flags() == [f"pgd2/pgd/{batch}" for batch in range(3)], "as they were kept before"
    without(monkeypatch)
    subject.robust("pgd2", attack, [1] * 9, lambda passes, note: None)
    assert subject.providers == {"pgd2": OWN}
    assert flags()[3:] == [f"pgd2/pgd/{batch}/{OWN}" for batch in range(3)]


def test_an_evaluation_elsewhere_says_the_provider(
    network: nn.Module, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GradientAttack, "provider", lambda self, x: OWN)
    outcomes = InMemoryStore()
    settings = replace(LINF, attacks=["fgsm", "square5"], sweep=[], n_test=5)
    entry = evaluate(network, data, settings, 3, CPU, outcomes)
    assert entry.providers == {"fgsm": OWN}
    assert {f"fgsm/fgsm/0/{OWN}", "square5/square/0", f"measure/calibration/0/{OWN}"} <= outcomes.facts.keys()
    outcomes.facts.clear()
    settings = replace(settings, attacks=["fgsm"], measures=[])
    transfer("one", {"one": network, "other": network}, attacked(data, 5), settings, 3, CPU, outcomes)
    assert f"one/fgsm/0/{OWN}" in outcomes.facts


def test_which_attacks_have_two_providers() -> None:
    x: Any = SimpleNamespace(device=SimpleNamespace(type="cuda"), dtype=torch.float32)
    for name in ("apgd-ce", "fab", "square", "autoattack"):
        assert attack_of(name, 0.1).provider(x) is None
    for name in ("fgsm", "pgd", "mifgsm"):
        assert attack_of(name, 0.1).provider(x) == (OWN if library.torchattacks() is None else "torchattacks")
        assert attack_of(name, 0.1).provider(torch.zeros(1, 3, 2, 2)) is None


# what asks for the extra


@pytest.mark.usefixtures("absent")
@pytest.mark.parametrize("name", ["cw", "cw5", "torchattacks:BIM(steps=3)", "torchattacks:Unknown(a=1)"])
def test_what_is_of_torchattacks_alone_asks_for_the_extra(name: str) -> None:
    attack = attack_of(name, 0.1, "L2" if name.startswith("cw") else "Linf")
    with pytest.raises(InputError, match=r"package torchattacks .*pip install 'robust-nas\[torchattacks\]'"):
        attack.check(10, 8)


@pytest.mark.usefixtures("absent")
def test_settings_that_name_such_attacks_can_still_be_read() -> None:
    """Commands that do not attack need them: a training, a report, a finished run."""
    settings = from_values({}, ["eval.attacks=torchattacks:DIFGSM(steps=3,decay=1),cw", "eval.norm=L2"])
    assert settings.eval.attacks == ["torchattacks:DIFGSM(steps=3,decay=1)", "cw"]


def other(version: str) -> ModuleType:
    """A module torchattacks of another version."""
    module = ModuleType("torchattacks")
    module.__version__ = version  # type: ignore[attr-defined]
    return module


@pytest.mark.parametrize("version", ["3.3.0", "3.5.0", "2.14", ""])
def test_an_older_one_is_refused_or_not_used(
    version: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    network, x, y = convolutional(8, 4), pictures(1, 8, 4), torch.tensor([0, 1, 2, 3])
    with monkeypatch.context() as context, seeded(1):
        without(context)
        expected = attack_of("pgd3", 0.1).perturb(network, x, y, "pgd", 1)
    monkeypatch.setitem(sys.modules, "torchattacks", other(version))
    with caplog.at_level(logging.WARNING, "nas"):
        for _ in range(2):
            with seeded(1):
                assert torch.equal(attack_of("pgd3", 0.1).perturb(network, x, y, "pgd", 1), expected)
    (said,) = [record.getMessage() for record in caplog.records]
    assert f"torchattacks {version} is installed, which is too old and is not used" in said
    for name, norm in (("cw", "L2"), ("torchattacks:BIM", "Linf")):
        with pytest.raises(InputError, match=rf"torchattacks 3\.5\.1 or newer but {version}.*robust-nas\[torchattacks"):
            attack_of(name, 0.1, norm).check(10, 8)


@pytest.mark.parametrize("version", ["3.5.1", "3.5.1.post1", "3.10", "4.0.0rc1"])
def test_newer_ones_are_used(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = other(version)
    monkeypatch.setitem(sys.modules, "torchattacks", module)
    assert library.torchattacks() is library.required() is module


def installed(folder: Path, name: str, version: str, *modules: str) -> None:
    """Install a package with these top-level modules, as pip does."""
    about = folder / f"{name}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (about / "RECORD").write_text("".join(f"{module}/__init__.py,,\n" for module in modules))
    for module in modules:
        (folder / module).mkdir(exist_ok=True)
        (folder / module / "__init__.py").touch()


@pytest.mark.parametrize(
    ("packages", "used"),
    [
        ((), "pyautoattack"),
        (("autoattack",), "autoattack"),
        (("torchattacks",), "pyautoattack"),
        (("autoattack", "torchattacks"), "pyautoattack"),  # one of the two overwrote the other's files
    ],
)
def test_autoattack_is_the_authors_and_not_the_copy_in_an_old_torchattacks(
    packages: tuple[str, ...],
    used: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in packages:
        installed(tmp_path, name, "3.3.0", *dict.fromkeys((name, "autoattack")))
    monkeypatch.syspath_prepend(str(tmp_path))
    with caplog.at_level(logging.WARNING, "nas"):
        assert package() == package() == used
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == ("torchattacks" in packages)
    assert all("autoattack here comes with an old torchattacks, not from its authors" in text for text in said)
