"""Summaries of accuracies under corruption: means, groups, and errors relative to a baseline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from nas.core.errors import InputError
from nas.core.io.files import read_text
from nas.eval.corruptions.base import CORRUPTIONS
from nas.eval.corruptions.names import GROUPS
from nas.eval.metrics import hrs
from nas.results import CorruptionResult, RelativeErrors

Accuracies = Mapping[str, Sequence[float]]  # by type, one per severity


class Means(NamedTuple):
    """The accuracy by type, by group, and the mean over the types `mean_of`, which all have the same weight."""

    mean: float
    mean_of: list[str]
    hrs: float  # of the clean accuracy and the mean
    types: dict[str, float]
    groups: dict[str, float]


class Baseline(NamedTuple):
    """The accuracies of the network by whose errors other errors are divided."""

    clean: float
    accuracy: Accuracies


def in_mean(kinds: Sequence[str]) -> list[str]:
    """The types that count in means: those of the benchmark, or all if there are only extra ones."""
    return [kind for kind in kinds if not CORRUPTIONS.get(kind).extra] or list(kinds)


def summary(accuracy: Accuracies, clean: float) -> Means:
    by_type = {kind: fmean(values) for kind, values in accuracy.items()}
    counted = in_mean(list(accuracy))
    groups = {group: [by_type[kind] for kind in counted if CORRUPTIONS.get(kind).group == group] for group in GROUPS}
    mean = fmean(by_type[kind] for kind in counted)
    by_group = {group: fmean(values) for group, values in groups.items() if values}
    return Means(mean, counted, hrs(clean, mean), by_type, by_group)


def relative_errors(accuracy: Accuracies, clean: float, baseline: Baseline) -> RelativeErrors:
    """mCE and relative mCE in percent; lower is better, the baseline itself has 100.

    CE_c = Σ_s E_{s,c} / Σ_s E'_{s,c} with the errors E of the network and E' of the baseline; in relative CE_c,
    E_{s,c} - E_clean replaces E_{s,c}. The means are over the types that count in the mean accuracy. A type whose
    denominator is not positive has no value (`None`), and then there is no mean. Source: Hendrycks and Dietterich,
    ICLR 2019, section 4.2.
    """
    ce: dict[str, float | None] = {}
    relative: dict[str, float | None] = {}
    for kind in in_mean(list(accuracy)):
        errors, others = ([1 - a for a in accuracies[kind]] for accuracies in (accuracy, baseline.accuracy))
        ce[kind] = _percent(sum(errors), sum(others))
        beyond, beyond_theirs = (
            sum(errs) - len(errs) * (1 - at) for errs, at in ((errors, clean), (others, baseline.clean))
        )
        relative[kind] = _percent(beyond, beyond_theirs)
    return RelativeErrors(_mean(ce), _mean(relative), ce, relative)


def _percent(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole > 1e-12 else None


def _mean(values: Mapping[str, float | None]) -> float | None:
    known = [value for value in values.values() if value is not None]
    return fmean(known) if len(known) == len(values) else None


def read_baseline(
    baseline: CorruptionResult | Mapping[str, Any] | str, kinds: Sequence[str], severities: Sequence[int]
) -> Baseline:
    """The accuracies of an earlier result, cut to these types and severities.

    `baseline` is a result of `evaluate_corruptions`, or the path of a JSON file: of such a result, of
    `nas eval --json`, or of a run with a single model. Raises `InputError` if it cannot be read, lacks a type or a
    severity, or has percentages.
    """
    given = baseline.to_json() if isinstance(baseline, CorruptionResult) else baseline
    result = _corruptions(_read(given) if isinstance(given, str) else given)
    if result is None:
        raise InputError(
            "Expected a baseline with the accuracies under corruption of one model but found none (or several models); "
            "give the result of `nas eval … --json` with eval.corruptions."
        )
    there = list(result.get("severities", range(1, 6)))
    missing = [kind for kind in in_mean(kinds) if len(result["accuracy"].get(kind, ())) != len(there)]
    missing += [f"severity {severity}" for severity in severities if severity not in there]
    if missing:
        raise InputError(f"Expected a baseline that has {', '.join(missing)} too; evaluate it with the same settings.")
    at = [there.index(severity) for severity in severities]
    accuracy = {kind: [float(result["accuracy"][kind][i]) for i in at] for kind in in_mean(kinds)}
    for value in (result["clean"], *(value for values in accuracy.values() for value in values)):
        if not 0 <= value <= 1:
            raise InputError(f"Expected a baseline of accuracies in [0, 1] but got {value}; divide percentages by 100.")
    return Baseline(float(result["clean"]), accuracy)


def _read(path: str) -> Any:
    try:
        return json.loads(read_text(Path(path)))
    except (OSError, ValueError) as error:
        raise InputError(f"Expected a JSON result in {path} but it cannot be read ({error}).") from None


def _corruptions(result: Any) -> Mapping[str, Any] | None:
    """The part about corruptions of a result of any form; None if there is none, or if there are several models."""
    if not isinstance(result, Mapping):
        return None
    if isinstance(result.get("accuracy"), Mapping) and "clean" in result:
        return result
    if "corruptions" in result:
        return _corruptions(result["corruptions"])
    models: Sequence[Any] = result.get("models") or []
    return _corruptions(models[0]) if len(models) == 1 else None
