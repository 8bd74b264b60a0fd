"""The study of what finds the best cell: `python -m nas.studies.best_cell --data FOLDER --rows FOLDER`.

Without `--compute` it prints the tables of the rows that there are. With it, it first makes the runs that are missing,
the cheapest first; it can be stopped at any time, and goes on from there when it is called again.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import torch

from nas.studies.best_cell.page import page
from nas.studies.best_cell.plan import VARIANTS, blocks
from nas.studies.best_cell.runs import Data, Rows, compute


def main() -> None:
    """Make runs, or print tables."""
    parser = argparse.ArgumentParser(prog="python -m nas.studies.best_cell", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="the folders of the benchmarks' files")
    parser.add_argument("--rows", type=Path, required=True, help="the folder of finished rows")
    parser.add_argument("--compute", action="store_true", help="make the runs that are missing")
    parser.add_argument("--only", nargs="*", choices=[one.name for one in VARIANTS], help="these variants alone")
    parser.add_argument("--hours", type=float, default=math.inf, help="begin no run after so many hours")
    given = parser.parse_args()
    data = Data(given.data)
    if not given.compute:
        print(page(Rows(given.rows), data))
        return
    torch.set_num_threads(1)
    until = time.monotonic() + 3600 * given.hours
    rows = Rows(given.rows, write=True)
    for block in blocks():
        if (given.only is None or block.variant.name in given.only) and data.has(block.task):
            compute(block, rows, data, lambda line: print(line, flush=True), until)


if __name__ == "__main__":
    main()
