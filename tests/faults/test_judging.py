"""What is damaged, what counts as the same, and what is said of it: without a run."""

from __future__ import annotations

from pathlib import Path

import chaos
import damage
import numpy as np
import pytest
import torch
from comparing import same
from forks import Ended
from kills import Kill, Trial, table


def test_the_table_counts_kills_by_stage() -> None:
    trials = [
        Trial("a", 1, [Kill("training", 1.0, "whole group", 3), Kill("report", 1.0, "whole group", 9)]),
        Trial("b", 1, [Kill("training", 1.0, "whole group", 5)], ["lost"]),
    ]
    rows = table(trials)
    assert rows == [
        {"stage": "training", "kills": 2, "identical": 1, "kept": [3, 5]},
        {"stage": "report", "kills": 1, "identical": 1, "kept": [9, 9]},
    ]
    result = {"kills": rows, "runs": 2, "faults": [{"fault": "x", "found": "y", "good": False}], "lost": 2}
    assert "| all, in 2 runs | 3 | 2 |" in chaos.text(result)
    assert "| x | BAD: y |" in chaos.text(result)


def test_damage_is_one_bit_or_a_shorter_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "file"
    content = bytes(range(200))
    path.write_bytes(content)
    damage.flipped(path, rng)
    changed = [one ^ other for one, other in zip(content, path.read_bytes())]
    assert sum(bin(value).count("1") for value in changed) == 1
    path.write_bytes(content)
    damage.truncated(path, rng)
    assert len(path.read_bytes()) < len(content)
    assert content.startswith(path.read_bytes())


@pytest.mark.parametrize(
    ("ended", "problems", "good"),
    [
        (Ended(0, "", ""), [], True),
        (Ended(0, "", "last.pt was damaged"), ["the result differs"], False),
        (Ended(2, "", "nas: Expected a whole last.pt"), [], True),
        (Ended(2, "", "nas: Expected something"), [], False),
        (Ended(1, "", "nas: last.pt"), [], False),
        (Ended(2, "", "Traceback\nnas: last.pt"), [], False),
        (Ended(-9, "", ""), [], False),
    ],
)
def test_damage_must_be_named_or_without_effect(ended: Ended, problems: list[str], good: bool) -> None:
    assert damage.judge(ended, lambda: problems, "last.pt")[1] == good


def test_tensors_are_the_same_to_the_bit_only() -> None:
    x = torch.ones(3)
    assert same({"a": [x, 1], "seconds": 1.0}, {"a": [x.clone(), 1], "seconds": 2.0})
    assert not same({"a": x}, {"a": x + 1e-7})
    assert not same({"a": x}, {"a": x.double()})
    assert not same({"a": x}, {"b": x})
