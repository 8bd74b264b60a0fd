"""The settings of a comparison of search strategies on published tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nas.core import config
from nas.core.errors import InputError
from nas.core.limit import Limits
from nas.core.suggestions import suggest
from nas.objectives.limits import parse_limits
from nas.objectives.notation import GRAPH
from nas.strategies import STRATEGIES
from nas.strategies.option_error import OptionError

COUNTS = ("classes", "strings")
MAX_COUNT = 100_000  # of queries, of seeds, and of architectures asked at once


@dataclass(frozen=True)
class TableSearchSettings:
    """Every strategy is compared on every objective, with every seed."""

    objectives: list[str]  # `fgsm@1`, or `clean+params:min` for several goals at once
    strategies: list[str]
    queries: int = 300
    seeds: int = 100
    seed: int = 0
    ask: int = 1
    columns: tuple[str, ...] = ()  # to show of the best architecture; default columns if empty
    cheap: str | None = None  # the cheap objective of the strategies that use one
    options: tuple[str, ...] = ()  # `evolution.population=50`
    features: tuple[str, ...] = (GRAPH,)  # what predictors see: the cell's graph, and columns
    limit_texts: tuple[str, ...] = ()  # `edgegpu_latency<=4`: known only after a query
    count: str = COUNTS[0]  # what a query is: a class of isomorphic cells, or a string
    joint: bool = False  # whether strategies also rank by the limited columns

    def check(self) -> None:
        """Raises InputError for settings that are impossible or contradict each other."""
        for key in ("queries", "seeds", "ask"):
            if not 1 <= getattr(self, key) <= MAX_COUNT:
                raise InputError(f"Expected --{key} between 1 and {MAX_COUNT:,} but got {getattr(self, key)}.")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"Expected --seed between 0 and 2^63 but got {self.seed}.")
        needed = {hint for name, options in self.options_of.items() for hint in STRATEGIES.get(name).needs(options)}
        if self.count not in COUNTS:
            raise InputError(f"Expected --count to be {' or '.join(COUNTS)} but got {self.count!r}.")
        if self.joint and not self.limits:
            raise InputError("Expected --limit with --joint but got none; leave --joint out.")
        if not self.features:
            raise InputError(f"Expected --features such as {GRAPH},scores:nwot but got none.")
        for key, given in (("cheap", self.cheap is not None), ("features", self.features != (GRAPH,))):
            if given and key not in needed:
                names = ", ".join(self.strategies)
                raise InputError(f"Expected no --{key}, which none of {names} uses; leave it out.")
        for key in ("objectives", "strategies"):
            names = getattr(self, key)
            if not names or len(set(names)) < len(names):
                raise InputError(f"Expected different {key} but got {', '.join(names) or 'none'}.")

    @cached_property
    def limits(self) -> Limits:
        """The limits. Raises InputError if a text is none."""
        return Limits(parse_limits(self.limit_texts, "--limit"), self.joint)

    @cached_property
    def options_of(self) -> dict[str, object]:
        """The options of each strategy. Raises InputError if one is unknown or has a wrong value."""
        return strategy_options(self.options, self.strategies)


def strategy_options(texts: Sequence[str], strategies: Sequence[str]) -> dict[str, object]:
    """The options of each strategy, from `strategy.key=value`. Raises InputError if one is unknown or wrong."""
    overrides: dict[str, list[str]] = {name: [] for name in strategies}
    for text in texts:
        name, dot, rest = text.partition(".")
        if not dot or "=" not in rest:
            raise InputError(f"Expected --set of the form strategy.key=value but got {text!r}.")
        if name not in overrides:
            raise InputError(
                f"Expected --set for one of {', '.join(overrides)} but got {text!r}{suggest(name, list(overrides))}."
            )
        overrides[name].append(rest)
    return {name: _checked(name, own) for name, own in overrides.items()}


def _checked(strategy: str, overrides: list[str]) -> Any:
    kind = STRATEGIES.get(strategy).Options
    try:
        return config.checked(config.override({}, overrides, kind), kind)
    except config.UnknownKey as error:
        others = [name for name in STRATEGIES.names() if config.has_key(STRATEGIES.get(name).Options, error.key)]
        message = error.elsewhere("", strategy, others) if others else error
        raise InputError(f"{strategy}: {message}") from error
    except OptionError as error:
        given = error.named(f"--set {strategy}.{{}}=...")
        raise InputError(f"{strategy}: {error.problem}; give {given}.") from error
    except InputError as error:
        raise InputError(f"{strategy}: {error}") from error
