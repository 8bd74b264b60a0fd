"""The benchmark of evaluations measures what early drop saves; its limit is a slow test."""

from __future__ import annotations

import pytest

from nas.bench import BENCHES, attacks
from nas.bench.attacks import AttacksBench
from nas.eval import EvalSettings


def test_it_is_registered() -> None:
    assert BENCHES.get("attacks") is AttacksBench


@pytest.mark.slow
def test_dropping_saves_and_changes_little() -> None:
    lines: list[str] = []
    settings = EvalSettings(attacks=["fgsm", "pgd30", "apgd-ce20"], eps=0.3, n_test=16, batch_size=16)
    found = attacks.ratios(lines.append, settings, rounds=1, channels=4, steps=80)
    assert set(found["ratios"]) == {"early_drop", "cascade"}
    assert found["ratios"]["cascade"] > 1
    assert found["clean"] > 0.5
    assert found["worst_case"]["cascade"] <= found["worst_case"]["early_drop"] + 0.2
    assert len(lines) == 1


@pytest.mark.slow
def test_early_drop_saves_half_of_the_time() -> None:
    found = attacks.ratios(print, rounds=1)
    assert len(AttacksBench().judged(found)) == 1
    assert AttacksBench().missed(found) == []
