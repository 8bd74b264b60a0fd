"""The pages of the components: everything that `nas list` shows, with its options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any

from generator.markdown import code, codes, doc, first_line, prose, table
from generator.settings import rows
from generator.sources import sources
from nas.bench import BENCHES
from nas.core.data import LOADERS
from nas.eval.attacks import ATTACKS
from nas.eval.corruptions import CORRUPTIONS
from nas.eval.measures import MEASURES
from nas.report.paper.citations import MEASURES as SOURCES
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

Facts = Callable[[Any], Mapping[str, str]]


def options(section: str, kind: type) -> str:
    return rows(section, kind) if fields(kind) else ""


def part(name: str, component: Any, facts: Mapping[str, str] | None = None, *more: str) -> str:
    """The section of one component: its docstring, facts, references, and tables of its options."""
    known = {**(facts or {}), "reference": sources(getattr(component, "references", ()))}
    said = [f"- {key}: {value}" for key, value in known.items() if value]
    return "\n\n".join(filter(None, [f"## {name}", doc(component), "\n".join(said), *more]))


def whole(title: str, purpose: str, components: Mapping[str, Any], parts: Iterable[str]) -> str:
    """A page: what it is for, a table of all names, and a section for each."""
    names = [(f"[{code(name)}](#{anchor(name)})", first_line(doc(one))) for name, one in components.items()]
    return "\n\n".join([f"# {title}", purpose, table(("name", "what it is"), names), *parts]) + "\n"


def anchor(name: str) -> str:
    return name.lower().replace(":", "")


def spaces() -> str:
    parts = []
    for name, one in SPACES.components.items():
        tables = []
        for section, kind in (
            ("model", one.Settings),
            ("supernet", one.SupernetSettings),
            ("scoring", one.ScoringSettings),
        ):
            tables += [options(section, kind)]
        parts += [part(name, one, None, *tables)]
    purpose = (
        "The search spaces, `space=NAME`, and the sizes of their networks: `model` of those that are trained, "
        "`supernet` of the supernet, `scoring` of those that proxies score. How an architecture is written: "
        "docs/topics/architectures.md."
    )
    return whole("Search spaces", purpose, SPACES.components, parts)


def strategies() -> str:
    every: dict[str, Any] = {**STRATEGIES.components, **SUPERNET_STRATEGIES.components}
    parts = [
        part(
            name,
            one,
            {
                "for several goals": "yes" if getattr(one, "several", False) else "",
                "trains": "a supernet" if name in SUPERNET_STRATEGIES.components else "",
            },
            options("strategy", one.Options),
        )
        for name, one in every.items()
    ]
    terms = [
        "## Terms of the supernet's loss",
        "`strategy.regulariser=NAME`:",
        table(
            ("name", "what it is", "source", "reference"),
            [
                (code(name), doc(one.compute), prose(one.source), sources(one.references))
                for name, one in REGULARISERS.components.items()
            ],
        ),
    ]
    for key, registry in (
        ("perturbation", PERTURBATIONS),
        ("penalty", PENALTIES),
        ("mixture", MIXTURES),
        ("mixture_noise", MIXTURE_NOISES),
    ):
        known = [(code(name), doc(one.compute), sources(one.references)) for name, one in registry.components.items()]
        terms += [f"`strategy.{key}=NAME`:", table(("name", "what it is", "reference"), known)]
    purpose = (
        "The search strategies, `strategy.name=NAME`, with their options, `strategy.KEY=VALUE`. What they reach on "
        "published tables: docs/studies/strategies.md."
    )
    return whole("Strategies", purpose, every, [*parts, *terms])


def proxies() -> str:
    parts = [
        part(
            name,
            _Documented(one.compute.__doc__, one.references),
            {
                "direction": "higher is better" if one.higher_is_better else "lower is better",
                "domain": one.domain,
                "mode": one.mode if one.needs == "network" else "",
                "batch normalisation": prose(one.batch_norm) if one.needs == "network" else "",
                "cost": f"{one.passes(one.Options()):.3g} forward and backward passes of its batch",
                "source": prose(one.source),
            },
            options(f"proxies.{name}", one.Options),
        )
        for name, one in PROXIES.components.items()
    ]
    purpose = (
        "The proxies: scores of untrained networks, for `nas score --proxies a,b` and as objectives of a search "
        "(`search.objective=NAME`). Rules for all of them, measured costs, and how well each ranks: "
        "docs/studies/proxies.md."
    )
    documented = {name: _Documented(one.compute.__doc__) for name, one in PROXIES.components.items()}
    return whole("Proxies", purpose, documented, parts)


class _Documented:
    """Something with this docstring and these references."""

    def __init__(self, words: str | None, references: tuple[str, ...] = ()) -> None:
        self.doc, self.references = words or "", references


def predictors() -> str:
    parts = [
        part(name, one, None, options("predictor's option", one.Options) and _keys(one.Options))
        for name, one in PREDICTORS.components.items()
    ]
    purpose = (
        "The predictors: models that learn from a few labelled architectures, for the strategy `guided` "
        "(`strategy.predictor=NAME`), the objective `predicted` and `nas tables predict --model NAME`. What they "
        "reach: docs/studies/predictor.md."
    )
    return whole("Predictors", purpose, PREDICTORS.components, parts)


def _keys(kind: type) -> str:
    return rows("", kind)


def attacks() -> str:
    parts = [
        part(
            name,
            one,
            {
                "norms": codes(one.norms),
                "steps": f"{one.default_steps} by default; a number after the name replaces it"
                if one.default_steps
                else "",
                "settings that it reads": "`eval.eps`, `eval.norm`"
                + "".join(f", `eval.{key}`" for key in _read(one.reads, ("step_size", "restarts"))),
                "without a bound": ""
                if one.bounded
                else "it looks for the smallest perturbation; only those within eps count",
                "gradients": "" if one.needs_gradient is not False else "needs none",
                "example": code(one.example) if one.example else "",
            },
        )
        for name, one in ATTACKS.components.items()
    ]
    purpose = (
        "The attacks, `eval.attacks=NAME,NAME`, at the radius `eval.eps` in the norm `eval.norm`. How they are applied "
        "and whether their number can be trusted: docs/topics/evaluation.md."
    )
    return whole("Attacks", purpose, ATTACKS.components, parts)


def _read(reads: frozenset[str] | None, every: tuple[str, ...]) -> list[str]:
    return [key for key in every if reads is None or key in reads]


def corruptions() -> str:
    parts = []
    for name, one in CORRUPTIONS.components.items():
        lines = [(str(n + 1), _numbers(one.small[n]), _numbers(one.large[n])) for n in range(len(one.small))]
        group = f"{one.group}, not among the 15 common corruptions" if one.extra else one.group
        header = ("severity", "at 32×32", "at 224×224")
        parts += [part(name, one, {"group": group}, table(header, lines))]
    purpose = (
        "The corruptions, `eval.corruptions=NAME,GROUP,all`, with the parameters of each severity. How accuracies "
        "under corruption are summed up: docs/topics/evaluation.md."
    )
    return whole("Corruptions", purpose, CORRUPTIONS.components, parts)


def _numbers(row: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" if isinstance(value, (int, float)) else str(value) for value in row)


def methods() -> str:
    parts = [
        part(
            name,
            one,
            {"settings that it reads": codes(f"train.{key}" for key in sorted(one.reads)) if one.reads else ""},
        )
        for name, one in METHODS.components.items()
    ]
    purpose = (
        "The training methods, `train.method=NAME` or `run.trainings=NAME,NAME`. What each minimises and costs: "
        "docs/topics/training.md; their options are in the section `train` of [Settings](settings.md#train)."
    )
    return whole("Training methods", purpose, METHODS.components, parts)


def data() -> str:
    parts = [
        part(
            name,
            one,
            {
                "settings that it reads": codes(
                    f"data.{key}" for key in _read(one.reads, ("root", "download", "order"))
                ),
                "`data.root`": "has to be given" if one.needs_root else "",
                "size": f"{one.default_size} pixels a side" if one.default_size else "",
            },
        )
        for name, one in LOADERS.components.items()
    ]
    purpose = (
        "The data sets, `data.name=NAME`. How images are read, resized and checked: docs/topics/data.md; the other "
        "keys of the section are in [Settings](settings.md#data)."
    )
    return whole("Data sets", purpose, LOADERS.components, parts)


def measures() -> str:
    found = {name: sources([SOURCES[name]]) if name in SOURCES else "" for name in MEASURES}
    parts = [part(name, one, {"source": found[name]}) for name, one in MEASURES.items()]
    purpose = (
        "The measures, `eval.measures=NAME,NAME`: what can be said of a network besides its accuracies. `classes`, the "
        "accuracy of each class, is one as well and needs no pass. Units and directions: docs/topics/evaluation.md."
    )
    return whole("Measures", purpose, MEASURES, parts)


def benchmarks() -> str:
    parts = [part(name, one) for name, one in BENCHES.components.items()]
    purpose = (
        "The benchmarks of the project itself, `nas bench NAME`. What they gave: docs/trust/benchmarks.md; where "
        "strategies are compared on published tables: docs/studies/strategies.md."
    )
    return whole("Benchmarks", purpose, BENCHES.components, parts)
