"""Help, lists, and the mistakes of users."""

from __future__ import annotations

from collections.abc import Iterator

from comparison.case import REFUSED, Case, case
from comparison.case_settings import NETWORK, SEARCH, A

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


def words() -> Iterator[Case]:
    yield case("help", "--help", "--version", *(f"{name} --help" for name in HELP))
    yield case("list-all", "list", "list --json", *(f"list {kind}" for kind in KINDS))
    yield case("refused", *(f"{REFUSED}{line}" for line in MISTAKES))
