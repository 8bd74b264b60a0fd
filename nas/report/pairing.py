"""Which accuracies of two evaluated networks can be paired image by image, and why others cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nas.core.io.records import Json
from nas.report.identity import Identity
from nas.report.wording import ball, listed
from nas.results import CLEAN, WORST_CASE, ComparedNetwork, EvalResult, TrainedModel

ATTACK_SETTINGS = ("step_size", "restarts", "cascade")  # attacks of one name and radius are equal if these settings are


@dataclass(frozen=True, eq=False)
class Checkpoint(ComparedNetwork):
    """One evaluated network of a comparison, with what its page shows besides."""

    attack_settings: tuple[Any, ...]  # attacks of one name are the same attack if these are equal
    identity: Identity
    record: TrainedModel | None  # the history of its training, if its run stored it


def attack_settings(settings: Json, entry: EvalResult) -> tuple[Any, ...]:
    chosen = settings.get("eval") or {}
    return (entry.norm, entry.eps, *(chosen.get(key) for key in ATTACK_SETTINGS))


def paired_metrics(a: Checkpoint, b: Checkpoint) -> list[str]:
    """The metrics on which two checkpoints can be paired image by image."""
    if a.entry.fingerprint != b.entry.fingerprint:
        return []
    if a.attack_settings != b.attack_settings:
        return [CLEAN]
    common = [name for name in a.entry.correct if name in b.entry.correct]
    same_worst_case = a.entry.worst_of_several is not None and _worst_attacks(a) == _worst_attacks(b)
    return common + ([WORST_CASE] if same_worst_case else [])


def _worst_attacks(one: Checkpoint) -> list[str]:
    return sorted(one.entry.worst_case.attacks)


def unpaired_notes(checkpoints: list[Checkpoint]) -> list[str]:
    """Sentences that name the checkpoints which cannot be paired, or can be paired only on clean images."""
    groups: dict[str, list[Checkpoint]] = {}
    for one in checkpoints:
        groups.setdefault(one.entry.fingerprint, []).append(one)
    notes = []
    if len(groups) > 1:
        texts = [
            f"{listed([one.label for one in group])} ({group[0].data}, {group[0].entry.n_test:,} images)"
            for group in groups.values()
        ]
        notes.append(
            f"Not attacked on the same images: {'; '.join(texts)}. Between these groups no difference is paired."
        )
    for group in groups.values():
        attacked_alike: dict[tuple[Any, ...], list[Checkpoint]] = {}
        for one in group:
            attacked_alike.setdefault(one.attack_settings, []).append(one)
        if len(attacked_alike) > 1:
            texts = [
                f"{listed([one.label for one in alike])} ({_in_words(settings)})"
                for settings, alike in attacked_alike.items()
            ]
            notes.append(
                f"Attacked on the same images but not by the same attacks: {'; '.join(texts)}. Between these groups "
                "only the clean accuracies are paired."
            )
    return notes


def _in_words(attack_settings: tuple[Any, ...]) -> str:
    norm, eps, *others = attack_settings
    named = zip(ATTACK_SETTINGS, others)
    return ", ".join(
        [ball(norm, eps), *(f"{key.replace('_', ' ')} {value:g}" for key, value in named if value is not None)]
    )
