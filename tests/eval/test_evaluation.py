"""An evaluation counts like an independent loop, stores finished parts, and does not change the network."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar

import pytest
import torch
from briefly_trained import briefly_trained
from slowly import slow_but
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.data import Dataset, DataSettings, attacked, load
from nas.core.errors import InputError, NasError
from nas.core.storage.memory import InMemoryStore
from nas.eval import ATTACKS, Attack, EvalSettings, evaluate, hrs, wilson
from nas.eval.plan import curves_of, plan_of
from nas.results import EvalResult
from nas.search_spaces import Network
from nas.settings.schema import from_values


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load(DataSettings(size=8))


@pytest.fixture
def network(trained: Network) -> Network:
    """A new network for each test."""
    return deepcopy(trained)


@pytest.fixture(scope="module")
def trained(data: Dataset) -> Network:
    """A briefly trained network, whose running statistics differ much from those of a batch."""
    return briefly_trained(
        data, "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|", seed=1, steps=60
    )


SETTINGS = EvalSettings(
    attacks=["fgsm", "pgd3"], eps=0.05, n_test=50, batch_size=20, sweep=[0.5, 2.0], sweep_attack=["fgsm"]
)


def _evaluate(network: Network, data: Dataset, settings: EvalSettings = SETTINGS, **more: Any) -> EvalResult:
    outcomes = more.pop("outcomes", InMemoryStore())
    return evaluate(network, data, settings, 3, torch.device("cpu"), outcomes, **more)


@pytest.mark.landing
def test_fgsm_accuracy_is_that_of_a_plain_loop(network: Network, data: Dataset) -> None:
    """The loop counts images that are correct before and after one signed step, in eval mode, without batches."""
    part = attacked(data, 50)
    clean, robust = [], []
    for image, label in zip(part.images, part.labels):
        x = (image.float() / 255)[None].requires_grad_(True)
        logits = network(x)
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits, label[None]), x)
        after = network((x + 0.05 * gradient.sign()).clamp(0, 1))
        clean.append(int(logits.argmax() == label))
        robust.append(int(clean[-1] and after.argmax() == label))
    result = _evaluate(network, data)
    assert result.correct["clean"].tolist() == clean
    assert result.correct["fgsm"].tolist() == robust
    assert 0 < sum(robust) < sum(clean) < 50
    assert result.clean == sum(clean) / 50
    fgsm = result.attacks["fgsm"]
    assert fgsm.accuracy == sum(robust) / 50
    assert fgsm.hrs == hrs(sum(clean) / 50, sum(robust) / 50)
    assert fgsm.interval == wilson(sum(robust), 50)
    assert result.n_test == 50


def test_sweep_falls_and_has_the_evaluation_at_factor_1(network: Network, data: Dataset) -> None:
    settings = EvalSettings(attacks=["fgsm"], eps=0.05, n_test=50, sweep=[0.2, 1.0, 3.0], sweep_attack=["fgsm", "pgd3"])
    result = _evaluate(network, data, settings)
    sweep, other = result.sweep
    assert (sweep.attack, other.attack) == ("fgsm", "pgd3")
    assert sweep.eps == other.eps == pytest.approx([0.0, 0.01, 0.05, 0.15])
    assert sweep.correct[2].tolist() == result.correct["fgsm"].tolist()
    assert other.accuracy != sweep.accuracy
    assert sweep.accuracy[0] == result.clean
    assert sweep.accuracy[2] == result.attacks["fgsm"].accuracy
    assert sweep.accuracy == sorted(sweep.accuracy, reverse=True)


@pytest.mark.landing
def test_a_stopped_evaluation_continues_to_the_same_end(network: Network, data: Dataset) -> None:
    settings, whole = replace(SETTINGS, n_test=10, batch_size=4), InMemoryStore()
    expected = _evaluate(network, data, settings, outcomes=whole).to_json()
    for stop in range(1, len(whole.facts), 3):
        kept = InMemoryStore(dict(list(whole.facts.items())[:stop]))
        before = dict(kept.facts)
        assert _evaluate(network, data, settings, outcomes=kept).to_json() == expected
        assert {key: kept.facts[key] for key in before} == before


def test_finished_parts_are_not_done_again(network: Network, data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = InMemoryStore()
    expected = _evaluate(network, data, outcomes=kept).to_json()
    monkeypatch.setattr(ATTACKS.get("fgsm"), "perturb", None)
    monkeypatch.setattr(ATTACKS.get("pgd"), "perturb", None)
    assert _evaluate(network, data, outcomes=kept).to_json() == expected


def test_batch_size_does_not_change_deterministic_attacks(network: Network, data: Dataset) -> None:
    settings = [EvalSettings(attacks=["fgsm"], eps=0.05, n_test=30, batch_size=size) for size in (30, 7)]
    first, second = (_evaluate(network, data, one).correct["fgsm"] for one in settings)
    assert first.tolist() == second.tolist()


class Careless(Attack):
    """An attack that leaves the network in train mode and, if asked, leaves its ball."""

    name: ClassVar[str] = "careless"
    reach = 0.0

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        network.train()
        return x + self.reach

    def passes(self) -> float:
        return 1


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch) -> type[Careless]:
    monkeypatch.setitem(ATTACKS.components, "careless", Careless)
    return Careless


def test_an_attack_that_changes_the_mode_changes_no_number(
    network: Network, data: Dataset, careless: type[Careless]
) -> None:
    settings = EvalSettings(attacks=["careless", "fgsm"], eps=0.05, n_test=50, batch_size=20)
    result = _evaluate(network, data, settings)
    assert result.correct["careless"].tolist() == result.correct["clean"].tolist()
    assert result.correct["fgsm"].tolist() == _evaluate(network, data).correct["fgsm"].tolist()
    assert not network.training


@pytest.mark.parametrize("reach", [0.2, float("nan"), -2.0])
def test_an_attack_that_leaves_its_ball_is_an_error(
    network: Network, data: Dataset, careless: type[Careless], reach: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(careless, "reach", reach)
    with pytest.raises(NasError, match="left its ball"):
        _evaluate(network, data, EvalSettings(attacks=["careless"], eps=0.05, n_test=10))


class Stopped(Exception):
    """Stands for a kill of the process."""


class Dying(InMemoryStore):
    """Stores some parts, then kills the process."""

    left = 0

    def put(self, key: str, value: Any) -> None:
        super().put(key, value)
        self.left -= 1
        if self.left <= 0:
            raise Stopped


SHORT = {"apgd-ce": "apgd-ce3", "apgd-dlr": "apgd-dlr3", "fab": "fab2", "square": "square20", "pgd": "pgd3"}


@pytest.mark.landing
@pytest.mark.parametrize("name", slow_but(ATTACKS.names(), {"fgsm", "apgd-ce", "square"}))
def test_a_killed_evaluation_continues_exactly_with_every_attack(
    name: str, network: Network, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in ("cw", "torchattacks:NAME"):
        pytest.importorskip("torchattacks", reason="torchattacks, which this attack is of, is not installed")
    if name.startswith("autoattack"):

        def adjust(self: Attack, adversary: Any, num_classes: int) -> None:
            adversary.apgd.n_iter = adversary.apgd_targeted.n_iter = adversary.fab.n_iter = 2
            adversary.apgd_targeted.n_target_classes = adversary.fab.n_target_classes = 1
            adversary.apgd.eot_iter, adversary.square.n_queries = 1, 20

        monkeypatch.setattr(ATTACKS.get(name), "adjust", adjust)
    kind = ATTACKS.get(name)
    settings = EvalSettings(
        attacks=[SHORT.get(name, kind.example or name)],
        norm=kind.norms[0],
        eps=0.06,
        n_test=8,
        batch_size=4,
        restarts=2,
    )
    expected = _evaluate(network, data, settings).to_json()
    kept, deaths = Dying(), 0
    while True:
        kept.left = 3
        try:
            assert _evaluate(network, data, settings, outcomes=kept).to_json() == expected
        except Stopped:
            deaths += 1
        else:
            break
    assert deaths > 0


def test_restarts_can_only_break_more_and_only_what_stood(network: Network, data: Dataset) -> None:
    settings = EvalSettings(attacks=["pgd2"], eps=0.06, n_test=50, batch_size=50)
    one = _evaluate(network, data, settings).correct["pgd2"]
    kept = InMemoryStore()
    five = _evaluate(network, data, replace(settings, restarts=5), outcomes=kept).correct["pgd2"]
    assert kept.facts["pgd2/pgd/0"] == one.tolist()
    stages = [kept.facts[f"pgd2/{stage}/0"] for stage in ("pgd", "pgd-2", "pgd-3", "pgd-4", "pgd-5")]
    assert all(b <= a for first, second in pairwise(stages) for a, b in zip(first, second))
    assert five.tolist() == stages[-1]


def test_the_worst_case_is_what_stands_every_attack(network: Network, data: Dataset) -> None:
    result = _evaluate(network, data)
    a, b = (result.correct[name].tolist() for name in SETTINGS.attacks)
    both = [x and y for x, y in zip(a, b)]
    worst = result.worst_case
    assert worst.correct.tolist() == both
    assert worst.accuracy == sum(both) / 50
    assert worst.interval == wilson(sum(both), 50)
    assert worst.hrs == hrs(result.clean, worst.accuracy)
    assert worst.attacks == SETTINGS.attacks
    assert result.cascade is None


def test_a_cascade_attacks_only_what_stands_and_reports_only_what_it_knows(network: Network, data: Dataset) -> None:
    usual = _evaluate(network, data)
    kept = InMemoryStore()
    result = _evaluate(network, data, replace(SETTINGS, cascade=True), outcomes=kept)
    assert result.attacks == {"fgsm": usual.attacks["fgsm"]}
    assert set(result.correct) == {"clean", "fgsm"}
    after = [flag for batch in range(3) for flag in kept.facts[f"pgd3/pgd/{batch}"]]
    assert all(b <= int(a) for a, b in zip(result.correct["fgsm"], after))
    assert result.worst_case.correct.tolist() == after
    assert result.cascade == {"fgsm": usual.attacks["fgsm"].accuracy, "pgd3": result.worst_case.accuracy}
    curves = [[one.to_json() for one in each.sweep] for each in (result, usual)]
    assert curves[0] == curves[1], "a curve sees every image that is right"


class Far(Attack):
    """Replaces images by noise until the network is fooled, whatever the radius."""

    name: ClassVar[str] = "far"
    norms: ClassVar[tuple[str, ...]] = ("L2",)
    bounded: ClassVar[bool] = False

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        fooling = x.clone()
        for image in torch.rand(60, *x.shape[1:], generator=torch.Generator().manual_seed(0)).round():
            wrong = network(fooling).argmax(1) == y
            fooling[wrong] = image
        return fooling

    def passes(self) -> float:
        return 1


def test_an_unbounded_attack_succeeds_within_the_radius_only(
    network: Network, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ATTACKS.components, "far", Far)
    small, large = (
        _evaluate(network, data, EvalSettings(attacks=["far"], norm="L2", eps=eps, n_test=20)) for eps in (0.5, 100.0)
    )
    assert small.correct["far"].tolist() == small.correct["clean"].tolist()
    assert small.outside == {"far": small.correct["clean"].sum()}
    assert large.attacks["far"].accuracy == 0
    assert large.outside == {"far": 0}


def test_l2_is_measured_per_image(network: Network, data: Dataset) -> None:
    settings = EvalSettings(attacks=["pgd5"], norm="L2", eps=1.0, n_test=20)
    result = _evaluate(network, data, settings)
    assert result.norm == "L2"
    assert result.attacks["pgd5"].accuracy < result.clean


def test_the_preset_is_that_of_the_robustness_dataset(data: Dataset) -> None:
    settings = EvalSettings(attacks=["fgsm"], sweep_preset="robustness-dataset")
    plan = dict(plan_of(settings, 10, 8))
    few = [0.1, 0.5, 1, 2, 3, 4, 8]
    curves = {curve.attack: [round(255 * eps, 6) for eps in curve.radii] for curve in curves_of(settings)}
    assert curves == {"fgsm": [*few[:-1], 5, 6, 7, 8, 255], "pgd40": few, "apgd-ce": few, "square": few}
    assert plan["pgd40@0.00392157"].steps == 40
    assert plan["pgd40@0.00392157"].step_size == pytest.approx(0.01 / 0.3 / 255)
    assert plan["apgd-ce@0.00392157"].steps == 100
    assert plan["square@0.00392157"].steps == 5000


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"sweep_preset": "robustness"}, "did you mean 'robustness-dataset'"),
        ({"sweep_preset": "robustness-dataset", "sweep": [1.0]}, "both"),
        ({"sweep_attack": ["pgdd"], "sweep": [1.0]}, "did you mean 'pgd'"),
        ({"attacks": ["torchattacks:BIMM"]}, "did you mean 'BIM'"),
        ({"attacks": ["fgsm"], "norm": "L2"}, "eval.norm=Linf"),
    ],
)
def test_what_cannot_be_attacked_is_refused_at_once(settings: dict[str, Any], said: str) -> None:
    if "torchattacks:BIMM" in settings.get("attacks", ()):
        pytest.importorskip("torchattacks", reason="torchattacks, whose names are looked at, is not installed")
    with pytest.raises(InputError, match=re.escape(said)):
        EvalSettings(**settings).check()


def test_norms_have_their_own_largest_radius() -> None:
    EvalSettings(attacks=["pgd20"], norm="L2", eps=2.5).check()
    for wrong in ({"norm": "L1"}, {"eps": 2.5}, {"restarts": 0}, {"checks_images": 0}):
        with pytest.raises(InputError, match=f"eval.{next(iter(wrong))}"):
            EvalSettings(**wrong).check()  # type: ignore[arg-type]


def test_commas_in_parentheses_belong_to_the_attack() -> None:
    settings = from_values({}, ["eval.attacks=fgsm,torchattacks:DIFGSM(steps=3,decay=1),pgd3"])
    assert settings.eval.attacks == ["fgsm", "torchattacks:DIFGSM(steps=3,decay=1)", "pgd3"]


def test_more_images_than_there_are_is_an_error(network: Network, data: Dataset) -> None:
    with pytest.raises(InputError, match="359"):
        _evaluate(network, data, EvalSettings(attacks=["fgsm"], n_test=360))
