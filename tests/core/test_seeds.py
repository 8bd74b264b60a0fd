"""Seeds are the same on every machine, independent for each label, and do not change the global generators."""

from __future__ import annotations

import hashlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.core.seeds import derive, seeded


def test_derive_is_the_hash_it_says() -> None:
    digest = hashlib.sha256(b"7\x1fepoch\x1f3").hexdigest()
    assert derive(7, "epoch", 3) == int(digest[:16], 16) // 2
    assert derive(0) == 0x5FECEB66FFC86F38 // 2  # SHA-256 of "0"; this must never change, because results depend on it


@given(st.integers(0, 2**63 - 1), st.lists(st.text() | st.integers(), max_size=3))
def test_derived_seeds_fit_every_generator(seed: int, labels: list[object]) -> None:
    value = derive(seed, *labels)
    assert 0 <= value < 2**63
    torch.Generator().manual_seed(value)


def test_labels_and_seeds_give_different_seeds() -> None:
    labels: list[tuple[object, ...]] = [(), ("a",), ("b",), ("a", "b"), ("ab",), ("a", 1), ("a", 2), ("a", "1", "2")]
    seeds = [derive(seed, *label) for seed in range(50) for label in labels]
    assert len(set(seeds)) == len(seeds)
    bits = [sum(value >> bit & 1 for value in seeds) for bit in range(63)]
    assert min(bits) > 0.35 * len(seeds)
    assert max(bits) < 0.65 * len(seeds)


def test_seeded_repeats_and_restores() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with seeded(5):
        first = torch.rand(3)
        with seeded(6):
            torch.rand(2)
        inner = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with seeded(5):
        assert torch.equal(torch.rand(3), first)
        assert torch.equal(torch.rand(3), inner)  # the nested block changed nothing


def test_seeded_restores_after_an_error() -> None:
    before = torch.random.get_rng_state()
    with pytest.raises(ZeroDivisionError), seeded(5):
        _ = torch.rand(1) if torch.rand(1) < 0 else 1 // 0  # draws, then fails
    assert torch.equal(torch.random.get_rng_state(), before)
