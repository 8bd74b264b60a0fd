"""All settings of a run, as the schema against which every configuration is checked."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, make_dataclass
from typing import Any, ClassVar

import torch

from nas.core import config
from nas.core.data import DataSettings, located
from nas.core.errors import InputError
from nas.core.execution.executor import LOCAL, ExecutorSettings
from nas.core.statistics.repetitions import MAX_REPETITIONS
from nas.core.suggestions import suggest
from nas.eval.settings import EvalSettings
from nas.objectives.constraints import Constraint
from nas.objectives.latency import LatencySettings
from nas.objectives.limits import parse_limits, quantities
from nas.objectives.notation import GRAPH, LATENCY, parse, source_of, unknown
from nas.objectives.predicted import PredictedSettings
from nas.objectives.short_training import LabelSettings
from nas.search_spaces import SPACES, SearchSpace
from nas.search_spaces.architecture_source import hint_of_other_space, point
from nas.settings.known_elsewhere import known_elsewhere
from nas.strategies import STRATEGIES
from nas.strategies.proxies import PROXIES
from nas.strategies.supernet import SUPERNET_STRATEGIES
from nas.tables import TableSettings
from nas.train.methods import METHODS
from nas.train.settings import TrainSettings

NAMES_AND_PATHS = ("name", "run.dir", "data.root")


@dataclass
class SearchSettings(config.Section):
    """What a search optimises, and for how long."""

    section: ClassVar[str] = "search"

    objective: str = "croze"  # a metric, or several joined by +: croze, fgsm@1, trained:fgsm, fgsm@1+params:min
    cheap: str | None = None  # the cheap objective of strategies that rank many architectures before they evaluate some
    features: list[str] = field(default_factory=lambda: ["graph"])  # what predictors see: graph, and any cheap metrics
    budget: int = 100  # classes to evaluate
    constraints: list[str] = field(default_factory=list)  # params<=1e6, flops<=85% (of the largest cell), latency<=5
    limits: list[str] = field(default_factory=list)  # edgegpu_latency<=4, latency<=5: known only after an evaluation
    joint: bool = False  # with limits, strategies with a model rank candidates by the limited quantities too
    warm_start: str | None = config.path_field()  # a run, or a file of architectures and the objective's values
    ask: int = 8  # proposals per step, evaluated in parallel; changes the result, unlike the number of workers

    def metrics(self) -> list[str]:
        """All metrics that the search needs: those of its objective, the cheap one, its features and its limits."""
        names = [term.name for text in (self.objective, self.cheap) if text for term in parse(text)]
        return names + [name for name in self.features if name != GRAPH] + quantities(self.limits)

    def check(self) -> None:
        """Raises InputError if a value is impossible or a metric does not exist."""
        super().check()
        self.check_at_least_one("budget", "ask")
        for term in parse(self.objective):
            source_of(term.name)
        parse_limits(self.limits, "search.limits")
        for name in quantities(self.limits):
            if source_of(name) not in ("table", LATENCY):
                raise InputError(f"Expected limits on latency or table columns in search.limits but got {name}.")
        if self.cheap is not None and (len(parse(self.cheap)) > 1 or source_of(self.cheap) == LATENCY):
            raise InputError(f"Expected one proxy, table column or label for search.cheap but got {self.cheap!r}.")
        if not self.features or any(source_of(name) == LATENCY for name in self.features):
            raise InputError(f"Expected graph, proxies or table columns in search.features but got {self.features!r}.")


@dataclass
class RunSettings:
    """The folder of the run, and what it trains."""

    dir: str | None = config.path_field()  # the next free runs/<configuration>-<n> by default
    trainings: list[str] = field(default_factory=lambda: ["standard", "pgd"])  # methods, from `nas list trainings`
    random: bool = True  # also train and attack a random cell of the same size and another class

    def check(self) -> None:
        """Raises InputError if a method is unknown or repeated, there is none, or the folder has no name."""
        if not self.trainings:
            raise InputError(
                "Expected training methods for run.trainings but got none; name some, such as standard,pgd."
            )
        for method in self.trainings:
            if method not in METHODS.components:
                raise InputError(
                    f"Expected run.trainings to be among {', '.join(METHODS.names())} but got {method!r}"
                    f"{suggest(method, METHODS.names())}."
                )
        if len(set(self.trainings)) != len(self.trainings):
            raise InputError(f"Expected each method once in run.trainings but got {self.trainings!r}.")
        if self.dir == "":
            raise InputError("Expected a folder for run.dir but got an empty text; leave it out for the next free one.")


@dataclass
class Common:
    """The settings that exist for every space and strategy."""

    name: str = "custom"  # of the configuration, and of the run's folder
    seed: int = 0  # everything random is drawn from it
    seeds: int = 1  # how often `nas run` repeats everything, with the seeds seed, seed + 1, ...
    device: str = "auto"  # "cpu", "cuda", "cuda:1"; "auto" is a GPU if there is one
    arch: str | None = None  # for `nas train`
    space: str = "nasbench201"  # the search space, from `nas list spaces`
    run: RunSettings = field(default_factory=RunSettings)
    data: DataSettings = field(default_factory=DataSettings)
    tables: TableSettings = field(default_factory=TableSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    latency: LatencySettings = field(default_factory=LatencySettings)
    label: LabelSettings = field(default_factory=LabelSettings)
    predicted: PredictedSettings = field(default_factory=PredictedSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    eval: EvalSettings = field(default_factory=EvalSettings)
    executor: ExecutorSettings = field(default_factory=ExecutorSettings)

    def check(self) -> None:
        """Raises InputError if a value is impossible, or the objective or a constraint needs tables but none is set."""
        if not 0 <= self.seed < 2**63:
            raise InputError(f"Expected seed between 0 and 2^63 but got {self.seed}.")
        if not 1 <= self.seeds <= MAX_REPETITIONS:
            raise InputError(
                f"Expected seeds between 1 and {MAX_REPETITIONS} (the exact test tries every sign of every seed's "
                f"difference) but got {self.seeds}."
            )
        if not re.fullmatch(r"[\w.-]{1,100}", self.name) or self.name.startswith("."):
            raise InputError(f"Expected a name of letters, digits, '-', '_' and '.' but got {self.name!r}.")
        self.torch_device()
        sources = {term.name: source_of(term.name) for term in parse(self.search.objective)}
        for name, source in sources.items():
            if source == "table" and not self.tables.given():
                raise unknown(name)
        for name in quantities(self.search.limits):
            if source_of(name) == "table" and not self.tables.given():
                raise unknown(name)
        for text in self.search.constraints:
            Constraint.parse(text, self.tables.given())
        if self.arch is not None:
            space = SPACES.get(self.space)()
            try:
                self.arch, _ = point(self.arch, space)
            except InputError as error:
                raise InputError(f"{error}{hint_of_other_space([self.arch], space, 'space=')}") from error

    def check_single_seed(self, command: str) -> None:
        """Raises InputError if the settings ask for repetitions, which this command does not make."""
        if self.seeds != 1:
            raise InputError(f"Expected no seeds= for nas {command}; only `nas run` is repeated with several seeds.")

    @property
    def one_arch(self) -> str:
        """The architecture of the one network to train. Raises InputError if the settings name none."""
        if self.arch is None:
            raise InputError(
                "Expected an architecture to train but got none; add arch='...' or give the folder of a finished "
                "search."
            )
        return self.arch

    def torch_device(self) -> torch.device:
        """The device to compute on. Raises InputError if this machine does not have it."""
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            device = torch.device(self.device)
            if device.type not in ("cpu", "cuda"):
                raise InputError(
                    f"Expected device=cpu, cuda or cuda:N but got {self.device!r}; auto takes a GPU if there is one."
                )
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            raise InputError(
                f"Expected a device of this machine but {self.device!r} is none; use device=cpu or device=auto."
            ) from error
        return device


class Settings(Common):
    """All settings. An object's class is the subclass that `schema` makes for its space and strategy.

    An object is pickled as plain values, which are read like those of a run's `config.json`. So a worker process does
    not need a class that was made in another process, and it checks that it has the device.
    """

    strategy: Any  # the strategy's options and its `name`
    model: Any  # the size of networks that are trained
    supernet: Any  # the size of the supernet
    scoring: Any  # the size of networks that proxies score
    proxies: Any  # the options of proxies, by name

    def __reduce__(self) -> tuple[Any, ...]:
        return from_values, (config.plain(self), [])


def schema(space: str, strategy: str, proxies: Iterable[str] = ()) -> type[Settings]:
    """The subclass of `Settings` for one space and strategy, with the sections that depend on them.

    It has the options of all installed proxies, and of those among `proxies` that were added to this process.

    Raises InputError if there is no such space or strategy.
    """
    kind = SPACES.get(space)
    supernets = SUPERNET_STRATEGIES.components
    options = supernets[strategy].Options if strategy in supernets else STRATEGIES.get(strategy).Options
    added = {name: PROXIES.added[name] for name in proxies if name in PROXIES.added}
    return _schema(kind, strategy, options, tuple(sorted({**PROXIES.installed, **added}.items())))


@functools.cache
def _schema(
    kind: type[SearchSpace], strategy: str, options: type, with_proxies: tuple[tuple[str, Any], ...]
) -> type[Settings]:
    strategy_section = make_dataclass("StrategySettings", [("name", str, field(default=strategy))], bases=(options,))
    proxies = []
    for name, proxy in with_proxies:
        section = type(proxy.Options.__name__, (proxy.Options,), {"section": f"proxies.{name}"})
        proxies.append((name, section, field(default_factory=section)))
    proxies_section = make_dataclass("ProxySettings", proxies)
    sections: list[tuple[str, Any, Any]] = [
        ("strategy", strategy_section, field(default_factory=strategy_section)),
        ("model", kind.Settings, field(default_factory=kind.Settings)),
        ("supernet", kind.SupernetSettings, field(default_factory=kind.SupernetSettings)),
        ("scoring", kind.ScoringSettings, field(default_factory=kind.ScoringSettings)),
        ("proxies", proxies_section, field(default_factory=proxies_section)),
    ]
    return make_dataclass("Settings", sections, bases=(Settings,))


def load(name: str, overrides: list[str]) -> Settings:
    """The checked settings of a shipped recipe or a file, after `key=value` overrides.

    Raises InputError if there is no such recipe, a key is unknown or a value is impossible.
    """
    return from_values(values_of(name), overrides)


def values_of(name: str) -> config.Values:
    """The values of a shipped recipe or a file, with its name. Raises InputError if there is no such recipe or file."""
    values = config.compose(name)
    values.setdefault("name", name.rsplit("/", 1)[-1].removesuffix(".yaml").removesuffix(".yml"))
    return values


def from_values(values: config.Values, overrides: list[str], proxies: Iterable[str] = ()) -> Settings:
    """Checked settings from plain values, such as a run's own `config.json`.

    Of the proxies that were added to this process, the settings have the options of those that they mention, and of
    those among `proxies`: others must not be in a run's `config.json`, which another process may read.
    `objective=NAME` is short for `search.objective=NAME`, `objective.KEY=VALUE` for the option KEY of the objective's
    proxy, `executor=NAME` for `executor.name=NAME`. Raises InputError if a key is unknown or a value is impossible.
    """
    overrides = _without_cluster(with_full_keys(values, overrides))
    before, chosen = _space_and_strategy(values, []), _space_and_strategy(values, overrides)
    if chosen[0] != before[0]:  # networks of another space have other settings
        values = {key: value for key, value in values.items() if key not in ("model", "supernet", "scoring", "arch")}
    if chosen[1] != before[1]:
        dropped = ("strategy", "search") if chosen[1] in SUPERNET_STRATEGIES.components else ("strategy",)
        values = {key: value for key, value in values.items() if key not in dropped}
    mentioned = PROXIES.mentioned([what_names_components(values), what_names_components(_by_key(overrides))])
    own_schema = functools.partial(schema, proxies=[*mentioned, *proxies])
    kind = own_schema(*chosen)
    try:
        typed = config.override({}, overrides, kind)
        config.check_files(typed)
        settings = config.checked(config.over(values, typed), kind)
    except config.UnknownKey as error:
        raise known_elsewhere(error, *chosen, own_schema) or error from None
    settings.data = located(settings.data)
    return settings


def what_names_components(values: config.Values) -> config.Values:
    """The values by their dotted keys, without names of runs and paths, which may contain the name of a component."""
    by_key = config.flat(values)
    return {key: by_key[key] for key in by_key if key not in NAMES_AND_PATHS and not key.startswith("tables.")}


def _by_key(overrides: list[str]) -> config.Values:
    return {key: value for key, _, value in (text.partition("=") for text in overrides)}


def is_supernet(settings: Settings) -> bool:
    """Whether the strategy trains a supernet."""
    return settings.strategy.name in SUPERNET_STRATEGIES.components


def with_full_keys(values: config.Values, overrides: list[str]) -> list[str]:
    """The overrides, with the short keys `objective`, `objective.KEY` and `executor` written in full."""
    section = values.get("search", {})
    name = section.get("objective") if isinstance(section, dict) else None
    name = name if isinstance(name, str) else SearchSettings.objective
    for text in overrides:
        key, _, value = text.partition("=")
        if key in ("objective", "search.objective"):
            name = value
    if any(text.startswith("objective.") for text in overrides):
        proxies = [term.name for term in parse(name) if source_of(term.name) == "proxy"]
        name = proxies[0] if len(proxies) == 1 else PROXIES.get(name).name  # raises InputError for a misspelt name
    short = {
        r"^objective\.": f"proxies.{name}.",
        r"^objective(?==)": "search.objective",
        r"^executor(?==)": "executor.name",
    }
    written = []
    for text in overrides:
        for pattern, full in short.items():
            text = re.sub(pattern, full, text)
        written.append(text)
    return written


def _without_cluster(overrides: list[str]) -> list[str]:
    """The overrides, and after one that chooses the local executor, resets of the settings of a cluster."""
    local = f"executor.name={LOCAL}"
    resets = ["executor.address=null", "executor.gpus=null"]
    return [word for text in overrides for word in ([text, *resets] if text == local else [text])]


def _space_and_strategy(values: config.Values, overrides: list[str]) -> tuple[str, str]:
    """The names of the space and the strategy, which decide which other keys exist."""
    section = values.get("strategy", {})
    space, strategy = values.get("space", "nasbench201"), "evolution"
    if isinstance(section, dict):
        strategy = section.get("name", strategy)
    for text in overrides:
        key, _, value = text.partition("=")
        if key == "space":
            space = value
        if key == "strategy":
            raise InputError(
                f"Expected each setting of the strategy by itself but got {text!r}; write strategy.name=... "
                "strategy.population=..."
            )
        if key == "strategy.name":
            strategy = value
    return str(space), str(strategy)
