"""DPS: labels from CSV files, which of them the search uses, cached networks, the settings file."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from nas.core import config
from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.core.storage.base import TaskResult
from nas.core.storage.memory import InMemoryStore
from nas.objectives.labels import read_labels, split
from nas.search_spaces.nasbench201 import NASBench201
from nas.searches.dps import BestSetting, EvolutionFromStart, SettingsSearch, check, preferred, settings_file
from nas.searches.dps_losses import BASELINE, LossTask, LossWorker, changes, options_of, variants
from nas.settings.schema import from_values, load
from nas.strategies import Goal
from nas.strategies.evolution import Evolution, EvolutionOptions
from nas.strategies.proxies.eproxy import proxy as proxy_module
from nas.strategies.proxies.eproxy.genes import SHARED, Genes
from nas.strategies.proxies.eproxy.proxy import eproxy
from nas.strategies.proxies.eproxy.settings import EproxyOptions
from nas.tables import read_accuracies

A = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
B = "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"
C = "|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"  # isomorphic to B
D = "|none~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|none~2|"
SPACE = NASBench201()


def written(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text)
    return path


# labels


def test_labels_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, f"name, arch_str ,accuracy\nx,{A},0.5\n\ny,{B},60\n")
    assert read_labels(path, SPACE, None) == [(A, 0.5), (B, 60.0)]
    path = written(tmp_path, f"arch,clean,robust\n{A},0.5,0.1\n{B},0.6,0.2\n")
    assert read_labels(path, SPACE, "robust") == [(A, 0.1), (B, 0.2)]


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("", None, "arch or arch_str"),
        (f"{A},0.5\n", None, "arch or arch_str"),
        ("arch,x\n", None, "one column of numbers"),
        (f"arch,x,y\n{A},1,2\n", None, "x, y; name it with --accuracy"),
        (f"arch,clean\n{A},1\n", "claen", "did you mean 'clean'"),
        (f"arch,clean\n{A},1\n{B},good\n", "clean", "clean in line 3"),
        (f"arch,clean\n{A},nan\n", "clean", "line 2"),
        (f"arch,clean\n{A},\n", "clean", "line 2"),
        (f"arch,clean\n{A},1\n|x|,1\n", None, "Line 3"),
        (f"arch,clean\n{A},1\n{B},\n{B},nan\n", "clean", "clean in line 3"),
        (f"arch,clean\n{A},1\n{B}\n", None, "2 cells in line 3"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(text: str, column: str | None, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_labels(written(tmp_path, text), SPACE, column)
    assert said in str(caught.value)
    assert "labels.csv" in str(caught.value)


def test_several_rows_of_an_architecture_give_their_mean(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As in tables: any notation of an architecture counts, and fields without a number do not."""
    spaced = A.replace("+", " + ")
    path = written(tmp_path, f"arch,clean\n{A},80\n{B},60\n{spaced},81\n{A},\n{C},10\n")
    assert read_labels(path, SPACE, None) == [(A, 80.5), (B, 60.0), (C, 10.0)]  # C is isomorphic to B
    (said,) = [record.getMessage() for record in caplog.records]
    left_out = "values left out that are missing or not finite: 1"
    assert said == f"{path}: 1 architecture had several rows; their mean is used; {left_out}."
    assert read_accuracies(path).architectures == (A, B, C)
    assert list(read_accuracies(path).column("clean")) == [80.5, 60.0, 10.0]
    assert len(caplog.records) == 1  # reported once


def test_labels_are_read_with_a_byte_order_mark_and_line_ends_of_windows(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(f"arch,clean\r\n{A},0.5\r\n5,1\r\n".encode("utf-8-sig"))
    assert read_labels(path, SPACE, None) == [(A, 0.5), (str(SPACE.parse("5")), 1.0)]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.csv"):
        read_labels(tmp_path / "nothing.csv", SPACE, None)
    with pytest.raises(InputError, match="readable"):
        read_labels(tmp_path, SPACE, None)
    (tmp_path / "labels.csv").write_bytes(b"arch,\xff\xfe\n")
    with pytest.raises(InputError, match="readable"):
        read_labels(tmp_path / "labels.csv", SPACE, None)


def test_labels_are_drawn_by_the_seed_and_the_rest_is_not_seen() -> None:
    labels = [(str(arch), float(number)) for number, arch in enumerate(_some(60))]
    seen, unseen = split(labels, SPACE, 20, None, 0)
    assert len(seen) == 20
    assert split(labels, SPACE, 20, 5, 0) == (seen, unseen[:5])
    assert split(labels, SPACE, 20, None, 1)[0] != seen
    classes = [{SPACE.canonical(SPACE.parse(text)) for text, _ in part} for part in (seen, unseen)]
    assert not classes[0] & classes[1]


def _some(number: int) -> list[Any]:
    rng = Random(0)
    return list(dict.fromkeys(SPACE.sample(rng) for _ in range(number)))


def test_what_is_isomorphic_to_a_label_is_not_reported_on() -> None:
    for seed in range(8):
        seen, unseen = split([(A, 1.0), (B, 2.0), (C, 3.0), (D, 4.0)], SPACE, 3, None, seed)
        assert len(seen) == 3
        assert not {B, C} & {text for text, _ in unseen}


@pytest.mark.parametrize(
    ("labels", "count", "held_out", "said"),
    [
        ([(A, 1.0), (B, 2.0), (D, 3.0)], 2, None, "--count"),
        ([(A, 1.0), (B, 2.0), (D, 3.0)], 4, None, "at least 4"),
        ([(A, 1.0), (B, 1.0), (D, 1.0)], 3, None, "different accuracies"),
        ([(A, 1.0), (B, 2.0), (D, 3.0)], 3, -1, "--held-out"),
    ],
)
def test_labels_that_cannot_be_ranked_are_refused(labels: Any, count: int, held_out: int | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        split(labels, SPACE, count, held_out, 0)


# losses and settings


def _settings() -> Any:
    values = {
        "name": "test",
        "data": {"name": "digits", "size": 8},
        "scoring": {"channels": 2, "cells_per_stage": 1},
        "proxies": {"eproxy": {"batch_size": 4, "c_mid": 4, "c_out": 3, "features": "dot"}},
        "device": "cpu",
    }
    return from_values(values, [])


SMALL = (
    "lr=0.9 init=kaiming_normal barrier_init=xavier_uniform alpha=-0.2 | "
    "transform=1 barrier=3 c_mid=16 features=sine_low+dot coefficient=0.5"
)


@pytest.mark.landing
def test_kept_networks_do_not_change_a_loss() -> None:
    fresh, kept = LossWorker(_settings()), LossWorker(_settings(), frozenset([A, B]))
    for arch in (A, B, A):
        task = LossTask(arch, (SMALL, BASELINE, SMALL))
        first, second, third = kept(task)
        assert first == third
        assert [first, second, third] == fresh(task)
    assert set(kept.losses().probes) == {A, B}
    assert not fresh.losses().probes


@pytest.mark.landing
def test_the_flops_term_needs_no_training_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    work = LossWorker(_settings())
    texts = variants(SMALL)
    assert texts[0] == SMALL
    assert len(texts) == len(SHARED["alpha"])
    alone = [work(LossTask(A, (text,)))[0] for text in texts]
    probe = work.losses()._probe(A)
    calls: list[int] = []
    monkeypatch.setattr(
        proxy_module, "final_losses", lambda *args, fit=proxy_module.final_losses: (calls.append(1), fit(*args))[1]
    )
    assert work(LossTask(A, tuple(texts))) == alone
    assert len(calls) == 1
    assert alone[0] == pytest.approx(eproxy(probe, options_of(_settings().proxies.eproxy, SMALL)))
    assert work(LossTask(A, (SMALL,), draw=1)) != [alone[0]]
    assert variants(BASELINE) == [BASELINE]


def test_the_file_holds_the_whole_setting(tmp_path: Path) -> None:
    settings = _settings()
    found = BestSetting(SMALL, 0.5, 0.25, 3)
    path = tmp_path / "found.yaml"
    path.write_text(settings_file(settings, found, 20))
    expected = options_of(settings.proxies.eproxy, SMALL)
    assert vars(config.checked({"settings": str(path)}, EproxyOptions)) == vars(expected)
    assert expected.batch_size == 4
    assert expected.features == ["sine_low+dot"]
    assert "settings" not in yaml.safe_load(path.read_text())
    assert str(Genes().parse(SMALL)) == SMALL


# the search for settings


def proposals(strategy: Evolution, count: int) -> list[str]:
    """The proposals of a strategy, each of which gets a fitness of its own."""
    found = []
    for _ in range(count):
        (setting,) = strategy.ask(1)
        found.append(str(setting))
        strategy.tell(setting, {"spearman": derive(0, found[-1]) % 1000 / 1000})
    return found


def test_tournaments_are_those_of_the_release_of_dps() -> None:
    """They are drawn without replacement: in a tournament of the whole population the best always wins."""
    space: Any = Genes()
    parents: list[str] = []
    mutate = space.mutate
    space.mutate = lambda setting, rng: parents.append(str(setting)) or mutate(setting, rng)
    strategy = EvolutionFromStart(space, (Goal("spearman"),), 0, EvolutionOptions(8, 8))
    for number in range(8):
        (setting,) = strategy.ask(1)
        strategy.tell(setting, {"spearman": number / 10})
    best = str(strategy.population[-1][0])
    strategy.ask(60)
    assert parents == [best] * 60


def test_a_search_of_before_goes_on_to_the_same_settings() -> None:
    space: Any = Genes()
    whole = EvolutionFromStart(space, (Goal("spearman"),), 3, EvolutionOptions(6, 3))
    proposals(whole, 20)
    state = whole.state_dict()
    del state["with_replacement"]  # which version 0.1 did not save
    again = EvolutionFromStart(space, (Goal("spearman"),), 0, EvolutionOptions(6, 3))
    again.load_state_dict(json.loads(json.dumps(state)))
    assert proposals(again, 30) == proposals(whole, 30)


def test_a_search_needs_the_barrier_whose_genes_it_changes() -> None:
    settings = _settings()
    settings.proxies.eproxy.use_barrier = False
    with pytest.raises(InputError, match=r"Expected Eproxy with its barrier.*use_barrier=false"):
        check(settings)


# the short form of the overrides


def test_objective_is_short_for_its_long_names() -> None:
    values = {"search": {"objective": "eproxy"}}
    assert from_values({}, ["objective=params"]).search.objective == "params"
    assert from_values(values, ["objective.lr=0.5"]).proxies.eproxy.lr == 0.5
    both = from_values({}, ["objective.lr=0.5", "objective=eproxy", "objective.c_out=7"])
    assert (both.search.objective, both.proxies.eproxy.lr, both.proxies.eproxy.c_out) == ("eproxy", 0.5, 7)
    assert from_values(values, ["search.objective=croze", "objective.beta=1"]).proxies.croze.beta == 1
    assert from_values({}, ["objective.beta=1"]).proxies.croze.beta == 1  # the default objective
    with pytest.raises(InputError, match=r"proxies\.eproxy\.lrr"):
        from_values(values, ["objective.lrr=1"])
    with pytest.raises(InputError, match="proxy"):
        from_values({}, ["objective=nothing", "objective.lr=1"])
    with pytest.raises(InputError, match="objectives"):
        from_values({}, ["objectives=1"])


@pytest.mark.parametrize("name", ["cifar10-nb201-eproxy", "cifar10-darts-eproxy"])
def test_the_plain_recipes(name: str) -> None:
    settings = load(name, ["device=cpu"])
    options = settings.proxies.eproxy
    assert settings.search.objective == "eproxy"
    darts = settings.space == "darts"
    assert (options.stages, options.c_mid, options.c_out) == ((1, [512], 32) if darts else (3, [128], 128))
    assert (options.lr, options.features) == (1.2, ["net"])


@pytest.mark.parametrize("name", ["cifar10-nb201-eproxy-dps", "cifar10-darts-eproxy-dps"])
def test_the_recipes_with_settings_that_dps_found(name: str) -> None:
    settings = load(name, ["device=cpu"])
    assert settings.search.objective == "eproxy"
    assert settings.proxies.eproxy != EproxyOptions()
    assert settings.proxies.eproxy.settings is None  # the file was read, and the run does not need it


def test_a_settings_file_replaces_the_options_of_a_recipe(tmp_path: Path) -> None:
    file = tmp_path / "found.yaml"
    file.write_text("stages: 2\nc_mid: [64, 64]\nlr: 0.5\n")
    recipe = tmp_path / "own.yaml"
    recipe.write_text(f"extends: cifar10-darts-eproxy\nproxies: {{eproxy: {{settings: {file}}}}}\n")
    for settings in (
        load("cifar10-darts-eproxy", [f"proxies.eproxy.settings={file}"]),
        load("cifar10-darts-eproxy", [f"objective.settings={file}", "objective.c_mid=[64,64]"]),
        load(str(recipe), []),
    ):
        options = settings.proxies.eproxy
        assert (options.stages, options.c_mid, options.lr) == (2, [64, 64], 0.5)
        assert options.c_out == 32, "that of the recipe"
    typed = load(str(recipe), ["objective.lr=1.2"]).proxies.eproxy
    assert (typed.lr, typed.stages) == (1.2, 2), "what the user types replaces a recipe's file, also with a default"
    assert load(str(recipe), ["objective.settings=eproxy/nb201"]).proxies.eproxy.alpha == -0.2
    assert load(str(recipe), ["objective.settings=null"]).proxies.eproxy.lr == 1.2


@pytest.mark.parametrize("typed", [True, False])
def test_an_option_is_not_typed_beside_the_file_that_has_it(typed: bool, tmp_path: Path) -> None:
    (tmp_path / "found.yaml").write_text("lr: 0.5\n")
    own = f"extends: cifar10-darts-eproxy\nproxies: {{eproxy: {{settings: {tmp_path}/found.yaml, lr: 1.2}}}}\n"
    (tmp_path / "own.yaml").write_text(own)
    overrides = ["objective.lr=1.2", f"objective.settings={tmp_path}/found.yaml"]
    with pytest.raises(InputError, match=r"Expected proxies\.eproxy\.lr from .*both \(0\.5 and 1\.2\)"):
        load("cifar10-darts-eproxy", overrides) if typed else load(str(tmp_path / "own.yaml"), [])


# the choice among the finalists


def genes_of(**changed: Any) -> str:
    setting = Genes().of(EproxyOptions(c_out=3))
    assert setting is not None
    shared = {name: value for name, value in changed.items() if name in SHARED}
    stages = [replace(stage, **{k: v for k, v in changed.items() if k not in SHARED}) for stage in setting.stages]
    return str(replace(setting, **shared, stages=tuple(stages)))


def test_changes_counts_genes_but_not_the_flops_term() -> None:
    plain = genes_of()
    assert changes(plain, plain) == 0
    assert changes(genes_of(alpha=-0.3), plain) == 0
    assert changes(genes_of(lr=0.5, alpha=0.1), plain) == 1
    assert changes(genes_of(c_mid=16), plain) == 3  # one in each of three stages
    setting = Genes().parse(plain)
    assert changes(str(replace(setting, stages=setting.stages[:2])), plain) == 5  # a stage has five genes
    assert changes(plain, BASELINE) == 0


def test_held_out_progress_counts_what_is_finished() -> None:
    """Several workers finish in another order than the architectures have."""

    class Backwards:
        def map(self, tasks: Any, tick: Any) -> Any:
            return (TaskResult(key, [1.0, 2.0], None, 0.1) for key, _ in reversed(list(tasks)))

    class Seen:
        def __init__(self) -> None:
            self.done: list[int] = []

        def stage(self, name: str, total: int, done: int = 0) -> None: ...

        def update(self, done: int, note: str) -> None:
            self.done.append(done)

    unseen = [(A, 1.0), (B, 2.0), (D, 3.0)]
    store = InMemoryStore()
    store.record(TaskResult(f"held-out/{B}", {"plain": 1.0}, None, 0.1))
    anything: Any = SimpleNamespace(store=store, flush=lambda: None)
    executor: Any = Backwards()
    watcher: Any = Seen()
    SettingsSearch(anything, [], executor, watcher).report("a setting", unseen, anything)
    assert watcher.done == [2, 3]


def test_the_fewest_changes_within_a_standard_error_win() -> None:
    plain, sized, near, far = genes_of(), genes_of(alpha=-0.3), genes_of(lr=0.5), genes_of(c_mid=16, lr=0.5)
    rhos = {plain: 0.80, sized: 0.82, near: 0.84, far: 0.85}
    error = (1 - 0.85**2) / math.sqrt(19)  # 20 labels: .064
    assert preferred(rhos, plain, 20, 1.0) == sized  # all are within the error; the best of those without a change
    assert preferred({**rhos, plain: 0.7, sized: 0.85 - 1.01 * error}, plain, 20, 1.0) == near
    assert preferred(rhos, plain, 20, 0.0) == far
    assert preferred(rhos, plain, 20_000, 1.0) == far  # with many labels small differences count
