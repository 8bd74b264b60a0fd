"""The study of the papers' tables: `python -m nas.studies.papers --data FOLDER --images CIFAR10.npz --rows FOLDER`.

Without `--compute` it prints the tables of the rows that there are. With it, it first computes the rows that are
missing, the cheapest plans first; it can be stopped at any time, and goes on from there when it is called again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from nas.studies.papers.networks import Networks
from nas.studies.papers.page import page
from nas.studies.papers.picking import pick
from nas.studies.papers.plan import OWN, PLANS, SMALL
from nas.studies.papers.queries import QUERY_PLAN, score_queries
from nas.studies.papers.scoring import ABLATION_PLAN, Scores, score_ablation, score_picked, score_pool, score_proxies


def main() -> None:
    """Compute rows, or print tables."""
    parser = argparse.ArgumentParser(prog="python -m nas.studies.papers", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the benchmarks' files")
    parser.add_argument("--rows", type=Path, required=True, help="the folder of finished rows")
    parser.add_argument("--images", type=Path, help="CIFAR-10 images as .npz; only for --compute")
    parser.add_argument("--size", choices=(SMALL, OWN), default=SMALL, help="size of the scored networks")
    parser.add_argument("--limit", type=int, help="compute at most the first N networks and N settings of a plan")
    parser.add_argument("--only", nargs="*", choices=[plan.name for plan in PLANS], help="these plans alone")
    parser.add_argument("--compute", nargs="*", choices=PARTS, help=f"compute missing rows of these: {PARTS}")
    given = parser.parse_args()
    plans = [plan for plan in PLANS if given.only is None or plan.name in given.only]
    if given.compute is None:
        print(page(plans, given.size, given.rows, given.data))
        return
    torch.set_num_threads(1)
    for part in given.compute or PARTS:
        for plan in plans:
            scores = Scores(plan, given.size, given.rows, write=True)
            compute(part, scores, Networks(plan, given.data, given.limit), given.images)


PARTS = ("scores", "pool", "picked", "ablation", "queries")


def compute(part: str, scores: Scores, networks: Networks, images: Path) -> None:
    """Compute the missing rows of one part of the study for one plan."""

    def report(line: str) -> None:
        print(line, flush=True)

    if part == "scores":
        score_proxies(scores, networks, images, report)
    elif part == "ablation":
        if scores.plan.name == ABLATION_PLAN:
            score_ablation(scores, networks, images, report)
    elif part == "queries":
        if scores.plan.name == QUERY_PLAN:
            score_queries(scores, networks, images, report)
    elif scores.plan.settings:
        if part == "pool":
            score_pool(scores, networks, images, report)
        else:
            picks = [pick(scores, networks, task) for task in scores.plan.tasks]
            settings = list(dict.fromkeys(one.trained for one in picks if one is not None))
            score_picked(scores, networks, settings, images, report)


if __name__ == "__main__":
    main()
