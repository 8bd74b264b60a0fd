"""The default checks pass for an honest network, name what hides gradients, and change no other number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.data import Dataset, Split
from nas.core.optimisation.attack_steps import pgd_l2
from nas.core.storage.memory import InMemoryStore
from nas.eval import EvalSettings, evaluate, outputs
from nas.eval import checks as checks_module
from nas.eval.attack_runner import AttackRunner
from nas.eval.outputs import NAMES, check_outputs
from nas.report.text import check_lines
from nas.results import Check

CPU = torch.device("cpu")
N = 30
SETTINGS = EvalSettings(attacks=["fgsm"], eps=0.05, n_test=N, batch_size=20)
PASSING = dict.fromkeys(NAMES, "pass")


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 5))


@pytest.fixture
def data() -> Dataset:
    images = torch.randint(0, 256, (N, 3, 6, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        labels = linear()(images / 255).argmax(dim=1)
    part = Split(images, labels)
    return Dataset("made", part, part, part, 5, (0.5,) * 3, (0.2,) * 3)


class Wrapped(nn.Module):
    """A network behind `before` and `after`."""

    def __init__(self, before: Any = None, after: Any = None) -> None:
        super().__init__()
        self.network = linear()
        self.before = before or (lambda x: x)
        self.after = after or (lambda logits: logits)

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.network(self.before(x)))


def checked(network: nn.Module, data: Dataset, count: int = 20, norm: str = "Linf") -> dict[str, Check]:
    part = data.test
    few = AttackRunner(network, part.images[:count] / 255, part.labels[:count], count, 0, CPU, InMemoryStore())
    return {check.name: check for check in check_outputs(few, norm)}


def verdicts(network: nn.Module, data: Dataset, count: int = 20) -> dict[str, str]:
    return {name: check.ok for name, check in checked(network, data, count).items()}


def test_an_honest_network_passes(data: Dataset) -> None:
    assert verdicts(linear(), data) == PASSING
    assert verdicts(nn.Sequential(*linear(), nn.LogSoftmax(1)), data) == PASSING
    normalised = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.Linear(64, 5))
    assert verdicts(normalised.train(), data) == PASSING


def alone_raises(x: Tensor) -> Tensor:
    if len(x) == 1:
        raise ValueError("Expected more than 1 value per channel when training")
    return x


def alone_squeezed(logits: Tensor) -> Tensor:
    return logits.squeeze(0)


@pytest.mark.parametrize(
    ("before", "after", "warned"),
    [
        (lambda x: (x * 255).round() / 255, None, "zero-gradients"),
        (lambda x: (x * 8).floor() / 8, None, "zero-gradients"),
        (lambda x: (x * 255).to(torch.uint8).float() / 255, None, "zero-gradients"),
        (lambda x: x.detach(), None, "zero-gradients"),
        (lambda x: torch.from_numpy(x.detach().numpy().copy()), None, "zero-gradients"),
        (lambda x: torch.from_numpy(x.numpy().copy()), None, "zero-gradients"),
        (None, lambda logits: logits * 1e6, "zero-gradients"),
        (None, lambda logits: (logits * 10).round(), "zero-gradients"),
        (lambda x: x + 0 * (x - x).abs().sqrt(), None, "zero-gradients"),  # 0 times infinity
        (None, lambda logits: logits.softmax(1), "logits"),
        (None, lambda logits: logits.softmax(1).half().float(), "logits"),
        (None, lambda logits: logits.sigmoid(), "logits"),
        (None, lambda logits: logits + 0.1 * torch.randn_like(logits), "randomised-outputs"),
        (lambda x: F.dropout(x, 0.5, training=True), None, "randomised-outputs"),
        (lambda x: F.batch_norm(x, None, None, training=True), None, "depends-on-batch"),
        (lambda x: x - x.mean(0), None, "depends-on-batch"),
        (lambda x: x - x[:1], None, "depends-on-batch"),
        (None, lambda logits: logits / logits.abs().amax(), "depends-on-batch"),
        (alone_raises, None, "depends-on-batch"),
        (None, alone_squeezed, "depends-on-batch"),
    ],
)
def test_what_hides_gradients_or_looks_at_other_images_is_named(
    before: Callable[[Tensor], Tensor] | None, after: Callable[[Tensor], Tensor] | None, warned: str, data: Dataset
) -> None:
    found = checked(Wrapped(before, after), data)
    assert found[warned].ok == "warn", found
    others = {name for name, check in found.items() if check.ok == "warn"} - {warned}
    assert not others or (warned, others) == ("logits", {"zero-gradients"}), found


def test_a_slight_dependence_that_changes_the_class_is_told(data: Dataset) -> None:
    """The first two logits are nearly equal; the number of images decides which one is larger."""

    class Tied(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mean = x.mean((1, 2, 3))
            return torch.stack([mean, mean + (1e-4 if len(x) > 1 else -1e-4), -mean], 1)

    three = replace(data, test=Split(data.test.images, data.test.labels % 3))
    found = checked(Tied(), three)["depends-on-batch"]
    assert found.ok == "warn"
    assert "gets another class" in found.reason


@pytest.mark.parametrize(
    ("distance", "verdict"), [(0.009, "pass"), (-0.009, "pass"), (0.011, "warn"), (-0.011, "warn")]
)
def test_the_logits_of_an_image_alone_may_differ_by_a_hundredth(distance: float, verdict: str, data: Dataset) -> None:
    network = Wrapped(after=lambda logits: logits * (1 + distance * (len(logits) == 1)))
    assert verdicts(network, data)["depends-on-batch"] == verdict


def test_an_image_alone_without_finite_logits_counts_as_dependence(data: Dataset) -> None:
    """`argmax` takes NaN for the largest logit, so the class alone would not show it."""

    def after(logits: Tensor) -> Tensor:
        largest = logits == logits.amax(1, keepdim=True)
        return logits.masked_fill(largest & (len(logits) == 1), torch.nan)

    assert "gets NaN or infinite logits" in checked(Wrapped(after=after), data)["depends-on-batch"].reason


@pytest.mark.parametrize("number", [0, 10, 19])
def test_the_first_the_middle_and_the_last_image_are_compared(number: int, data: Dataset) -> None:
    def before(x: Tensor) -> Tensor:
        return x * torch.where(torch.arange(len(x)) == number, 0.5, 1)[:, None, None, None] if len(x) == 20 else x

    assert f"image {number} alone" in checked(Wrapped(before), data)["depends-on-batch"].reason


@pytest.mark.parametrize(("factor", "verdict"), [(1 + 5e-6, "warn"), (1 + 5e-5, "pass")])
def test_probabilities_may_be_rounded(factor: float, verdict: str, data: Dataset) -> None:
    network = Wrapped(after=lambda logits: (logits * 1e3).softmax(1) * factor)  # about 0 and 1
    assert verdicts(network, data)["logits"] == verdict


def test_reasons_say_what_was_found(data: Dataset) -> None:
    reason = checked(Wrapped(lambda x: (x * 8).round() / 8), data)["zero-gradients"].reason
    assert "zero on 20 of 20 images" in reason
    assert "no gradient in the images" in checked(Wrapped(lambda x: x.detach()), data)["zero-gradients"].reason
    assert "raises ValueError" in checked(Wrapped(alone_raises), data)["depends-on-batch"].reason


def test_images_without_finite_logits_hide_nothing(data: Dataset) -> None:
    def after(logits: Tensor) -> Tensor:
        noisy = logits + torch.randn_like(logits)
        return torch.where((torch.arange(len(logits)) % 3 == 0)[:, None] & (len(logits) == 20), torch.nan, noisy)

    assert verdicts(Wrapped(after=after), data)["randomised-outputs"] == "warn"
    nothing = verdicts(Wrapped(after=lambda logits: logits * torch.nan), data)
    assert nothing == dict.fromkeys(NAMES, "skipped")


def test_one_image_has_no_others(data: Dataset) -> None:
    assert verdicts(linear(), data, 1) == {**PASSING, "depends-on-batch": "skipped"}


def test_a_network_for_batches_of_one_size_is_told_and_does_not_stop_the_evaluation(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def before(x: Tensor) -> Tensor:
        if len(x) == 7:
            raise RuntimeError("shape '[20, 108]' is invalid")
        return x

    monkeypatch.setattr(outputs, "CHECKED_IMAGES", 7)
    monkeypatch.setattr("nas.eval.evaluation.CHECKED_IMAGES", 7)
    found = evaluate(Wrapped(before), data, SETTINGS, 3, CPU, InMemoryStore()).checks
    assert [one.ok for one in found] == ["skipped", "skipped", "skipped", "warn"]
    assert "a batch of 7 images raises RuntimeError" in found[-1].reason


def test_no_other_number_moves(data: Dataset) -> None:
    """Even if the network draws from the global generator; the generator's state afterwards is the same too."""
    settings = EvalSettings(
        attacks=["pgd2", "apgd-ce2", "square5"], eps=0.05, n_test=N, batch_size=20, corruptions=["gaussian_noise"],
        severities=[1], measures=["calibration"], measure_attack="pgd2",
    )  # fmt: skip

    def outcome(**more: Any) -> tuple[dict[str, Any], InMemoryStore, Tensor]:
        torch.manual_seed(5)
        kept = InMemoryStore()
        noisy = Wrapped(after=lambda logits: logits + 0.3 * torch.randn_like(logits))
        return evaluate(noisy, data, settings, 3, CPU, kept, **more).to_json(), kept, torch.rand(3)

    (found, kept, after), (plain, without, after_plain) = outcome(), outcome(outputs=False)
    assert {one["name"]: one["ok"] for one in found.pop("checks")}["randomised-outputs"] == "warn"
    assert found == plain
    assert {key: kept.facts[key] for key in kept.facts if not key.startswith("outputs/")} == without.facts
    assert torch.equal(after, after_plain)


def test_checks_of_every_network_stand_among_all_where_those_are_asked_for(data: Dataset) -> None:
    every = EvalSettings(attacks=["fgsm"], eps=0.05, n_test=4, checks=True, checks_images=4)
    wrong = Wrapped(after=lambda logits: -logits)  # no image is correct, so nothing is attacked and this is fast
    names = [one.name for one in evaluate(wrong, data, every, 3, CPU, InMemoryStore()).checks]
    assert names == ["clean", *NAMES, "dynamic"]


def test_they_are_kept_and_made_for_evaluations_that_began_without_them(data: Dataset) -> None:
    kept = InMemoryStore()
    whole = evaluate(linear(), data, SETTINGS, 3, CPU, kept)
    older = InMemoryStore({key: value for key, value in kept.facts.items() if not key.startswith("outputs/")})
    assert evaluate(linear(), data, SETTINGS, 3, CPU, older) == whole
    kept.facts["outputs/outputs"] = [{"name": "logits", "ok": "warn", "reason": "kept"}]
    assert evaluate(linear(), data, SETTINGS, 3, CPU, kept).to_json()["checks"] == kept.facts["outputs/outputs"]


def test_few_passes_over_one_batch(data: Dataset) -> None:
    seen: list[int] = []

    def counted(x: Tensor) -> Tensor:
        seen.append(len(x))
        return x

    network = Wrapped(counted)
    before = evaluate(network, data, SETTINGS, 3, CPU, InMemoryStore(), outputs=False)
    attacked = sum(seen)
    seen.clear()
    evaluate(network, data, SETTINGS, 3, CPU, InMemoryStore())
    assert before.n_test == N
    assert sum(seen) - attacked <= 7 * 20 + 3


def test_they_are_said_in_the_text_for_people(data: Dataset) -> None:
    entry = replace(evaluate(Wrapped(lambda x: (x * 8).round() / 8), data, SETTINGS, 3, CPU, InMemoryStore()), name="x")
    lines = check_lines(entry.checks)
    assert lines[0].startswith("warn    zero-gradients: the gradient is zero on 20 of 20 images")
    assert lines[1] == "pass    randomised-outputs, logits, depends-on-batch (eval.checks=true makes further attacks)"


@pytest.mark.parametrize("factor", [1.0, 1e-6, 2e-8, 1e-9, 1e-12, 1e-30, 1e-37])
def test_gradients_that_are_too_short_for_steps_in_l2_are_counted(factor: float, data: Dataset) -> None:
    """They are those whose first step of PGD in L2 is at least a hundredth too short."""
    network = Wrapped(after=lambda logits: logits * factor).eval()
    x, y = data.test.images[:20] / 255, data.test.labels[:20]
    moved = pgd_l2(lambda z: F.cross_entropy(network(z), y, reduction="sum"), x, 1.0, 0.25, 1, bounds=None) - x
    short = int((moved.flatten(1).norm(dim=1) < 0.25 / 1.01).sum())
    found = checked(network, data, norm="L2")["zero-gradients"]
    assert found.ok == ("warn" if short else "pass"), found
    assert (f"shorter than 1e-08 on {short} of 20 images" in found.reason) == bool(short), found
    assert checked(network, data)["zero-gradients"].ok == "pass"  # the sign of a short gradient is as long as any


def test_an_evaluation_in_l2_warns_of_short_gradients(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SQUARE_QUERIES", "STEPS", "MORE_STEPS", "RESTARTS"):
        monkeypatch.setattr(checks_module, name, 2)  # to save time
    settings = replace(SETTINGS, attacks=["pgd5"], norm="L2", eps=0.5)
    for checks in (False, True):
        entry = evaluate(
            Wrapped(after=lambda logits: logits * 1e-12),
            data,
            replace(settings, checks=checks),
            0,
            CPU,
            InMemoryStore(),
        )
        reasons = {row.name: row.reason for row in entry.checks if row.ok == "warn"}
        assert "shorter than 1e-08" in reasons["zero-gradients"]
