"""Unknown keys in a record of a later version: they are kept and written again, but not part of its `repr`."""

from __future__ import annotations

from dataclasses import dataclass

from nas.core.io.records import Record


@dataclass(frozen=True, eq=False)
class Score(Record):
    name: str
    value: float = 0.0


def test_keys_of_a_later_version_are_written_last_and_not_shown() -> None:
    read = Score.from_json({"history": [0.5] * 9, "name": "zen", "value": 2.5})
    assert list(read.to_json()) == ["name", "value", "history"]
    assert repr(read) == "Score(name='zen', value=2.5)"
