"""The study: `python -m nas.studies.robust_search --robustness FOLDER --benchmarks FOLDER --rows FILE [--compute]`.

Without `--compute` it prints the tables of the rows that there are. With it, it first makes the runs that are missing;
it can be stopped at any time, and goes on from there when it is called again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from nas.studies.robust_search.page import page
from nas.studies.robust_search.plan import FRONT_STRATEGIES, STRATEGIES, tasks
from nas.studies.robust_search.runs import Files, rows, run


def main() -> None:
    """Make runs, or print tables."""
    parser = argparse.ArgumentParser(prog="python -m nas.studies.robust_search", description=__doc__)
    parser.add_argument("--robustness", type=Path, help="the folder of the robustness dataset")
    parser.add_argument("--benchmarks", type=Path, nargs="+", help="the folders of the benchmarks' files")
    parser.add_argument("--rows", type=Path, required=True, help="the file of finished rows")
    parser.add_argument("--compute", action="store_true", help="make the runs that are missing")
    parser.add_argument("--only", nargs="*", choices=sorted({*STRATEGIES, *FRONT_STRATEGIES}), help="these alone")
    given = parser.parse_args()
    if not given.compute:
        print(page(rows(given.rows)))
        return
    if given.robustness is None or given.benchmarks is None:
        parser.error("--compute needs --robustness and --benchmarks")
    torch.set_num_threads(1)
    files, store = Files(given.robustness, tuple(given.benchmarks)), rows(given.rows, write=True)
    for task in tasks():
        key = (task.strategy, task.objective, task.limit, str(task.seed))
        if key not in store.rows and (given.only is None or task.strategy in given.only):
            store.add(key, run(task, files.view(task)))
            print(*key, flush=True)


if __name__ == "__main__":
    main()
