"""Searches: every strategy, and every kind of objective."""

from __future__ import annotations

from collections.abc import Iterator

from comparison.case import Case, case
from comparison.case_settings import DATA, EVOLUTION, NETWORK, ONE, SEARCH, SMALL_DARTS, SUPERNET, TABLE


def strategies() -> Iterator[Case]:
    yield case("search-evolution", f"search quickstart {EVOLUTION} run.dir=run")
    yield case("search-random", f"search quickstart strategy.name=random {SEARCH} run.dir=run --json")
    yield case("search-local", f"search quickstart strategy.name=local objective=nwot {SEARCH} run.dir=run --json")
    yield case(
        "search-nsga2",
        f"search quickstart strategy.name=nsga2 strategy.population=4 objective=snip+params:min {SEARCH} run.dir=run",
    )
    for model in ("forest", "auto"):
        yield case(
            f"search-guided-{model}",
            f"search quickstart strategy.name=guided strategy.init=3 strategy.batch=3 strategy.predictor={model} "
            f"objective=synflow search.features=graph,params {SEARCH} run.dir=run --json",
        )
    yield case(
        "search-bananas",
        f"search quickstart strategy.name=bananas strategy.init=3 strategy.batch=3 objective=fgsm@1 {TABLE} "
        f"data.name=digits search.budget=9 search.ask=3 {ONE} run.dir=run --json",
    )
    for kind in ("bo", "bo-graph", "xgb", "xgb-rank"):
        trees = "" if kind.startswith("bo") else "strategy.rounds=5"
        yield case(
            f"search-{kind}",
            f"search quickstart strategy.name={kind} strategy.init=3 strategy.batch=3 {trees} objective=fgsm@1 {TABLE} "
            f"data.name=digits search.budget=9 search.ask=3 {ONE} run.dir=run --json",
        )
    yield case(
        "search-ranks",
        "search quickstart strategy.name=evolution-ranks strategy.population=3 strategy.tournament=2 "
        f"objective=linear_regions+ntk_cond {SEARCH} run.dir=run --json",
    )
    yield case(
        "search-limits",
        f"search quickstart strategy.name=bo strategy.init=3 objective=edgegpu_latency "
        "tables.latency={inputs}/latency.csv "
        f"search.limits=edgegpu_latency<=1e6 search.joint=true data.name=digits search.budget=4 search.ask=2 {ONE} "
        "run.dir=run --json",
    )
    yield case(
        "search-agnet",
        f"search quickstart strategy.name=agnet strategy.init=3 strategy.batch=3 strategy.epochs=1 "
        f"strategy.pretraining=64 objective=fgsm@1 {TABLE} data.name=digits search.budget=9 search.ask=3 {ONE} "
        "run.dir=run --json",
    )
    yield case("pretrain-agnet-posterior", "pretrain agnet-posterior --space nasbench201 --graphs 64 --report 50")
    yield case("pretrain-agnet", "pretrain agnet --space nasbench201 --graphs 64 --report 50")
    yield case(
        "search-warmup-move",
        f"search quickstart strategy.name=warmup-move search.cheap=params objective=grad_norm strategy.pool=3 "
        f"strategy.warmup=8 strategy.tournament=2 {SEARCH} run.dir=run",
    )
    more = {
        "rnas-max": "strategy.steps=2",
        "pc-darts": "strategy.partial=2",
        "sdarts-adv": "strategy.noise_steps=2",
        "advrush": "strategy.penalty_after=1",
        "dsrna-jacobian": "strategy.penalty_after=1",
    }
    kinds = ("darts", "darts-second-order", "rnas-max", "rnas-uniform", "gdas", "pc-darts", "sdarts-rs", "sdarts-adv")
    more |= {
        "drnas": "strategy.stage_partial=[2,1] strategy.warm_up=0",
        "darts-pt": "strategy.epochs=1 strategy.tune_epochs=1",
        "robnet": "strategy.epochs=1 strategy.samples=1 strategy.rank_images=8 strategy.steps=1",
    }
    for kind in (*kinds, "advrush", "dsrna-jacobian", "drnas", "darts-pt", "robnet"):
        steps = more.get(kind, "")
        warmed = kind.startswith("rnas") or kind == "pc-darts"
        warm_up = SUPERNET if warmed else SUPERNET.replace("strategy.warm_up=1 ", "")
        yield case(f"search-{kind}", f"search quickstart strategy.name={kind} {warm_up} {steps} run.dir=run")
    yield case(
        "search-p-darts",
        f"search quickstart space=darts strategy.name=p-darts {DATA} {ONE} {SMALL_DARTS} strategy.epochs=2 "
        "strategy.warm_up=0 strategy.batch_size=32 strategy.stage_operations=[3] strategy.stage_cells=[3,3] "
        "strategy.stage_skip_dropout=[0.1,0.2] supernet.channels=2 supernet.cells=3 run.dir=run --json",
    )
    yield case(
        "search-supernet-of-darts",
        f"search quickstart space=darts strategy.name=darts {DATA} {ONE} {SMALL_DARTS} strategy.epochs=1 "
        "strategy.batch_size=32 supernet.channels=2 supernet.cells=3 run.dir=run --json",
    )


def objectives() -> Iterator[Case]:
    yield case(
        "search-table",
        f"search quickstart objective=fgsm@1 {TABLE} data.name=digits {ONE} strategy.population=4 "
        "strategy.tournament=2 search.budget=8 search.ask=4 search.constraints=params<=60%,flops<=60% run.dir=run",
    )
    yield case(
        "search-columns",
        f"search quickstart objective=hrs:pgd@1+clean:min strategy.name=nsga2 strategy.population=4 {TABLE} "
        f"data.name=digits {ONE} search.budget=8 search.ask=4 run.dir=run --json",
    )
    for metric in ("fgsm", "clean", "hrs:fgsm"):
        name = metric.replace(":", "-")
        yield case(
            f"search-trained-{name}",
            f"search quickstart objective=trained:{metric} strategy.population=2 strategy.tournament=2 {NETWORK} "
            "search.budget=2 search.ask=2 label.epochs=1 label.batch_size=64 label.n_val=8 run.dir=run --json",
        )
    yield case(
        "search-predicted",
        f"search quickstart objective=predicted predicted.labels={{inputs}}/labels.csv predicted.model=forest "
        f"{EVOLUTION.replace('scoring.channels=4 ', '')} run.dir=run --json",
    )
    yield case(
        "search-constrained",
        f"search quickstart objective=zen search.constraints=params<=70%,flops<=80%,latency<=100000 {EVOLUTION} "
        "run.dir=run --json",
    )
    yield case("search-own-recipe", f"search {{inputs}}/own.yaml {NETWORK} run.dir=run")
    yield case(
        "search-space-of-darts",
        f"search quickstart space=darts objective=croze {DATA} {ONE} {SMALL_DARTS} scoring.channels=4 "
        "scoring.cells=3 search.budget=3 search.ask=3 strategy.population=2 strategy.tournament=2 run.dir=run --json",
    )
    yield case("search-in-two-processes", f"search quickstart {EVOLUTION} executor.workers=2 run.dir=run --json")
    yield case(
        "search-forecast",
        f"search quickstart {EVOLUTION} --dry-run --json",
        f"search quickstart strategy.name=darts {SUPERNET.replace('strategy.warm_up=1 ', '')} --dry-run",
    )
