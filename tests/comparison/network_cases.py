"""Trainings, and evaluations of trained and of foreign networks."""

from __future__ import annotations

from collections.abc import Iterator

from comparison.case import REFUSED, Case, case
from comparison.case_settings import BEST, DARTS, DATA, EVAL, ONE, PGD, QUICK, ROBUST, SMALL_DARTS, TRAIN, A, B


def trainings() -> Iterator[Case]:
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


def evaluations() -> Iterator[Case]:
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
