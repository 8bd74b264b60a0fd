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
    reasons = (
        (key, next(filter(None, (rule(use, key) for rule in _RULES)), None))
        for key in keys
        if key.partition(".")[0] not in reader.later
    )
    return {key: why for key, why in reasons if why is not None}


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
        self.limited = (
            {Constraint.parse(text, True).quantity for text in search.constraints} if measures_candidates else set()
        )
        self.proxies = {*reader.proxies, *self._of("proxy")}

    def _of(self, source: str) -> list[str]:
        return [name for name, its in self.metrics.items() if its == source]

    @property
    def measures_latency(self) -> bool:
        return LATENCY in self.limited or bool(self._of("latency"))

    @property
    def predicts(self) -> bool:
        return bool(self._of("predicted"))

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


Rule = Callable[[Use, str], str | None]  # why the key has no effect; None if the rule does not know a reason


def _taken(use: Use, key: str) -> str | None:
    if use.reader.takes(key):
        return None
    instead = use.reader.instead.get(key)
    takers = either(use.reader.takers(key))
    return f"in nas {use.reader.command} (only in nas {takers}{'' if instead is None else f'; {instead}'})"


def _for_data(use: Use, key: str) -> str | None:
    section, _, name = key.partition(".")
    chosen = use.settings.data.name
    if section != "data":
        return None
    if name in ("resize", "crop_share", "interpolation") and LOADERS.get(chosen)(use.settings.data).size is None:
        return "without data.size"
    if name == "crop_share" and use.settings.data.resize == SQUASH:
        return f"with data.resize={SQUASH}"
    if name not in ("root", "download", "order") or may_read(LOADERS.get(chosen), name):
        return None
    return f"with data.name={chosen} (only with {either(readers(LOADERS.components, name))})"


def _for_search(use: Use, key: str) -> str | None:
    section, _, name = key.partition(".")
    strategy = use.settings.strategy.name
    if section == "supernet" and not use.supernet:
        return f"with strategy.name={strategy} (only with {either(SUPERNET_STRATEGIES.names())})"
    if section == "search" and use.supernet:
        return f"with strategy.name={strategy}, which trains a supernet"
    if section == "search" and name in ("cheap", "features") and name not in STRATEGIES.get(strategy).uses:
        return f"with strategy.name={strategy}, which uses none"
    if key == "tables.dataset" and not use.settings.tables.given():
        return "without a table (tables.robustness, tables.accuracy, ...)"
    if section == "latency" and not use.measures_latency:
        return "without latency among the objectives or constraints"
    if section == "predicted" and not use.predicts:
        return "without predicted among the objectives"
    return None


def _for_strategy(use: Use, key: str) -> str | None:
    section, _, name = key.partition(".")
    if section != "strategy":
        return None
    options = use.settings.strategy
    kind: Any = SUPERNET_STRATEGIES if use.supernet else STRATEGIES
    condition = conditions_of(kind.get(options.name)).get(name)
    if use.supernet and name == "validation_images" and use.settings.data.validation == 0:
        return "with data.validation=0, which withholds none"
    holds = condition is None or condition.holds(options, SPACES.get(use.settings.space)())
    return None if condition is None or holds else condition.why(options)


def _for_networks(use: Use, key: str) -> str | None:
    section = key.partition(".")[0]
    if section == "scoring" and all(PROXIES.get(name).needs != "network" for name in use.proxies):
        return "without a proxy that looks at a network"
    if section == "proxies" and (name := key.split(".")[1]) not in use.proxies:
        return f"where the proxy {name} is not used"
    return None


def _for_training(use: Use, key: str) -> str | None:
    section, _, name = key.partition(".")
    if section not in ("train", "label"):
        return None
    if section == "label" and not use.labels:
        return "without a trained: objective (search.objective=trained:fgsm)"
    if key == "train.method" and use.reader.takes("run.trainings"):
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


def _for_evaluation(use: Use, key: str) -> str | None:
    section, _, name = key.partition(".")
    if section != "eval":
        return None
    views = [use.reader.narrowed(use.settings.eval)]
    if use.labels:
        views.append(judging(use.labels, use.settings.eval))
    condition = of_eval.CONDITIONS.get(name)
    if condition is None or any(condition.holds(view) for view in views):
        return None
    return condition.why(views[0])


def _for_workers(use: Use, key: str) -> str | None:
    if key in ("executor.address", "executor.gpus") and use.settings.executor.name != RAY:
        return f"with executor={use.settings.executor.name} (only with {RAY})"
    return None


_RULES: tuple[Rule, ...] = (
    _taken,
    _for_data,
    _for_search,
    _for_strategy,
    _for_networks,
    _for_training,
    _for_evaluation,
    _for_workers,
)
