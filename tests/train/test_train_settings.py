"""The defaults of a training and the limits of its options, typed here from where they come from."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from nas.core.errors import InputError
from nas.core.optimisation.attack_steps import Walk
from nas.core.optimisation.lr_schedule import Schedule
from nas.search_spaces import SPACES
from nas.train import METHODS, TrainSettings
from nas.train.training import loop_plan

NASBENCH201 = {  # Dong and Yang, ICLR 2020 (arXiv:2001.00326), table 1 and section 2.3
    "epochs": 200,
    "batch_size": 256,
    "schedule": "cosine",
    "lr": 0.1,
    "lr_min": 0.0,
    "warmup": 0.0,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 5e-4,
    "crop": 4,
    "flip": True,
    "clip": None,
    "label_smoothing": 0.0,
    "cutout": 0,
    "drop_path": 0.0,
    "resized_crop": 0,
    "jitter": [],
    "ema": None,
}
ADVERSARIAL = {
    "eps": 8 / 255,  # Madry et al., ICLR 2018 (arXiv:1706.06083), section 5: PGD of 7 steps of 2/255 for CIFAR-10
    "step_size": 2 / 255,
    "steps": 7,
    "trades_beta": 6.0,  # Zhang et al., ICML 2019 (arXiv:1901.08573), section 5: 1/λ = 6
    "fgsm_alpha": 1.25,  # Wong, Rice and Kolter, ICLR 2020 (arXiv:2001.03994), section 4: alpha = 10/255 of eps = 8/255
    "free_replays": 8,  # Shafahi et al., NeurIPS 2019 (arXiv:1904.12843), table 1: m = 8
    "free_alpha": 1.0,  # the same, algorithm 1: steps of eps
    "awp": 0.0,  # Wu et al. 2020 (arXiv:2004.05884) use .005, which a recipe says
    "awp_warmup": 0,
}
OTHERS = {
    "method": "standard",
    "accumulate": 1,
    "milestones": [],
    "gamma": 0.1,  # of the rate at each milestone, as in every paper that has milestones; torch's default too
    "rise": 0.3,  # torch's OneCycleLR: pct_start
    "auxiliary_weight": 0.4,  # Liu et al., ICLR 2019 (DARTS, arXiv:1806.09055), section 3.2
    "validation_steps": 10,
    "select": "best",
    "precision": "fp32",
    "compile": False,
    "resident": None,
    "save_steps": None,
    "save_minutes": 10.0,
    "check_steps": 50,
    "loss_limit": 1000.0,
}


def test_defaults_are_the_published_ones() -> None:
    settings = TrainSettings()
    settings.check()
    assert vars(settings) == NASBENCH201 | ADVERSARIAL | OTHERS
    assert {type(value) for key, value in vars(settings).items() if key in ("nesterov", "flip", "compile")} == {bool}


# the largest and the least that are allowed, then what is refused
LIMITS: dict[str, tuple[list[Any], list[Any]]] = {
    "epochs": ([1, 1_000_000], [0, 1_000_001]),
    "batch_size": ([2, 1_000_000], [1, 1_000_001]),
    "accumulate": ([1, 1_000_000], [0, 1_000_001]),
    "crop": ([0, 512], [-1, 513]),
    "resized_crop": ([0, 1024], [-1, 1025]),
    "cutout": ([0, 512], [-1, 513]),
    "steps": ([1, 100_000], [0, 100_001]),
    "validation_steps": ([1, 100_000], [0, 100_001]),
    "lr": ([1e-9, 999_999.0], [0.0, -0.1, 1e6]),
    "lr_min": ([0.0, 1e6], [-1e-9, 1e6 + 1]),
    "warmup": ([0.0, 200.0], [-0.1, 200.1]),  # of 200 epochs
    "rise": ([0.0, 1.0], [-0.1, 1.1]),
    "momentum": ([1e-3, 1.0], [-0.1, 1.1]),
    "weight_decay": ([0.0, 1e6], [-1e-9, 1e6 + 1]),
    "label_smoothing": ([0.0, 1.0], [-0.1, 1.1]),
    "ema": ([None, 0.0, 1.0], [-0.1, 1.1]),
    "awp": ([0.0, 1.0], [-0.1, 1.1]),
    "awp_warmup": ([0, 1_000_000], [-1, 1_000_001]),
    "drop_path": ([0.0, 0.99], [-0.01, 0.991]),
    "auxiliary_weight": ([0.0, 1e6], [-0.1, 1e6 + 1]),
    "eps": ([0.0, 1.0], [-0.1, 1.1]),
    "step_size": ([1e-9, 999_999.0], [0.0, 1e6]),
    "trades_beta": ([0.0, 1e6], [-0.1, 1e6 + 1]),
    "fgsm_alpha": ([1e-9, 999_999.0], [0.0, 1e6]),
    "free_replays": ([1, 1000], [0, 1001]),
    "free_alpha": ([1e-9, 999_999.0], [0.0, 1e6]),
    "gamma": ([1e-9, 999_999.0], [0.0, 1e6]),
    "clip": ([None, 1e-9, 1e9], [0.0, -1.0, float("inf")]),
    "save_steps": ([None, 1, 1_000_000_000], [0, 1_000_000_001]),
    "save_minutes": ([1e-9, 999_999.0], [0.0, 1e6]),
    "check_steps": ([1, 1_000_000], [0, 1_000_001]),
    "loss_limit": ([1e-9, 999_999.0], [0.0, 1e6]),
    "select": (["best", "last"], ["first"]),
    "precision": (["fp32", "bf16", "fp16"], ["fp64"]),
    "schedule": (["cosine", "step", "exponential", "onecycle"], ["constant"]),
    "method": (["standard", "pgd", "trades", "fgsm", "free"], ["mart"]),
    "milestones": ([[], [1], [1, 2, 100]], [[0], [2, 2], [3, 1], [-1, 1]]),
    "jitter": (
        [[], [0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.5]],
        [[0.4], [0.4] * 3, [0.1] * 5, [1.1, 0, 0, 0], [0, 1.1, 0, 0], [0, 0, 1.1, 0], [0, 0, 0, 0.6], [-0.1, 0, 0, 0]],
    ),
}


@pytest.mark.parametrize("key", LIMITS)
def test_limits_are_where_they_are_said_to_be(key: str) -> None:
    allowed, refused = LIMITS[key]
    for value in allowed:
        TrainSettings(**{key: value}).check()
    for value in refused:
        with pytest.raises(InputError, match=rf"train\.{key}\b"):
            TrainSettings(**{key: value}).check()


def test_every_option_that_is_no_switch_has_limits() -> None:
    switches = {"nesterov", "flip", "compile", "resident"}
    assert {one.name for one in fields(TrainSettings)} == LIMITS.keys() | switches
    assert all(one.default is not MISSING or one.default_factory is not MISSING for one in fields(TrainSettings))


def test_momentum_may_be_0_without_nesterov_only() -> None:
    TrainSettings(momentum=0.0, nesterov=False).check()
    with pytest.raises(InputError, match=r"train\.nesterov=false"):
        TrainSettings(momentum=0.0).check()


def test_one_cycle_has_no_warm_up_and_the_others_may_have_one() -> None:
    for schedule in ("cosine", "step", "exponential"):
        TrainSettings(schedule=schedule, warmup=5.0).check()
    TrainSettings(schedule="onecycle").check()
    with pytest.raises(InputError, match=r"train\.warmup=0"):
        TrainSettings(schedule="onecycle", warmup=1e-3).check()


def test_every_option_of_the_loop_reaches_it() -> None:
    values: dict[str, Any] = {
        "epochs": 7, "lr": 0.3, "lr_min": 0.02, "schedule": "step", "warmup": 1.5, "milestones": [2, 4], "gamma": 0.25,
        "rise": 0.4, "momentum": 0.8, "nesterov": False, "weight_decay": 0.003, "clip": 2.5, "select": "last",
        "ema": 0.99, "precision": "fp16", "loss_limit": 77.0, "check_steps": 9, "save_steps": 11, "save_minutes": 3.5,
    }  # fmt: skip
    plan = loop_plan(TrainSettings(**values))
    assert plan.schedule == Schedule(7, 0.3, 0.02, "step", 1.5, [2, 4], 0.25, 0.4)
    of_plan = ("momentum", "nesterov", "weight_decay", "clip", "select", "ema")
    of_plan = (*of_plan, "loss_limit", "check_steps", "save_steps", "save_minutes")
    assert {key: getattr(plan, key) for key in of_plan} == {key: values[key] for key in of_plan}
    assert plan.scaled
    assert not loop_plan(TrainSettings(precision="bf16")).scaled
    assert not loop_plan(TrainSettings()).scaled


def test_a_schedule_says_its_defaults() -> None:
    """gamma as torch's StepLR, the share of the rise as torch's OneCycleLR."""
    schedule = Schedule(10, 0.1)
    assert (schedule.lr_min, schedule.kind, schedule.warmup, schedule.milestones) == (0.0, "cosine", 0.0, [])
    assert (schedule.gamma, schedule.rise) == (0.1, 0.3)


# the attacks of the methods at their defaults


@pytest.mark.parametrize(
    ("method", "walk", "passes", "forwards", "replays"),
    [
        ("standard", None, 0, 1, 1),
        ("pgd", (7, 2 / 255), 7, 1, 1),
        ("trades", (7, 2 / 255), 7, 2, 1),
        ("fgsm", (1, 10 / 255), 1, 1, 1),
        ("free", (8, 8 / 255), 0, 1, 8),
    ],
)
def test_the_attack_of_each_method_at_its_defaults(
    method: str, walk: Walk | None, passes: int, forwards: int, replays: int
) -> None:
    kind, settings = METHODS.get(method), TrainSettings(method=method)
    assert kind.walk(settings) == (walk if walk is None else pytest.approx(walk))
    assert kind.passes(settings) == passes
    assert kind.replays(settings) == replays
    assert settings.passes == (forwards * replays, passes * replays)
    assert TrainSettings(method=method, awp=0.005).passes == (2 * forwards * replays, passes * replays)
    assert kind.adversarial == (method != "standard")


def test_trades_starts_a_thousandth_away() -> None:
    """Zhang et al. 2019, algorithm 1: x' = x + 0.001·N(0, I)."""
    torch.manual_seed(0)
    network = SPACES.get("nasbench201")().build(
        SPACES.get("nasbench201")().parse("|skip_connect~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|"),
        3, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), channels=2, cells_per_stage=1,
    )  # fmt: skip
    method = METHODS.get("trades")(TrainSettings(method="trades"), network, network)
    x = torch.full((40, 3, 8, 8), 0.5)
    moved = method.draw(x, torch.Generator().manual_seed(0), None) - x
    assert moved.std().item() == pytest.approx(0.001, rel=0.03)
    assert abs(moved.mean().item()) < 5e-5
    assert moved.abs().max() > 0.003  # normal, not uniform
    logits, clean = torch.randn(5, 4), torch.randn(5, 4)
    examples = method.loss(
        [(clean, None), (logits, None)], torch.tensor([0, 1, 2, 3, 0]), lambda outputs, y: 0.0 * y[0]
    )
    p = clean.softmax(1)
    expected = 6 * (p * (p.log() - logits.log_softmax(1))).sum(1).mean()
    torch.testing.assert_close(examples, expected)
    assert not torch.allclose(examples, 6 * F.kl_div(clean.log_softmax(1), logits.softmax(1), reduction="batchmean"))
