"""The record of a study of faults: finished trials and cases as rows of two CSV files, so that it can be continued."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from faults import Case
from kills import Kill, Trial

KILLS = ("seed", "trial", "aim", "workers", "stage", "seconds", "target", "results", "problems")
CASES = ("cause", "fault", "found", "good")


class Record:
    """The rows of a folder; without a folder (None), nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def add_trial(self, seed: int, trial: Trial) -> None:
        """Add a row per kill, or one row without a stage if the run ended before the kill."""
        first = (seed, trial.number, trial.aim, trial.workers)
        kills: list[tuple[object, ...]] = [
            (kill.stage, kill.seconds, kill.target, kill.results) for kill in trial.kills
        ]
        self._append("kills.csv", KILLS, [(*first, *kill, "; ".join(trial.problems)) for kill in kills or [("",) * 4]])

    def trials(self, seed: int) -> list[Trial]:
        """The finished trials of a seed."""
        rows = [row for row in self._rows("kills.csv") if row["seed"] == str(seed)]
        found = []
        for number, group in groupby(rows, key=lambda row: int(row["trial"])):
            same = list(group)
            kills = [
                Kill(row["stage"], float(row["seconds"]), row["target"], int(row["results"]))
                for row in same
                if row["stage"]
            ]
            problems = [same[0]["problems"]] if same[0]["problems"] else []
            found.append(Trial(number, same[0]["aim"], int(same[0]["workers"]), kills, problems))
        return found

    def add_cases(self, cause: str, cases: Sequence[Case]) -> None:
        """Add all cases of a cause at once: a cause that was interrupted begins again."""
        self._append("faults.csv", CASES, [(cause, case.fault, case.found, case.good) for case in cases])

    def cases(self) -> dict[str, list[Case]]:
        """The finished cases by their causes."""
        found: dict[str, list[Case]] = {}
        for row in self._rows("faults.csv"):
            found.setdefault(row["cause"], []).append(Case(row["fault"], row["found"], row["good"] == "True"))
        return found

    def _rows(self, name: str) -> list[dict[str, str]]:
        if self.folder is None or not (self.folder / name).exists():
            return []
        with (self.folder / name).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def _append(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        if self.folder is None:
            return
        path = self.folder / name
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([columns] if new else [])
            writer.writerows(rows)
