"""Settings that several cases share: they make each command take seconds."""

from __future__ import annotations

from comparison.inputs import FEW

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
