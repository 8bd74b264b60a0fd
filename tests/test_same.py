"""The comparison with another commit runs every command, and notices a number, a key, a message, a file."""

from __future__ import annotations

import csv
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from comparison.case import ordered
from comparison.cases import CASES
from comparison.differences import Masks, differences, folder_leaves, printed_leaves, same
from comparison.tree import Entry

from nas.cli.main import app

MASKS = Masks(("/old/place",), "0.3.0")
OTHER = Masks(("/new/place",), "0.4.0")


def commands(group: Any, before: str = "") -> set[str]:
    found = set()
    for name, command in group.commands.items():
        found |= commands(command, f"{name} ") if hasattr(command, "commands") else {before + name}
    return found


def test_every_command_is_run() -> None:
    covered = {command for case in CASES for command in case.commands}
    assert commands(typer.main.get_command(app)) - covered == {"bench"}
    helped = {" ".join(step.words[:-1]) for case in CASES for step in case.steps if step.words[-1:] == ("--help",)}
    assert commands(typer.main.get_command(app)) <= helped


def test_cases_have_names_of_their_own_and_what_they_need_comes_first() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    for case in CASES:
        found = [one.name for one in ordered(CASES, case.name)]
        assert found[-1] == case.name
        assert set(case.needs) <= set(found[:-1])
    assert not {*names} & {command.split()[0] for case in CASES for command in case.commands}
    assert {case.name for case in ordered(CASES, "tables")} == {
        *("tables-correlate", "tables-search", "tables-predict", "tables-supernets")
    }


def test_the_entry_point_is_that_of_the_tree(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parent.parent
    entry = Entry.read(root)
    assert (entry.folder, entry.function) == (root, "nas.cli.main:main")
    assert {"nas.eval.attacks", "nas.core"} <= set(entry.packages)
    (tmp_path / "setup.cfg").write_text(
        "[options]\npackages = find:\npackage_dir =\n    = src\n\n"
        "[options.entry_points]\nconsole_scripts =\n    nas = nas.commands:start\n"
    )
    assert Entry.read(tmp_path) == Entry(tmp_path / "src", "nas.commands:start", ("nas",))


def write(folder: Path, place: str, version: str, **changed: Any) -> dict[str, dict[str, Any]]:
    """Files of a run whose times, place and version are its own; what `changed` says."""
    folder.mkdir()
    number = ord(place[1]) / 7  # another one in each place
    result = {
        "clean": changed.get("clean", 0.875),
        "n_test": 8,
        "none": None,
        "seconds": {"eval": number},
        "versions": {"torch": "2", "robust-nas": version},
        "provenance": {"source": {"commit": place, "changed": True}},
        "folder": f"{place}/run",
        changed.get("key", "eps"): 0.1,
    }
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "log.txt").write_text(
        f"nas {version} in {place}\n{changed.get('message', 'took')} {number} s\nsearch: {len(version)} of 9\n"
    )
    with (folder / "scores.csv").open("w") as file:
        csv.writer(file).writerows([["arch", "nwot", "seconds"], ["a", changed.get("nwot", "1.5"), number]])
    table = f"<table><tr><th>loss<th>seconds</tr><tr><td>{changed.get('loss', 2)}<td>{number}</tr></table>"
    (folder / "report.html").write_text(
        f"<p>{version} {'0a1b' * 10 if number < 16 else '2c3d' * 10 + ' with changes'}</p>{table}"
    )
    with sqlite3.connect(folder / "store.sqlite") as store:
        store.execute("CREATE TABLE facts (key TEXT, value TEXT, checksum INTEGER)")
        store.execute("INSERT INTO facts VALUES ('seconds/search', ?, ?)", (str(number), round(number)))
        store.execute("INSERT INTO facts VALUES ('outcome', ?, ?)", (json.dumps(changed.get("outcome", [1, 0])), 1))
    store.close()
    torch.save({"weights": torch.tensor([1.0, changed.get("weight", 2.0), 3.0])}, folder / "best.pt")
    (folder / changed.get("file", "more.yaml")).write_text("a: 1\n")
    return folder_leaves(folder, OTHER if "new" in place else MASKS)


def lines(old: dict[str, dict[str, Any]], new: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    found = {name: differences(old.get(name, {}), new.get(name, {}), 1e-6) for name in {*old, *new}}
    return {name: value for name, value in found.items() if value}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, {}),
        ({"clean": 0.875 + 1e-9}, {}),
        ({"clean": 0.87501}, {"result.json": [".clean: 0.875 → 0.87501"]}),
        (
            {"key": "epsilon"},
            {
                "result.json": [
                    ".eps: only the old one has it: 0.1",
                    ".epsilon: only the new one has it: 0.1",
                ]
            },
        ),
        ({"message": "lasted"}, {"log.txt": ["line 2: took <time> → lasted <time>"]}),
        ({"nwot": "1.6"}, {"scores.csv": ["[0].nwot: 1.5 → 1.6"]}),
        ({"loss": 3}, {"report.html": ["line 13: 2 → 3"]}),
        ({"outcome": [1, 1]}, {"store.sqlite": ["facts[outcome].value[1]: 0 → 1"]}),
        ({"weight": 2.5}, {"best.pt": [".weights.norm", ".weights.sum", ".weights.place"]}),
        (
            {"file": "less.yaml"},
            {"more.yaml": ["text: only the old one has it"], "less.yaml": ["text: only the new one has it"]},
        ),
    ],
)
def test_what_a_command_wrote(tmp_path: Path, changed: dict[str, Any], expected: dict[str, list[str]]) -> None:
    old = write(tmp_path / "old", "/old/place", "0.3.0")
    found = lines(old, write(tmp_path / "new", "/new/place", "0.4.0", **changed))
    assert set(found) == set(expected)
    for name, starts in expected.items():
        assert len(found[name]) == len(starts)
        assert all(line.startswith(start) for line, start in zip(found[name], starts)), found[name]


def test_a_line_more_is_one_difference() -> None:
    old, new = (dict(printed_leaves(text, MASKS)) for text in ("a 1\nb 0.5\nc", "a 1\nnew\nb 0.5\nc"))
    assert differences(old, new, 1e-6) == ["line 2: only the new one has it: new"]


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1.0, 1.0 + 5e-7, True),
        (1.0, 1.0 + 2e-6, False),
        (1000.0, 1000.0005, True),
        (1e-4, 1.00002e-4, False),
        (0.0, 1e-13, True),
        (1, 2, False),
        (1, 1.0, False),
        (True, 1, False),
        (None, 0, False),
        (float("nan"), float("nan"), True),
        ("a=0.1234567 b", "a=0.1234568 b", True),
        ("a=0.12345 b", "a=0.12346 b", False),
        ("3 of 8", "4 of 8", False),
        ("acc 1e-3", "acc 1e-3", True),
        ("acc", "Acc", False),
        ([], {}, False),
    ],
)
def test_floats_are_equal_to_a_tolerance_and_nothing_else(one: Any, other: Any, equal: bool) -> None:
    assert same(one, other, 1e-6) is same(other, one, 1e-6) is equal
