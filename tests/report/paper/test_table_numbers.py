"""Each number of a LaTeX table stands in its own cell and has its own scale, and captions say what is in a table."""

from __future__ import annotations

from dataclasses import replace

import pytest
import result_factory as make
from papers import N, entries, paper, run_of, whole

from nas.core.goal import Goal
from nas.report.paper.escape import tex
from nas.report.paper.material import Material
from nas.report.paper.method import method
from nas.report.paper.table import Table
from nas.report.paper.tables import tables
from nas.report.wording import probability
from nas.results import Check, FoundArchitecture, Result, Revision, TransferMatrix
from nas.runs.repetitions import summarise


def one_table(result: Result, command: str) -> Table:
    (found,) = tables(paper(Material("a", run_of(result, command=command))))
    return found


def cells(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for _, row in table.rows]


def caption(table: Table) -> str:
    return " ".join(table.caption).replace("\\,", " ")


def test_p_values_of_a_table_are_corrected() -> None:
    shown = paper(whole(entries()))
    found = shown.networks.differences
    assert any(probability(one.corrected) != probability(one.p) for one in found)
    assert [row[-1] for row in cells(tables(shown)[-1])] == [probability(one.corrected) for one in found]


def test_a_network_in_doubt_may_be_best_on_clean_images_only() -> None:
    good, bad = (make.evaluation({"clean": right, "fgsm": right}, N, name=f"{right}-pgd") for right in (60, 20))
    for checks, bold in (
        ([Check("restarts", "pass", "-")], [True, True]),
        ([Check("logits", "warn", "-")], [True, False]),
    ):
        found, *_ = tables(paper(whole([replace(good, checks=checks), bad])))
        assert [cell.bold for cell in found.rows[0][1][1:3]] == bold
        assert ("warn" in caption(found)) == (not bold[1])


def test_the_worst_case_has_a_column_if_one_network_has_it() -> None:
    runs = [
        Material(name, run_of(one, [one], command="eval"))
        for name, one in (
            ("a", make.evaluation({"clean": 50, "fgsm": 10}, N)),
            ("b", make.evaluation({"clean": 50, "fgsm": 10, "pgd20": 5}, N)),
        )
    ]
    found = tables(paper(*runs))[0]
    assert found.columns[:5] == ["weights", "clean", "FGSM", "PGD-20", "worst case"]
    assert [row[1:5] for row in cells(found)] == [["83.3", "16.7", "–", "–"], ["83.3", "16.7", "8.3", "8.3"]]


def test_networks_attacked_with_other_steps_have_tables_of_their_own() -> None:
    network = make.evaluation({"clean": 50, "fgsm": 10}, N)
    runs = [Material(name, run_of(network, [network], f"eval.restarts={name}", command="eval")) for name in "12"]
    assert [one.label for one in tables(paper(*runs))][:2] == ["tab:robustness-1", "tab:robustness-2"]


def test_corruptions_have_their_mean_their_score_and_their_number_of_images() -> None:
    corrupted = make.corrupted({"fog": [0.5, 0.3]}, 0.9)
    one = make.evaluation({"clean": 54, "fgsm": 6}, N, name="best-pgd", corruptions=corrupted)
    (found,) = tables(paper(whole([one])))
    assert found.columns == ["weights", "clean", "FGSM", "corruptions", "FGSM", "corruptions"]
    assert cells(found)[0][3] == "40.0"
    assert cells(found)[0][5] == f"{100 * 2 * 0.9 * 0.4 / 1.3:.1f}"
    assert "the mean over types and severities, 500 images." in caption(found)


def test_seeds_are_those_of_the_runs_with_networks() -> None:
    search = Material("s", run_of(make.searched(), (), "seed=5", command="search"))
    found, *_ = tables(paper(whole(entries()[:1]), search))
    assert caption(found).endswith("Seed: 0.")


def test_the_deviation_over_seeds_is_in_percent() -> None:
    """Accuracies of .5 and .6 have the standard deviation √.005."""
    runs = [
        make.whole_run([make.evaluation({"clean": right, "fgsm": 6}, N, name="best-pgd")], seeds={"run": seed})
        for seed, right in ((3, 30), (4, 36))
    ]
    found = one_table(summarise(runs), "study")
    assert (found.rows[0][1][0].text, found.rows[0][1][0].below) == ("55.0", "± 7.1")
    assert caption(found).startswith("Mean and standard deviation over 2 seeds (3 and 4)")
    assert "clean and under FGSM (" in caption(found)


def test_a_search_shows_its_first_architectures_and_what_they_are() -> None:
    top = [FoundArchitecture(str(number), str(number), {"croze": float(number)}) for number in range(12)]
    found = one_table(make.searched(top=top), "search")
    assert [cells(found)[at] for at in (0, 9)] == [["0"], ["9"]]
    assert caption(found).startswith("The best architectures of a search in nasbench201 by croze after 12 classes of")
    two = make.searched(goals=[Goal("croze"), Goal("params", higher_is_better=False)])
    assert caption(one_table(two, "search")).startswith("The Pareto front of a search")
    supernet = make.supernet_searched(val_accuracy=0.5)
    assert " after 1 epoch. " in caption(one_table(supernet, "search"))
    assert " after 2 epochs. " in caption(one_table(replace(supernet, evaluated=2), "search"))


def test_a_training_says_which_epoch_was_chosen() -> None:
    assert "after epoch 3 of 4 of adversarial training" in caption(one_table(make.trained(), "train"))


def test_rows_of_a_transfer_are_the_networks_that_were_attacked() -> None:
    found = make.transferred()
    (name, matrix), *_ = found.attacks.items()
    accuracy = [[0.1, 0.2], [0.3, 0.4]]
    found = replace(
        found, attacks={name: TransferMatrix(accuracy, matrix.intervals, matrix.correct, matrix.non_finite)}
    )
    shown = one_table(found, "transfer")
    assert [row for row, _ in shown.rows] == list(shown.columns) == ["a", "b"]
    assert cells(shown) == [["10.0", "20.0"], ["30.0", "40.0"]]
    assert "(columns)" in caption(shown)
    assert "made for another (rows)" in caption(shown)


def test_a_search_for_eproxy_has_both_settings() -> None:
    found = one_table(make.discrete_search(), "dps")
    assert [name for name, _ in found.rows] == ["as configured", "found"]
    assert cells(found) == [["0.500", "0.500", "0.250"], ["0.750", "0.600", "0.500"]]
    assert found.columns[1].endswith("40 others")


@pytest.mark.parametrize(("changed", "said"), [(False, "source 0123abcd;"), (True, "source 0123abcd with changes;")])
def test_the_method_says_whether_the_source_was_changed_and_names_the_processors(changed: bool, said: str) -> None:
    about = replace(make.provenance(), source=Revision("0123abcd", changed), hardware={"gpu": "G 1", "cpu": "C 2"})
    text = method(run_of(make.searched(provenance=about), command="search")).replace(r"\allowbreak{}", "")
    for word in (said, "gpu G 1", "cpu C 2"):
        assert tex(word) in text


def test_the_method_of_a_study_counts_its_seeds() -> None:
    runs = [make.whole_run(entries(), seeds={"run": seed}) for seed in (3, 4)]
    assert "were made with 2 seeds" in method(run_of(summarise(runs), command="study"))
