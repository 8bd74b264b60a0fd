"""Results as types: what is read is what was written, whatever a version knew; what is missing is named."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import result_factory as make

from nas import results
from nas.core.io.records import Record
from nas.core.statistics.repetitions import TTest
from nas.results import EvalResult, Interval, Result, RunResult, result_type

RIGHT = {"clean": "1110", "fgsm": "1100", "pgd20": "1010"}
DIFFERENCE = results.Difference(
    first="best-pgd", second="random-pgd", metric="clean", difference=0.25, interval=Interval(-0.1, 0.5), p=0.5,
    corrected=1.0, significant=False, text="+25.0 points", judged=True,
)  # fmt: skip


def full_evaluation() -> EvalResult:
    """With everything that may be absent."""
    relative = results.RelativeErrors(60.0, None, {"fog": 60.0}, {"fog": None})
    corrupted = make.corrupted(
        {"fog": [0.5, 0.25]}, 0.75, non_finite={"fog": [0, None]}, remarks=["r"], relative=relative
    )
    return make.evaluation(
        RIGHT,
        normalised=results.UsedNormalisation("timm", [0.5] * 3, [0.25] * 3),
        sweep=[make.curve("fgsm", (0.0, 0.75), (0.1, 0.5), n=4)],
        cascade={"fgsm": 0.5, "pgd20": 0.25},
        outside={"cw2": 1},
        non_finite={"clean": 0, "fgsm": None},
        remarks=["a sentence"],
        image_format=results.ImageFormat("ordinary", "float16"),
        providers={"fgsm": "torchattacks"},
        measures=make.measured(),
        corruptions=corrupted,
        checks=[results.Check("logits", "pass", "the outputs are not probabilities")],
        source="timm:resnet18",
        seconds={"eval": 1.0, "total": 1.0},
        versions=make.VERSIONS,
        provenance=make.provenance(),
    )


def study() -> results.StudyResult:
    repeated = results.Repeated([0.5, 0.75], 0.625, 0.1)
    seeds, images = TTest(0.1, None, None, None, None), TTest(0.1, 0.0, 0.2, 1.5, 0.25)
    row = results.RepeatedDifference("best-pgd", "random-pgd", "pgd20", [0.1, 0.1], 0.1, 0.0, seeds, 0.5, images)
    return results.StudyResult(
        space="nasbench201", data="digits", seeds=[4, 5], runs=["seed-4", "seed-5"], norm="Linf", eps=0.1, n_test=4,
        models=[results.RepeatedModel("best-pgd", "pgd", ["a", "b"], [1, 2], {"pgd20": repeated})],
        tests=[row, replace(row, metric="hrs:pgd20", images=None)], smallest_p_flip=0.5,
        seconds={"total": 1.0},
    )  # fmt: skip


RESULTS: dict[str, Result] = {
    "search": make.searched(seconds={"search": 1.0, "total": 1.0}),
    "search on tables": make.searched(
        top=[results.FoundArchitecture("a", "b", {"x": 1.0}, {"clean": results.PercentileRank(0.5, None)})]
    ),
    "search of a supernet": make.supernet_searched(val_accuracy=0.5, val_robust_accuracy=None),
    "train": make.trained(),
    "train standard": make.trained("standard"),
    "train on everything": make.trained(validation={"val_accuracy": None, "val_robust_accuracy": None}),
    "eval": full_evaluation(),
    "eval as of 0.1.0": make.evaluation(RIGHT),
    "run": make.whole_run([make.evaluation(RIGHT), full_evaluation()], [DIFFERENCE]),
    "study": study(),
    "transfer": make.transferred(),
    "dps": make.discrete_search(),
    "dps without others": replace(make.discrete_search(), held_out=None),
}


@pytest.mark.parametrize("name", RESULTS)
def test_what_is_read_is_what_was_written(name: str) -> None:
    written = RESULTS[name]
    text = json.dumps(written.to_json(), allow_nan=False)
    read = result_type(name.split()[0]).from_json(json.loads(text))
    assert type(read) is type(written)
    assert read == written
    assert json.dumps(read.to_json()) == text


@pytest.mark.parametrize("name", RESULTS)
def test_a_key_that_is_missing_is_named_or_stays_absent(name: str) -> None:
    plain = json.loads(json.dumps(RESULTS[name].to_json()))
    kind = result_type(name.split()[0])
    named = []
    for gone in plain:
        left = {key: value for key, value in plain.items() if key != gone}
        try:
            read = kind.from_json(left)
        except KeyError as error:
            named += error.args
        else:
            assert read.to_json() == left
            named.append(None)
    assert [key for key, name in zip(plain, named) if name not in (None, key)] == []
    assert set(named) - {None}


WITHOUT = (results.Measures, results.RelativeErrors, results.SupernetTraining)  # their keys stand among others


def with_more(value: Any) -> Any:
    """The same with an unknown key in every record."""
    if isinstance(value, Record):
        parts = {one.name: with_more(getattr(value, one.name)) for one in fields(value) if one.init}
        return replace(value, **{**parts, "more": {} if isinstance(value, WITHOUT) else {"later": [1]}})
    if isinstance(value, dict):
        return {key: with_more(one) for key, one in value.items()}
    return [with_more(one) for one in value] if type(value) is list else value


@pytest.mark.parametrize("name", RESULTS)
def test_keys_of_a_later_version_are_kept(name: str) -> None:
    text = json.dumps(with_more(RESULTS[name]).to_json())
    assert text.count('"later": [1]') > 1 or name.startswith("train")
    assert json.dumps(result_type(name.split()[0]).from_json(json.loads(text)).to_json()) == text


def test_a_measure_of_a_later_version_is_kept() -> None:
    plain = {"sharpness": 1, **make.measured().to_json()}
    assert results.Measures.from_json(plain).to_json() == plain


@pytest.mark.parametrize(
    ("kind", "plain"),
    [(results.SearchResult, []), (EvalResult, 3), (RunResult, "text"), (results.TrainResult, None)],
)
def test_what_is_no_object_is_refused(kind: type[Result], plain: Any) -> None:
    with pytest.raises(TypeError):
        kind.from_json(plain)


def test_what_is_no_object_inside_is_refused() -> None:
    plain = RESULTS["run"].to_json()
    for wrong in ({"search": []}, {"models": 3}, {"models": [5]}):
        with pytest.raises(TypeError):
            RunResult.from_json({**plain, **wrong})


def test_results_of_version_0_1_have_no_p() -> None:
    plain = RESULTS["run"].to_json()
    for row in plain["differences"]:
        del row["p"], row["corrected"]
    read = RunResult.from_json(plain)
    assert [(row.p, row.corrected) for row in read.differences] == [(None, None)]
    assert read.to_json() == plain


def test_attributes_of_an_evaluation() -> None:
    entry = EvalResult.from_json(json.loads(json.dumps(full_evaluation().to_json())))
    assert entry.clean == 0.75
    assert entry.attacks["pgd20"].accuracy == 0.5
    assert entry.attacks["pgd20"].interval.low < 0.5 < entry.attacks["pgd20"].interval.high
    assert entry.attacks["pgd20"].hrs == pytest.approx(0.6)
    assert entry.correct["fgsm"].dtype == np.bool_
    assert entry.correct["fgsm"].tolist() == [True, True, False, False]
    assert entry.worst_case.correct.tolist() == [True, False, False, False]
    assert list(entry.outcomes()) == ["clean", "fgsm", "pgd20", "worst_case"]
    assert entry.accuracy("clean") == (entry.clean, entry.clean_interval)
    assert entry.accuracy("fgsm") == (0.5, entry.attacks["fgsm"].interval)
    assert entry.accuracy("worst_case") == (0.25, entry.worst_case.interval)
    assert entry.arch == make.BEST
    alone = make.evaluation({"clean": "11", "fgsm": "10"})
    assert alone.worst_of_several is None
    assert list(alone.outcomes()) == ["clean", "fgsm"]


def test_the_best_is_the_first_of_the_top() -> None:
    found = make.searched(top=[results.FoundArchitecture(name, name, {}) for name in "ab"])
    assert found.best.arch == "a"
    assert [one.arch for one in found.top] == ["a", "b"]


@pytest.mark.parametrize("further", [False, True])
def test_checks_stand_where_they_are_made(further: bool) -> None:
    """Those of every evaluation are made last, those that attack before the corruptions."""
    check = results.Check("black-box" if further else "logits", "pass", "")
    corrupted = make.corrupted({"fog": [0.5]}, 0.5)
    keys = list(make.evaluation(RIGHT, checks=[check], corruptions=corrupted).to_json())
    assert (keys.index("checks") < keys.index("corruptions")) == further
    assert keys[-1] == "checkpoint"


def test_results_with_arrays_are_equal_where_all_is() -> None:
    assert make.evaluation(RIGHT) == make.evaluation(RIGHT)
    assert make.evaluation(RIGHT) != make.evaluation({**RIGHT, "fgsm": "1000"})
    assert make.evaluation(RIGHT) != 1
    assert make.whole_run([make.evaluation(RIGHT)]) != make.whole_run([make.evaluation(RIGHT, name="random-pgd")])


@pytest.mark.parametrize("name", RESULTS)
def test_the_repr_of_a_result_is_short(name: str) -> None:
    """It names the class and the first fields, and no array is written out."""
    large = make.evaluation({metric: [True] * 900 for metric in RIGHT}) if name == "eval" else RESULTS[name]
    text = repr(large)
    assert text.startswith(f"{type(large).__name__}({fields(large)[4].name}=")
    assert len(text) < 600
    assert "array" not in text
    assert "versions" not in text


def test_the_repr_of_small_records_is_whole() -> None:
    assert repr(Interval(0.25, 0.5)) == "Interval(low=0.25, high=0.5)"
    check = results.Check("logits", "pass", "the outputs are not probabilities")
    assert repr(check) == "Check(name='logits', ok='pass', reason='the outputs are not probabilities')"
    curve = make.curve("fgsm", (0.0, 0.75), n=4)
    assert repr(curve) == "Curve(attack='fgsm', eps=[0.0], accuracy=[0.75], correct=[<4 values>])"
    assert repr(results.ScoreResult([])) == "ScoreResult(0 rows)"


def test_a_comparison_is_read_as_it_was_written() -> None:
    network = results.ComparedNetwork("a (adversarial)", None, "digits", full_evaluation())
    row = results.ComparedDifference(
        first="a (adversarial)", second="b", metric="clean", difference=0.25, interval=Interval(-0.1, 0.5), p=0.5,
        corrected=1.0, significant=False, text="", n=4, bootstrap=0.25,
    )  # fmt: skip
    written = results.Comparison([network], [row], ["a note"])
    text = json.dumps(written.to_json(), allow_nan=False)
    read = results.Comparison.from_json(json.loads(text))
    assert read == written
    assert read.differences[0].bootstrap == 0.25
    assert read.differences[0].p == 0.5
    assert read.checkpoints[0].entry == network.entry
    assert json.dumps(read.to_json()) == text


def test_a_trained_network_knows_its_accuracies_after_each_epoch() -> None:
    history = [{"epoch": epoch, "train_loss": 2.0, "val_clean_accuracy": epoch / 10} for epoch in (1, 2, 3)]
    trained = results.TrainedModel(
        checkpoint="best.pt",
        final_checkpoint="final.pt",
        arch="a",
        epochs=3,
        chosen_epoch=2,
        history=history,
        seconds=1.0,
    )
    assert [trained.validation(epoch) for epoch in (1, 2, 3)] == [
        {"val_clean_accuracy": value} for value in (0.1, 0.2, 0.3)
    ]


def test_what_stands_for_no_count_is_no_count() -> None:
    assert results.NOT_COUNTED < 0
