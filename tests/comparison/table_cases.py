"""Scores of proxies, and studies on published tables."""

from __future__ import annotations

from collections.abc import Iterator

from comparison.case import Case, case
from comparison.case_settings import DARTS, DATA, ONE, PUBLISHED, A, B


def scores() -> Iterator[Case]:
    small = f"{DATA} scoring.channels=2 {ONE}"
    yield case("score-given", f"score {A} {B} --proxies all {small}", f"score {A} {small} --json")
    yield case(
        "score-files",
        f"score --file {{inputs}}/cells.txt --proxies snip,params,flops --output scores.csv {small}",
        f"score --file {{inputs}}/scores.csv --sample 2 --seed 1 --proxies snip,params,flops --output scores.csv "
        f"{small}",
        f"score --sample 3 --unique --proxies nwot,params --output scores.jsonl {small} --json",
    )
    yield case("score-all", f"score --all --unique --proxies params,flops --output all.csv {DATA} {ONE}")
    yield case(
        "score-darts",
        f"score --space darts {DARTS} --sample 1 --seed 2 --proxies croze,synflow,zen,params,flops {DATA} "
        f"scoring.channels=2 scoring.cells=3 {ONE}",
    )


def tables() -> Iterator[Case]:
    yield case(
        "tables-correlate",
        "tables correlate {inputs}/scores.csv --robustness {inputs}/robustness --bootstrap 40 --csv tau.csv "
        "--plot tau.svg",
        "tables correlate {inputs}/scores.csv --robustness {inputs}/robustness --accuracy {inputs}/accuracy.csv "
        "--robbench {inputs}/robbench.csv --latency {inputs}/latency.csv --columns all --against flops "
        "--bootstrap 40 --json",
        "tables correlate {inputs}/scores.csv --robustness {inputs}/robustness --every-string --proxies good "
        "--columns clean,fgsm@*,fog,hrs:fgsm@8 --bootstrap 40",
    )
    quick = f"{PUBLISHED} --queries 20 --seeds 2"
    options = "--set evolution.population=6 --set evolution.tournament=3"
    yield case(
        "tables-search",
        f"tables search {quick} {options} --objective clean,fgsm@1 --csv found.csv --plot regret.svg",
        f"tables search {quick} --set nsga2.population=6 --objective clean+params:min --strategy nsga2 --json",
        f"tables search {quick} --objective fgsm@1 --strategy guided,local --json",
        f"tables search {quick} --objective edgegpu_latency --latency {{inputs}}/latency.csv --strategy random",
        f"tables search {quick} --objective fgsm@1 --latency {{inputs}}/latency.csv --strategy random "
        "--limit edgegpu_latency<=1e6 --joint --count strings --json",
    )
    yield case(
        "tables-predict",
        f"tables predict {PUBLISHED} --scores {{inputs}}/scores.csv --splits 2 --study --csv r2.csv --plot gini.svg",
        f"tables predict {PUBLISHED} --scores {{inputs}}/scores.csv --features both --model kernel --splits 2 "
        "--targets clean,clean+fgsm@1 --json",
    )
    yield case(
        "tables-supernets",
        "tables supernets --robustness {inputs}/robustness --rows rows --csv percentiles.csv",
        "tables supernets --robustness {inputs}/robustness --rows rows --columns clean --strategies darts --hours 1 "
        "--json",
        "tables supernets --robustness {inputs}/robustness --rows rows --plan screening",
    )
