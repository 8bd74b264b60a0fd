"""The CSV: every number of the results, not rounded, with what is needed to find it again."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import replace
from pathlib import Path

import result_factory as make
from papers import HOSTILE, N, entries, paper, run_of, whole

from nas.core.statistics.paired import wilson
from nas.eval.metrics import hrs
from nas.report.paper.material import Material, with_different_names
from nas.report.paper.rows import COLUMNS, csv_of
from nas.results import Check, Checkpoint, FoundArchitecture, Interval, RelativeErrors
from nas.runs.repetitions import summarise


def read(text: str) -> list[dict[str, str]]:
    assert text.splitlines()[0] == ",".join(COLUMNS)
    return list(csv.DictReader(io.StringIO(text)))


def test_each_network_has_a_row_for_each_metric_with_the_number_of_the_result() -> None:
    networks = entries()
    rows = read(csv_of(paper(whole(networks))))
    for one in networks:
        found = {row["metric"]: row for row in rows if row["model"] == one.name}
        expected = {"params", "clean", "fgsm", "hrs:fgsm", "pgd20", "hrs:pgd20", "worst_case", "hrs:worst_case"}
        assert set(found) == expected
        for metric in ("clean", "fgsm", "pgd20", "worst_case"):
            row, (accuracy, interval) = found[metric], one.accuracy(metric)
            assert (float(row["value"]), Interval(float(row["low"]), float(row["high"]))) == (accuracy, interval)
            assert (row["unit"], row["n"], row["n_of"]) == ("fraction", str(N), "images")
            assert row["eps"] == ("" if metric == "clean" else repr(8 / 255))
        assert (found["params"]["value"], found["params"]["unit"]) == ("67570", "weights")
        assert {row["arch"] for row in found.values()} == {one.arch}
        assert {row["seed"] for row in found.values()} == {"0"}
    keys = [(row["run"], row["model"], row["metric"], row["eps"], row["seed"]) for row in rows]
    assert len(keys) == len(set(keys))


def test_sweeps_corruptions_and_measures() -> None:
    (one,) = entries()[:1]
    more = make.evaluation(
        {"clean": 59, "pgd20": 6}, N, name=one.name, measures=make.measured(),
        sweep=[make.curve("pgd20", (0.0, 0.9), (4 / 255, 0.5), (8 / 255, 0.1), n=N)],
        corruptions=make.corrupted({"fog": [0.5, 0.25]}, 0.9), cascade={"pgd20": 0.1},
    )  # fmt: skip
    rows = read(csv_of(paper(whole([more]))))
    values = {(row["metric"], row["eps"]): row["value"] for row in rows}
    counts = {row["metric"]: row["n"] for row in rows}
    assert values["pgd20", repr(4 / 255)] == "0.5"
    assert values["pgd20", repr(8 / 255)] == "0.1"
    (swept,) = [row for row in rows if row["eps"] == repr(4 / 255)]
    assert (float(swept["low"]), float(swept["high"])) == wilson(N // 2, N)
    assert values["corruption:fog@2", ""] == "0.25"
    assert values["corruption:fog", ""] == values["corruptions", ""] == "0.375"
    assert values["cascade:pgd20", repr(8 / 255)] == "0.1"
    assert values["hrs:corruptions", ""] == repr(hrs(0.9, 0.375))
    assert values["hrs:pgd20", repr(8 / 255)] == repr(hrs(59 / N, 6 / N))
    assert [counts[name] for name in ("corruptions", "corruption:fog@2", "clean:class 1")] == ["500", "500", "30"]
    assert values["ece:clean", ""] == "0.0312"
    assert values["ece:pgd20", repr(8 / 255)] == "0.4567"
    assert values["hessian", ""] == "3.25"
    assert values["clean:class 1", ""] == "0.9"


def test_a_sweep_by_another_attack_has_a_row_at_the_radius_of_the_evaluation_too() -> None:
    sweep = [make.curve("cw10", (0.0, 0.9), (8 / 255, 0.1), n=N)]
    more = make.evaluation({"clean": 59, "pgd20": 6}, N, name="best-pgd", sweep=sweep)
    assert [row["eps"] for row in read(csv_of(paper(whole([more])))) if row["metric"] == "cw10"] == [repr(8 / 255)]


def test_errors_relative_to_a_baseline_are_in_percent() -> None:
    relative = RelativeErrors(75.5, 120.25, {}, {})
    more = make.evaluation({"clean": 59}, N, corruptions=make.corrupted({"fog": [0.5]}, 0.9, relative=relative))
    found = {row["metric"]: (row["value"], row["unit"]) for row in read(csv_of(paper(whole([more]))))}
    assert (found["mce"], found["relative_mce"]) == (("75.5", "percent"), ("120.25", "percent"))


def test_a_study_has_the_value_of_each_seed_and_their_mean() -> None:
    study = summarise([make.whole_run(entries(), seeds={"run": seed}) for seed in (3, 4)])
    rows = [row for row in read(csv_of(paper(Material("s", run_of(study))))) if row["model"] == "best-pgd"]
    clean = [row for row in rows if row["metric"] == "clean"]
    assert [(row["seed"], row["n"], row["n_of"]) for row in clean] == [
        ("3", "60", "images"), ("4", "60", "images"), ("", "2", "seeds"),
    ]  # fmt: skip
    assert clean[2]["value"] == repr(study.models[1].metrics["clean"].mean)
    assert clean[2]["sd"] == repr(study.models[1].metrics["clean"].sd)


def test_other_commands() -> None:
    several = FoundArchitecture("a", "a", {"croze": 19.0, "latency": 2.5, "params": 7.0, "flops": 8.0})
    transfer = make.transferred()
    matrix = replace(transfer.attacks["pgd20"], accuracy=[[0.1, 0.2], [0.3, 0.4]])
    last = Checkpoint("models/model/final.pt", {"val_accuracy": 0.7, "val_robust_accuracy": 0.4})
    results = {
        "search": make.searched(top=[several]), "train": make.trained(final=last),
        "transfer": replace(transfer, attacks={"pgd20": matrix}), "dps": make.discrete_search(),
    }  # fmt: skip
    materials = [Material(name, run_of(one, command=name)) for name, one in results.items()]
    rows = read(csv_of(paper(*materials)))
    found = {(row["run"], row["model"], row["metric"]): row["value"] for row in rows}
    assert found["search", "found 1", "croze"] == "19.0"
    units = {row["metric"]: row["unit"] for row in rows if row["run"] == "search"}
    assert units == {"croze": "", "latency": "ms", "params": "weights", "flops": "multiply-adds"}
    assert found["train", "chosen epoch", "val_robust_accuracy"] == "0.5"
    assert found["train", "last epoch", "val_robust_accuracy"] == "0.4"
    assert found["transfer", "b", "pgd20 of a"] == "0.2"
    assert found["transfer", "a", "pgd20 of b"] == "0.3"
    values = [
        found["dps", name, metric]
        for metric in ("spearman", "held-out spearman", "held-out top10")
        for name in ("as configured", "found")
    ]
    assert values == ["0.5", "0.75", "0.5", "0.6", "0.25", "0.5"]


def test_numbers_in_doubt_have_the_names_of_the_checks() -> None:
    first, second = (make.evaluation({"clean": 59, "fgsm": 6}, N, name=name) for name in ("a-pgd", "b-pgd"))
    made = [Check("logits", "warn", "-"), Check("restarts", "pass", "-"), Check("zero-gradients", "warn", "-")]
    run = run_of(make.whole_run([first, replace(second, checks=made)]), [first, replace(second, checks=made)])
    rows = read(csv_of(paper(Material("a", run, None))))
    said = {name: {row["warning_checks"] for row in rows if row["model"] == name} for name in ("a-pgd", "b-pgd")}
    assert said == {"a-pgd": {""}, "b-pgd": {"logits zero-gradients"}}


def test_the_checksum_is_that_of_the_checkpoint(tmp_path: Path) -> None:
    (network, *_) = entries()
    path = tmp_path / str(network.checkpoint)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    expected = hashlib.sha256(b"weights").hexdigest()
    run = run_of(make.whole_run([network]), [network])
    for material in (
        Material("a", run, tmp_path),
        Material("a", run, None, {str(network.checkpoint): b"weights"}),
    ):
        rows = [row for row in read(csv_of(paper(material))) if row["model"] == network.name]
        assert {row["checkpoint_sha256"] for row in rows} == {expected}
    path.unlink()
    rows = read(csv_of(paper(Material("a", run, tmp_path))))
    assert {row["checkpoint_sha256"] for row in rows} == {""}


def test_any_name_is_read_as_it_was_written() -> None:
    name = f'{HOSTILE}, "quoted"\nand more'
    one = make.evaluation({"clean": 59, "fgsm": 6}, N, name=name)
    assert name in {row["model"] for row in read(csv_of(paper(whole([one], name))))}
    assert {row["run"] for row in read(csv_of(paper(whole([one], name))))} == {name}


def test_runs_of_one_name_go_by_their_paths(tmp_path: Path) -> None:
    run = run_of(make.searched())
    folders = [tmp_path / part / "eval-1" for part in ("one", "two")]
    named = with_different_names([*(Material("eval-1", run, folder) for folder in folders), Material("x", run)])
    assert [one.name for one in named] == [*map(str, folders), "x"]
