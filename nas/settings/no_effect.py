"""Which settings have an effect in which command.

A command declares the keys that act in it; `train/conditions.py`, `eval/conditions.py` and the `conditions` of a
strategy declare which settings of its own section a key needs; a training method, an attack and a data set declare the
keys that they read (`reads`). The rules here combine these, and add conditions between sections. A key about which
nothing is declared has an effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from nas.core.config.conditions import conditions_of, either, may_read, readers
from nas.core.data import LOADERS, loader_type
from nas.core.data.resize import SQUASH
from nas.core.errors import InputError
from nas.core.execution.executor import RAY
from nas.core.seeds import seeded
from nas.eval import conditions as of_eval
from nas.objectives.constraints import Constraint
from nas.objectives.limits import quantities
from nas.objectives.notation import GRAPH, LATENCY, parse, source_of
from nas.objectives.short_training import label_evaluation
from nas.search_spaces import SPACES
from nas.settings.reader import Reader
from nas.settings.schema import Settings
from nas.strategies import STRATEGIES
from nas.strategies.proxies import PROXIES
from nas.strategies.supernet import SUPERNET_STRATEGIES
from nas.train import conditions as of_train


def ineffective(reader: Reader, settings: Settings, keys: Iterable[str]) -> dict[str, str]:
    """The dotted keys that cannot change what the command does with these settings, each with the reason.

    A key that a later command will take from the run has an effect.
    """
    needs = Needs(reader, settings)
    reasons: dict[str, str] = {}
    for key in keys:
        section, _, name = key.partition(".")
        if section in reader.later:
            continue
        if not reader.takes(key):
            reasons[key] = _why_not_taken(needs, key)
        elif section in _RULES and (why := _RULES[section](needs, section, name)) is not None:
            reasons[key] = why
    return reasons


def refuse_ineffective(reader: Reader, settings: Settings, keys: Iterable[str]) -> None:
    """Raises InputError if one of the dotted keys has no effect with these settings; it names all such keys."""
    reasons = ineffective(reader, settings, keys)
    if reasons:
        listed = "; ".join(f"{key} has no effect {why}" for key, why in reasons.items())
        raise InputError(
            f"Expected only settings that act in this call but {listed}; leave out what has no effect, or set what it "
            "needs."
        )


class Needs:
    """The metrics, proxies, constraints and networks that a command needs with these settings."""

    def __init__(self, reader: Reader, settings: Settings) -> None:
        self.reader = reader
        self.settings = settings
        self.supernet = settings.strategy.name in SUPERNET_STRATEGIES.components
        measures_candidates = reader.takes("search.objective") and not self.supernet
        search = settings.search
        names = [term.name for text in (search.objective, search.cheap) if text for term in parse(text)]
        names += [name for name in search.features if name != GRAPH] + quantities(search.limits)
        self.metrics = {name: source_of(name) for name in names} if measures_candidates else {}
        constraints = search.constraints if measures_candidates else []
        self.constrained = {Constraint.parse(text, True).quantity for text in constraints}
        self.proxies = {*reader.proxies, *self._of("proxy")}

    def _of(self, source: str) -> list[str]:
        return [name for name, origin in self.metrics.items() if origin == source]

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


Rule = Callable[[Needs, str, str], str | None]  # (needs, section, key) → why the key has no effect, if so


def _why_not_taken(needs: Needs, key: str) -> str:
    instead = needs.reader.instead.get(key)
    takers = either(needs.reader.takers(key))
    return f"in nas {needs.reader.command} (only in nas {takers}{'' if instead is None else f'; {instead}'})"


def _data(needs: Needs, section: str, name: str) -> str | None:
    chosen = needs.settings.data.name
    if name in ("resize", "crop_share", "interpolation") and loader_type(chosen)(needs.settings.data).size is None:
        return "without data.size"
    if name == "crop_share" and needs.settings.data.resize == SQUASH:
        return f"with data.resize={SQUASH}"
    if name not in ("root", "download", "order") or may_read(loader_type(chosen), name):
        return None
    return f"with data.name={chosen} (only with {either(readers(LOADERS.components, name))})"


def _search(needs: Needs, section: str, name: str) -> str | None:
    strategy = needs.settings.strategy.name
    if needs.supernet:
        return f"with strategy.name={strategy}, which trains a supernet"
    if name in ("cheap", "features") and name not in STRATEGIES.get(strategy).uses:
        return f"with strategy.name={strategy}, which uses none"
    if name == "joint" and not needs.settings.search.limits:
        return "without search.limits"
    return None


def _supernet(needs: Needs, section: str, name: str) -> str | None:
    names = either(SUPERNET_STRATEGIES.names())
    return None if needs.supernet else f"with strategy.name={needs.settings.strategy.name} (only with {names})"


def _tables(needs: Needs, section: str, name: str) -> str | None:
    given = name != "dataset" or needs.settings.tables.given()
    return None if given else "without a table (tables.robustness, tables.accuracy, ...)"


def _latency(needs: Needs, section: str, name: str) -> str | None:
    measured = LATENCY in needs.constrained or "latency" in needs.metrics.values()
    return None if measured else "without latency among the objectives, constraints or limits"


def _predicted(needs: Needs, section: str, name: str) -> str | None:
    return None if "predicted" in needs.metrics.values() else "without predicted among the objectives"


def _strategy(needs: Needs, section: str, name: str) -> str | None:
    options = needs.settings.strategy
    kind: Any = SUPERNET_STRATEGIES if needs.supernet else STRATEGIES
    condition = conditions_of(kind.get(options.name)).get(name)
    if needs.supernet and name == "validation_images" and needs.settings.data.validation == 0:
        return "with data.validation=0, which withholds no images"
    holds = condition is None or condition.holds(options, SPACES.get(needs.settings.space)())
    return None if condition is None or holds else condition.why(options)


def _scoring(needs: Needs, section: str, name: str) -> str | None:
    needed = any(PROXIES.get(proxy).needs == "network" for proxy in needs.proxies)
    return None if needed else "without a proxy that needs a network"


def _proxies(needs: Needs, section: str, name: str) -> str | None:
    proxy = name.partition(".")[0]
    return None if proxy in needs.proxies else f"because the proxy {proxy} is not used"


def _training(needs: Needs, section: str, name: str) -> str | None:
    if section == "label" and not needs.labels:
        return "without a trained: objective (search.objective=trained:fgsm)"
    if (section, name) == ("train", "method") and needs.reader.takes("run.trainings"):
        return "in nas run, where run.trainings says how networks are trained"
    settings = needs.settings.label if section == "label" else needs.settings.train
    condition = of_train.CONDITIONS.get(name)
    if condition is not None and not condition.holds(settings):
        return condition.why(settings)
    methods = [settings.method] if section == "label" else needs.reader.trainings(needs.settings)
    if name in of_train.METHOD_KEYS and not any(of_train.method_uses(method, name) for method in methods):
        where = "run.trainings" if section == "train" and needs.reader.takes("run.trainings") else f"{section}.method"
        return f"with {where}={','.join(methods)} (only with {either(of_train.methods_using(name))})"
    validated = needs.settings.data.validation > 0
    if name in of_train.METHOD_KEYS and not any(of_train.method_uses(method, name, validated) for method in methods):
        return "with data.validation=0, which leaves no images to validate on"
    if name == "drop_path" and not hasattr(needs.body, "drop_path"):
        return f"with space={needs.settings.space}, whose networks have no drop-path"
    if name == "auxiliary_weight":
        if not hasattr(needs.body, "with_auxiliary"):
            return f"with space={needs.settings.space}, whose networks have no auxiliary head"
        if getattr(needs.settings.model, "auxiliary", None) is False:
            return "without model.auxiliary=true"
    return None


def _evaluation(needs: Needs, section: str, name: str) -> str | None:
    views = [needs.reader.narrowed(needs.settings.eval)]
    if needs.labels:
        views.append(label_evaluation(needs.labels, needs.settings.eval))
    condition = of_eval.CONDITIONS.get(name)
    if condition is None or any(condition.holds(view) for view in views):
        return None
    return condition.why(views[0])


def _workers(needs: Needs, section: str, name: str) -> str | None:
    if name in ("address", "gpus") and needs.settings.executor.name != RAY:
        return f"with executor={needs.settings.executor.name} (only with {RAY})"
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
