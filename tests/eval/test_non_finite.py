"""An image with a NaN or infinite logit is never correct in an evaluation; the result counts such images."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import result_factory as make
import torch
from torch import Tensor, nn

from nas.core.data import Dataset, Split
from nas.core.errors import InputError
from nas.core.storage.memory import InMemoryStore
from nas.eval import EvalSettings, evaluate
from nas.eval.attack_runner import AttackRunner
from nas.eval.attacks.gradient import FGSM
from nas.eval.corruptions import evaluate_corruptions
from nas.eval.measures import measure
from nas.eval.measures.attacked_confidence import attacked_images, confidences
from nas.eval.measures.landscape import batch_sums, merge, surfaces
from nas.eval.model_source import EvaluatedModel
from nas.eval.networks.fitting import check_fits
from nas.eval.non_finite import total
from nas.eval.plan import make_attack
from nas.eval.transfer import matrix, transfer
from nas.report.figures.landscapes import picture
from nas.report.notes import non_finite_notes
from nas.report.text import measure_lines
from nas.results import Calibration, EvalResult

CPU = torch.device("cpu")
N, BLANK = 12, 4
SETTINGS = EvalSettings(attacks=["fgsm"], eps=0.01, n_test=N, batch_size=5)


def as_before(kept: InMemoryStore) -> InMemoryStore:
    """The outcomes that an earlier version would have stored."""
    return InMemoryStore({key: value for key, value in kept.facts.items() if not key.endswith("/non-finite")})


class Standardised(nn.Module):
    """Divides each image by its standard deviation, which is 0 if it is blank, and compares its left and right half."""

    def forward(self, x: Tensor) -> Tensor:
        x = (x - x.mean((1, 2, 3), keepdim=True)) / x.std((1, 2, 3), keepdim=True)
        left, right = x[..., :2].mean((1, 2, 3)), x[..., 2:].mean((1, 2, 3))
        return torch.stack([left, right, -left - right], 1)


class Brittle(nn.Module):
    """Two classes by the mean of the image; the logit of class 0 is `value` if a pixel is below `limit`."""

    def __init__(self, value: float, limit: float = 0.3) -> None:
        super().__init__()
        self.value, self.limit = value, limit

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((1, 2, 3))
        logits = torch.stack([mean, 1 - mean], 1) * 5
        broken = (x.amin((1, 2, 3)) < self.limit)[:, None] & torch.tensor([True, False])
        return logits.masked_fill(broken, self.value)


@pytest.fixture
def data() -> Dataset:
    """Images of class 0, some of which are blank and the others bright on the left."""
    images = torch.full((N, 3, 4, 4), 50, dtype=torch.uint8)
    images[..., :2] = 200
    images[:BLANK] = 128
    part = Split(images, torch.zeros(N, dtype=torch.int64))
    return Dataset("made", part, part, part, 3, (0.5,) * 3, (0.2,) * 3)


def bright(level: int) -> Dataset:
    """Images of class 0 in which all pixels have one level."""
    part = Split(torch.full((N, 3, 4, 4), level, dtype=torch.uint8), torch.zeros(N, dtype=torch.int64))
    return Dataset("made", part, part, part, 2, (0.5,) * 3, (0.2,) * 3)


def evaluated(network: nn.Module, data: Dataset, settings: EvalSettings = SETTINGS, kept: Any = None) -> EvalResult:
    return evaluate(network, data, settings, 3, CPU, InMemoryStore() if kept is None else kept)


def test_a_blank_image_of_class_0_is_wrong_where_the_network_standardises(data: Dataset) -> None:
    found = evaluated(Standardised(), data)
    assert found.clean == (N - BLANK) / N
    assert found.attacks["fgsm"].accuracy == (N - BLANK) / N
    assert found.correct["clean"].sum() == N - BLANK
    assert found.non_finite == {"clean": BLANK, "fgsm": 0}
    assert non_finite_notes(found) == [f"Images with a NaN or infinite logit, each counted as wrong: clean {BLANK}."]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_attack_that_reaches_a_logit_that_is_not_finite_succeeds(value: float) -> None:
    """FGSM of .05 moves images of level .78 below .75; `argmax` would still give their class, 0."""
    settings = EvalSettings(attacks=["fgsm"], eps=0.05, n_test=N, batch_size=5, sweep=[0.1], sweep_attack=["fgsm"])
    found = evaluated(Brittle(value, 0.75), bright(200), settings)
    assert found.clean == 1
    assert found.attacks["fgsm"].accuracy == 0
    assert found.non_finite == {"clean": 0, "fgsm": N, "fgsm@0.005": 0}


class Blackens(FGSM):
    """An attack that leaves its ball."""

    bounded = False

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        return torch.zeros_like(x)


@pytest.mark.parametrize(("eps", "stands", "count"), [(0.1, 1, 0), (1.0, 0, N)])
def test_a_logit_that_is_not_finite_outside_the_ball_is_not_counted(eps: float, stands: int, count: int) -> None:
    examined = AttackRunner(
        Brittle(math.nan), torch.full((N, 3, 4, 4), 0.9), torch.zeros(N).long(), 5, 3, CPU, InMemoryStore()
    )
    assert examined.robust("black", Blackens(eps), [1] * N, lambda passes, label: None) == [stands] * N
    assert examined.non_finite == {"black": count}


def test_corrupted_images_are_judged_in_the_same_way(data: Dataset) -> None:
    images, labels = torch.full((3, 3, 16, 16), 0.5), torch.zeros(3, dtype=torch.int64)
    found = evaluate_corruptions(Brittle(math.nan), images, labels, ["gaussian_noise", "contrast"], [5])
    assert found.clean in (0, 1)
    assert found.non_finite == {"gaussian_noise": [3], "contrast": [0]}
    assert found.accuracy["gaussian_noise"] == [0]
    whole = make.evaluation({"clean": 3}, 3, corruptions=found)
    assert non_finite_notes(whole) == ["Images with a NaN or infinite logit, each counted as wrong: gaussian_noise 3."]


def test_calibration_leaves_out_images_without_an_answer_and_says_so(data: Dataset) -> None:
    settings = EvalSettings(measures=["calibration"], measure_images=N, measure_attack="fgsm", eps=0.01, batch_size=5)

    def measured(part: Split, kept: InMemoryStore) -> Calibration:
        found = measure(Standardised(), part.images / 255, part.labels, settings, 3, CPU, kept, {}).calibration
        assert found is not None
        return found

    confidence, right = confidences(Standardised(), data.test.images / 255, data.test.labels)
    assert (right.tolist(), confidence.isnan().tolist()) == (
        [False] * BLANK + [True] * (N - BLANK),
        [True] * BLANK + [False] * (N - BLANK),
    )
    kept = InMemoryStore()
    found = measured(data.test, kept)
    alone = measured(Split(data.test.images[BLANK:], data.test.labels[BLANK:]), InMemoryStore())
    for one, other in ((found.clean, alone.clean), (found.attacked, alone.attacked)):
        assert one.ece == pytest.approx(other.ece)
        assert one.confidence == pytest.approx(other.confidence)
        assert one.accuracy == (N - BLANK) / N
        assert (one.non_finite, other.non_finite) == (BLANK, 0)
    before = {  # in an earlier version the confidence was NaN and class 0 correct
        key: {part: [[math.nan if one is None else one for one in batch[part][0]], [1] * len(batch[part][1])]
              for part in ("clean", "attacked")}
        for key, batch in kept.facts.items()
    }  # fmt: skip
    assert measured(data.test, InMemoryStore(before)).clean == found.clean


def test_images_without_an_answer_are_not_attacked(data: Dataset) -> None:
    x = data.test.images / 255
    moved = attacked_images(Standardised(), x, data.test.labels, make_attack("pgd2", SETTINGS), 3)
    assert (moved != x).flatten(1).any(1).tolist() == [False] * BLANK + [True] * (N - BLANK)


def test_a_network_without_any_answer_has_no_calibration(data: Dataset) -> None:
    settings = EvalSettings(measures=["calibration"], measure_images=BLANK, measure_attack="pgd2", norm="L2")
    images = data.test.images[:BLANK] / 255
    labels = data.test.labels[:BLANK]
    found = measure(Standardised(), images, labels, settings, 3, CPU, InMemoryStore(), {})
    assert found.calibration is not None
    assert found.calibration.clean.ece is None
    whole = make.evaluation({"clean": 3}, 3, measures=found)
    assert "unknown (no finite logits) clean" in measure_lines(whole, Path())[0]


@pytest.mark.landing
def test_the_landscape_is_of_finite_losses_and_counts_the_others_as_wrong() -> None:
    x, y = torch.full((3, 3, 4, 4), 0.6), torch.zeros(3, dtype=torch.int64)
    x[0] = 0.31  # a large enough step moves it below .3
    line = [-0.1, 0.0, 0.1]
    batch = batch_sums(Brittle(math.nan), x, y, line)
    found = merge([batch], line, 0.1, "Linf")
    assert found.non_finite == 1
    assert batch.answered is not None
    assert batch.answered[1][1] == 3
    assert batch.answered[2][0] == 2  # a step along the gradient darkens
    loss, right = surfaces(Brittle(math.nan), x, y, line)
    assert loss[2, 0].isnan().tolist() == [True, False, False]
    assert found.loss[1][1] == pytest.approx(loss[1, 1].mean().item())
    assert found.loss[2][0] == pytest.approx(batch.loss[2][0] / 2)
    assert not right[2, 0, 0]
    assert right[1, 1].tolist() == [False, True, True]
    assert found.examples[0][2][0] is None
    assert picture(found).startswith(b"\x89PNG")
    nothing = merge([batch_sums(Brittle(math.nan, 2.0), x, y, line)], line, 0.1, "Linf")
    assert nothing.loss == [[None] * 3] * 3
    assert picture(nothing).startswith(b"\x89PNG")


def test_transfer_counts_for_each_target(data: Dataset) -> None:
    networks = {"a": Standardised(), "b": nn.Sequential(Standardised())}
    settings = EvalSettings(attacks=["fgsm", "pgd2"], norm="Linf", eps=0.01, n_test=N, batch_size=5)
    rows = {name: transfer(name, networks, data.test, settings, 3, CPU, InMemoryStore()) for name in networks}
    found = matrix(rows)
    assert found.clean.non_finite == {"a": BLANK, "b": BLANK}
    assert found.clean.accuracy == {"a": (N - BLANK) / N, "b": (N - BLANK) / N}
    assert found.attacks["fgsm"].non_finite == [[BLANK, BLANK]] * 2
    assert list(found.attacks) == ["fgsm", "pgd2"]


# parts that an earlier version finished


def test_finished_parts_of_an_earlier_version_are_taken_and_said_to_be_unknown(data: Dataset) -> None:
    settings = EvalSettings(attacks=["fgsm", "pgd2"], eps=0.01, n_test=N, batch_size=5)
    kept = InMemoryStore()
    whole = evaluated(Standardised(), bright_half(data), settings, kept)
    older = as_before(kept)
    del older.facts["pgd2/pgd/2/robust-nas" if "pgd2/pgd/2/robust-nas" in older.facts else "pgd2/pgd/2"]
    found = evaluated(Standardised(), bright_half(data), settings, older)
    assert found.non_finite == {"clean": 0, "fgsm": None, "pgd2": None}
    assert replace(found, non_finite=whole.non_finite).to_json() == whole.to_json()
    assert "not known for fgsm and pgd2" in non_finite_notes(found)[0]
    assert older.facts["clean/0/non-finite"] == 0, "counted once"
    assert non_finite_notes(make.evaluation({"clean": 3}, 3)) == []


def bright_half(data: Dataset) -> Dataset:
    """The data without blank images."""
    images = data.test.images.clone()
    images[:BLANK] = images[BLANK]
    part = Split(images, data.test.labels)
    return Dataset("made", part, part, part, 3, data.mean, data.std)


def test_finished_parts_that_took_nan_for_class_0_are_refused(data: Dataset) -> None:
    kept = InMemoryStore()
    evaluated(Standardised(), data, kept=kept)
    older = as_before(kept)
    older.facts["clean/0"] = [1, 1, 1, 1, 1]
    with pytest.raises(InputError, match=r"it counted \d clean images with such logits as correct; evaluate anew"):
        evaluated(Standardised(), data, kept=older)
    assert older.facts.keys() == as_before(kept).facts.keys()


def test_an_attack_whose_other_parts_show_such_logits_is_refused() -> None:
    settings = EvalSettings(attacks=["fgsm"], eps=0.05, n_test=N, batch_size=5)
    kept = InMemoryStore()
    evaluated(Brittle(math.nan, 0.75), bright(200), settings, kept)
    older = as_before(kept)
    (last,) = (key for key in older.facts if key.startswith("fgsm/fgsm/2"))
    del older.facts[last]
    with pytest.raises(InputError, match="2 images of the other parts of fgsm have such logits"):
        evaluated(Brittle(math.nan, 0.75), bright(200), settings, older)


def test_a_total_is_known_where_all_parts_are() -> None:
    assert total("x", [1, 0, 2]) == 3
    assert total("x", []) == 0
    assert total("x", [0, None]) is None
    with pytest.raises(InputError):
        total("x", [1, None])


def test_a_network_is_not_refused_for_one_image_that_it_cannot_standardise(data: Dataset) -> None:
    images = data.train.images.clone()
    images[1] = images[BLANK]
    one = replace(data, train=Split(images, data.train.labels))
    check_fits(EvaluatedModel(Standardised(), "mine", 0, "unknown"), one, "mine")
    with pytest.raises(InputError, match="finite logits"):
        check_fits(EvaluatedModel(Standardised(), "mine", 0, "unknown"), data, "mine")
