"""The checks of an evaluation with scripted outcomes: which attacks they make, and at which limit they warn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nas.eval import Attack, EvalSettings, checks
from nas.eval.attacks import ATTACKS
from nas.eval.checks import check_passes, check_ticks
from nas.results import Check, Curve

N = 1000
EPS = 8 / 255


class Scripted:
    """Replaces the attacks on a network: `standing` says how many images are correct after each."""

    def __init__(
        self, standing: dict[str, int], after: dict[tuple[str, str], int] | None = None, side: int = 8
    ) -> None:
        self.standing, self.left_after = standing, {("noise", "pgd"): N, **(after or {})}
        self.images = [torch.zeros(N, 3, side, side)]
        self.labels = [torch.zeros(N, dtype=torch.int64)]
        self.attacks: dict[str, Attack] = {}
        self.asked: tuple[int, str] | None = None

    def first(self, count: int, prefix: str) -> Scripted:
        self.asked = count, prefix
        return self

    def flags(self, count: int) -> list[int]:
        return [1] * count + [0] * (N - count)

    def once(self, key: str, compute: Any) -> list[str]:
        """AutoAttack's check of dynamic defences finds nothing."""
        assert key == "dynamic"
        return []

    def clean(self, tick: Any) -> list[int]:
        return self.flags(self.standing.get("clean", N))

    def robust(self, label: str, attack: Attack, clean: list[int], tick: Any) -> list[int]:
        self.attacks[label] = attack
        assert clean == self.clean(tick)
        return self.flags(self.standing.get(label, 0))


@pytest.fixture(autouse=True)
def others_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "check_outputs", lambda few, norm: [Check("outputs", "pass", norm)])


def found(subject: Scripted, sweep: Any = (), **settings: Any) -> dict[str, Check]:
    chosen = EvalSettings(**{"attacks": ["fgsm"], "checks": True, **settings})
    rows = checks.check(subject, chosen, list(sweep), lambda passes, note: None)  # type: ignore[arg-type]
    return {row.name: row for row in rows}


def verdicts(standing: dict[str, int]) -> dict[str, str]:
    """The verdicts if PGD leaves 500 of 1,000 images, with other numbers of correct images as given."""
    usual = {"pgd": 500, "more": 500, "restarts": 500, "square": 1000, "noise": 1000, "one-step": 1000}
    usual |= {f"pgd@{EPS * scale:.6g}": count for scale, count in ((0.25, 900), (0.5, 700), (2, 100))}
    return {name: row.ok for name, row in found(Scripted({**usual, **standing})).items()}


ALL = {
    "falls-with-eps", "zero-at-full-eps", "black-box", "transfer", "more-steps", "restarts", "random-noise", "one-step",
    "outputs", "dynamic", "square-in-autoattack",
}  # fmt: skip


def test_what_is_as_it_should_be_passes() -> None:
    expected = {**dict.fromkeys(ALL, "pass"), "transfer": "skipped", "square-in-autoattack": "skipped"}
    assert verdicts({}) == expected


@pytest.mark.parametrize(
    ("standing", "warns"),
    [
        ({"pgd@1": 50}, set()),  # a twentieth of the images may stay correct if the ball contains every image
        ({"pgd@1": 51}, {"zero-at-full-eps"}),
        ({"more": 471}, set()),  # a gain of three points is allowed
        ({"more": 469}, {"more-steps"}),
        ({"restarts": 471}, set()),
        ({"restarts": 469}, {"restarts"}),
        ({"square": 480}, {"black-box"}),
        ({"square": 499}, set()),  # one image of a thousand can be chance
        ({"square": 480, "more": 471}, set()),  # the stronger white-box attack explains it
        ({"square": 480, "restarts": 471}, set()),
        ({"one-step": 480}, {"one-step"}),
        ({"one-step": 480, "more": 471}, {"one-step"}),  # this check compares with PGD of 20 steps only
        ({"noise": 480}, {"random-noise"}),
        ({"noise": 480, "more": 471}, set()),
        ({f"pgd@{2 * EPS:.6g}": 520}, {"falls-with-eps"}),
        ({f"pgd@{0.5 * EPS:.6g}": 480}, {"falls-with-eps"}),
        ({f"pgd@{0.25 * EPS:.6g}": 680}, {"falls-with-eps"}),
        ({"pgd@1": 130}, {"falls-with-eps", "zero-at-full-eps"}),
    ],
)
def test_from_where_on_they_warn(standing: dict[str, int], warns: set[str]) -> None:
    assert {name for name, ok in verdicts(standing).items() if ok == "warn"} == warns


def test_where_no_image_is_left_nothing_can_break_more() -> None:
    """Weaker attacks are compared with what the stronger one leaves; an attack that leaves nothing is no evidence."""
    verdict = verdicts({"pgd": 0, "more": 0, "restarts": 0, "square": 0, "one-step": 0})
    assert {name for name in verdict if verdict[name] == "skipped"} == {
        *("more-steps", "restarts", "one-step", "black-box", "random-noise", "transfer", "square-in-autoattack")
    }
    few = verdicts({"pgd": 1, "more": 1, "restarts": 1, "square": 1, "one-step": 1})
    assert {name for name in few if few[name] == "skipped"} == {"transfer", "square-in-autoattack"}


def test_a_gain_that_few_images_do_not_show_is_no_warning() -> None:
    flags = {"pgd": [1] * 6 + [0] * 14, "more": [1] * 5 + [0] * 15}  # five points, but one of twenty images
    assert checks._converged(checks.CheckResults(flags, ()), "more-steps", "", "more").ok == "pass"


def test_the_reasons_name_what_each_attack_leaves() -> None:
    standing = {"pgd": 500, "more": 490, "restarts": 495, "square": 800, "noise": 900, "one-step": 700, "clean": 980}
    standing |= {f"pgd@{EPS * scale:.6g}": count for scale, count in ((0.25, 900), (0.5, 700), (2, 100))}
    rows = found(Scripted({**standing, "pgd@1": 60}, {("noise", "pgd"): 960}))
    reasons = {name: row.reason for name, row in rows.items()}
    assert reasons["zero-at-full-eps"].startswith("PGD-20 leaves 6.0 % at eps 1, ")
    assert reasons["black-box"] == "Square (1,000 queries) leaves 80.0 %, PGD 49.0 %"
    assert reasons["one-step"] == "one step of size eps leaves 70.0 %, PGD-20 50.0 %"
    assert reasons["random-noise"] == (
        "clean accuracy 98.0 %; random noise within eps leaves 96.0 %, 10 draws together leave 90.0 %, "
        "PGD leaves 49.0 %"
    )
    assert reasons["falls-with-eps"].startswith("PGD-20 leaves 90.0, 70.0, 50.0, 10.0, 6.0 % at eps 2/255, ")


def test_noise_says_nothing_where_the_white_box_attacks_together_leave_nothing() -> None:
    """PGD alone leaves an image here."""
    assert verdicts({"more": 0})["random-noise"] == "skipped"


def test_a_gain_of_exactly_the_limit_is_not_more() -> None:
    flags = {"pgd": [1] * 50 + [0] * 50, "more": [1] * 47 + [0] * 53}
    found = checks._converged(checks.CheckResults(flags, ()), "more-steps", "", "more")
    assert (found.ok, found.reason.endswith("(limit 3 points)")) == ("pass", True)
    assert verdicts({"more": 470})["more-steps"] == "pass"


@pytest.mark.parametrize(("side", "ok"), [(4, "skipped"), (8, "pass"), (24, "skipped")])
def test_a_square_that_cannot_start_in_l2_is_no_evidence(side: int, ok: str) -> None:
    subject = Scripted({"pgd": 500, "more": 500, "restarts": 500, "square": 1000}, side=side)
    assert found(subject, norm="L2", eps=0.5, sweep_attack=["pgd20"])["black-box"].ok == ok


@pytest.mark.parametrize(("after", "ok"), [(1000, "pass"), (997, "pass"), (996, "pass"), (995, "warn")])
def test_square_may_take_two_of_a_thousand_from_autoattack(after: int, ok: str) -> None:
    """This is the package's own limit for a warning, as a share of all images of the evaluation, here 2,000."""
    left = {"apgd-ce": 1500, "apgd-t": 1200, "fab-t": 1000, "square": after}
    subject = Scripted({}, {("autoattack", stage): count for stage, count in left.items()})
    subject.labels = [torch.zeros(N), torch.zeros(N)]
    row = found(subject, attacks=["autoattack"])["square-in-autoattack"]
    assert (row.ok, row.reason) == (ok, f"Square takes AutoAttack from 50.0 % to {after / 20:.1f} % (limit 0.2 points)")


def test_the_sweep_is_looked_at_too() -> None:
    usual = {"pgd": 500, "more": 500, "restarts": 500, "square": 1000, "noise": 1000, "one-step": 1000}
    usual |= {f"pgd@{EPS * scale:.6g}": count for scale, count in ((0.25, 900), (0.5, 700), (2, 100))}
    all_right, all_wrong = np.ones(50, dtype=bool), np.zeros(50, dtype=bool)
    for correct, ok in (([all_right, all_wrong], "pass"), ([all_wrong, all_right], "warn")):
        sweep = [Curve("fgsm", [0.0, 0.1], [float(flags.mean()) for flags in correct], correct)]
        assert found(Scripted(usual), sweep)["falls-with-eps"].ok == ok


def test_the_attacks_of_the_checks() -> None:
    subject = Scripted({})
    found(subject, checks_images=77, restarts=9)
    assert subject.asked == (77, "check/")
    radii = {f"pgd@{EPS * scale:.6g}": EPS * scale for scale in (0.25, 0.5, 2)} | {"pgd@1": 1.0}
    assert subject.attacks.keys() == {"pgd", "more", "restarts", "one-step", "noise", "square"} | radii.keys()
    made = {label: (type(one), one.eps, one.steps, one.restarts) for label, one in subject.attacks.items()}
    pgd, fgsm, square = (ATTACKS.get(name) for name in ("pgd", "fgsm", "square"))
    for label, eps in radii.items():
        assert made[label] == (pgd, pytest.approx(eps), 20, 1)
        assert subject.attacks[label].step_size == pytest.approx(eps / 4)
    assert made["pgd"] == (pgd, EPS, 20, 1)
    assert made["more"] == (pgd, EPS, 80, 1)
    assert made["restarts"] == (pgd, EPS, 20, 5)
    assert made["one-step"] == (fgsm, EPS, None, 1)
    assert made["noise"] == (pgd, EPS, 0, 10)
    assert made["square"] == (square, EPS, 1000, 1)


def test_the_attacks_of_the_checks_in_l2() -> None:
    """The ball contains every image at √(3·8·8), and the single step is that of PGD from the image itself."""
    subject = Scripted({})
    found(subject, norm="L2", eps=0.5, sweep_attack=["pgd20"])
    whole = math.sqrt(3 * 8 * 8)
    assert {label for label in subject.attacks if "@" in label} == {
        "pgd@0.125", "pgd@0.25", "pgd@1", f"pgd@{whole:.6g}"
    }  # fmt: skip
    step = subject.attacks["one-step"]
    assert (step.eps, step.step_size, step.steps, step.norm) == (0.5, 0.5, 1, "L2")
    x = torch.full((2, 3, 8, 8), 0.5)
    network = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(3, 3))
    moved = step.perturb(network, x, torch.tensor([0, 1]), "", 0) - x
    assert torch.linalg.vector_norm(moved.flatten(1), dim=1).tolist() == pytest.approx([0.5, 0.5], rel=1e-4)


def test_radii_beyond_the_whole_range_are_left_out() -> None:
    subject = Scripted({})
    found(subject, eps=0.6)
    assert {label for label in subject.attacks if "@" in label} == {"pgd@0.15", "pgd@0.3", "pgd@1"}


def test_the_single_step_is_fgsm_in_linf_and_pgd_in_l2() -> None:
    made = Check("one-step", "pass", "-")
    assert [checks.attacks_of(made, norm) for norm in ("Linf", "L2")] == [("fgsm", "pgd20"), ("pgd1", "pgd20")]
    assert EvalSettings().checks_images == 100


def test_what_the_checks_cost() -> None:
    """Passes: 1 clean, PGD-20 at five radii, PGD-80, five restarts, FGSM, random starts, 1,000 queries of Square."""
    each = 1 + 5 * 20 + 80 + 5 * 20 + 1 + 0 + 1000 / 3
    settings = EvalSettings(checks=True, checks_images=300, n_test=260, batch_size=100)
    assert check_passes(settings, 32) == pytest.approx(each)
    assert check_ticks(settings, 32) == pytest.approx(3 * each)
    assert check_passes(EvalSettings(), 32) == check_ticks(EvalSettings(), 32) == 0
