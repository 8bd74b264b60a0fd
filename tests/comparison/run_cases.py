"""Whole runs, studies, and what is done with finished or stopped ones."""

from __future__ import annotations

from collections.abc import Iterator

from comparison.case import DELETE, Case, case
from comparison.case_settings import ATTACK, BEST, DATA, EVAL, EVOLUTION, ONE, QUICK, SUPERNET, TABLE, TRAIN, A


def runs() -> Iterator[Case]:
    few = f"{EVOLUTION} train.epochs=1 train.batch_size=64"
    robust = f"{few} train.steps=2 train.validation_steps=2"
    yield case("run-whole", f"run quickstart {robust} {EVAL} eval.attacks=fgsm,pgd3 run.dir=run")
    yield case(
        "run-study",
        f"run quickstart {few} {QUICK} run.trainings=standard search.budget=3 seed=4 seeds=2 run.dir=run",
        "report run --json",
        "resume run",
    )
    yield case(
        "run-supernet",
        f"run quickstart strategy.name=rnas-uniform {SUPERNET} {QUICK} run.trainings=standard run.random=false "
        f"train.epochs=1 train.batch_size=64 {TABLE} run.dir=run --json",
    )
    yield case(
        "run-forecast", f"run quickstart {robust} {QUICK} --dry-run", f"run quickstart {robust} {EVAL} --dry-run --json"
    )
    yield case(
        "report-several",
        f"eval {BEST} {EVAL} eval.attacks=fgsm,pgd3 eval.sweep=[0.5,1] eval.sweep_attack=fgsm run.dir=first",
        f"eval ../train-pgd/run {EVAL} eval.attacks=fgsm,pgd3 eval.sweep=[0.5,1] eval.sweep_attack=fgsm run.dir=second",
        "report first",
        "report first --json",
        "report first second --out both.html",
        "report first second --out both.html --json",
        "report ../search-evolution/run first --json",
        "report first --latex one.tex --csv one.csv --bibtex one.bib --figures svg,pdf",
        "report ../search-evolution/run first second --latex all.tex --csv all.csv --bibtex all.bib --json",
        needs=["train-standard", "train-pgd", "search-evolution"],
    )
    yield case(
        "resume-search",
        f"search quickstart {EVOLUTION} run.dir=run",
        "resume run",
        f"{DELETE}run/result.json run/result.json.sha256 run/report.html",
        "resume run executor.workers=1 --json",
    )
    yield case(
        "resume-of-old",
        f"run quickstart {few} {QUICK} run.trainings=standard run.random=false run.dir=run",
        f"{DELETE}run/result.json run/result.json.sha256 run/report.html",
        "resume run --json",
        of_old=True,
    )
    yield case("report-of-old", f"eval {BEST} {QUICK} run.dir=run", "report run", needs=["train-standard"], of_old=True)
    yield case(
        "eval-of-old",
        f"train quickstart arch={A} {TRAIN} train.epochs=1 run.dir=trained",
        f"eval trained {QUICK} run.dir=run --json",
        of_old=True,
    )
    yield case(
        "train-on-of-old",
        f"search quickstart {EVOLUTION} run.dir=searched",
        f"train searched {TRAIN} train.epochs=1 run.dir=run",
        of_old=True,
    )
    yield case(
        "transfer-two",
        f"transfer {BEST} ../train-pgd/run/models/model/best.pt {ATTACK} eval.attacks=fgsm,pgd2 run.dir=run",
        "resume run --json",
        needs=["train-standard", "train-pgd"],
    )
    yield case(
        "export-two",
        f"export {BEST} out",
        "export ../train-pgd/run second --json",
        f"eval out {DATA} {QUICK} run.dir=run --json",
        needs=["train-standard", "train-pgd"],
    )
    yield case(
        "dps-labels",
        f"dps quickstart --labels={{inputs}}/labels.csv --count=3 --held-out=4 --evaluations=4 --population=2 "
        f"--tournament=2 --finalists=2 --draws=2 --output=mine.yaml {DATA} scoring.channels=2 {ONE} "
        "proxies.eproxy.batch_size=4 proxies.eproxy.c_mid=8 proxies.eproxy.c_out=3 run.dir=run",
        f"search quickstart objective=eproxy objective.settings=mine.yaml {EVOLUTION} search.budget=2 search.ask=2 "
        "run.dir=search --json",
        "resume run --json",
    )
