"""A `key=value` of a command line that cannot have an effect is refused by name; everything else is accepted."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nas.commands import COMMANDS
from nas.core import config
from nas.core.errors import InputError
from nas.objectives.short_training import LabelSettings
from nas.settings import command_line, no_effect
from nas.settings.reader import Reader
from nas.settings.schema import from_values, load
from nas.strategies import STRATEGIES
from nas.train.methods import METHODS
from nas.train.settings import TrainSettings

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
PRESET = "eval.sweep_preset=robustness-dataset"
TAKING = [name for name, command in COMMANDS.components.items() if command.takes]  # commands that take settings


def reader(command: str, proxies: tuple[str, ...] = ()) -> Reader:
    return COMMANDS.get(command)().reader(proxies)


@pytest.mark.parametrize(
    ("command", "overrides", "word"),
    [
        ("train", ["train.trades_beta=3", "train.method=pgd"], "train.method=pgd (only with trades)"),
        ("train", ["train.trades_beta=6.0"], "train.method=standard"),  # the default value, but given
        ("train", ["train.eps=.1"], "only with fgsm, free, pgd or trades"),
        ("train", ["train.free_replays=3", "train.method=fgsm"], "free"),
        ("train", ["train.steps=3", "train.method=fgsm"], "pgd or trades"),
        ("train", ["train.milestones=[3]"], "train.schedule=cosine (only with step)"),
        ("train", ["train.gamma=.5", "train.schedule=onecycle"], "step or exponential"),
        ("train", ["train.awp_warmup=3"], "awp"),
        ("train", ["train={awp_warmup: 3}"], "awp"),
        ("train", ["train.drop_path=.1"], "no drop-path"),
        ("train", ["space=darts", "train.auxiliary_weight=.1"], "model.auxiliary=true"),
        ("train", ["train.auxiliary_weight=.1"], "no auxiliary head"),
        ("train", ["search.budget=3"], "nas train (only in nas run or search)"),
        ("train", ["strategy.name=random"], "nas train"),
        ("train", ["scoring.channels=3"], "nas train"),
        ("train", ["run.random=false"], "only in nas run"),
        ("run", ["train.trades_beta=3"], "run.trainings=standard,pgd (only with trades)"),
        ("run", ["train.validation_steps=3", "data.validation=0"], "data.validation=0"),
        ("run", ["train.method=pgd"], "run.trainings"),
        ("run", ["label.epochs=3"], "without a trained: objective"),
        ("run", ["objective=trained:fgsm", "label.steps=3"], "label.method=standard"),
        ("run", ["latency.repeats=3"], "without latency"),
        ("run", ["predicted.model=forest"], "without predicted"),
        ("run", ["tables.dataset=cifar100"], "without a table"),
        ("run", ["proxies.nwot.batch_size=3"], "the proxy nwot is not used"),
        ("run", ["objective=nwot", "proxies.croze.batch_size=3"], "the proxy croze is not used"),
        ("run", ["objective=params", "scoring.channels=3"], "without a proxy that needs a network"),
        ("run", ["supernet.channels=3"], "strategy.name=evolution (only with advrush, darts"),
        ("run", ["strategy.name=rnas-max", "search.budget=100"], "trains a supernet"),
        ("run", ["strategy.name=darts", "scoring.channels=3"], "without a proxy"),
        ("run", ["strategy.name=darts", "strategy.perturbation=fgsm"], "strategy.coefficient=0"),
        ("run", ["strategy.name=darts", "strategy.validation_images=9", "data.validation=0"], "withholds no images"),
        ("run", ["search.features=graph"], "which uses none"),
        ("run", ["strategy.name=guided", "search.cheap=croze"], "which uses none"),
        ("run", ["strategy.name=rnas-max", "strategy.warm_up_regularised=true", "strategy.warm_up=0"], "warm_up=0"),
        ("run", ["strategy.name=darts", "strategy.eps=.1", "strategy.validation_images=0"], "validation_images=0"),
        ("run", ["strategy.name=guided", "strategy.kappa=1", "strategy.acquisition=ei"], "only with ucb"),
        ("run", ["strategy.name=guided", "strategy.parents=3"], "strategy.whole"),
        ("run", ["executor.address=null"], "executor=local (only with ray)"),
        ("run", ["data.root=here"], "data.name=digits"),
        ("run", ["data.name=npz", "data.download=true"], "only with cifar10 or cifar100"),
        ("search", ["run.trainings=pgd"], "only in nas run"),
        ("search", ["label.epochs=3"], "trained:"),
        ("train", ["train.method=pgd", "data.validation=0", "train.validation_steps=3"], "no images to validate on"),
        ("train", ["train.method=fgsm", "data.validation=0", "train.step_size=.1"], "no images to validate on"),
        ("eval", ["eval.step_size=.1", "eval.attacks=fgsm"], "under fgsm (only under mifgsm or pgd)"),
        ("eval", ["eval.restarts=2", "eval.attacks=fgsm,autoattack"], "apgd-ce"),
        ("eval", ["eval.restarts=2", "eval.attacks=fgsm", "eval.checks=true"], "under fgsm"),
        ("eval", ["eval.sweep_attack=fgsm"], "without eval.sweep"),
        ("eval", ["eval.step_size=.1", "eval.attacks=fgsm", PRESET], "under fgsm"),  # the preset's PGD has its own step
        ("eval", ["eval.checks_images=3"], "eval.checks=true"),
        ("eval", ["eval.measure_images=3"], "eval.measures"),
        ("eval", ["eval.measure_images=3", "eval.measures=classes"], "eval.measures"),
        ("eval", ["eval.measure_attack=fgsm", "eval.measures=hessian"], "calibration"),
        ("eval", ["eval.landscape_points=3"], "landscape"),
        ("eval", ["eval.severities=1"], "eval.corruptions"),
        ("eval", ["run.trainings=pgd"], "only in nas run"),
        ("transfer", ["eval.checks=true", "eval.checks_images=3"], "eval.checks=true"),  # nas transfer makes no checks
        ("score", ["search.budget=5"], "nas score (only in nas run or search)"),
        ("score", [f"arch={CELL}"], "arch has no effect in nas score (only in nas train; give it without arch=)"),
        ("score", ["eval.eps=.1", "train.lr=1"], "train.lr has no effect in nas score (only in nas run or train)"),
        ("score", ["proxies.nwot.batch_size=5"], "nwot"),
        ("dps", ["proxies.croze.batch_size=5"], "croze"),
        ("dps", ["search.objective=eproxy"], "nas dps"),
    ],
)
def test_refused(command: str, overrides: list[str], word: str) -> None:
    proxies = {"score": ("croze", "params"), "dps": ("eproxy",)}.get(command, ())
    with pytest.raises(InputError) as caught:
        command_line.from_values(reader(command, proxies), {}, overrides)
    message = str(caught.value)
    assert "has no effect" in message
    assert word in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "overrides"),
    [
        ("train", ["train.trades_beta=3", "train.method=trades"]),
        ("train", ["train.step_size=.1", "train.method=fgsm"]),  # for PGD in the validation
        ("train", ["train.method=pgd", "data.validation=0", "train.step_size=.1"]),
        ("train", ["train={method: trades, trades_beta: 3}"]),
        ("train", ["train.awp_warmup=3", "train.awp=.01"]),
        ("train", ["space=darts", "train.auxiliary_weight=.1", "model.auxiliary=true", "train.drop_path=.2"]),
        ("train", ["eval.attacks=pgd20", "eval.step_size=.1"]),  # `nas eval RUN` takes them from the run
        ("train", ["eval.sweep_attack=fgsm"]),
        ("search", ["train.epochs=3", "train.trades_beta=3", "eval.n_test=10", "model.channels=4"]),  # `nas train RUN`
        ("run", ["run.trainings=standard,trades", "train.trades_beta=3"]),
        ("run", ["objective=trained:pgd7+params:min", "strategy.name=nsga2", "label.method=trades", "label.steps=2"]),
        ("run", ["objective=trained:pgd7", "eval.attacks=fgsm", "eval.step_size=.1"]),
        ("run", ["objective=trained:pgd7", "label.method=pgd", "label.validation_steps=3"]),
        ("run", ["objective=nwot", "objective.batch_size=8"]),
        ("run", ["search.cheap=nwot", "strategy.name=warmup-move", "proxies.nwot.batch_size=8"]),
        ("run", ["search.features=graph,nwot", "strategy.name=guided", "proxies.nwot.batch_size=8"]),
        ("run", ["search.constraints=latency<=5", "latency.repeats=3"]),
        ("run", ["objective=latency", "latency.repeats=3"]),
        ("run", ["objective=predicted", "predicted.labels=x.csv", "predicted.model=forest"]),
        ("run", ["tables.robustness=DIR", "tables.dataset=cifar100"]),
        ("run", ["strategy.name=guided", "strategy.kappa=1"]),
        ("run", ["strategy.name=guided", "strategy.whole=10", "strategy.parents=3", "strategy.candidates=7"]),
        ("run", ["strategy.name=darts", "strategy.coefficient=1", "strategy.perturbation=fgsm", "supernet.channels=4"]),
        ("run", ["strategy.name=darts", "strategy.eps=.1", "strategy.step_size=.1"]),  # for accuracies that it reports
        ("run", ["executor=ray", "executor.address=auto", "executor.gpus=1"]),
        ("run", ["executor=local"]),
        ("eval", ["eval.attacks=fgsm", "eval.checks=true", "eval.step_size=.1"]),
        ("eval", ["eval.attacks=fgsm", "eval.sweep=2", "eval.sweep_attack=pgd20", "eval.restarts=2"]),
        ("eval", ["eval.attacks=fgsm", "eval.measures=calibration", "eval.step_size=.1"]),
        ("eval", ["eval.restarts=2", "eval.attacks=fgsm", PRESET]),
        ("eval", ["eval.corruptions=all", "eval.severities=1", "eval.corruption_data=x"]),
        ("score", ["search.objective=croze", "objective.batch_size=8", "model.channels=3", "scoring.channels=3"]),
        ("dps", ["proxies.eproxy.batch_size=8", "scoring.channels=3", "model.channels=3"]),
    ],
)
def test_accepted(command: str, overrides: list[str]) -> None:
    proxies = {"score": ("croze", "params"), "dps": ("eproxy",)}.get(command, ())
    command_line.from_values(reader(command, proxies), {}, overrides)


def test_every_idle_key_of_the_call_is_named() -> None:
    with pytest.raises(InputError) as caught:
        command_line.load(
            reader("run"),
            "quickstart",
            ["train.gamma=.5", "label.lr=1", "seed=3", "latency.repeats=9"],
        )
    for key in ("train.gamma", "label.lr", "latency.repeats"):
        assert f"{key} has no effect" in str(caught.value)
    assert "seed" not in str(caught.value)


def test_what_a_file_says_is_never_refused() -> None:
    values = {"train": {"trades_beta": 3.0}, "label": {"epochs": 2}, "eval": {"checks_images": 3}, "seed": 1}
    for command in TAKING:
        command_line.from_values(reader(command), values, ["seed=5"])
    command_line.load(reader("run"), "cifar10-trades-awp", [])


def test_what_a_file_says_can_be_taken_back() -> None:
    values = {"search": {"cheap": "croze"}, "train": {"drop_path": 0.2}, "eval": {"step_size": 0.1}}
    undone = ["search.cheap=null", "train.drop_path=0", "eval.step_size=null", "eval.attacks=fgsm"]
    settings = command_line.from_values(reader("run"), values, undone)
    assert (settings.search.cheap, settings.train.drop_path, settings.eval.step_size) == (None, 0.0, None)
    with pytest.raises(InputError, match=r"search\.cheap has no effect"):
        command_line.from_values(reader("run"), {}, ["search.cheap=null"])


def test_workers_and_resumed_runs_pass_what_a_run_was_begun_with() -> None:
    values = config.plain(load("quickstart", ["train.trades_beta=3", "label.epochs=2", "eval.step_size=.1"]))
    assert config.plain(from_values(values, ["executor.workers=1"]))["train"]["trades_beta"] == 3


def test_what_a_third_party_brings_may_read_any_key(monkeypatch: pytest.MonkeyPatch) -> None:
    from nas.core.data import LOADERS
    from nas.eval.attacks import ATTACKS
    from nas.strategies.guided import Guided
    from nas.train.methods.pgd import PGD

    @dataclasses.dataclass
    class Options(Guided.Options):  # type: ignore[name-defined, misc]
        more: int = 3

    brought: list[tuple[Any, str, type]] = [
        (METHODS, "mine", type("Mine", (PGD,), {"name": "mine"})),
        (STRATEGIES, "mine", type("Mine", (Guided,), {"name": "mine", "Options": Options})),
        (ATTACKS, "mine", type("Mine", (ATTACKS.get("fgsm"),), {"name": "mine"})),
        (LOADERS, "mine", type("Mine", (LOADERS.get("digits"),), {"name": "mine"})),
    ]
    for registry, name, kind in brought:
        monkeypatch.setitem(registry.components, name, kind)
    for command, overrides in (
        ("train", ["train.method=mine", "train.trades_beta=3", "train.free_replays=2", "train.steps=1"]),
        ("run", ["run.trainings=mine", "train.trades_beta=3"]),
        ("run", ["strategy.name=mine", "strategy.kappa=2", "strategy.acquisition=ei", "strategy.more=2"]),
        ("eval", ["eval.attacks=mine", "eval.step_size=.1", "eval.restarts=3"]),
        ("run", ["data.name=mine", "data.root=here", "data.download=false"]),
    ):
        command_line.from_values(reader(command), {}, overrides)


def test_labels_are_trained_by_the_same_keys() -> None:
    fields = {field.name for field in dataclasses.fields(LabelSettings)}
    assert {field.name for field in dataclasses.fields(TrainSettings)} < fields


def test_the_network_is_looked_at_only_where_a_key_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Any) -> Any:
        raise AssertionError("no key asks for it")

    monkeypatch.setattr(no_effect.Needs, "body", property(refused))
    command_line.load(reader("run"), "quickstart", ["seed=3", "train.epochs=2", "eval.eps=.1"])
