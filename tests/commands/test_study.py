"""What the repetitions of a study say together, against numbers counted by hand; and the page that shows it."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import result_factory as make
from scipy import stats

from nas.commands import command_of
from nas.commands.run import Study
from nas.core import config
from nas.core.errors import InputError
from nas.core.io.files import write_json
from nas.report.forecast import forecast_text
from nas.report.pages.study import page
from nas.report.run_data import RunData
from nas.report.wording import probability_of_few
from nas.results import CorruptionResult, EvalResult, RunResult, StudyResult
from nas.runs import given_model, repetitions
from nas.runs.stages.forecast import Cost, Forecast
from nas.settings.schema import from_values

N = 20
CLEAN = {"best": (18, 17, 19), "random": (16, 17, 15)}  # images classified rightly under each seed, of N
ROBUST = {"best": (12, 10, 11), "random": (7, 7, 9)}
BEST = "|avg_pool_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"


def entry(cell: str, training: str, clean: int, robust: int, **more: Any) -> EvalResult:
    return make.evaluation({"clean": clean, "pgd20": robust}, N, name=f"{cell}-{training}", **more)


def results(random: bool = True) -> list[RunResult]:
    cells = ("best", "random") if random else ("best",)
    return [
        make.whole_run(
            [entry(cell, "pgd", CLEAN[cell][seed], ROBUST[cell][seed]) for cell in cells],
            seeds={"run": seed},
            seconds={"search": 2.0, "total": 5.0},
        )
        for seed in range(3)
    ]


def test_means_deviations_and_tests() -> None:
    found = repetitions.summarise(results())
    metrics = found.models[0].metrics
    assert metrics["clean"].values == [0.9, 0.85, 0.95]
    assert metrics["clean"].mean == pytest.approx(0.9)
    assert metrics["clean"].sd == pytest.approx(0.05)
    assert metrics["hrs:pgd20"].values[1] == pytest.approx(2 * 0.85 * 0.5 / 1.35)
    assert (found.seeds, found.runs) == ([0, 1, 2], ["seed-0", "seed-1", "seed-2"])
    entries = [one.models[0] for one in results()]
    assert found.models[0].archs == [one.arch for one in entries]
    assert found.models[0].params == [one.params for one in entries]
    assert found.seconds == {"search": 6.0, "total": 15.0}
    tests = {row.metric: row for row in found.tests}
    assert set(tests) == {"clean", "pgd20", "hrs:pgd20"}
    row = tests["pgd20"]
    assert (row.first, row.second) == ("best-pgd", "random-pgd")
    assert row.values == pytest.approx([0.25, 0.15, 0.1])
    assert row.seeds.p == pytest.approx(stats.ttest_rel([12, 10, 11], [7, 7, 9]).pvalue)
    assert row.p_flip == found.smallest_p_flip == 0.25, "three seeds cannot be significant by permutation"
    assert tests["hrs:pgd20"].images is None


def test_the_image_is_the_unit_of_the_pooled_difference() -> None:
    """Counted image by image: how many of the three seeds' best cells stood, minus how many random ones."""
    row = next(row for row in repetitions.summarise(results()).tests if row.metric == "pgd20")
    by_image = []
    for image in range(N):
        stood = [sum(image < count for count in ROBUST[cell]) for cell in ("best", "random")]
        by_image.append((stood[0] - stood[1]) / 3)
    expected = stats.ttest_1samp(by_image, 0.0)
    assert row.images is not None
    assert row.images.mean == pytest.approx(row.mean)
    assert row.images.p == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval(0.95)
    assert (row.images.low, row.images.high) == (pytest.approx(interval.low), pytest.approx(interval.high))


def test_without_random_cells_there_are_no_tests() -> None:
    found = repetitions.summarise(results(random=False))
    assert found.tests == []
    assert len(found.models) == 1


def test_corruptions_count_where_they_were_measured() -> None:
    given = [
        replace(result, models=[replace(one, corruptions=corrupted(robust)) for one in result.models])
        for result, robust in zip(results(), (0.5, 0.6, 0.7))
    ]
    metrics = repetitions.summarise(given).models[0].metrics
    assert metrics["corruptions"].values == [0.5, 0.6, 0.7]
    assert metrics["hrs:corruptions"].values == [0.25, 0.3, 0.35]
    assert "corruptions" not in repetitions.summarise(results()).models[0].metrics


def corrupted(robust: float) -> CorruptionResult:
    return make.corrupted({"fog": [robust]}, 0.9, mean=robust, hrs=robust / 2)


def folder_of(path: Path, seeds: int = 3) -> tuple[Path, StudyResult]:
    """A study that is finished, as far as its report is concerned."""
    settings = config.plain(from_values({"name": "quickstart"}, [f"seeds={seeds}"]))
    write_json(path / "config.json", {"version": "0", "command": "study", "extra": {}, "settings": settings})
    for seed in range(3):
        write_json(path / f"seed-{seed}" / "config.json", {"command": "run", "extra": {}, "settings": settings})
    return path, replace(repetitions.summarise(results()), versions={"torch": "2"}, provenance=make.provenance())


def test_the_page_shows_the_numbers_and_their_limits(tmp_path: Path) -> None:
    folder, result = folder_of(tmp_path / "study")
    html = command_of(folder).report(folder, result).read_text()
    page = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))
    row = next(row for row in result.tests if row.metric == "pgd20")
    for words in ("90.0 ± 5.0", "55.0 ± 5.0", "+25.0, +15.0, +10.0", ".250", probability_of_few(row.seeds.p)):
        assert words in page
    assert "smallest possible p with 3 seeds is 0.25: it cannot reach .05" in page
    assert "No p-value and no interval is corrected for the number of tests" in page
    for title in ("95 % interval over seeds, uncorrected", "95 % interval over images, uncorrected"):
        assert title in page
    assert "p-values are uncorrected" in "\n".join(Study().summary(folder, result))
    assert not re.search(r"more robust|is better|difference shown", page)
    assert "seeds=3" in page
    assert "nas run" in page
    assert 'href="./seed-1/report.html"' in (folder / "report.html").read_text()


def test_one_run_is_asked_for_where_a_study_is_given(tmp_path: Path) -> None:
    folder, _ = folder_of(tmp_path / "study")
    with pytest.raises(InputError, match=r"give one of .*seed-0, .*seed-2"):
        given_model.refuse_study(folder)
    given_model.refuse_study(folder / "seed-0")


def test_probabilities_are_written_shortly() -> None:
    assert [probability_of_few(p) for p in (None, 0.25, 0.0004, 1.0)] == ["–", ".250", "< .001", "1.000"]


def test_a_forecast_says_how_often() -> None:
    forecast = Forecast("run", 3, {"search": Cost(1.0, 4)}, 2, 5.0)
    assert "3 seeds one after the other" in forecast_text(forecast)
    assert "seeds" not in forecast_text(replace(forecast, seeds=1))
    assert forecast.to_json()["seconds"] == {"search": 3.0, "total": 3.0}
    assert forecast.to_json()["image_passes"] == {"search": 12}


@pytest.mark.parametrize("seeds", [0, 21])
def test_a_number_of_seeds_has_limits(seeds: int) -> None:
    with pytest.raises(InputError, match="seeds between 1 and 20"):
        from_values({}, [f"seeds={seeds}"])


def test_the_page_gives_each_test_its_own_p() -> None:
    found = repetitions.summarise(results())
    settings = {"name": "some study", "seed": 0, "data": {"name": "digits"}, "space": "nasbench201"}
    html = page(RunData(settings, "run", {}, found, [], {}, {}, {}, ("nas run some-study", False)))
    row = next(one for one in found.tests if one.images is not None and one.images.p is not None)
    assert row.images is not None
    expected = [probability_of_few(p) for p in (row.seeds.p, row.p_flip, row.images.p)]
    assert len(set(expected)) == 3
    cells = re.findall(r"<td>(.*?)</td>", html[html.index("Best minus random") :])
    at = 9 * found.tests.index(row)
    assert [unescape(cells[at + number]) for number in (5, 6, 8)] == expected
