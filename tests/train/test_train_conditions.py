"""Which keys of a training have an effect, typed for every method and every key."""

from __future__ import annotations

import pytest

from nas.train.conditions import CONDITIONS, METHOD_KEYS, method_uses, methods_using
from nas.train.methods import METHODS
from nas.train.settings import TrainSettings

STEPS = {  # what each method's own docstring and paper take
    "standard": set(),
    "pgd": {"eps", "step_size", "steps"},
    "fgsm": {"eps", "fgsm_alpha"},
    "free": {"eps", "free_replays", "free_alpha"},
    "trades": {"eps", "step_size", "steps", "trades_beta"},
}
JUDGED = {"eps", "step_size", "validation_steps"}  # of the PGD on validation images, which judges adversarial trainings


def test_a_training_uses_what_its_steps_and_its_judge_read() -> None:
    assert len(METHOD_KEYS) == 8
    assert METHODS.names() == sorted(STEPS)
    for method in METHODS.names():
        judged = JUDGED if method != "standard" else set()
        assert {key for key in METHOD_KEYS if method_uses(method, key)} == STEPS[method] | judged
        assert {key for key in METHOD_KEYS if method_uses(method, key, validated=True)} == STEPS[method] | judged
        assert {key for key in METHOD_KEYS if method_uses(method, key, validated=False)} == STEPS[method]
        assert not method_uses(method, "epochs", validated=False)  # which is no method's


def test_who_uses_a_key() -> None:
    assert methods_using("free_alpha") == ["free"]
    assert methods_using("validation_steps") == [method for method in METHODS.names() if method != "standard"]


@pytest.mark.parametrize(
    ("key", "with_effect", "without", "words"),
    [
        ("milestones", {"schedule": "step"}, {"schedule": "cosine"}, "with train.schedule=cosine (only with step)"),
        ("gamma", {"schedule": "exponential"}, {"schedule": "cosine"},
         "with train.schedule=cosine (only with step or exponential)"),
        ("rise", {"schedule": "onecycle"}, {"schedule": "step"}, "with train.schedule=step (only with onecycle)"),
        ("awp_warmup", {"awp": 0.005}, {"awp": 0.0}, "without an awp above 0"),
    ],
)  # fmt: skip
def test_what_else_a_key_takes(
    key: str, with_effect: dict[str, object], without: dict[str, object], words: str
) -> None:
    assert CONDITIONS[key].holds(TrainSettings(**with_effect))  # type: ignore[arg-type]
    other = TrainSettings(**without)  # type: ignore[arg-type]
    assert not CONDITIONS[key].holds(other)
    assert CONDITIONS[key].why(other) == words
    assert set(CONDITIONS) == {"milestones", "gamma", "rise", "awp_warmup"}
