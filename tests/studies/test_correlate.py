"""Correlations of made-up scores whose truth is known, the join behind them, and the numbers of a published table."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scored_cells import SPACE, Levels, N, sizes, table

from nas.core.errors import InputError
from nas.studies.align import Aligned, align, in_words
from nas.studies.correlate import Correlations, ProxyCorrelation, correlate, table_rows
from nas.studies.plots.drawing import SUFFIXES
from nas.studies.plots.heatmap import heat_map
from nas.tables import ArrayTable, Collection, RobustnessDataset, Table, read_robbench, read_scores

CHAIN = "|none~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|OP~2|"  # what node 1 feeds only sees zeros: many twins


@pytest.fixture(scope="module")
def result(cells: list[str], numbers: dict[str, np.ndarray]) -> Correlations:
    scores = table(cells, numbers, "only_size", "noisy_size", "insight", "nothing")
    columns = Collection({"": Levels("accuracies", cells, {name: numbers[name] for name in ("clean", "severe")})})
    return correlate([scores], columns, ["clean", "severe", "fog"], against=["params", "insight"], resamples=200)


def test_point_estimates(result: Correlations, numbers: dict[str, np.ndarray], cells: list[str]) -> None:
    assert result.n == result.rows == N
    for proxy, found in result.proxies.items():
        for column in ("clean", "severe"):
            x, y, z = numbers[proxy], numbers[column], sizes(cells)
            rho = {
                pair: stats.spearmanr(*pair_of).statistic
                for pair, pair_of in {"xy": (x, y), "xz": (x, z), "yz": (y, z)}.items()
            }
            assert found[column].spearman == pytest.approx(rho["xy"], abs=1e-12)
            assert found[column].kendall == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)
            assert found[column].low < found[column].spearman < found[column].high
            if proxy != "only_size":
                left = (rho["xy"] - rho["xz"] * rho["yz"]) / np.sqrt((1 - rho["xz"] ** 2) * (1 - rho["yz"] ** 2))
                assert found[column].partial_given_params == pytest.approx(left, abs=1e-12)
            assert result.size[column].spearman == pytest.approx(rho["yz"], abs=1e-12)
            assert result.rho_with_params[proxy] == pytest.approx(rho["xz"], abs=1e-12)


def test_levels_are_correlated_one_by_one(result: Correlations) -> None:
    """Levels severe, clean and its reverse: the mean of the three, not the correlation of their mean."""
    for found in result.proxies.values():
        for key in ("spearman", "kendall", "partial_given_params"):
            fog, severe = (getattr(found[name], key) for name in ("fog", "severe"))
            if fog is not None:
                assert fog == pytest.approx(severe / 3, abs=1e-12)
    assert result.differences["nothing"]["insight"]["fog"].difference == pytest.approx(
        (result.proxies["nothing"]["severe"].spearman - result.proxies["insight"]["severe"].spearman) / 3
    )


def test_a_ranking_by_size_alone_is_warned_of(result: Correlations) -> None:
    by_size, noisy = (line for line in result.warnings)
    assert by_size.startswith("only_size: ranks nearly as size does (rho 1.000")
    assert noisy.startswith("noisy_size: may rank by nothing but size for clean (")
    assert result.proxies["only_size"]["clean"].partial_given_params is None
    assert result.proxies["noisy_size"]["clean"].explained_by_size
    assert not result.proxies["insight"]["clean"].explained_by_size
    assert not result.proxies["nothing"]["clean"].explained_by_size, "nothing is there to be explained"


def test_size_itself_is_not_warned_of(cells: list[str], numbers: dict[str, np.ndarray]) -> None:
    columns = Collection({"": Levels("accuracies", cells, {"clean": numbers["clean"]})})
    scores = table(cells, {**numbers, "params": sizes(cells)}, "params", "only_size")
    found = correlate([scores], columns, ["clean"], resamples=50)
    assert [line.partition(":")[0] for line in found.warnings] == ["only_size"]


def test_a_heat_map_puts_in_brackets_what_the_table_puts_in_brackets() -> None:
    """The weakest cells do not look like the soundest ones."""
    cells = {"weak": (-0.1, 0.1, -0.3, 0.3), "sized": (0.2, 0.4, -0.1, 0.1), "sound": (0.2, 0.4, 0.1, 0.3)}
    found = {name: {"clean": ProxyCorrelation(0.3, low, high, 0.2, 0.0, *partial)} for name, (low, high, *partial) in
             cells.items()}  # fmt: skip
    rho: dict[str, float | None] = dict.fromkeys(found, 0.1)
    result = Correlations(9, False, 9, {}, {}, ["clean"], found, {}, rho, [], [], {}, [])
    text = heat_map(result, "cifar10", ".svg").decode()
    assert [text.count(f">{number}<") for number in ("(.20)", ".20\u2020", ".20")] == [1, 1, 1]
    assert "In brackets: the uncorrected 95 % interval of Spearman" in text


@pytest.mark.parametrize(
    ("cell", "explained"),
    [
        ((0.2, 0.4, -0.1, 0.1), True),
        ((0.2, 0.4, -0.3, -0.1), True),
        ((0.2, 0.4, 0.1, 0.3), False),
        ((-0.4, -0.2, -0.1, 0.1), True),
        ((-0.4, -0.2, -0.3, -0.1), False),
        ((-0.1, 0.1, -0.3, 0.3), False),
        ((0.2, 0.4, None, None), False),
    ],
)
def test_what_counts_as_explained(cell: tuple[float | None, ...], explained: bool) -> None:
    low, high, partial_low, partial_high = cell
    found = ProxyCorrelation(0.3, low, high, 0.2, 0.0, partial_low, partial_high)
    assert found.explained_by_size is explained


def test_differences_are_paired(result: Correlations) -> None:
    better = result.differences["insight"]["params"]["clean"]
    rho = result.proxies["insight"]["clean"].spearman - result.size["clean"].spearman
    assert better.difference == pytest.approx(rho)
    assert 0 < better.low < better.difference < better.high
    same = result.differences["only_size"]["params"]["clean"]
    assert max(map(abs, same.to_json().values())) < 1e-12
    assert "insight" not in result.differences["insight"]


def test_the_choice_of_columns_changes_no_number(
    result: Correlations, cells: list[str], numbers: dict[str, np.ndarray], accuracies: Collection
) -> None:
    scores = table(cells, numbers, "nothing", "insight")
    alone = correlate([scores], accuracies, ["clean"], ["insight"], resamples=200)
    assert alone.proxies["insight"]["clean"].to_json() == pytest.approx(
        result.proxies["insight"]["clean"].to_json(), abs=1e-12
    )
    other = correlate([scores], accuracies, ["clean"], ["insight"], resamples=200, seed=1)
    assert other.proxies["insight"]["clean"].low != alone.proxies["insight"]["clean"].low


def twins(text: str) -> list[str]:
    wanted = SPACE.parse(text).expression()
    return [str(arch) for arch in SPACE if arch.expression() == wanted]


def aligned(files: list[list[str]], known: list[str], every_string: bool = False) -> Aligned:
    """Files whose proxy is the number of the row, aligned with a table of these architectures."""
    scores = [
        ArrayTable(f"{number}.csv", texts, {f"x{number}": np.arange(float(len(texts)))})
        for number, texts in enumerate(files)
    ]
    rows = np.arange(float(len(known)))
    accuracy = ArrayTable("t", known, {"clean": rows})
    return align(scores, [], [(accuracy, accuracy.levels("clean"))], every_string)


def test_one_of_each_class_is_taken() -> None:
    """A string that all files have, else the one that the table measured, else the representative."""
    shared, measured, plain = (
        twins(CHAIN.replace("OP", op)) for op in ("nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    )
    best = str(SPACE.canonical(SPACE.parse(plain[0])))
    others = [text for text in plain if text != best]
    known = [shared[1], measured[3], others[3]]
    found = aligned(
        [
            [shared[0], shared[2], measured[0], measured[3], others[0], best],
            [shared[2], shared[1], measured[1], measured[2], best, others[1]],
        ],
        known,
    )
    assert found.n == 3
    assert found.proxies["x0"].values.tolist() == [1, 3, 5]
    assert found.proxies["x1"].values[[0, 2]].tolist() == [0, 4]
    assert found.columns[0].tolist() == [[0, 1, 2]]
    second = min(measured[1:3], key=lambda text: (text != str(SPACE.canonical(SPACE.parse(text))), text))
    assert found.sizes.tolist() == [
        sizes([shared[2], measured[3], best]).tolist(),
        sizes([shared[2], second, best]).tolist(),
    ]
    assert found.dropped["isomorphic"] == sum(found.dropped.values()) == 12 - 2 * 3


def test_every_string_can_count() -> None:
    members = twins(CHAIN.replace("OP", "nor_conv_1x1"))[:4]
    other = twins(CHAIN.replace("OP", "nor_conv_3x3"))[:2]
    found = aligned([[*members, *other], [*other, *members[1:]]], [members[0], other[1]], every_string=True)
    assert found.n == 5
    assert found.proxies["x0"].values.tolist() == [1, 2, 3, 4, 5]
    assert found.columns[0].tolist() == [[0, 0, 0, 1, 1]]
    assert [found.classes.count(name) for name in dict.fromkeys(found.classes)] == [3, 2]
    assert found.dropped["not_common"] == sum(found.dropped.values()) == 1


def test_what_is_dropped_is_counted_and_told(cells: list[str], numbers: dict[str, np.ndarray]) -> None:
    twin = next(text for text in cells[10:150] if len(twins(text)) > 1)
    again = next(text for text in twins(twin) if text != twin)
    x = np.append(numbers["insight"][:300], [1.0, 2.0, 3.0])
    x[[0, 1]] = np.nan
    first = ArrayTable("a.csv", [*cells[:300], again, cells[5], cells[6]], {"x": x, "gone": np.full(303, np.nan)})
    second = ArrayTable("b.csv", cells[2:350], {"z": np.append(np.inf, numbers["nothing"][3:350])})
    known = ArrayTable("t", cells[:200], {"clean": numbers["clean"][:200]})
    found = correlate([first, second], Collection({"": known}), resamples=40)
    assert found.rows == 303 + 348
    assert found.failed == {"x": 2, "z": 1}
    assert found.n == 197
    assert found.dropped["repeated"] == 2
    assert found.dropped["failed"] == 3
    assert found.dropped["not_common"] == 50 + 1
    assert found.dropped["not_in_tables"] == 200
    assert found.dropped["isomorphic"] == 1
    assert sum(found.dropped.values()) + 2 * found.n == found.rows
    assert "gone: left out, as it has no value at all." in found.warnings
    words = in_words(found.dropped, found.failed)
    assert "2 repeat an architecture" in words
    assert words.endswith("(failed: x 2, z 1)")
    with pytest.raises(InputError, match=r"got 0: of 651 rows .* \(failed: gone 301"):
        correlate([first, second], Collection({"": known}), proxies=["gone", "z"])


def test_names_that_several_files_have(
    cells: list[str], numbers: dict[str, np.ndarray], accuracies: Collection
) -> None:
    files = [
        ArrayTable("runs/one.csv", cells, {"zen": numbers["insight"], "nwot": numbers["nothing"]}),
        ArrayTable("runs/two.csv", cells[::-1], {"zen": -numbers["insight"][::-1]}),
    ]
    found = correlate(files, accuracies, ["clean"], ["zen"], resamples=40)
    assert list(found.proxies) == ["one:zen", "two:zen"]
    first, second = (found.proxies[name]["clean"].spearman for name in found.proxies)
    assert first == pytest.approx(-second)
    assert list(correlate(files, accuracies, ["clean"], ["two:zen", "nwot"], resamples=40).proxies) == [
        "two:zen",
        "nwot",
    ]
    with pytest.raises(InputError, match="more than once"):
        correlate([files[0], files[0]], accuracies)


def test_undefined_correlations_are_null(cells: list[str], numbers: dict[str, np.ndarray]) -> None:
    known = Collection({"": ArrayTable("t", cells, {"clean": numbers["clean"], "pgd@8": np.zeros(N)})})
    scores = ArrayTable("s", cells, {"x": numbers["insight"], "same": np.ones(N)})
    found = correlate([scores], known, ["clean", "pgd@8"], against=["params"], resamples=40)
    assert set(found.proxies["x"]["pgd@8"].to_json().values()) == {None}
    assert set(found.proxies["same"]["clean"].to_json().values()) == {None}
    assert Correlations.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found
    assert "pgd@8: the same for all 400 architectures, so no ranking is defined." in found.warnings
    assert "same: the same for all 400 architectures, so it ranks nothing." in found.warnings
    assert table_rows(found).splitlines()[2] == "x,pgd@8,400,,,,,,,"
    assert heat_map(found, "small", ".svg").decode().count("\u2013") == 3


def test_choosing_columns(cells: list[str], numbers: dict[str, np.ndarray]) -> None:
    names = ("clean", "fgsm@1", "fgsm@8", "pgd@8", "fog")
    main, robust = (ArrayTable("t", cells, dict.fromkeys(names, numbers["clean"])) for _ in range(2))
    both = Collection({"": main, "robbench:": robust})
    assert both.chosen([]) == [
        *("clean", "fgsm@1", "fgsm@8"),
        *(f"robbench:{name}" for name in names),
        *("robbench:hrs:fgsm@8", "robbench:hrs:pgd@8"),
    ]
    assert both.chosen(["fgsm@*", "clean", "fgsm@1"]) == ["fgsm@1", "fgsm@8", "clean"]
    assert both.chosen(["all"]) == [*names, *(f"robbench:{name}" for name in names)]
    assert both.levels("robbench:hrs:fgsm@1")[0] is robust
    with pytest.raises(InputError, match="there are only"):
        both.chosen(["apgd@*"])
    with pytest.raises(InputError, match=r"did you mean 'robbench:fog'.*the path of robustness"):
        Collection({"robbench:": robust}).levels("robench:fog")


def test_csv_holds_every_cell(result: Correlations) -> None:
    rows = list(csv.DictReader(table_rows(result).splitlines()))
    assert len(rows) == 4 * 3
    for row in rows:
        cell = result.proxies[row["proxy"]][row["column"]]
        assert int(row["n"]) == N
        for key, value in cell.to_json().items():
            assert (float(row[key]) if row[key] else None) == value


@pytest.mark.parametrize(("kind", "start"), list(zip(SUFFIXES, (b"\x89PNG", b"<?xml", b"%PDF"))))
def test_heat_maps(result: Correlations, kind: str, start: bytes) -> None:
    picture = heat_map(result, "cifar10", kind)
    assert picture.startswith(start)
    assert picture == heat_map(result, "cifar10", kind), "drawn again it is the same"
    if kind == ".svg":
        text = picture.decode()
        for words in ("noisy_size", "only_size \u2248 size", "clean", "cifar10", "400 classes"):
            assert words in text
        tau = result.proxies["noisy_size"]["clean"].kendall
        assert f"{tau:.2f}\u2020".replace("0.", ".") in text


@pytest.fixture(scope="module")
def robustness(data_dir: Path) -> Table:
    return RobustnessDataset(data_dir / "robustness-dataset", "cifar10")


def test_params_on_all_classes(robustness: Table, data_dir: Path) -> None:
    """On one of each class .78 with clean accuracy; on all strings, each with its class's accuracy, .75."""
    texts = [str(arch) for arch in SPACE]
    scores = ArrayTable("s", texts, {"params": sizes(texts)})
    robbench = read_robbench(data_dir / "nasbench201/nas_robbench_201_cifar10.csv", "cifar10")
    columns = ["clean", "fgsm@8", "robbench:clean"]
    found = correlate([scores], Collection({"": robustness, "robbench:": robbench}), columns, resamples=40)
    assert found.n == 6466
    assert found.dropped["isomorphic"] == 15625 - 6466
    rho = {name: cell.spearman for name, cell in found.proxies["params"].items()}
    assert rho == pytest.approx({"clean": 0.782, "fgsm@8": 0.800, "robbench:clean": 0.777}, abs=0.001)


@pytest.mark.landing
def test_the_size_row_of_crozes_table_1a(robustness: Table) -> None:
    """Ha et al. 2023: all strings, a group being the mean over its types and severities; blur is without motion."""
    texts = [str(arch) for arch in SPACE]
    published = {
        **{"clean": 0.747, "fgsm@8": 0.756, "fgsm@4": 0.739, "fgsm@2": 0.713},
        **{"each:weather": 0.674, "each:noise": 0.131, "each:digital": 0.489},
        "each:defocus_blur+glass_blur+zoom_blur": 0.215,
    }
    scores = ArrayTable("s", texts, {"params": sizes(texts)})
    found = correlate([scores], Collection({"": robustness}), list(published), resamples=40, every_string=True)
    assert found.n == 15625
    rho = {name: cell.spearman for name, cell in found.proxies["params"].items()}
    assert rho == pytest.approx(published, abs=0.0006)


def test_published_scores_of_two_files(robustness: Table, data_dir: Path) -> None:
    files = [
        read_scores(data_dir / "nasbench201/zc_proxies_cifar10.csv"),
        read_scores(data_dir / "croze_release_scores.csv"),
    ]
    found = correlate(files, Collection({"": robustness}), ["clean", "fgsm@8"], against=["params"], resamples=100)
    assert 190 <= found.n <= 200
    assert found.rho_with_params["params"] == pytest.approx(1)
    assert found.rho_with_params["score_init0"] > 0.95
    release = found.differences["score_init0"]["params"]["clean"]
    assert release.low < 0 < release.high, "the release is level with size"
    assert any(line.startswith("score_init0: ranks nearly as size does") for line in found.warnings)


def test_a_proxy_that_ranks_against_size_is_warned_of_too(
    cells: list[str], numbers: dict[str, np.ndarray], accuracies: Collection
) -> None:
    scores = ArrayTable("s", cells, {"small": -numbers["only_size"], "x": numbers["insight"]})
    (line,) = correlate([scores], accuracies, ["clean"], resamples=40).warnings
    assert line.startswith("small: ranks nearly as size does (rho -1.000")


def test_a_column_with_one_constant_level_is_warned_of(cells: list[str], numbers: dict[str, np.ndarray]) -> None:
    known = Collection({"": Levels("t", cells, {"clean": numbers["clean"], "severe": np.zeros(N)})})
    scores = ArrayTable("s", cells, {"x": numbers["insight"]})
    found = correlate([scores], known, ["fog"], resamples=40)
    assert "fog: the same for all 400 architectures, so no ranking is defined." in found.warnings


def test_strings_of_one_class_are_drawn_together() -> None:
    """Two classes whose members agree: every resample of both has a rho of 1, and none draws a part of one."""
    members = [twins(CHAIN.replace("OP", op))[:6] for op in ("nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")]
    texts = [text for group in members for text in group]
    value = np.repeat([0.0, 1.0, 2.0], 6)
    other = np.repeat([0.0, 2.0, 1.0], 6)
    known = Collection({"": ArrayTable("t", texts, {"clean": value})})
    scores = ArrayTable("s", texts, {"x": other})
    found = correlate([scores], known, ["clean"], resamples=200, every_string=True).proxies["x"]["clean"]
    assert (found.low, found.high) == (pytest.approx(-1), pytest.approx(1))
