"""Accuracy under common corruptions; outcomes are stored batch by batch, so that a stopped evaluation continues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nas.core.errors import InputError
from nas.core.logits import finite
from nas.core.optimisation.attack_steps import eval_mode
from nas.core.statistics.intervals import clustered_interval
from nas.core.storage.base import FactStore
from nas.core.storage.memory import InMemoryStore
from nas.eval.attack_runner import Tick, flags_of
from nas.eval.corruptions.base import SEVERITIES
from nas.eval.corruptions.corrupted_images import Computed, CorruptedImages
from nas.eval.corruptions.scores import Baseline, in_mean, read_baseline, relative_errors, summary
from nas.eval.networks.orders import order_remark
from nas.eval.non_finite import once_with_count, total
from nas.results import CorruptionResult, Count, Interval


def evaluate_corruptions(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    corruptions: Sequence[str] = ("all",),
    severities: Sequence[int] = SEVERITIES,
    batch_size: int = 250,
    seed: int = 0,
    frost: str | None = None,
    baseline: CorruptionResult | Mapping[str, Any] | str | None = None,
) -> CorruptionResult:
    """Accuracies of a network that takes images in [0, 1] on corrupted versions of clean images (N, 3, H, W).

    `corruptions` are types, groups, `all` or `extra`; `frost` is a folder of photographs; `baseline` an earlier result
    (or its JSON file) for the mCE. The network stays on its device. Raises `InputError` for images, names or files that
    do not fit.
    """
    source = Computed(images, labels, corruptions, severities, batch_size, seed, frost)
    device = next((parameter.device for parameter in network.parameters()), images.device)
    compared = None if baseline is None else read_baseline(baseline, source.kinds, source.severities)
    return corrupted(network, source, device, InMemoryStore(), baseline=compared)


def corrupted(
    network: nn.Module,
    source: CorruptedImages,
    device: torch.device,
    outcomes: FactStore,
    clean: float | None = None,
    baseline: Baseline | None = None,
    tick: Tick = lambda passes, note: None,
) -> CorruptionResult:
    """Accuracies by type and severity, their means, and with a baseline the mCE.

    `clean` is the accuracy on clean images, for the HRS and the relative mCE; by default it is measured on the images
    of the source, and `InputError` is raised if these are not known without corruption. An image with a NaN or infinite
    logit counts as wrong; a remark warns if the classes seem to be numbered in another order.
    """
    if clean is None and not source.has_clean:
        raise InputError("Expected the accuracy on clean images but the source has no clean images; give `clean`.")
    outcome = {
        (kind, severity): _flags(network, source, f"{kind}/{severity}", device, outcomes, tick)
        for kind in source.kinds
        for severity in source.severities
    }
    flags = {which: text for which, (text, _) in outcome.items()}
    if clean is None:
        clean = _accuracy(_flags(network, source, "clean", device, outcomes, tick)[0])
    accuracy = {kind: [_accuracy(flags[kind, severity]) for severity in source.severities] for kind in source.kinds}
    counted = [flags[kind, severity] for kind in in_mean(source.kinds) for severity in source.severities]
    correct = [sum(flag == "1" for flag in image) for image in zip(*counted)]  # number of correct versions per image
    remarks = _remarks(source, list(flags.values()))
    return CorruptionResult(
        images=source.origin,
        n_test=source.n,
        severities=source.severities,
        clean=clean,
        **summary(accuracy, clean)._asdict(),
        interval=Interval(*clustered_interval(correct, len(counted))),
        accuracy=accuracy,
        left_out=source.left_out,
        correct_counts=correct,
        non_finite={kind: [outcome[kind, severity][1] for severity in source.severities] for kind in source.kinds},
        remarks=remarks,
        relative=None if baseline is None else relative_errors(accuracy, clean, baseline),
    )


def _remarks(source: CorruptedImages, flags: Sequence[str]) -> list[str]:
    """A warning if the labels seem to number the classes in another order; `flags` has all types and severities."""
    if source.other_order is None:
        return []
    labels = torch.cat([source.labels[: source.n]] * len(flags))
    advice = "the network or the labels of the files may have that order (data.order)"
    numbers = [int(flag) for text in flags for flag in text]
    sentence = order_remark(numbers, labels, source.other_order.tolist(), "corrupted images", advice)
    return [] if sentence is None else [sentence]


def _accuracy(flags: str) -> float:
    return flags.count("1") / len(flags)


def _flags(
    network: nn.Module,
    source: CorruptedImages,
    which: str,
    device: torch.device,
    outcomes: FactStore,
    tick: Tick,
) -> tuple[str, Count]:
    """One character per image, 1 if correct (see `flags_of`), and the number of images with a non-finite logit."""
    parts, counts = [], []
    for number in range(source.batches):
        key = f"{source.key}/{which}/{number}"
        flags, count = once_with_count(
            outcomes,
            key,
            lambda number=number: _classified(network, source, which, number, device),  # type: ignore[misc]
        )
        parts.append(flags)
        counts.append(count)
        tick(1, which.split("/")[0])
    return "".join(parts), total(which, counts)


def _classified(
    network: nn.Module, source: CorruptedImages, which: str, number: int, device: torch.device
) -> tuple[str, int]:
    if which == "clean":
        x, y = source.clean(number, device)
    else:
        kind, severity = which.split("/")
        x, y = source.batch(kind, int(severity), number, device)
    other_labels = None if source.other_order is None else source.other_order.to(y.device)[y]
    with torch.no_grad(), eval_mode(network):
        logits = network(x)
    return "".join(map(str, flags_of(logits, y, other_labels))), int((~finite(logits)).sum())
