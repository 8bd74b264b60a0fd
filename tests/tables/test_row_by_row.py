"""Tables are read row by row: a long file needs memory for what is kept of it only."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path

import pytest

from nas.search_spaces import SPACES
from nas.tables import files, read_columns
from nas.tables.layouts import json_list
from nas.tables.layouts.json_list import NoList, list_entries

LISTS = (
    "[]",
    " [ ] \n",
    "[1, 23 ,-4.5e6]",
    '[{"a": ["]", {"b": "\\"[é"}]}, [[], null], true]',
    '["' + "x" * 50 + '", 12345]',
)


@pytest.mark.parametrize("block", [1, 2, 7, 1000])
def test_entries_are_those_of_the_whole_list(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_list, "BLOCK", block)
    for text in LISTS:
        assert list(list_entries(io.StringIO(text))) == json.loads(text)


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_entries_of_the_lists_of_an_object(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_list, "BLOCK", block)
    text = ' {"top": [1, [2]], "note": {"mid": [3]}, "mid" : [ {"x": "}"} ], "n": -1.5e3, "last": []} '
    assert list(list_entries(io.StringIO(text), ["top"])) == [1, [2], {"x": "}"}]
    for wrong, why in (('{"top": [1] 2}', "entry 1: expecting ',' or '}'"), ('{"top": [1, 2], 3: 4}', "entry 2: exp")):
        with pytest.raises(ValueError, match=f"^{why}"):
            list(list_entries(io.StringIO(wrong), ["top"]))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[1, [2", "entry 2: "),
        ("[1 2]", "entry 1: expecting ',' or ']'"),
        ("[1, 2, ]", "entry 3: Expecting value"),
        ("[1, x, 3]", "entry 2: Expecting value"),
        ("[1] 2", "entry 1: extra data"),
        ("[" * 100_000, "entry 1: "),
    ],
)
def test_the_entry_that_is_not_json_is_named(text: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_list, "BLOCK", 2)
    with pytest.raises(ValueError, match=f"^{why}"):
        list(list_entries(io.StringIO(text)))


def test_other_texts_are_no_list() -> None:
    for text in ("", "{}", "x", '{"net": []}'):
        with pytest.raises(NoList):
            next(list_entries(io.StringIO(text), ["top"]))


@pytest.mark.parametrize("kind", ["nasbench-mr.json", "nds-darts.json", "nds-darts.parts.json", "nasbench101.csv"])
def test_memory_is_for_what_is_kept_of_the_rows(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_list, "BLOCK", 4000)
    monkeypatch.setattr(files, "BLOCK", 20)
    space = SPACES.get(kind.partition(".")[0])()
    archs, path = list(map(str, space.draw(400, seed=1))), tmp_path / kind
    for count in (20, 400):  # the first fills caches
        if space.name == "nasbench101":
            rows = [f"{arch.replace(' ', ',', 1)},{number},{number}" for number, arch in enumerate(archs[:count])]
            path.write_text("\n".join(["upper_triangle,operations,val,test", *rows]))
        elif space.name == "nds-darts":
            records = [{"net": json.loads(arch), "test_ep_top1": [1.5]} for arch in archs[:count]]
            path.write_text(json.dumps({"top": records[:9], "mid": records[9:]} if "parts" in kind else records))
        else:
            path.write_text(json.dumps([[json.loads(arch), 1.5] for arch in archs[:count]]))
        tracemalloc.start()
        table = read_columns(path, space)
        kept, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(table.architectures) == count
    assert peak - kept < 300 * count, "bytes for each row; it has at least 557 if all rows are in memory at once"
