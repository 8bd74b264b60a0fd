"""Every text of a user may have a byte order mark and line ends of Windows; other encodings are refused by name."""

from __future__ import annotations

import ast
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas.core.config import compose
from nas.core.errors import InputError
from nas.core.io.files import open_text, read_text, read_with_checksum
from nas.eval.corruptions.scores import read_baseline
from nas.objectives.labels import read_labels
from nas.results import ScoreRow
from nas.scoring.rows import RowFile
from nas.search_spaces import NASBench201
from nas.search_spaces.architecture_source import ArchitectureSource
from nas.strategies.proxies.eproxy.settings import EproxyOptions
from nas.tables import RobustnessDataset, read_accuracies, read_latencies, read_robbench, read_scores
from nas.train.exported import DESCRIPTION, WEIGHTS, load_exported

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("nas", "search_spaces", "strategies", "train", "eval")
SPACE = NASBench201()
A = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
B = "|avg_pool_3x3~0|+|none~0|none~1|+|none~0|none~1|nor_conv_1x1~2|"
ENCODINGS = {
    "utf-16-le": (b"\xff\xfe", r"UTF-16 \(little endian\)"),
    "utf-16-be": (b"\xfe\xff", r"UTF-16 \(big endian\)"),
    "utf-32-le": (b"\xff\xfe\x00\x00", r"UTF-32 \(little endian\)"),
    "utf-32-be": (b"\x00\x00\xfe\xff", r"UTF-32 \(big endian\)"),
}


def _architectures(path: Path) -> list[str]:
    return [candidate.text for candidate in ArchitectureSource(SPACE, file=str(path)).new(set())]


def _table(read: Callable[[Path], Any]) -> Callable[[Path], Any]:
    def columns(path: Path) -> Any:
        table = read(path)
        return table.architectures, {name: table.column(name).tolist() for name in table.names()}

    return columns


def _robustness(path: Path) -> Any:
    (path.parent / "cifar10").mkdir(exist_ok=True)
    return RobustnessDataset(path.parent, "cifar10").epsilons


SCORES = [{"arch": A, "scores": {"nwot": 1.5}}, {"arch": B, "scores": {"nwot": 2}}]
BASELINE = {"clean": 0.9, "accuracy": {"fog": [0.5] * 5}}
META = {"ids": {"1": {"nb201-string": A, "isomorph": "1"}}, "epsilons": {"fgsm@Linf": [1, 8]}}
READERS: dict[str, tuple[str, str, Callable[[Path], Any]]] = {  # file, its text, its reader
    "configuration": ("a.yaml", "seed: 3\nsearch:\n  budget: 7\n", lambda path: compose(str(path))),
    "extended configuration": ("b.yml", "name: ü\n", lambda path: compose(str(path))),
    "settings of Eproxy": ("e.yaml", "iterations: 3\n", lambda path: EproxyOptions(settings=str(path)).resolved()),
    "architectures": ("a.txt", f"{A}\n{B}\n5\n", _architectures),
    "architectures, CSV": ("a.csv", f"arch,x\n{A},1\n{B},2\n", _architectures),
    "architectures, JSON lines": ("a.jsonl", f'{{"arch": "{A}"}}\n{{"arch": 5}}\n', _architectures),
    "labels": ("l.csv", f"arch_str,acc\n{A},1\n{B},2\n", lambda path: read_labels(path, SPACE, None)),
    "accuracies": ("c.csv", f"arch_str,acc\n{A},1\n{B},\n", _table(read_accuracies)),
    "robbench": ("r.csv", f"arch_str,val_acc\n{A},.1\n", _table(lambda path: read_robbench(path, "cifar10"))),
    "latencies": ("h.csv", f"arch,pixel3_latency\n{A},3\n", _table(lambda path: read_latencies(path, "cifar10"))),
    "scores": ("s.csv", f"arch,nwot\n{A},1.5\n", _table(read_scores)),
    "scores, JSON": ("s.json", json.dumps(SCORES, indent=1), _table(read_scores)),
    "scores, JSON lines": ("s.jsonl", "\n".join(map(json.dumps, SCORES)) + "\n", _table(read_scores)),
    "robustness dataset": ("meta.json", json.dumps(META, indent=1), _robustness),
    "baseline": ("base.json", json.dumps(BASELINE, indent=1), lambda path: read_baseline(str(path), ["fog"], [1, 5])),
    "a run's file": ("config.json", '{\n"a": 1}\n', read_with_checksum),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_mark_and_line_ends_of_windows_change_nothing(reader: str, tmp_path: Path) -> None:
    name, text, read = READERS[reader]
    path = tmp_path / name
    path.write_bytes(text.encode())
    plain = str(read(path))
    for other in (text, text.replace("\n", "\r\n"), text.replace("\n", "\r")):
        path.write_bytes(other.encode("utf-8-sig"))
        assert str(read(path)) == plain


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("reader", [reader for reader in READERS if reader != "a run's file"])
def test_other_encodings_are_named(reader: str, encoding: str, tmp_path: Path) -> None:
    name, text, read = READERS[reader]
    mark, told = ENCODINGS[encoding]
    path = tmp_path / name
    path.write_bytes(mark + text.encode(encoding))
    with pytest.raises(InputError, match=f"{name} is (damaged: it is )?in {told}; save it as UTF-8"):
        read(path)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def given(content: bytes, errors: str = "strict") -> list[str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", errors=errors))
        return [candidate.text for candidate in ArchitectureSource(SPACE, file="-").new(set())]

    assert given(f"{A}\r\n{B}\r\n".encode("utf-8-sig")) == [A, B]
    assert given(f"arch,x\r\n{A},1\r\n".encode("utf-8-sig")) == [A]
    for errors in ("strict", "surrogateescape"):
        with pytest.raises(InputError, match=r"standard input is in UTF-16 \(little endian\)"):
            given(b"\xff\xfe" + A.encode("utf-16-le"), errors)


def test_the_description_of_an_exported_network(tmp_path: Path) -> None:
    description = {"format": 99, "sha256": {WEIGHTS: "x"}, "network": {}}
    (tmp_path / DESCRIPTION).write_bytes(json.dumps(description).encode("utf-8-sig"))
    with pytest.raises(InputError, match=r"Expected format 1 .* but got 99"):
        load_exported(tmp_path)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_score_file_saved_by_a_spreadsheet_goes_on(ending: str, tmp_path: Path) -> None:
    path, settings = tmp_path / "a.csv", {"seed": 0}
    with RowFile(path, ["params"], settings) as rows:
        rows.begin()
        rows.add(ScoreRow(A, A, {"params": 1.0}, 0.1))
    for file in (path, tmp_path / "a.csv.settings.json"):
        file.write_bytes(file.read_text().replace("\n", ending).encode("utf-8-sig"))
    with RowFile(path, ["params"], settings) as rows:
        assert [(row.arch, row.scores) for row in rows.rows()] == [(A, {"params": 1.0})]
        rows.begin()
        rows.add(ScoreRow(B, B, {"params": 2.0}, 0.1))
    assert read_scores(path).architectures == (A, B)
    assert list(read_scores(path).column("params")) == [1, 2]


def test_text_is_read_whole_and_by_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("ü\r\nb\rc\n".encode("utf-8-sig"))
    assert read_text(path) == "ü\nb\nc\n"
    with open_text(path) as file:
        assert list(file) == ["ü\r\n", "b\r", "c\n"]
    path.write_bytes(b"")
    assert read_text(path) == ""
    with open_text(path) as file:
        assert list(file) == []
    path.write_bytes(b"\xff\xff")
    with pytest.raises(UnicodeDecodeError):
        read_text(path)


OWN = {  # readers of texts that no user writes
    "nas/report/paper/bibliography.py": "the bibliography of this package",
    "nas/core/io/files.py": "the readers themselves",
    "nas/core/config/recipes.py": "recipes that are shipped",
    "nas/core/execution/available_memory.py": "what the system reports about memory",
    "nas/core/provenance.py": "what the system reports about the processor",
    "eval/attacks/library.py": "what an installed package reports about itself",
}


@pytest.mark.landing
def test_no_other_reader_of_text_is_used() -> None:
    found = set()
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and _reads_text(node):
                    found.add(str(file.relative_to(ROOT)))
    assert found - OWN.keys() == set(), "use nas.core.io.files.read_text or open_text"


def _reads_text(call: ast.Call) -> bool:
    """Whether the call is `read_text()` of a path, or `open()` with an encoding or without a b in its mode."""
    text = ast.unparse(call)
    if isinstance(call.func, ast.Attribute):
        return call.func.attr == "read_text" or (call.func.attr == "open" and "encoding=" in text)
    return isinstance(call.func, ast.Name) and call.func.id == "open" and "b'" not in text
