"""Do adversarial examples of one network fool others? White-box accuracy on the diagonal, black-box elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from nas.core.data import Split
from nas.core.images import unit_range
from nas.core.seeds import derive
from nas.core.storage.base import FactStore
from nas.eval.attacks import Attack
from nas.eval.checks import transfer_check
from nas.eval.measures.reliability import attacked_images
from nas.eval.metrics import wilson
from nas.eval.non_finite import total
from nas.eval.plan import AttackOptions, made
from nas.eval.settings import EvalSettings
from nas.eval.standing import Examined, Flags, Tick

USED = (  # settings
    *("attacks", "eps", "norm", "step_size", "restarts", "n_test", "batch_size"),
    *("model_options", "normalise", "mean", "std"),
)
NON_FINITE = "non_finite"
Found = dict[str, dict[str, Any]]  # attack → target → a text of 0 and 1, one per image; "clean" and NON_FINITE are none


def used(settings: EvalSettings) -> EvalSettings:
    """The settings with what `nas transfer` does not use as by default."""
    usual = EvalSettings()
    return replace(settings, **{f.name: getattr(usual, f.name) for f in fields(usual) if f.name not in USED})


def transfer(
    source: str,
    networks: Mapping[str, nn.Module],
    part: Split,
    settings: AttackOptions,
    seed: int,
    device: torch.device,
    outcomes: FactStore,
    tick: Tick = lambda passes, note: None,
) -> Found:
    """Which images each network classifies rightly, clean and after `settings.attacks` on the network `source`.

    Every image is attacked, those that the source misclassifies anyway too (the parts of AutoAttack leave such as they
    are); an image counts for a target that classifies it rightly before and after. What an unbounded attack found
    outside the ball is not shown to the targets. `non_finite` says how many images had a NaN or infinite logit, which
    is wrong: attack (or "clean") → target → count, None where it is not known. Kept per attack and batch.
    Source: Mok et al., ICCV 2021 (AdvRush).
    """
    images = unit_range(part.images)
    size = settings.batch_size
    examined = {
        name: Examined(network, images, part.labels, size, seed, device, outcomes, f"{name}/")
        for name, network in networks.items()
    }
    clean = {name: one.clean(tick) for name, one in examined.items()}
    found: Found = {"clean": {name: _text(flags) for name, flags in clean.items()}}
    missing = {"clean": {name: one.non_finite["clean"] for name, one in examined.items()}}
    own = examined[source]
    for label in settings.attacks:
        attack = made(label, settings)
        standing: dict[str, Flags] = {name: [] for name in networks}
        counts: list[dict[str, int] | None] = []
        for batch in range(own.batches):
            start, end = batch * size, (batch + 1) * size
            right = {name: clean[name][start:end] for name in networks}
            key = attack.kept_as(f"{label}/{batch}", own.images[batch])
            kept, count = own.counted(key, lambda: _batch(own, examined, attack, label, batch, right))  # noqa: B023
            for name in networks:
                standing[name] += kept[name]
            counts.append(count)
            tick(attack.passes(), f"{label} on {source}")
        found[label] = {name: _text(flags) for name, flags in standing.items()}
        missing[label] = {
            name: total(f"{label} on {source}", [None if one is None else one[name] for one in counts])
            for name in networks
        }
    return {**found, NON_FINITE: missing}


def transfer_ticks(settings: AttackOptions, networks: int) -> float:
    """The sum of what `transfer` tells its `tick`."""
    each = networks + sum(made(label, settings).passes() for label in settings.attacks)
    return -(-settings.n_test // settings.batch_size) * each


def _batch(
    own: Examined, examined: dict[str, Examined], attack: Attack, label: str, batch: int, right: dict[str, Flags]
) -> tuple[dict[str, Flags], dict[str, int]]:
    """What of one batch each network still classifies correctly, and for how many images a logit is not finite."""
    x, y = own.images[batch], own.labels[batch]
    moved = attacked_images(own.network, x, y, attack, derive(own.seed, own.prefix, "transfer", label, batch))
    shown: Tensor = torch.where(attack.admitted(moved, x)[:, None, None, None], moved, x)
    after, missing = {}, {}
    for name, one in examined.items():
        flags, answered = one.judged(shown, y)
        after[name] = [a * b for a, b in zip(flags.int().tolist(), right[name])]
        missing[name] = int((~answered).sum())
    return after, missing


def matrix(rows: Mapping[str, Found]) -> dict[str, Any]:
    """The results of all sources as `clean`, by network, and per attack the matrices source × target.

    `accuracy` (fractions), `intervals` (95 %, Wilson), `correct` (per image) and `non_finite` (counts) each have a row
    per source in the order of `rows`; the diagonal is white-box. `checks` says whether transfer beats white-box
    anywhere.
    """
    names = list(rows)
    first = rows[names[0]]
    attacks = [label for label in first if label not in ("clean", NON_FINITE)]
    tables = {label: [[rows[source][label][target] for target in names] for source in names] for label in attacks}
    return {
        "clean": {
            "accuracy": {name: _share(text) for name, text in first["clean"].items()},
            "intervals": {name: _interval(text) for name, text in first["clean"].items()},
            "correct": first["clean"],
            NON_FINITE: first[NON_FINITE]["clean"],
        },
        "transfer": {
            label: {
                "accuracy": [[_share(text) for text in row] for row in table],
                "intervals": [[_interval(text) for text in row] for row in table],
                "correct": table,
                NON_FINITE: [[rows[source][NON_FINITE][label][target] for target in names] for source in names],
            }
            for label, table in tables.items()
        },
        "checks": [transfer_check(label, names, table) for label, table in tables.items()],
    }


def _text(flags: Flags) -> str:
    return "".join(map(str, flags))


def _share(text: str) -> float:
    return text.count("1") / len(text)


def _interval(text: str) -> list[float]:
    return list(wilson(text.count("1"), len(text)))
