"""Notes on an evaluation, for pages and for terminals: sentences, and a table of its provenance."""

from __future__ import annotations

from nas.report.wording import listed
from nas.results import NOT_COUNTED, EvalResult, Provenance, TransferNetwork, UsedNormalisation


def remarks(entry: EvalResult) -> list[str]:
    """The remarks of an evaluation on its own numbers, those under corruption too."""
    return [*entry.remarks, *(entry.corruptions.remarks if entry.corruptions else [])]


def doubts(entry: EvalResult, label: str) -> list[str]:
    """A sentence if checks warn: an attack may have failed, so accuracies under attack are upper bounds."""
    names = entry.warning_checks
    if not names:
        return []
    checks = f"{'check' if len(names) == 1 else 'checks'} {listed(names)} {'warns' if len(names) == 1 else 'warn'}"
    return [
        f"{label}: the {checks}. Its robust accuracies and scores are upper bounds: an attack may have failed where "
        "the network is not robust, and a difference in its favour shows nothing."
    ]


def non_finite_notes(entry: EvalResult) -> list[str]:
    """How many images had a NaN or infinite logit; no sentence if none had."""
    counts = dict(entry.non_finite)
    for kind, each in (entry.corruptions.non_finite if entry.corruptions else {}).items():
        known = [count for count in each if count is not None]
        counts[kind] = sum(known) if len(known) == len(each) else None
    if calibration := entry.measures.calibration:
        counts["calibration, clean"] = calibration.clean.non_finite
        counts["calibration, attacked"] = calibration.attacked.non_finite
    if landscape := entry.measures.landscape:
        counts["the loss landscape"] = landscape.non_finite
    counted = [f"{name} {count:,}" for name, count in counts.items() if count and count != NOT_COUNTED]
    unknown = [name for name, count in counts.items() if count is None]
    sentences = []
    if counted:
        sentences.append(f"Images with a NaN or infinite logit, each counted as wrong: {', '.join(counted)}.")
    if unknown:
        sentences.append(
            f"The number of images with a NaN or infinite logit is not known for {listed(unknown)}: a part was "
            "evaluated by an earlier version, which took NaN for the largest logit."
        )
    return sentences


def input_notes(network: EvalResult | TransferNetwork) -> list[str]:
    """How the images were normalised, and an unusual memory order or type; empty for a network trained here."""
    source, form = (network.source, network.image_format) if isinstance(network, EvalResult) else (None, None)
    notes = []
    if (used := network.normalised) is not None:
        notes.append(f"Images {_normalisation(used)}.")
        if used.by not in ("none", "settings") and "@" in str(source or network.checkpoint):
            notes.append(
                "If these weights were trained on images that were normalised otherwise, the accuracies are wrong: "
                "give eval.normalise=none, or eval.mean with eval.std."
            )
    if form is not None:
        order = "ordinary memory order" if form.order == "ordinary" else "channels-last order"
        of_type = "" if form.type in (None, "float32") else f" of type {form.type}"
        notes.append(f"The network ran on images{of_type} in {order}.")
    return notes


def _normalisation(used: UsedNormalisation) -> str:
    if used.mean is None or used.std is None:
        return "in [0, 1], not normalised"
    mean, std = (", ".join(f"{value:g}" for value in values) for values in (used.mean, used.std))
    origin = "eval.mean and eval.std" if used.by == "settings" else used.by
    return f"normalised by {origin}: mean {mean}, standard deviation {std}"


def provenance_table(provenance: Provenance) -> dict[str, str]:
    """The machine, the source and the data behind a result, as names and values."""
    values = {name.replace("_gib", ", GiB").replace("_", " "): value for name, value in provenance.hardware.items()}
    if provenance.source is not None:
        values["source"] = provenance.source.commit + (" with changes" if provenance.source.changed else "")
    values["SHA-256 of the settings"] = provenance.settings_sha256
    for part, digest in (provenance.data_sha256 or {}).items():
        values[f"SHA-256 of the {part.replace('_', ' ')} images"] = digest
    values["kernels"] = "deterministic ones only" if provenance.deterministic else "the fastest, deterministic or not"
    if provenance.earlier:
        values["other sessions"] = (
            f"{len(provenance.earlier)}, on other machines or with other versions: see result.json"
        )
    return {name: "unknown" if value is None else str(value) for name, value in values.items()}
