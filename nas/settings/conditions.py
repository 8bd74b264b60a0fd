"""Which settings have an effect in which command.

Declared elsewhere are the keys that act in a command (in the command itself), the other settings of its section that a
key needs (`train/conditions.py`, `eval/conditions.py`, the `conditions` of a strategy), and the keys that a training
method, an attack or a data set `reads`. The rules here join these, and add conditions between sections. A key of which
nothing is declared has an effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from nas.core.config.conditions import conditions_of, either, may_read, readers
from nas.core.data import LOADERS
from nas.core.data.resize import SQUASH
from nas.core.execution.executor import RAY
from nas.core.seeds import seeded
from nas.eval import conditions as of_eval
from nas.objectives.constraints import Constraint
from nas.objectives.notation import GRAPH, LATENCY, parse, source_of
from nas.objectives.short_training import judging
from nas.search_spaces import SPACES
from nas.settings.reader import Reader
from nas.settings.schema import Settings
from nas.strategies import STRATEGIES
from nas.strategies.proxies import PROXIES
from nas.strategies.supernet import SUPERNET_STRATEGIES
from nas.train import conditions as of_train


def ineffective(reader: Reader, settings: Settings, keys: Iterable[str]) -> dict[str, str]:
    """Those of the dotted keys that cannot change what the command does with these settings; the reason by key.

    A key that a later command will take from the run has an effect.
    """
    use = Use(reader, settings)
    reasons: dict[str, str] = {}
    for key in keys:
        section, _, name = key.partition(".")
        if section in reader.later:
            continue
        if not reader.takes(key):
            reasons[key] = _why_not_taken(use, key)
        elif section in _RULES and (why := _RULES[section](use, section, name)) is not None:
            reasons[key] = why
    return reasons


class Use:
    """What a command needs with these settings."""

    def __init__(self, reader: Reader, settings: Settings) -> None:
        self.reader = reader
        self.settings = settings
        self.supernet = settings.strategy.name in SUPERNET_STRATEGIES.components
        measures_candidates = reader.takes("search.objective") and not self.supernet
        search = settings.search
        names = [term.name for text in (search.objective, search.cheap) if text for term in parse(text)]
        names += [name for name in search.features if name != GRAPH]
        self.metrics = {name: source_of(name) for name in names} if measures_candidates else {}
        constraints = search.constraints if measures_candidates else []
        self.constrained = {Constraint.parse(text, True).quantity for text in constraints}
        self.proxies = {*reader.proxies, *self._of("proxy")}

    def _of(self, source: str) -> list[str]:
        return [name for name, its in self.metrics.items() if its == source]

    @property
    def labels(self) -> list[str]:
        """The `trained:` metrics that are needed."""
        return self._of("trained")

    @cached_property
    def body(self) -> Any:
        """The body of a network that would be trained."""
        space = SPACES.get(self.settings.space)()
        with seeded(0):
            return space.build(space.largest(), **vars(self.settings.model)).body


Rule = Callable[[Use, str, str], str | None]  # of section and key: why it has no effect; None if no reason is known


def _why_not_taken(use: Use, key: str) -> str:
    instead = use.reader.instead.get(key)
    takers = either(use.reader.takers(key))
    return f"in nas {use.reader.command} (only in nas {takers}{'' if instead is None else f'; {instead}'})"


def _data(use: Use, section: str, name: str) -> str | None:
    chosen = use.settings.data.name
    if name in ("resize", "crop_share", "interpolation") and LOADERS.get(chosen)(use.settings.data).size is None:
        return "without data.size"
    if name == "crop_share" and use.settings.data.resize == SQUASH:
        return f"with data.resize={SQUASH}"
    if name not in ("root", "download", "order") or may_read(LOADERS.get(chosen), name):
        return None
    return f"with data.name={chosen} (only with {either(readers(LOADERS.components, name))})"


def _search(use: Use, section: str, name: str) -> str | None:
    strategy = use.settings.strategy.name
    if use.supernet:
        return f"with strategy.name={strategy}, which trains a supernet"
    if name in ("cheap", "features") and name not in STRATEGIES.get(strategy).uses:
        return f"with strategy.name={strategy}, which uses none"
    return None


def _supernet(use: Use, section: str, name: str) -> str | None:
    names = either(SUPERNET_STRATEGIES.names())
    return None if use.supernet else f"with strategy.name={use.settings.strategy.name} (only with {names})"


def _tables(use: Use, section: str, name: str) -> str | None:
    given = name != "dataset" or use.settings.tables.given()
    return None if given else "without a table (tables.robustness, tables.accuracy, ...)"


def _latency(use: Use, section: str, name: str) -> str | None:
    measured = LATENCY in use.constrained or "latency" in use.metrics.values()
    return None if measured else "without latency among the objectives or constraints"


def _predicted(use: Use, section: str, name: str) -> str | None:
    return None if "predicted" in use.metrics.values() else "without predicted among the objectives"


def _strategy(use: Use, section: str, name: str) -> str | None:
    options = use.settings.strategy
    kind: Any = SUPERNET_STRATEGIES if use.supernet else STRATEGIES
    condition = conditions_of(kind.get(options.name)).get(name)
    if use.supernet and name == "validation_images" and use.settings.data.validation == 0:
        return "with data.validation=0, which withholds none"
    holds = condition is None or condition.holds(options, SPACES.get(use.settings.space)())
    return None if condition is None or holds else condition.why(options)


def _scoring(use: Use, section: str, name: str) -> str | None:
    needed = any(PROXIES.get(proxy).needs == "network" for proxy in use.proxies)
    return None if needed else "without a proxy that looks at a network"


def _proxies(use: Use, section: str, name: str) -> str | None:
    proxy = name.partition(".")[0]
    return None if proxy in use.proxies else f"where the proxy {proxy} is not used"


def _training(use: Use, section: str, name: str) -> str | None:
    if section == "label" and not use.labels:
        return "without a trained: objective (search.objective=trained:fgsm)"
    if (section, name) == ("train", "method") and use.reader.takes("run.trainings"):
        return "in nas run, where run.trainings says how networks are trained"
    settings = use.settings.label if section == "label" else use.settings.train
    condition = of_train.CONDITIONS.get(name)
    if condition is not None and not condition.holds(settings):
        return condition.why(settings)
    methods = [settings.method] if section == "label" else use.reader.trainings(use.settings)
    if name in of_train.METHOD_KEYS and not any(of_train.method_uses(method, name) for method in methods):
        where = "run.trainings" if section == "train" and use.reader.takes("run.trainings") else f"{section}.method"
        return f"with {where}={','.join(methods)} (only with {either(of_train.methods_using(name))})"
    validated = use.settings.data.validation > 0
    if name in of_train.METHOD_KEYS and not any(of_train.method_uses(method, name, validated) for method in methods):
        return "with data.validation=0, which leaves no images to validate on"
    if name == "drop_path" and not hasattr(use.body, "drop_path"):
        return f"with space={use.settings.space}, whose networks have no drop-path"
    if name == "auxiliary_weight":
        if not hasattr(use.body, "with_auxiliary"):
            return f"with space={use.settings.space}, whose networks have no auxiliary head"
        if getattr(use.settings.model, "auxiliary", None) is False:
            return "without model.auxiliary=true"
    return None


def _evaluation(use: Use, section: str, name: str) -> str | None:
    views = [use.reader.narrowed(use.settings.eval)]
    if use.labels:
        views.append(judging(use.labels, use.settings.eval))
    condition = of_eval.CONDITIONS.get(name)
    if condition is None or any(condition.holds(view) for view in views):
        return None
    return condition.why(views[0])


def _workers(use: Use, section: str, name: str) -> str | None:
    if name in ("address", "gpus") and use.settings.executor.name != RAY:
        return f"with executor={use.settings.executor.name} (only with {RAY})"
    return None


_RULES: dict[str, Rule] = {
    "data": _data,
    "search": _search,
    "supernet": _supernet,
    "tables": _tables,
    "latency": _latency,
    "predicted": _predicted,
    "strategy": _strategy,
    "scoring": _scoring,
    "proxies": _proxies,
    "train": _training,
    "label": _training,
    "eval": _evaluation,
    "executor": _workers,
}
