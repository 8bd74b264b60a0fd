"""The study of the papers' tables: rows that resume, networks and settings that are drawn, figures that are known."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nas.core.errors import InputError
from nas.search_spaces import SPACES
from nas.strategies.proxies.eproxy.genes import Genes
from nas.studies.markdown import interval, median, number, spread, table
from nas.studies.papers import __main__ as command
from nas.studies.papers.further import ablation, feeds_twice, sizes
from nas.studies.papers.networks import Networks, key_of
from nas.studies.papers.page import page
from nas.studies.papers.picking import Picked, in_words, pick, picked_losses, relative_flops
from nas.studies.papers.plan import LABELS, PLANS, SpacePlan
from nas.studies.papers.published import ABLATION, PUBLISHED, ROWS, published
from nas.studies.papers.ranking import DPS, noise_ceiling, rank, score_table
from nas.studies.papers.scoring import (
    MAX_HEADS,
    Scores,
    heads,
    pool_of,
    score_picked,
    score_pool,
    score_proxies,
    variant,
)
from nas.studies.row_store import RowStore
from nas.tables import ArrayTable

SPACE = SPACES.get("transnas-micro")()
PLAN = SpacePlan(
    "made",
    "transnas-micro",
    "Made",
    "Made cells",
    {"one": ("one.csv", "val"), "two": ("two.csv", "val")},
    {"channels": 2, "blocks_per_layer": 1},
    {},
    (32, 4),
    1.0,
    networks=25,
    proxies=("nwot", "eproxy"),
    settings=4,
    predicted=False,
)


def write_accuracies(folder: Path) -> None:
    """Accuracies of every fifth cell: `one` grows with the weights, `two` falls; every fourth of them lacks `two`."""
    lines = {"one": ["arch,val"], "two": ["arch,val"]}
    for number_, arch in islice(enumerate(SPACE), 0, None, 5):
        weights = SPACE.cost(arch).params
        lines["one"].append(f"{arch},{weights / 1e5 + number_ / 1e6}")
        lines["two"].append(f"{arch},{'' if number_ % 20 == 0 else 1e4 - weights / 1e5}")
    for task, rows in lines.items():
        (folder / f"{task}.csv").write_text("\n".join(rows))


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Networks:
    folder = tmp_path_factory.mktemp("accuracies")
    write_accuracies(folder)
    made = Networks(PLAN, folder)
    assert made.judged
    return made


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    file = tmp_path_factory.mktemp("images") / "images.npz"
    pixels = rng.integers(0, 256, (60, 16, 16, 3), dtype=np.uint8)
    np.savez(file, images=pixels, labels=(np.arange(60) % 10).astype(np.uint8))
    return file


def store(path: Path, settings: object = 1, write: bool = True) -> RowStore:
    return RowStore(path, ("arch",), ("seconds", "x"), {"lr": settings}, write)


def test_rows_are_kept_and_an_incomplete_one_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "rows.csv"
    assert store(path, write=False).rows == {}
    store(path).add(("a",), (0.12345678, None))
    with path.open("a") as file:
        file.write("b,1")  # killed while it wrote
    again = store(path)
    assert again.rows == {("a",): (0.1234568, None)}
    again.add(("b",), (2.0, -3e-9))
    assert path.read_text() == '# {"lr": 1}\narch,seconds,x\na,0.1234568,\nb,2,-3e-09\n'
    assert store(path, write=False).rows[("b",)] == (2.0, -3e-9)


def test_rows_of_other_settings_are_refused(tmp_path: Path) -> None:
    store(tmp_path / "rows.csv")
    with pytest.raises(InputError, match="Expected rows with the settings"):
        store(tmp_path / "rows.csv", settings=2)


def test_a_file_of_rows_is_written_by_one_process_at_a_time(tmp_path: Path) -> None:
    first = store(tmp_path / "rows.csv")
    with pytest.raises(InputError, match="another process writes to it"):
        store(tmp_path / "rows.csv")
    assert first.rows == {}


def test_networks_are_connected_differ_and_have_a_value_in_every_task(networks: Networks) -> None:
    drawn = networks.labelled + networks.judged
    assert (len(networks.labelled), len(networks.judged)) == (LABELS, 25)
    archs = [SPACE.parse(text) for text in drawn]
    assert all(map(SPACE.connected, archs))
    assert len(set(map(SPACE.canonical, archs))) == len(archs)
    assert np.isfinite([networks.accuracies(task, drawn) for task in PLAN.tasks]).all()
    lacking = {str(arch) for arch in islice(SPACE, 0, None, 20)}
    assert not lacking.intersection(drawn)


def test_more_networks_begin_with_the_same_ones(networks: Networks) -> None:
    more = Networks(replace(PLAN, networks=40), networks.data)
    assert more.labelled == networks.labelled
    assert more.judged[:25] == networks.judged
    assert Networks(PLAN, networks.data, limit=3).judged == networks.judged[:3]


def test_the_pool_begins_with_the_setting_of_the_release_and_grows_at_its_end() -> None:
    pool = pool_of(replace(PLAN, settings=12), "small")
    assert pool[:4] == pool_of(PLAN, "small")
    assert len(set(pool)) == 12
    first = Genes().parse(pool[0])
    assert (first.lr, first.alpha, len(first.stages)) == (1.0, 0.0, 3)
    assert {(stage.c_mid, stage.barrier, stage.features) for stage in first.stages} == {(32, 3, "net")}
    assert heads(first, 4) == 3 * 32 * 4 * 9
    costs = [heads(Genes().parse(text), 4) for text in pool]
    assert max(costs) <= MAX_HEADS * heads(first, 4)
    assert all(Genes().parse(text).alpha == 0 for text in pool)


def made_scores(folder: Path, networks: Networks, value: float = 1.0) -> Scores:
    """Rows in which nwot is the first task's accuracy and the loss of eproxy falls with it."""
    scores = Scores(PLAN, "small", folder, write=True)
    truth = networks.accuracies("one", networks.judged)
    for arch, accuracy in zip(networks.judged, truth):
        scores.proxies.add((key_of(arch),), (1.0, float(accuracy), value / float(accuracy)))
    return scores


def test_each_task_picks_its_own_setting(tmp_path: Path, networks: Networks) -> None:
    scores = Scores(PLAN, "small", tmp_path, write=True)
    assert pick(scores, networks, "one") is None
    pool = pool_of(PLAN, "small")
    one, two = (networks.accuracies(task, networks.labelled) for task in PLAN.tasks)
    spoilt = np.roll(np.sort(one), 7)  # in no order of the networks
    for setting, losses in zip(pool, (spoilt, 1 / one, 1 / two)):
        scores.pool.add((setting,), (1.0, *map(float, losses)))
    for task, number_ in (("one", 1), ("two", 2)):
        picked = pick(scores, networks, task)
        assert picked is not None
        assert picked.trained == pool[number_]
        assert picked.spearman == pytest.approx(1)
        assert picked.spearman_plain < 0.9


def test_a_setting_in_words_says_what_differs_from_the_release() -> None:
    release = pool_of(PLAN, "small")[0]
    assert in_words(release, release) == "the release's"
    other = release.replace("lr=1.0", "lr=0.6").replace("net", "dot", 1).rpartition(" | ")[0]
    assert in_words(other, release) == "lr 0.6, 2 of 3 stages, features dot in stage 1"


def test_the_flops_term_is_added_to_picked_losses(tmp_path: Path, networks: Networks) -> None:
    scores = Scores(PLAN, "small", tmp_path, write=True)
    arch, other = networks.judged[:2]
    scores.picked.add(("setting", key_of(arch)), (1.0, 2.0))
    scores.picked.add(("setting", key_of(other)), (1.0, None))
    share = SPACE.cost(SPACE.parse(arch)).macs / SPACE.cost(SPACE.largest()).macs
    assert relative_flops(networks, arch) == share
    assert 0 < share < 1

    found = Picked("setting", -0.5, 0.9, 0.8)
    assert picked_losses(scores, networks, found) == {arch: 2 * (1 - 0.5 * share)}


def test_a_perfect_proxy_ranks_its_task_perfectly(tmp_path: Path, networks: Networks) -> None:
    scores = made_scores(tmp_path, networks)
    whole = score_table(scores, networks)
    assert len(whole.architectures) == 25
    assert whole.names() == ["nwot", "eproxy", "params", "flops"]
    one, two = (rank(scores, networks, task, whole) for task in PLAN.tasks)
    for name in ("nwot", "eproxy"):
        assert one.proxies[name].correlation.spearman == pytest.approx(1)
        assert one.proxies[name].top10 == 1
        assert two.proxies[name].correlation.spearman == pytest.approx(-1, abs=0.05)
    assert one.n == 25
    assert DPS not in one.proxies
    assert whole.column("params")[0] == SPACE.cost(SPACE.parse(whole.architectures[0])).params


def test_the_picked_setting_ranks_beside_the_release_once_its_rows_are_there(
    tmp_path: Path, networks: Networks
) -> None:
    scores = made_scores(tmp_path, networks)
    (setting,) = pool_of(replace(PLAN, settings=1), "small")
    scores.pool.add((setting,), (1.0, *map(float, networks.accuracies("two", networks.labelled))))
    for arch, accuracy in zip(networks.judged, networks.accuracies("two", networks.judged)):
        scores.picked.add((setting, key_of(arch)), (1.0, float(accuracy)))
    ranking = rank(scores, networks, "one", score_table(scores, networks))
    assert ranking.proxies[DPS].correlation.spearman == pytest.approx(1, abs=0.05)
    assert ranking.gain is not None
    assert (ranking.gain.n, ranking.gain.top10) == (25, 1)
    assert ranking.gain.plain == ranking.proxies["eproxy"].correlation.spearman
    assert ranking.gain.dps == ranking.proxies[DPS].correlation.spearman


def test_the_noise_ceiling_is_the_root_of_the_rho_of_two_strings_of_a_class() -> None:
    classes: dict[str, list[str]] = {}
    for arch in SPACE:
        classes.setdefault(str(SPACE.canonical(arch)), []).append(str(arch))
    pairs = [members[:2] for members in classes.values() if len(members) > 1][:5]
    alone = [members[0] for members in classes.values() if len(members) == 1][:3]
    archs = [arch for pair in pairs for arch in pair] + alone
    values = np.array([1, 2, 2, 1, 3, 4, 4, 3, 5, 6, 9.0, 9, 9])
    count, reliability, ceiling = noise_ceiling(ArrayTable("made", archs, {"v": values}, SPACE), "v")
    assert count == 5
    assert 0.8 <= reliability < 1  # each class keeps its place among the five but for its noise
    assert ceiling == pytest.approx(reliability**0.5)


def test_rows_are_computed_once_and_continue(
    tmp_path: Path, networks: Networks, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    few = Networks(PLAN, networks.data, limit=2)
    scores = Scores(replace(PLAN, proxies=("nwot",)), "small", tmp_path, write=True)
    score_proxies(scores, few, images, lines.append)
    assert len(lines) == 2
    assert all(None not in row for row in scores.proxies.rows.values())
    score_proxies(scores, Networks(PLAN, networks.data, limit=3), images, lines.append)
    assert len(lines) == 3
    for module in ("networks", "scoring"):
        monkeypatch.setattr(f"nas.studies.papers.{module}.LABELS", 2)
    one = Networks(PLAN, networks.data, limit=1)
    scores = Scores(PLAN, "small", tmp_path / "other", write=True)
    score_proxies(scores, one, images, lines.append)
    score_pool(scores, one, images, lines.append)
    (setting,) = pool_of(PLAN, "small")[:1]
    assert len(scores.pool.rows[(setting,)]) == 1 + 2
    score_picked(scores, one, [setting], images, lines.append)
    (row,) = scores.proxies.rows.values()
    assert [loss for _, loss in scores.picked.rows.values()] == [row[-1]]  # the release's setting is that of `eproxy`


def test_the_command_prints_the_page(
    tmp_path: Path, networks: Networks, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made_scores(tmp_path, networks)
    monkeypatch.setattr(command, "PLANS", (PLAN,))
    monkeypatch.setattr(sys, "argv", ["papers", "--data", str(networks.data), "--rows", str(tmp_path)])
    command.main()
    shown = capsys.readouterr().out
    assert "| Made cells | channels=2, blocks_per_layer=1 | 25 of 25 | 1 | 0 of 4 |  |" in shown
    assert "| Made, one | 820 | 1.00 | 1.00 |" in shown
    assert "| Made, two | 615 | -1.00 | -1.00 |" in shown
    assert "| **nwot** | 1.00 [1.00, 1.00], 100% |" in shown
    assert "| networks | 25 | 25 |" in shown
    assert page((replace(PLAN, name="other"),), "small", tmp_path, networks.data).count("\n") == 7  # no rows yet


def test_losses_of_the_ablation_stand_beside_table_1(tmp_path: Path, networks: Networks) -> None:
    scores = Scores(replace(PLAN, tasks={"one": PLAN.tasks["one"]}), "small", tmp_path, write=True)
    one = Networks(scores.plan, networks.data)
    for arch, accuracy in zip(one.judged, one.accuracies("one", one.judged)):
        scores.ablation.add((variant(True, 1.0, 10), key_of(arch)), (1.0, -float(accuracy)))
        scores.ablation.add((variant(False, 1.0, 10), key_of(arch)), (1.0, float(accuracy)))
    for arch, accuracy in list(zip(one.judged, one.accuracies("one", one.judged)))[:12]:
        scores.proxies.add((key_of(arch),), (1.0, float(accuracy), -float(accuracy)))
    shown = ablation(scores, one).splitlines()
    assert "| with | 32, 32 | 1 | 10 | 1.00 [1.00, 1.00] | 25 | .65 |" in shown
    assert "| without | 32, 32 | 1 | 10 | -1.00 [-1.00, -1.00] | 25 | .08 |" in shown
    assert "| with | 32, 4 | 1 | 10 | 1.00 [1.00, 1.00] | 12 |  |" in shown  # as it is scored elsewhere
    assert len(shown) == 7  # variants without rows are left out
    few = ablation(scores, Networks(scores.plan, networks.data, 9)).splitlines()
    assert len(few) == 4  # and those with fewer than ten networks


def test_small_networks_have_a_share_of_their_width_and_smaller_heads() -> None:
    plan = next(plan for plan in PLANS if plan.name == "nds-darts")
    assert plan.scored("small", SimpleNamespace(width=96)) == {"channels": 24}
    assert plan.scored("own", SimpleNamespace(width=96)) == {}
    assert plan.eproxy("own") == {"c_mid": [512], "c_out": 32, "lr": 1.2}
    assert plan.eproxy("small") == {"c_mid": [128], "c_out": 32, "lr": 1.2}


def test_a_plan_can_take_the_networks_of_another(networks: Networks) -> None:
    other = Networks(replace(PLAN, name="other", drawn_as=PLAN.name), networks.data)
    assert other.judged == networks.judged
    assert Networks(replace(PLAN, name="other"), networks.data).judged != networks.judged


def test_cells_in_which_a_node_is_fed_twice_are_found() -> None:
    darts = SPACES.get("darts")()
    edges = [[("skip_connect", 0), ("skip_connect", second)] * 4 for second in (1, 0)]
    for normal, reduce, doubled in ((0, 0, False), (1, 0, True), (0, 1, True)):
        text = f"Genotype(normal={edges[normal]}, normal_concat=[2, 3, 4, 5], "
        text += f"reduce={edges[reduce]}, reduce_concat=[2, 3, 4, 5])"
        assert feeds_twice(darts.parse(text)) is doubled


def test_numbers_are_written_without_their_zero() -> None:
    assert [number(value) for value in (0.534, -0.07, 1.0, -1.0, 12.345, 0.999, None)] == [
        *(".53", "-.07", "1.00", "-1.00", "12.35", "1.00", "–")
    ]
    assert interval(0.5, 0.4, 0.6) == ".50 [.40, .60]"
    assert interval(0.5, None, None) == ".50"
    assert spread(0.5, 0.1) == ".50 ± .10"
    assert median([1.0, None, 3.0]) == "2"
    assert median([]) == ""
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_published_figures_are_those_of_the_paper() -> None:
    """Typed again from the paper: rows of its Tables 1, 2, 3, 4 and 5."""
    assert [published("nasbench101", "cifar10", name) for name in ROWS] == [
        *((0.37, 23), (0.40, 29), (0.61, 39), (0.61, 45), (0.65, 31), (0.69, 38))
    ]
    assert published("nds-darts", "imagenet", "eproxy+dps") == (0.85, 50)
    assert published("nds-amoeba", "imagenet", "nwot") == (0.42, 33)
    assert published("nds-resnext-a", "imagenet", "eproxy") == (0.73, 55)
    assert published("transnas-micro", "autoencoder", "nwot") == (-0.02, 2)
    assert published("transnas-micro", "class_scene", "zen") == (0.57, 48)
    assert published("nasbench-mr", "video", "eproxy+dps") == (0.65, 33)
    assert published("nasbench-mr", "video", "croze") is published("nasbench201", "cifar10", "nwot") is None
    assert ABLATION[True, 1.0, 10] == 0.65
    assert ABLATION[False, 0.1, 10] == -0.22
    assert len(ABLATION) == 12
    assert all(
        len(row) == len(ROWS) and all(-1 <= rho <= 1 and 0 <= top <= 100 for rho, top in row)
        for row in PUBLISHED.values()
    )


def test_plans_name_real_spaces_and_settings() -> None:
    for plan in PLANS:
        space = SPACES.get(plan.space)()
        for size in ("small", "own"):
            space.ScoringSettings(**plan.scored(size, SimpleNamespace(width=32))).check()
        assert {task for name, task in PUBLISHED if name == plan.name} <= set(plan.tasks)
        assert plan.settings == 0 or pool_of(replace(plan, settings=2), "small")
    assert {name for name, _ in PUBLISHED} <= {plan.name for plan in PLANS}


def test_sizes_are_those_of_the_trained_networks(tmp_path: Path) -> None:
    archs = list(map(str, islice(SPACE, 0, 300, 100)))
    plan = replace(PLAN, tasks={"known": ("known.csv", "val"), "partly": ("partly.csv", "val")})
    rows = [f"{arch},{70 + number_},{10 - number_},{number_}" for number_, arch in enumerate(archs)]
    (tmp_path / "known.csv").write_text("\n".join(["arch,val,params,flops", *rows]))
    (tmp_path / "partly.csv").write_text("\n".join(["arch,val,params,flops", *rows[:2], f"{archs[2]},72,,3"]))
    made = Networks(plan, tmp_path)
    assert {name: values.tolist() for name, values in made.sizes("known", archs).items()} == {
        "params": [10, 9, 8],
        "flops": [0, 1, 2],
    }
    assert made.sizes("known", archs[1:])["params"].tolist() == [9, 8]
    costs = [SPACE.cost(SPACE.parse(arch)) for arch in archs]
    own = made.sizes("partly", archs)
    assert own["params"].tolist() == [cost.params for cost in costs]
    assert own["flops"].tolist() == [cost.macs for cost in costs]
    scores = Scores(plan, "small", tmp_path / "rows")
    assert "| Made, known | 3 | -1.00 | 1.00 |" in sizes([(scores, made)])
