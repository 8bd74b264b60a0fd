"""Several accuracies in one number: the harmonic robustness score, and the worst case over attacks."""

from __future__ import annotations

from collections.abc import Mapping


def hrs(clean: float, robust: float) -> float:
    """Harmonic robustness score 2·A·R/(A + R) of clean accuracy A and robust accuracy R; 0 when both are 0.

    Fractions in, fraction out, higher is better. Source: Devaguptapu et al., ICCV Workshops 2021.
    """
    return 2 * clean * robust / (clean + robust) if clean + robust > 0 else 0.0


def worst_case(outcomes: Mapping[str, str]) -> str:
    """Which images stand every attack: 1 where all of `outcomes` (attack → a text of 0 and 1, one per image) have 1.

    Its share of ones is the robust accuracy against whoever may choose the attack for each image; it is never above
    that of any one attack. `ValueError` where there are no outcomes or they are of different images.
    """
    texts = list(outcomes.values())
    if not texts or len({len(text) for text in texts}) != 1:
        got = ", ".join(f"{name}: {len(text)}" for name, text in outcomes.items()) or "none"
        raise ValueError(f"Expected the outcomes of attacks on the same images but got {got}.")
    return "".join("1" if set(flags) == {"1"} else "0" for flags in zip(*texts))
