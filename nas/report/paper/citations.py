"""What a run used that others have published: methods, spaces, data, attacks, strategies, proxies, tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from nas.core.data.loading import loader_type
from nas.core.errors import InputError
from nas.core.io.records import Json
from nas.core.registry import Registry
from nas.eval import checks
from nas.eval.attacks import ATTACKS, parse_attack
from nas.eval.corruptions.base import CORRUPTIONS
from nas.objectives.notation import PREDICTED, TRAINED, parse
from nas.report.run_data import RunData
from nas.results import CLEAN, OUTPUT_CHECKS, DpsResult, EvalResult, StudyResult, TrainResult, TransferResult
from nas.runs.repetitions import CORRUPTIONS as CORRUPTED
from nas.runs.repetitions import SCORE
from nas.search_spaces import SPACES
from nas.strategies import STRATEGIES
from nas.strategies.predictors import PREDICTORS
from nas.strategies.proxies import PROXIES
from nas.strategies.supernet import SUPERNET_STRATEGIES
from nas.strategies.supernet.mixing.mixtures import MIXTURES
from nas.strategies.supernet.mixing.noise import MIXTURE_NOISES
from nas.strategies.supernet.penalties import PENALTIES
from nas.strategies.supernet.perturbations import PERTURBATIONS
from nas.strategies.supernet.regularisers import REGULARISERS
from nas.train.methods import METHODS

TABLES = {  # by setting
    "robustness": "jung2023robustness",
    "accuracy": "dong2020nasbench201",
    "robbench": "wu2024robbench",
    "latency": "li2021hwnasbench",
}
SCHEDULES = {"cosine": "loshchilov2017sgdr", "onecycle": "smith2019superconvergence"}
MEASURES = {
    "calibration": "guo2017calibration",
    "hessian": "zhao2020bridging",
    "jacobian": "hoffman2019jacobian",
    "landscape": "li2018landscape",
}
CHECKS = ("athalye2018obfuscated", "carlini2019evaluating")  # of further checks as a whole
COMPARISON = (  # its statistics
    "wilson1927probable",
    "newcombe1998paired",
    "mcnemar1947note",
    "holm1979simple",
    "efron1993bootstrap",
)
LIBRARY_ATTACKS = ("fgsm", "pgd", "mifgsm", "cw")  # those that torchattacks makes if it is installed


class Use(NamedTuple):
    """Something that a run used: its kind, its name in the settings, and references as components have them."""

    kind: str
    name: str
    references: tuple[str, ...]


def uses(run: RunData) -> list[Use]:
    """Everything citable that a run used, each once, in the order in which the run came to it.

    A component that is not installed here, and one without a source of its own, is left out.
    """
    parts = (_framework(run), _searched(run), _trained(run), _attacked(run), _tested(run))
    found = [use for part in parts for use in part if use.references]
    return list(dict.fromkeys(found))


def references(runs: Iterable[RunData]) -> list[str]:
    """The references of everything that the runs used, each once."""
    return list(dict.fromkeys(one for run in runs for use in uses(run) for one in use.references))


def _component(kind: str, registry: Registry[Any], name: object) -> Iterator[Use]:
    component = registry.components.get(str(name))
    if component is not None:
        yield Use(kind, str(name), tuple(getattr(component, "references", ())))


def _framework(run: RunData) -> Iterator[Use]:
    yield Use("software", "robust-nas", ("robustnas2026",))
    yield Use("library", "PyTorch", ("paszke2019pytorch",))
    yield from _component("search space", SPACES, run.space)
    try:
        yield Use("data set", run.data, tuple(getattr(loader_type(run.data), "references", ())))
    except InputError:  # of a package that is not installed here
        return


def _searched(run: RunData) -> Iterator[Use]:
    settings = run.settings
    if isinstance(run.result, DpsResult):
        yield from _component("search strategy", STRATEGIES, "evolution")
        yield from _component("proxy", PROXIES, "eproxy")
    if run.search is None and not isinstance(run.result, StudyResult):
        return
    strategy: Json = settings.get("strategy") or {}
    name = strategy.get("name")
    if name in SUPERNET_STRATEGIES.components:
        yield from _component("search strategy", SUPERNET_STRATEGIES, name)
        if strategy.get("coefficient") or strategy.get("alpha_coefficient"):
            yield from _component("regulariser", REGULARISERS, strategy.get("regulariser"))
            yield from _component("perturbation", PERTURBATIONS, strategy.get("perturbation"))
        yield from _component("mixture noise", MIXTURE_NOISES, strategy.get("mixture_noise"))
        yield from _component("penalty", PENALTIES, strategy.get("penalty"))
        if strategy.get("mixture", "softmax") != "softmax":
            yield from _component("mixture", MIXTURES, strategy.get("mixture"))
        if strategy.get("stop_eigenvalue"):
            yield Use("early stopping", "eigenvalue", ("zela2020understanding",))
        return
    yield from _component("search strategy", STRATEGIES, name)
    yield from _component("predictor", PREDICTORS, strategy.get("predictor"))
    for metric in _metrics(settings):
        yield from _component("proxy", PROXIES, metric)
        if metric == PREDICTED:
            yield from _component("predictor", PREDICTORS, (settings.get("predicted") or {}).get("model"))
        if metric.startswith(TRAINED):
            yield from _attack(metric.removeprefix(TRAINED).removeprefix(SCORE))
    tables = settings.get("tables") or {}
    yield from (Use("table", name, (key,)) for name, key in TABLES.items() if tables.get(name))


def _metrics(settings: Json) -> list[str]:
    """The metrics of a search: those of its objective, the cheap one, and the features."""
    search = settings.get("search") or {}
    names = list(search.get("features") or [])
    for text in (search.get("objective"), search.get("cheap")):
        try:
            names += [term.name for term in parse(text)] if text else []
        except InputError:  # as an earlier version wrote it
            continue
    return names


def _trained(run: RunData) -> Iterator[Use]:
    here = [run.models[name].method for name in run.trained]
    if isinstance(run.result, TrainResult):
        here.append(run.result.training)
    if isinstance(run.result, StudyResult):
        here += [model.training for model in run.result.models]
    networks = run.result.networks if isinstance(run.result, TransferResult) else run.evaluations
    for method in (*here, *(network.training for network in networks)):
        yield from _component("training method", METHODS, method)
    train = run.settings.get("train") or {}
    if here:
        if train.get("schedule") in SCHEDULES:
            yield Use("learning-rate schedule", train["schedule"], (SCHEDULES[train["schedule"]],))
        if train.get("cutout"):
            yield Use("augmentation", "cutout", ("devries2017cutout",))
        if train.get("awp"):
            yield Use("adversarial weight perturbation", "awp", ("wu2020awp",))


def _attack(name: str) -> Iterator[Use]:
    try:
        kind, _ = parse_attack(ATTACKS, name)
    except InputError:  # `clean`, or an attack of a package that is not installed here
        return
    yield Use("attack", name, tuple(getattr(kind, "references", ())))


def _checked(entry: EvalResult) -> Iterator[Use]:
    """The further checks of an evaluation, each with the references of the attacks from which it was made."""
    if any(check.ok != "skipped" for check in entry.checks if check.name not in OUTPUT_CHECKS):
        yield Use("check of robust accuracies", "masked gradients", CHECKS)
    for check in entry.checks:
        attacks = [use for name in checks.attacks_of(check, entry.norm) for use in _attack(name)]
        sources = dict.fromkeys(one for use in attacks for one in use.references)
        yield Use("check of robust accuracies", check.name, tuple(sources))


def _attacks(entry: EvalResult) -> list[str]:
    """The attacks of an evaluation: those at its radius, that of its sweep, and that of its calibration."""
    calibration = entry.measures.calibration
    names = [*entry.worst_case.attacks, *(curve.attack for curve in entry.sweep)]
    return names if calibration is None else [*names, calibration.attack]


def _attacked(run: RunData) -> Iterator[Use]:
    names = [name for entry in run.evaluations for name in _attacks(entry)]
    if isinstance(run.result, TransferResult):
        names += run.result.attacks
        yield Use("transfer of adversarial examples", "transfer", ("mok2021advrush",))
    corrupted = [kind for entry in run.evaluations if entry.corruptions for kind in entry.corruptions.accuracy]
    if isinstance(run.result, StudyResult):
        metrics = run.result.models[0].metrics
        names += [name for name in metrics if not name.startswith(SCORE) and name not in (CLEAN, CORRUPTED)]
        corrupted += CORRUPTIONS.names() if CORRUPTED in metrics else []
    for name in names:
        yield from _attack(name)
    yield from (use for entry in run.evaluations for use in _checked(entry))
    if names and "torchattacks" in run.result.versions and any(name.startswith(LIBRARY_ATTACKS) for name in names):
        yield Use("library", "torchattacks", ("kim2020torchattacks",))
    sources = {kind: getattr(CORRUPTIONS.components.get(kind), "references", ()) for kind in corrupted}
    for one in dict.fromkeys(sources.values()):
        yield Use("test images", "common corruptions", tuple(one))
    if corrupted or (names and not isinstance(run.result, TransferResult)):
        yield Use("metric", "harmonic robustness score", ("devaguptapu2021adversarial",))
    for name, key in MEASURES.items():
        if any(getattr(entry.measures, name) for entry in run.evaluations):
            yield Use("measure", name, (key,))


def _tested(run: RunData) -> Iterator[Use]:
    if run.evaluations or isinstance(run.result, TransferResult):
        yield Use("interval", "Wilson", ("wilson1927probable",))
    if run.differences:
        yield Use("interval", "Newcombe", ("newcombe1998paired",))
        yield Use("test", "McNemar", ("mcnemar1947note",))
        yield Use("correction", "Holm", ("holm1979simple",))
    if isinstance(run.result, StudyResult) and run.result.tests:
        yield Use("test", "paired t-test", ("student1908probable",))
        yield Use("test", "sign-flip test", ("fisher1935design",))
