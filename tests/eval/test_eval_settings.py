"""Defaults of an evaluation, limits of its options and settings of every attack, written down from their sources.

FGSM: Goodfellow et al., ICLR 2015. PGD: Madry et al., ICLR 2018. MI-FGSM: Dong et al., CVPR 2018. CW: Carlini and
Wagner, S&P 2017. AutoAttack, APGD, FAB: Croce and Hein, ICML 2020. Square: Andriushchenko et al., ECCV 2020.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.core.errors import InputError
from nas.eval import ATTACKS, Attack, EvalSettings, hrs
from nas.eval.attacks import parse_attack
from nas.eval.plan import attacks_of

EPS = 8 / 255
DEFAULTS = {
    "attacks": ["fgsm", "pgd20", "autoattack"],
    "eps": EPS,  # of CIFAR-10, Madry et al., and RobustBench's
    "norm": "Linf",
    "step_size": None,
    "restarts": 1,
    "cascade": False,
    "n_test": 1000,
    "batch_size": 250,
    "sweep": [],
    "sweep_attack": ["pgd20"],
    "sweep_preset": None,
    "checks": False,
    "checks_images": 100,
    "measures": [],
    "measure_images": 200,
    "measure_attack": "pgd20",
    "landscape_points": 21,
    "landscape_reach": 2.0,
    "corruptions": [],
    "severities": [1, 2, 3, 4, 5],
    "corruption_data": None,
    "corruption_baseline": None,
    "frost": None,
    "model_options": [],
    "normalise": None,
    "mean": [],
    "std": [],
}


def test_defaults() -> None:
    settings = EvalSettings()
    settings.check()
    assert vars(settings) == DEFAULTS


LIMITS: list[tuple[str, dict[str, Any], list[Any], list[Any]]] = [
    ("eps", {}, [1e-6, 1.0], [0.0, -0.1, 1.001]),
    ("eps", {"norm": "L2", "attacks": ["pgd20"]}, [1e-6, 1000.0], [0.0, 1000.1]),
    ("step_size", {}, [None, 1e-6, 1.0], [0.0, 1.001]),
    ("step_size", {"norm": "L2", "attacks": ["pgd20"]}, [None, 1000.0], [0.0, 1000.1]),
    ("n_test", {}, [1], [0]),
    ("batch_size", {}, [1], [0]),
    ("restarts", {}, [1], [0]),
    ("checks_images", {}, [1], [0]),
    ("measure_images", {}, [1], [0]),
    ("sweep", {"eps": 0.5}, [[2.0], [0.1]], [[2.01], [0.0], [0.1, -0.1]]),
    ("sweep", {"eps": 500.0, "norm": "L2", "attacks": ["pgd20"]}, [[2.0]], [[2.01]]),
    ("norm", {"attacks": ["pgd20"]}, ["Linf", "L2"], ["L1", "l2"]),
    ("attacks", {}, [["fgsm"], ["fgsm", "pgd20"]], [["fgsm", "fgsm"]]),
    ("landscape_points", {"measures": ["landscape"]}, [3, 5], [1, 2, 4]),
    ("landscape_reach", {"measures": ["landscape"]}, [1e-6, 100.0], [0.0, float("inf")]),
    ("mean", {"std": [0.5]}, [[0.0], [1.0], [0.1, 0.2, 0.3]], [[-0.1], [1.1], [0.1, 0.2]]),
    ("std", {"mean": [0.5]}, [[1.0], [1e-3], [0.1, 0.2, 0.3]], [[0.0], [1.1], [0.1, 0.2]]),
    ("normalise", {}, [None, "library", "none"], ["imagenet"]),
]


@pytest.mark.parametrize(("key", "more", "allowed", "refused"), LIMITS)
def test_limits(key: str, more: dict[str, Any], allowed: list[Any], refused: list[Any]) -> None:
    for value in allowed:
        EvalSettings(**{**more, key: value}).check()
    for value in refused:
        with pytest.raises(InputError, match=rf"eval\.{key}\b"):
            EvalSettings(**{**more, key: value}).check()


@pytest.mark.parametrize(("norm", "usual"), [("Linf", "8/255"), ("L2", r"0\.5")])
def test_a_radius_that_is_refused_is_told_the_usual_one(norm: str, usual: str) -> None:
    """The usual radii are those of RobustBench, Croce et al. 2021 (arXiv:2010.09670), for CIFAR-10."""
    with pytest.raises(InputError, match=f" {usual} is the usual one for CIFAR-10"):
        EvalSettings(norm=norm, eps=0.0).check()


@pytest.mark.parametrize(
    ("clean", "robust", "expected"),
    [(0.9, 0.45, 0.6), (0.8, 0.2, 0.32), (1.0, 1.0, 1.0), (0.5, 0.0, 0.0), (0.0, 0.0, 0.0), (0.6, 0.3, 0.4)],
)
def test_the_harmonic_score(clean: float, robust: float, expected: float) -> None:
    """2·A·R/(A + R), Devaguptapu et al. 2021: 2·.9·.45/1.35 = .6."""
    assert hrs(clean, robust) == pytest.approx(expected)


# each attack: steps, step over eps, stages, passes with one restart and with three, norms, smallest number of classes
PUBLISHED: dict[str, tuple[int | None, float, tuple[str, ...], float, float, tuple[str, ...], int]] = {
    "fgsm": (None, 1 / 4, ("fgsm",), 1, 1, ("Linf",), 1),
    "pgd": (20, 1 / 4, ("pgd",), 20, 60, ("Linf", "L2"), 1),
    "mifgsm": (10, 1 / 10, ("mifgsm",), 10, 10, ("Linf",), 1),
    "cw": (50, 1 / 4, ("cw",), 50, 50, ("L2",), 1),
    "apgd-ce": (100, 1 / 4, ("apgd-ce",), 100, 300, ("Linf", "L2"), 2),
    "apgd-dlr": (100, 1 / 4, ("apgd-dlr",), 100, 300, ("Linf", "L2"), 3),
    "fab": (100, 1 / 4, ("fab",), 1000, 3000, ("Linf", "L2"), 2),
    "square": (5000, 1 / 4, ("square",), 5000 / 3, 5000, ("Linf", "L2"), 2),
    "autoattack": (None, 1 / 4, ("apgd-ce", "apgd-t", "fab-t", "square"), 2900, 2900, ("Linf", "L2"), 4),
    "autoattack-rand": (None, 1 / 4, ("apgd-ce", "apgd-dlr"), 4000, 4000, ("Linf", "L2"), 3),
}


def attack_of(name: str, eps: float = EPS, **more: Any) -> Attack:
    kind, said = parse_attack(ATTACKS, name)
    return kind(eps, **said, **more)


def test_every_attack_has_its_settings_here() -> None:
    assert set(ATTACKS.names()) - {"torchattacks:NAME"} == PUBLISHED.keys()


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_settings_of_each_attack(name: str) -> None:
    steps, step, stages, passes, passes_of_three, norms, classes = PUBLISHED[name]
    kind, norm = ATTACKS.get(name), PUBLISHED[name][5][0]
    attack = kind(EPS, norm=norm)
    assert (attack.steps, attack.stages, kind.norms, attack.restarts) == (steps, stages, norms, 1)
    assert attack.step_size == pytest.approx(step * EPS)
    assert attack.passes() == pytest.approx(passes)
    assert kind(EPS, norm=norm, restarts=3).passes() == pytest.approx(passes_of_three)
    assert kind.bounded == (name != "cw")
    assert kind.needs_gradient == (name != "square")
    if name != "cw":
        attack.check(classes, 32)
    if classes > 1:
        with pytest.raises(InputError, match=f"{classes} classes"):
            attack.check(classes - 1, 32)


@pytest.mark.parametrize(
    ("name", "more", "steps", "step"),
    [
        ("pgd", {}, 20, 2 / 255),
        ("pgd20", {}, 20, 2 / 255),  # PGD-20 with steps of 2/255 at 8/255
        ("pgd7", {"step_size": 0.01}, 7, 0.01),
        ("mifgsm", {}, 10, 0.8 / 255),
        ("mifgsm4", {}, 4, 2 / 255),
        ("mifgsm", {"step_size": 0.01}, 10, 0.01),
    ],
)
def test_the_walk_of_gradient_attacks(name: str, more: dict[str, Any], steps: int, step: float) -> None:
    assert attack_of(name, **more).walk() == pytest.approx((steps, step))


@pytest.mark.parametrize("name", ["fgsm", "cw", "apgd-ce", "fab", "square", "autoattack"])
def test_other_attacks_have_no_walk(name: str) -> None:
    assert attack_of(name, norm=PUBLISHED[name][5][0]).walk() is None


def test_restarts_are_stages_of_pgd() -> None:
    assert attack_of("pgd20", restarts=3).stages == ("pgd", "pgd-2", "pgd-3")


@pytest.mark.parametrize(
    ("name", "norm", "more", "called", "arguments"),
    [
        ("fgsm", "Linf", {}, "FGSM", {"eps": EPS}),
        ("pgd", "Linf", {}, "PGD", {"eps": EPS, "alpha": EPS / 4, "steps": 20, "random_start": True}),
        ("pgd5", "L2", {"step_size": 0.3}, "PGDL2", {"eps": EPS, "alpha": 0.3, "steps": 5, "random_start": True}),
        ("mifgsm", "Linf", {}, "MIFGSM", {"eps": EPS, "alpha": EPS / 10, "steps": 10}),
        ("cw", "L2", {}, "CW", {"steps": 50}),
        ("cw7", "L2", {}, "CW", {"steps": 7}),
    ],
)
def test_what_torchattacks_is_asked_for(
    name: str, norm: str, more: dict[str, Any], called: str, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, nn.Module, dict[str, Any]]] = []
    library = ModuleType("torchattacks")
    library.__version__ = "3.5.1"  # type: ignore[attr-defined]

    def recorded(kind: str) -> Any:
        def make(network: nn.Module, **given: Any) -> Any:
            seen.append((kind, network, given))
            return lambda x, y: x + 0.5

        return make

    for kind in ("FGSM", "PGD", "PGDL2", "MIFGSM", "CW"):
        setattr(library, kind, recorded(kind))
    monkeypatch.setitem(sys.modules, "torchattacks", library)
    network, x = nn.Identity(), torch.zeros(2, 3, 4, 4)
    moved = attack_of(name, norm=norm, **more).perturb(network, x, torch.tensor([0, 1]), name, 0)
    assert torch.equal(moved, x + 0.5)
    ((kind, given_network, given),) = seen
    assert (kind, given_network) == (called, network)
    assert given == pytest.approx(arguments)


@pytest.fixture
def driven(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Record what pyautoattack's standard evaluation would run, instead of running it."""
    from pyautoattack import AutoAttack

    seen: list[dict[str, Any]] = []

    def evaluate(self: Any, x: Tensor, y: Tensor, **more: Any) -> tuple[Tensor, Tensor]:
        seen.append(
            {
                "stages": self.attacks_to_run,
                "norm": self.norm,
                "eps": self.epsilon,
                "apgd": (self.apgd.n_iter, self.apgd.n_restarts, self.apgd.eot_iter),
                "apgd-t": (
                    self.apgd_targeted.n_iter, self.apgd_targeted.n_restarts, self.apgd_targeted.n_target_classes
                ),
                "fab": (self.fab.n_iter, self.fab.n_restarts, self.fab.n_target_classes),
                "square": (self.square.n_queries, self.square.n_restarts),
                "seed": self.seed,
                **more,
            }
        )  # fmt: skip
        return x, y

    monkeypatch.setattr(AutoAttack, "run_standard_evaluation", evaluate)
    return seen


def network_of(classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(48, classes)).requires_grad_(False)


@pytest.mark.parametrize(("classes", "targets"), [(4, 3), (9, 8), (10, 9), (11, 9), (100, 9)])
def test_autoattack_aims_at_nine_classes_at_most(classes: int, targets: int, driven: list[dict[str, Any]]) -> None:
    """AutoAttack's `standard`: 100 iterations, 9 targets, 5,000 queries, one restart of each part."""
    x, y = torch.rand(3, 3, 4, 4), torch.tensor([0, 1, 2])
    attack = attack_of("autoattack", 0.1, restarts=7)  # autoattack has its own restarts
    for stage in ("apgd-ce", "apgd-t", "fab-t", "square"):
        attack.perturb(network_of(classes), x, y, stage, 11)
        found = driven.pop()
        assert found["stages"] == [stage]
        assert (found["norm"], found["eps"], found["seed"], found["batch_size"]) == ("Linf", 0.1, 11, 3)
        assert found["apgd"] == (100, 1, 1)
        assert found["apgd-t"] == (100, 1, targets)
        assert found["fab"] == (100, 1, targets)
        assert found["square"] == (5000, 1)


def test_the_random_version_takes_the_mean_of_twenty_gradients(driven: list[dict[str, Any]]) -> None:
    attack_of("autoattack-rand", 0.1).perturb(
        network_of(10), torch.rand(2, 3, 4, 4), torch.tensor([0, 1]), "apgd-dlr", 0
    )
    assert driven[0]["apgd"] == (100, 1, 20)
    assert driven[0]["stages"] == ["apgd-dlr"]


@pytest.mark.parametrize(
    ("name", "part", "settings"),
    [
        ("apgd-ce", "apgd", (100, 3, 1)),
        ("apgd-dlr", "apgd", (100, 3, 1)),
        ("apgd-ce30", "apgd", (30, 3, 1)),
        ("fab", "fab", (100, 3)),
        ("fab30", "fab", (30, 3)),
        ("square", "square", (5000, 3)),
        ("square30", "square", (30, 3)),
    ],
)
def test_single_parts_take_their_steps_and_restarts(
    name: str, part: str, settings: tuple[int, ...], driven: list[dict[str, Any]]
) -> None:
    attack = attack_of(name, 0.5, norm="L2", restarts=3)
    attack.perturb(
        network_of(10), torch.rand(2, 3, 5, 5)[..., :4, :4], torch.tensor([0, 1]), attack.stages[0], 2**32 + 5
    )
    (found,) = driven
    assert found["stages"] == [attack.name]
    assert (found["norm"], found["eps"], found["seed"]) == ("L2", 0.5, 5)
    assert found[part][: len(settings)] == settings


# the curves of the robustness dataset: Jung et al., ICLR 2023 (arXiv:2306.06712), section 3 and its meta.json


def test_the_radii_and_steps_of_the_robustness_dataset() -> None:
    plan = attacks_of(EvalSettings(attacks=["fgsm"], sweep_preset="robustness-dataset"))[1:]
    radii: dict[str, list[float]] = {}
    for name, attack in plan:
        base = name.split("@")[0]
        radii.setdefault(base, []).append(round(attack.eps * 255, 6))
        if base == "pgd40":
            assert attack.walk() == pytest.approx((40, attack.eps * 0.01 / 0.3))
    few = [0.1, 0.5, 1, 2, 3, 4, 8]
    assert radii == {
        "fgsm": [0.1, 0.5, 1, 2, 3, 4, 5, 6, 7, 8, 255],
        "pgd40": few,
        "apgd-ce": few,
        "square": few,
    }
    steps = {name.split("@")[0]: attack.steps for name, attack in plan}
    assert steps == {"fgsm": None, "pgd40": 40, "apgd-ce": 100, "square": 5000}


def test_a_step_size_keeps_its_ratio_to_eps_on_a_curve() -> None:
    settings = EvalSettings(attacks=["pgd3"], eps=0.1, step_size=0.04, sweep=[0.5, 2.0], sweep_attack=["pgd3"])
    walks = [attack.walk() for _, attack in attacks_of(settings)]
    assert walks == [pytest.approx((3, 0.04)), pytest.approx((3, 0.02)), pytest.approx((3, 0.08))]
    assert [attack.eps for _, attack in attacks_of(settings)] == pytest.approx([0.1, 0.05, 0.2])
