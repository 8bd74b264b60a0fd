"""The commands that are compared: every command of the command line, with settings that take seconds.

`{inputs}` is the folder that `inputs.make` writes. Each case has a folder of its own; the files of the case NAME are in
`../NAME/...`. Most cases print text; those with `--json` show that the JSON is the same too.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from comparison.inputs import FEW

DELETE, REFUSED = "delete ", "refused "  # begin a line that deletes files, and a command that ends with exit code 2


@dataclass(frozen=True)
class Step:
    """The words after `nas` and the expected exit code; or files to delete, so that the case's run is unfinished."""

    words: tuple[str, ...]
    code: int = 0
    deletes: bool = False

    @classmethod
    def read(cls, line: str) -> Step:
        if line.startswith(DELETE):
            return cls(tuple(shlex.split(line.removeprefix(DELETE))), deletes=True)
        return cls(tuple(shlex.split(line.removeprefix(REFUSED))), 2 if line.startswith(REFUSED) else 0)

    @property
    def command(self) -> str:
        """The name of the command, such as `tables search`."""
        return " ".join(self.words[: 2 if self.words[:1] == ("tables",) else 1])


@dataclass(frozen=True)
class Case:
    """Commands that run one after the other in the folder `name`.

    `needs` are the cases whose folders it reads. If `of_old`, the old tree does every step but the last in both
    folders, so that the new tree has to read what the old one wrote.
    """

    name: str
    steps: tuple[Step, ...]
    needs: tuple[str, ...] = ()
    of_old: bool = False

    @property
    def commands(self) -> set[str]:
        """The names of the commands that the case runs to a result, such as `tables search`."""
        run = [step for step in self.steps if not step.deletes and step.code == 0 and "--help" not in step.words]
        return {step.command for step in run}


def case(name: str, *lines: str, needs: Iterable[str] = (), of_old: bool = False) -> Case:
    return Case(name, tuple(Step.read(line) for line in lines), tuple(needs), of_old)


def ordered(cases: Iterable[Case], only: str | None) -> Iterator[Case]:
    """The cases that run the command `only` or have this name (None for all), each after the cases that it needs."""
    by_name = {one.name: one for one in cases}
    done: set[str] = set()

    def with_needs(one: Case) -> Iterator[Case]:
        if one.name not in done:
            done.add(one.name)
            for needed in one.needs:
                yield from with_needs(by_name[needed])
            yield one

    for one in by_name.values():
        if only in (None, one.name) or any(f"{command} ".startswith(f"{only} ") for command in one.commands):
            yield from with_needs(one)


A, B = (f"'{text}'" for text in (FEW[60], FEW[110]))
DARTS = "PC_DARTS"
DATA = "data.name=npz data.root={inputs}/digits.npz data.size=8"
ONE = "executor.workers=1 device=cpu"
NETWORK = f"{DATA} model.channels=4 {ONE}"
SEARCH = f"{NETWORK} scoring.channels=4 search.budget=6 search.ask=3"
EVOLUTION = f"{SEARCH} strategy.population=4 strategy.tournament=2"
TABLE = "tables.robustness={inputs}/robustness"
TRAIN = f"{NETWORK} train.epochs=2 train.batch_size=64"
ROBUST = f"{TRAIN} train.validation_steps=2"
PGD = f"{ROBUST} train.method=pgd train.steps=2"
ATTACK = f"eval.n_test=6 eval.batch_size=3 eval.eps=0.1 {ONE}"
EVAL = f"{ATTACK} eval.sweep=[]"
QUICK = f"{EVAL} eval.attacks=fgsm"
SUPERNET = (
    f"{NETWORK} strategy.epochs=2 strategy.warm_up=1 strategy.batch_size=32 supernet.channels=2 "
    "supernet.cells_per_stage=1"
)
SMALL_DARTS = "model.channels=4 model.cells=3"
BEST = "../train-standard/run/models/model/best.pt"
PUBLISHED = "--robustness {inputs}/robustness --workers 1"

HELP = (
    *("run", "search", "train", "eval", "score", "dps", "bench", "resume", "report", "transfer", "export", "list"),
    "pretrain",
    *("tables", "tables correlate", "tables search", "tables predict", "tables supernets"),
)
KINDS = (
    *("configs", "spaces", "strategies", "proxies", "predictors", "attacks", "corruptions", "datasets", "trainings"),
    "benchmarks",
)
MISTAKES = (  # of a user: each ends with one line and exit code 2
    *("", "serach quickstart", "search", "search quickstrat", "search quickstart search.budgt=5", "list strategeis"),
    *("search quickstart search.budget=0", "search quickstart search.budget=a", "search quickstart strategy=random"),
    *("search quickstart search.objective=crozee", "search quickstart search.objective=fgsm@1", "search nowhere.yaml"),
    *("search quickstart strategy.name=rnas-max search.budget=5", "search quickstart seeds=3", "search quickstart a"),
    *("search quickstart search.objective=trained:fgsm data.validation=0 " + NETWORK, "search quickstart device=tpu"),
    *("search quickstart search.constraints=params<=1 " + SEARCH, "search quickstart search.constraints=parms<=1"),
    *("train quickstart", "train quickstart arch=x", "train runs/nowhere", f"train quickstart arch={A} train.lr=-1"),
    *(f"train quickstart arch={A} train.method=pdg", f"train quickstart arch={A} data.name=npz"),
    *("eval nowhere.pt", "eval torchvision:resnet19 data.name=digits", "eval networks:make", "eval timm:nonesuch"),
    *("run quickstart run.trainings=[]", "run quickstart eval.attacks=fsgm", "run quickstart seeds=0", "run"),
    *("score", "score x", "score --proxies croz " + A, "score --sample 0", "score --output x.txt " + A),
    *("resume nowhere", "report nowhere", "export nowhere there", "transfer a.pt", "transfer a.pt b.pt"),
    *("dps quickstart --labels nowhere.csv", "dps quickstart", "list spaces more", "bench nonesuch"),
    *("bench start --space darts", "bench proxies --space dart", "dps quickstart --labels nowhere.json"),
    *(
        "tables correlate nowhere.csv",
        "tables search",
        "tables predict",
        "tables supernets",
        "tables",
        "tables nonesuch",
    ),
    *("tables search --robustness {inputs}/robustness --objective claen", "--nonesuch", "search quickstart --jsno"),
)


def _strategies() -> Iterator[Case]:
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


def _objectives() -> Iterator[Case]:
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


def _trainings() -> Iterator[Case]:
    yield case("train-standard", f"train quickstart arch={A} {TRAIN} run.dir=run")
    yield case("train-pgd", f"train quickstart arch={B} {PGD} run.dir=run --json")
    for method, options in (("trades", "train.steps=2"), ("fgsm", ""), ("free", "train.free_replays=2")):
        yield case(
            f"train-{method}",
            f"train quickstart arch={A} train.method={method} {ROBUST} {options} run.dir=run --json",
        )
    yield case(
        "train-options",
        f"train quickstart arch={A} train.awp=0.005 train.ema=0.9 train.clip=1 "
        f"train.schedule=onecycle train.label_smoothing=0.1 train.cutout=2 train.accumulate=2 {PGD} run.dir=run",
    )
    yield case(
        "train-augmented",
        f"train quickstart arch={A} train.resized_crop=8 train.crop=0 train.flip=true train.jitter=[.2,.2,.2,.1] "
        f"train.schedule=step train.milestones=[1] train.warmup=1 train.select=last {TRAIN} run.dir=run --json",
    )
    yield case(
        "train-of-darts",
        f"train quickstart space=darts arch={DARTS} {SMALL_DARTS} model.auxiliary=true train.drop_path=0.2 {DATA} "
        f"{ONE} train.epochs=1 train.batch_size=64 run.dir=run --json",
    )
    yield case(
        "train-found",
        f"train ../search-evolution/run {TRAIN} train.epochs=1 run.dir=run --json",
        needs=["search-evolution"],
    )
    yield case(
        "train-folders",
        f"train quickstart arch={A} data.name=imagefolder data.root={{inputs}}/folders data.size=8 model.channels=4 "
        f"{ONE} train.epochs=1 train.batch_size=8 run.dir=run",
    )
    yield case("train-forecast", f"train quickstart arch={A} {TRAIN} --dry-run")


def _evaluations() -> Iterator[Case]:
    trained = ["train-standard"]
    yield case("eval-run", f"eval ../train-standard/run {EVAL} eval.attacks=fgsm,pgd3 run.dir=run", needs=trained)
    attacks = "fgsm,pgd3,mifgsm2,apgd-ce3,apgd-dlr3,square5"
    yield case(
        "eval-attacks",
        f"eval {BEST} {EVAL} eval.attacks={attacks} eval.restarts=2 eval.sweep=[0.5,2] eval.sweep_attack=fgsm "
        "run.dir=run --json",
        needs=trained,
    )
    yield case(
        "eval-cascade", f"eval {BEST} {EVAL} eval.attacks=fgsm,pgd3 eval.cascade=true run.dir=run", needs=trained
    )
    yield case(
        "eval-l2",
        f"eval {BEST} {EVAL} eval.norm=L2 eval.eps=0.5 eval.attacks=pgd3,cw2,fab2,apgd-ce2 run.dir=run",
        needs=trained,
    )
    yield case(
        "eval-autoattack",
        f"eval {BEST} {EVAL} eval.n_test=2 eval.attacks=autoattack eval.eps=0.5 run.dir=run --json",
        needs=trained,
    )
    yield case(
        "eval-torchattacks",
        f"eval {BEST} {EVAL} 'eval.attacks=[\"torchattacks:DIFGSM(steps=2,decay=1)\",torchattacks:FFGSM]' run.dir=run",
        needs=trained,
    )
    yield case(
        "eval-corruptions",
        f"eval {BEST} {QUICK} eval.corruptions=all,extra eval.severities=[1,4] run.dir=run",
        needs=trained,
    )
    yield case(
        "eval-baseline",
        f"eval {BEST} {QUICK} eval.corruptions=noise eval.severities=[2,3] run.dir=baseline",
        f"eval ../train-pgd/run {QUICK} eval.corruptions=noise eval.severities=[2,3] "
        "eval.corruption_baseline=baseline/result.json run.dir=run --json",
        needs=["train-standard", "train-pgd"],
    )
    yield case(
        "eval-measures",
        f"eval {BEST} {QUICK} eval.measures=calibration,hessian,jacobian,classes,landscape eval.measure_images=4 "
        "eval.measure_attack=pgd2 eval.landscape_points=3 run.dir=run",
        needs=trained,
    )
    yield case(
        "eval-checks",
        f"eval {BEST} {QUICK} eval.attacks=pgd20 eval.checks=true eval.checks_images=3 run.dir=run",
        needs=trained,
    )
    yield case(
        "eval-preset",
        f"eval {BEST} {QUICK} eval.n_test=3 eval.sweep=[] eval.sweep_preset=robustness-dataset run.dir=run --json",
        needs=trained,
    )
    yield case(
        "eval-own-code",
        f"eval networks:make {DATA} {QUICK} eval.mean=0.5 eval.std=0.25 run.dir=run",
        f"eval networks:NoGradient {DATA} {EVAL} eval.attacks=square5 run.dir=without --json",
        f"{REFUSED}eval networks:NoGradient {DATA} {QUICK} run.dir=refused",
        f"{REFUSED}eval networks:make {DATA} {QUICK} eval.model_options=classes=4 run.dir=refused",
    )
    yield case(
        "eval-libraries",
        f"eval torchvision:squeezenet1_1 {DATA} data.size=32 {QUICK} "
        "eval.model_options=pretrained=false,num_classes=10 run.dir=torchvision",
        f"eval timm:test_vit {DATA} data.size=160 {QUICK} eval.n_test=2 "
        "eval.model_options=pretrained=false,num_classes=10 eval.normalise=none run.dir=timm --json",
    )
    yield case("eval-forecast", f"eval {BEST} {EVAL} eval.attacks=fgsm,pgd3 --dry-run", needs=trained)


def _runs() -> Iterator[Case]:
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


def _scores() -> Iterator[Case]:
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


def _tables() -> Iterator[Case]:
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


def _words() -> Iterator[Case]:
    yield case("help", "--help", "--version", *(f"{name} --help" for name in HELP))
    yield case("list-all", "list", "list --json", *(f"list {kind}" for kind in KINDS))
    yield case("refused", *(f"{REFUSED}{line}" for line in MISTAKES))


CASES = (
    *_words(),
    *_trainings(),
    *_strategies(),
    *_objectives(),
    *_evaluations(),
    *_runs(),
    *_scores(),
    *_tables(),
)


def prepare(folder: Path, inputs: Path) -> None:
    """Make the folder of a case, with the user's code that some cases evaluate."""
    folder.mkdir(parents=True)
    (folder / "networks.py").write_bytes((inputs / "networks.py").read_bytes())
