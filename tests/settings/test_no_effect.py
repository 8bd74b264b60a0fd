"""Every key has an effect in some command, and a key that a command refuses really changes nothing there."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nas.commands import COMMANDS, command_of
from nas.core import config
from nas.eval import conditions as of_eval
from nas.eval.settings import EvalSettings
from nas.runs.run_folder import create
from nas.runs.stages.context import Watcher
from nas.scoring.loop import ScoreWorker
from nas.search_spaces import SPACES
from nas.settings.no_effect import ineffective
from nas.settings.reader import Reader
from nas.settings.schema import Settings, from_values, schema
from nas.strategies import STRATEGIES
from nas.strategies.proxies import PROXIES
from nas.strategies.supernet import SUPERNET_STRATEGIES
from nas.train import conditions as of_train
from nas.train.methods import METHODS
from nas.train.settings import TrainSettings

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
OTHER = "|nor_conv_1x1~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
PAIRS = [(space, name) for space in SPACES.names() for name in (*STRATEGIES.names(), *SUPERNET_STRATEGIES.names())]


TAKING = [name for name, command in COMMANDS.components.items() if command.takes]  # commands that take settings


def reader(command: str, proxies: tuple[str, ...] = ()) -> Reader:
    return COMMANDS.get(command)().reader(proxies)


def keys_of(settings: Settings) -> list[str]:
    return list(config.flat(config.plain(settings)))


def idle(command: str, settings: Settings, proxies: tuple[str, ...] = ()) -> dict[str, str]:
    """All keys that have no effect in the command, and why."""
    return ineffective(reader(command, proxies), settings, keys_of(settings))


# the declarations


def test_what_is_declared_is_there() -> None:
    known = {key for pair in PAIRS for key in keys_of(schema(*pair)())}
    for pattern in {pattern for command in COMMANDS.components.values() for pattern in command.takes}:
        assert any(key == pattern or key.startswith(pattern.removesuffix("*")) for key in known), pattern
    fields = [field.name for field in dataclasses.fields(TrainSettings)]
    assert set(of_train.CONDITIONS) | set(of_train.METHOD_KEYS) <= set(fields)
    assert set(of_eval.CONDITIONS) <= {field.name for field in dataclasses.fields(EvalSettings)}
    for kind in (*STRATEGIES.components.values(), *SUPERNET_STRATEGIES.components.values()):
        assert set(vars(kind).get("conditions", {})) <= {field.name for field in dataclasses.fields(kind.Options)}


def cases() -> Iterator[tuple[str, tuple[str, ...], Settings]]:
    """Commands, their proxies and settings, so that every key has an effect in one of them."""
    everything = [
        *("train.awp=0.1", "eval.measures=calibration,landscape", "eval.checks=true", "eval.corruptions=frost"),
        *("eval.sweep=2", "eval.attacks=pgd", "tables.robustness=DIR", "search.constraints=latency<=5"),
        *("executor=ray", "data.name=cifar10", "search.limits=latency<=9"),
    ]
    proxies = "+".join(PROXIES.names())
    for space, name in PAIRS:
        base = [f"space={space}", f"strategy.name={name}"]
        if name in SUPERNET_STRATEGIES.components:
            more = ["strategy.coefficient=1", "strategy.warm_up=1", "strategy.regulariser=kl"]
        else:
            more = ["strategy.whole=5"] if name in ("guided", "bo", "bo-graph", "xgb", "xgb-rank") else []
            more += [f"objective={proxies}" if name in ("nsga2", "evolution-ranks") else "objective=predicted"]
        yield "search", (), from_values({}, [*base, *more])
    auxiliary = ["space=darts", "model.auxiliary=true", "model.cells=3", "model.channels=4"]
    for number, method in enumerate(METHODS.names()):
        schedule = ("step", "onecycle")[number % 2]
        recipe = [f"train.schedule={schedule}", f"run.trainings={method}", f"label.schedule={schedule}"]
        recipe += [f"label.method={method}", "label.awp=0.1", "objective=trained:pgd"]
        yield "run", (), from_values({}, [*everything, *recipe, *auxiliary])
    yield "train", (), from_values({}, [])
    yield "eval", (), from_values({}, ["data.name=imagefolder", "data.root=DIR", "data.size=8", "data.resize=crop"])
    yield "run", (), from_values({}, ["search.cheap=croze", "strategy.name=warmup-move"])


@pytest.mark.landing
def test_every_key_acts_somewhere() -> None:
    acting: set[str] = set()
    for command, proxies, settings in cases():
        acting |= set(keys_of(settings)) - set(idle(command, settings, proxies))
    assert {key for pair in PAIRS for key in keys_of(schema(*pair)())} <= acting


def test_a_new_key_acts_until_something_is_declared_of_it() -> None:
    settings = from_values({}, [])
    for command in TAKING:
        for section in ("data", "executor"):
            assert not ineffective(reader(command), settings, [f"{section}.brand_new", "brand_new"])
    assert not ineffective(reader("train"), settings, ["train.brand_new"])
    assert not ineffective(reader("eval"), settings, ["eval.brand_new"])
    assert not ineffective(reader("search"), settings, ["strategy.brand_new", "proxies.croze.brand_new"])


# a refused key changes nothing: results are the same for all of its values


Command = Callable[[Settings, Path], Any]
TINY = (
    *("device=cpu", "executor.workers=1", "data.size=8", "scoring.channels=2", "scoring.cells_per_stage=1"),
    *("model.channels=2", "model.cells_per_stage=1", "train.epochs=1", "train.batch_size=300", "eval.n_test=4"),
    *("eval.batch_size=4", "eval.attacks=fgsm", "search.budget=3", "search.ask=2", "strategy.population=2"),
    *("strategy.tournament=2", "proxies.croze.batch_size=4", "proxies.eproxy.batch_size=4", "proxies.eproxy.c_out=2"),
    *("proxies.eproxy.c_mid=2", "proxies.eproxy.iterations=2"),
)
SUPERNET = (
    *(text for text in TINY if not text.startswith(("strategy", "search"))),
    *("strategy.name=darts", "strategy.epochs=1", "strategy.validation_images=0", "supernet.channels=2"),
    *("supernet.cells_per_stage=1", "strategy.batch_size=200"),
)
VALUES = {  # other valid values that the rules of `other` do not give
    "arch": OTHER,
    "data.order": "text",
    "data.resize": "crop",
    "data.interpolation": "bicubic",
    "data.test": "all",
    "train.method": "pgd",
    "train.schedule": "step",
    "train.select": "last",
    "label.select": "best",
    "train.precision": "bf16",
    "run.trainings": ["trades"],
    "search.objective": "nwot",
    "predicted.model": "forest",
    "search.features": ["graph", "params"],
    "search.constraints": ["params<=1"],
    "search.limits": ["latency<=1"],
    "eval.attacks": ["pgd7"],
    "eval.sweep_attack": ["pgd5"],
    "eval.measures": ["hessian"],
    "eval.measure_attack": "pgd3",
    "eval.norm": "L2",
    "eval.mean": [0.5],
    "eval.std": [0.5],
    "eval.corruptions": ["fog"],
    "eval.severities": [2],
    "eval.landscape_points": 5,
    "train.jitter": [0.1, 0.1, 0.1, 0.1],
    "strategy.regulariser": "kl",
    "strategy.perturbation": "fgsm",
    "proxies.croze.features": "first",
    "proxies.croze.weights": "first",
    "proxies.croze.gradients": "rest",
    "proxies.croze.reduction": "mean",
    "proxies.eproxy.stages": 2,
    "proxies.eproxy.features": ["sine_low"],
    "proxies.eproxy.init": "xavier_normal",
    "proxies.eproxy.barrier_init": "xavier_normal",
}
APART = {  # not changed here
    *("name", "run.dir"),  # the place of the results
    *("executor.address", "executor.gpus", "train.drop_path"),  # other values are refused
    *("eval.sweep_preset", "eval.frost", "eval.corruption_data", "eval.corruption_baseline"),  # refused with other keys
    "eval.normalise",  # likewise
    *("strategy.name", "space", "proxies.eproxy.settings", "proxies.eproxy.use_barrier"),  # decide about other keys
}


def of(command: str, folder: Path, extra: dict[str, Any] | None = None) -> Command:
    def carried_out(settings: Settings, run: Path) -> Any:
        settings.run.dir = str(folder / run)
        with create(command, settings, extra) as opened:
            return command_of(opened.folder).finish(opened, Watcher()).to_json()

    return carried_out


def scored(settings: Settings, run: Path) -> Any:
    return ScoreWorker(settings, ["croze", "params"])(CELL)._replace(seconds=0)


def other(settings: Settings, key: str) -> Any:
    """Another value for the key."""
    section, _, name = key.rpartition(".")
    owner = settings
    for part in filter(None, section.split(".")):
        owner = getattr(owner, part)
    value = getattr(owner, name)
    wanted = VALUES.get(key, VALUES.get(key.replace("label.", "train.")))
    if wanted is not None:
        return wanted
    kind = typing.get_type_hints(type(owner))[name]
    kinds = typing.get_args(kind) or (kind,)
    if bool in kinds:
        return not value
    if int in kinds and isinstance(value, int | None):
        return (value or 0) + 2
    if float in kinds and isinstance(value, float | int | None):
        return 0.5 * value if value else 0.01
    if str in kinds and typing.get_origin(kind) is not list:
        return "somewhere"
    return [5] if int in kinds else [2.0] if float in kinds else ["somewhere"]


def altered(settings: Settings, keys: list[str]) -> Settings:
    """The settings with other values for the keys."""
    values = config.plain(settings)
    for key in keys:
        value: Any = other(settings, key)
        for part in reversed(key.split(".")):
            value = {part: value}
        values = config.merge(values, value)
    return from_values(values, [])


def numbers(result: Any) -> Any:
    """A result without the values that may differ between equal runs: times, and checksums of the settings."""
    if isinstance(result, dict):
        hidden = ("seconds", "provenance", "versions", "memory_mb", "eval_seconds", "file", "checkpoint")
        return {key: numbers(value) for key, value in result.items() if key not in hidden}
    return [numbers(value) for value in result] if isinstance(result, list | tuple) else result


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    settings = from_values({}, [*TINY, f"arch={CELL}"])
    return folder / "run" / of("train", folder)(settings, Path("run"))["checkpoint"]


@pytest.mark.landing
@pytest.mark.parametrize(
    ("command", "overrides"),
    [
        pytest.param("search", TINY, id="search"),
        pytest.param("search", SUPERNET, id="supernet"),
        pytest.param("train", (*TINY, f"arch={CELL}"), id="train"),
        pytest.param("train", (*TINY, f"arch={CELL}", "train.method=trades", "train.steps=1"), id="trades"),
        pytest.param(
            "train",
            (*TINY, f"arch={CELL}", "train.method=fgsm", "data.validation=0", "train.select=last"),
            id="unvalidated",
        ),
        pytest.param("eval", TINY, id="eval"),
        pytest.param("transfer", TINY, id="transfer"),
        pytest.param("score", TINY, id="score"),
        pytest.param("dps", TINY, id="dps"),
    ],
)
def test_what_is_refused_changes_no_number(
    command: str, overrides: tuple[str, ...], checkpoint: Path, tmp_path: Path
) -> None:
    settings = from_values({}, list(overrides))
    net = {"checkpoint": str(checkpoint), "name": "net"}
    options = {"evaluations": 2, "population": 2, "tournament": 1, "finalists": 1, "draws": 1, "errors": 0.0}
    dps = {"options": options, "labels": [[CELL, 1.0], [OTHER, 2.0]], "held_out": [], "output": None}
    extra = {"eval": net, "transfer": {"networks": {"a": net, "b": net}}, "dps": dps}.get(command)
    carried_out = scored if command == "score" else of(command, tmp_path, extra)
    proxies = {"score": ("croze", "params"), "dps": ("eproxy",)}.get(command, ())
    refused = set(idle(command, settings, proxies)) - APART
    changed = altered(settings, sorted(refused))
    before, after = (config.flat(config.plain(one)) for one in (settings, changed))
    assert {key for key in before if before[key] != after[key]} == refused
    assert numbers(carried_out(settings, Path("a"))) == numbers(carried_out(changed, Path("b")))


@pytest.mark.parametrize("method", METHODS.names())
def test_a_method_reads_the_keys_that_act(method: str) -> None:
    settings = from_values({}, [f"train.method={method}"])
    refused = {key.removeprefix("train.") for key in idle("train", settings) if key.startswith("train.")}
    kind = METHODS.get(method)
    declared = set(vars(kind)["reads"])
    if kind.adversarial:
        declared |= {"eps", "step_size", "validation_steps"}
    assert set(of_train.METHOD_KEYS) - refused == declared
    assert refused - set(of_train.METHOD_KEYS) == {
        *("milestones", "gamma", "rise", "awp_warmup", "drop_path", "auxiliary_weight")
    }
