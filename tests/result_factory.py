"""Results for tests: whole ones, of which a test names what matters to it.

`nas.results` says what they hold. What is built here is consistent: accuracies, intervals and scores are those of the
outcomes of images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np

from nas import results
from nas.core.goal import Goal
from nas.core.statistics.intervals import wilson
from nas.eval.metrics import hrs
from nas.results import AttackResult, EvalResult, FoundArchitecture, Interval, RunResult, SearchResult

BEST = "|avg_pool_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"
RANDOM = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_3x3~0|nor_conv_3x3~1|none~2|"
EPS = 8 / 255
VERSIONS = {"robust-nas": "0.3.0", "torch": "9.8.7"}
Outcomes = Mapping[str, int | str | Sequence[bool]]


def flags(outcome: int | str | Sequence[bool], n: int = 0) -> results.Correct:
    """Outcomes of images, from a text of 0 and 1, or from how many of `n` are right, the first ones."""
    if isinstance(outcome, int):
        return np.arange(n) < outcome
    return np.array([flag in (True, "1") for flag in outcome], dtype=bool)


def bounds(correct: results.Correct) -> Interval:
    return Interval(*wilson(int(correct.sum()), len(correct)))


def evaluation(
    outcomes: Outcomes,
    n: int = 0,
    *,
    name: str = "best-pgd",
    arch: str = BEST,
    eps: float = EPS,
    **more: Any,
) -> EvalResult:
    """An evaluated network; `outcomes` by metric, `clean` first: of each the outcome of every image, or how many of the
    `n` are right. `more` are other attributes."""
    correct = {metric: flags(outcome, n) for metric, outcome in outcomes.items()}
    share = {metric: float(right.mean()) for metric, right in correct.items()}
    attacks = {
        metric: AttackResult(share[metric], bounds(right), hrs(share["clean"], share[metric]))
        for metric, right in correct.items()
        if metric != "clean"
    }
    worst = np.all(list(correct.values()), axis=0)
    entry = EvalResult(
        name=name,
        arch=arch,
        params=67570,
        training=name.rpartition("-")[2],
        norm="Linf",
        eps=eps,
        n_test=len(worst),
        fingerprint="of these images",
        clean=share["clean"],
        clean_interval=bounds(correct["clean"]),
        attacks=attacks,
        correct=correct,
        worst_case=results.WorstCase(
            list(attacks), float(worst.mean()), bounds(worst), hrs(share["clean"], float(worst.mean())), worst
        ),
        cascade=None,
        outside={},
        sweep=[],
        checkpoint=f"models/{name}/best.pt",
    )
    return replace(entry, **more)


def curve(attack: str, *points: tuple[float, float], n: int = 100) -> results.Curve:
    """Accuracies at radii."""
    correct = [flags(round(accuracy * n), n) for _, accuracy in points]
    return results.Curve(attack, [eps for eps, _ in points], [accuracy for _, accuracy in points], correct)


def searched(arch: str = BEST, **more: Any) -> SearchResult:
    """Of a search by CRoZe."""
    top = [FoundArchitecture(arch, arch, {"croze": 19.0})]
    found = SearchResult(objective="croze", goals=[Goal("croze")], top=top, evaluated=12, failed=2, exhausted=False)
    return replace(found, **more)


def supernet_epoch(arch: str, **values: Any) -> results.SupernetEpoch:
    """The first of a supernet, with other `values` of its log."""
    row = {
        "epoch": 1, "warm_up": False, "weight_loss": 2.25, "architecture": arch, "entropy_cell": 1.5, "skips_cell": 1,
        "warning": None, "lr": 0.1, "seconds": 1.0, **values,
    }  # fmt: skip
    return results.SupernetEpoch.from_json(row)


def supernet_searched(arch: str = BEST, **values: Any) -> SearchResult:
    """Of a supernet that was trained for an epoch; `values` are those of its log."""
    metrics = {name: value for name, value in values.items() if name.startswith("val_")}
    return searched(
        objective="rnas-max",
        goals=[Goal("val_robust_accuracy")],
        top=[FoundArchitecture(arch, arch, metrics)],
        evaluated=1,
        failed=0,
        supernet=results.SupernetTraining(1, None, [supernet_epoch(arch, **values)], 100),
    )


def whole_run(models: list[EvalResult], differences: Sequence[results.Difference] = (), **more: Any) -> RunResult:
    """Of `nas run`, of networks whose names begin with best or random."""
    archs = {model.name.partition("-")[0]: model.arch for model in models}
    found = RunResult(
        arch=archs.get("best", BEST),
        random_arch=archs.get("random"),
        space="nasbench201",
        data="digits",
        seeds={"run": 7, **{model.name: 5659999038290680715 for model in models}},
        search=searched(archs.get("best", BEST)),
        models=models,
        differences=list(differences),
        seconds={"search": 6.5, "train": 67.0, "eval": 95.2, "report": 1.5, "total": 170.2},
        versions=VERSIONS,
        provenance=provenance(),
    )
    return replace(found, **more)


def trained(training: str = "pgd", **more: Any) -> results.TrainResult:
    """Of `nas train`."""
    validation = {"val_accuracy": 0.75} | ({} if training == "standard" else {"val_robust_accuracy": 0.5})
    found = results.TrainResult(
        checkpoint="models/model/best.pt",
        arch=BEST,
        training=training,
        validation=validation,
        epochs=4,
        chosen_epoch=3,
        final=results.Checkpoint("models/model/final.pt", validation),
        seconds=4.0,
    )
    return replace(found, **more)


def training_record(history: Sequence[results.Epoch] = (), **more: Any) -> results.TrainedModel:
    """What a run's store holds of a training."""
    found = results.TrainedModel(
        checkpoint="models/model/best.pt",
        final_checkpoint="models/model/final.pt",
        arch=BEST,
        epochs=len(history),
        chosen_epoch=3,
        history=list(history),
        seconds=4.0,
    )
    return replace(found, **more)


def transferred(attack: str = "pgd20", names: Sequence[str] = ("a", "b")) -> results.TransferResult:
    """Of `nas transfer` between two networks."""
    right = flags("1100")
    networks = [results.TransferNetwork(name, BEST, 100, "pgd", checkpoint=f"../{name}/best.pt") for name in names]
    matrix = results.TransferMatrix(
        [[0.5] * len(names) for _ in names],
        [[bounds(right)] * len(names) for _ in names],
        [[right] * len(names) for _ in names],
        [[0] * len(names) for _ in names],
    )
    clean = results.CleanAccuracies(
        dict.fromkeys(names, 0.5),
        dict.fromkeys(names, bounds(right)),
        dict.fromkeys(names, right),
        dict.fromkeys(names, 0),
    )
    return results.TransferResult(
        norm="Linf", eps=EPS, n_test=4, data="digits", images="of these images", networks=networks, clean=clean,
        attacks={attack: matrix}, checks=[results.Check("transfer", "pass", "none breaks more")],
        seconds={"transfer": 1.0, "total": 1.0},
    )  # fmt: skip


def discrete_search(difference: bool = True) -> results.DpsResult:
    """Of `nas dps`."""
    gap = results.RhoDifference(0.1, -0.1, 0.3) if difference else None
    return results.DpsResult(
        setting="lr=1.0 init=kaiming_norm",
        options={"lr": 1.0, "settings": None, "c_mid": [128]},
        labels=results.Agreement(20, 0.75, 0.5),
        evaluated=200,
        held_out=results.HeldOut(40, results.Ranking(0.5, 0.25, 0), results.Ranking(0.6, 0.5, 1), gap),
        file="eproxy.yaml",
        seconds={"dps": 8.0, "total": 8.0},
    )


def measured() -> results.Measures:
    """Everything that can be measured."""
    part = results.Reliability(0.0312, 0.9188, 0.95, [results.Bin(0, 0.0, 0.0), results.Bin(40, 0.95, 0.9188)], 0)
    spread = results.Spread(40, 3.25, {"5": 0.5, "25": 1.0, "50": 2.0, "75": 4.0, "95": 12.34})
    classes = [
        results.ClassAccuracy(0, 20, {"clean": 0.95, "pgd20": 0.5}),
        results.ClassAccuracy(1, 30, {"clean": 0.9, "pgd20": 0.6}),
    ]
    return results.Measures.of(
        {
            "landscape": landscape(),
            "calibration": results.Calibration(40, "pgd20", EPS, "Linf", part, replace(part, ece=0.4567)),
            "classes": classes,
            "hessian": replace(spread, steps=20, largest_error=1e-6),
            "jacobian": replace(spread, mean=123.4),
        }
    )


def landscape() -> results.Landscape:
    axis = [-0.2, -0.1, 0.0, 0.1, 0.2]
    along, across = np.meshgrid(axis, axis, indexing="ij")
    loss = np.exp(8 * along) + across**2
    examples = [loss.tolist(), (2 * loss).tolist(), loss.T.tolist()]
    return results.Landscape(40, 0.1, "Linf", axis, loss.tolist(), (1 / (1 + loss)).tolist(), examples, 0)


def corrupted(accuracy: Mapping[str, Sequence[float]], clean: float, **more: Any) -> results.CorruptionResult:
    """Accuracies under corruption, by type one per severity, all of them in the mean."""
    types = {kind: fmean(values) for kind, values in accuracy.items()}
    mean = fmean(types.values())
    found = results.CorruptionResult(
        images="computed with the parameters for 32x32",
        n_test=500,
        severities=list(range(1, 1 + len(next(iter(accuracy.values()))))),
        clean=clean,
        mean=mean,
        mean_of=list(accuracy),
        hrs=hrs(clean, mean),
        types=types,
        groups={},
        interval=Interval(mean - 0.04, mean + 0.04),
        accuracy={kind: list(values) for kind, values in accuracy.items()},
        left_out={},
        correct_counts=[1, 2],
        clean_images="the same images",
    )
    return replace(found, **more)


def provenance() -> results.Provenance:
    hardware: dict[str, Any] = {"system": "Linux x86_64", "cpu": "unknown", "cores": 2, "memory_gib": None}
    source = results.Revision("0123abcd", False)
    return results.Provenance(
        seed=7,
        settings_sha256="ab12",
        deterministic=False,
        data_sha256={"train": "cd34"},
        hardware=hardware,
        source=source,
        earlier=[results.Environment({"torch": "9.8.6"}, hardware, None)],
    )
