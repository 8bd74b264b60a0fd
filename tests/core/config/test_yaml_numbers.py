"""Numbers that YAML reads differently from people are refused; all others are read as before."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from nas.core.config import compose
from nas.core.config.yaml_numbers import check_numbers
from nas.core.errors import InputError
from nas.settings.schema import from_values


@pytest.mark.parametrize(
    ("number", "read"),
    [("0123", 83), ("010", 8), ("-010", -8), ("+07", 7), ("00_17", 15), ("1:30", 90), ("-1:30", -90), ("1:30.5", 90.5)],
)
def test_a_number_to_another_base_is_refused(number: str, read: float, tmp_path: Path) -> None:
    assert yaml.safe_load(number) == read
    path = tmp_path / "own.yaml"
    path.write_text(f"search:\n  budget: 5\nseed: {number}\n")
    with pytest.raises(InputError, match=r"line 3, column 7: YAML reads .* in quotes") as caught:
        compose(str(path))
    assert f"{number} as {read} " in str(caught.value)
    with pytest.raises(InputError, match=r"YAML reads .* in quotes"):
        from_values({}, [f"seed={number}"])


@pytest.mark.parametrize(
    "text",
    [
        *("a: 0", "a: 00", "a: 10", "a: 0.5", "a: '0123'", 'a: "1:30"', "a: !!str 010", "a: 08", "a: 1e-3", "a: 0x10"),
        *("a: 2001-01-01", "a: |\n  0123", "a: [0, 1, 0.1]", "a: host:80"),
    ],
)
def test_other_values_are_taken(text: str) -> None:
    check_numbers(text)


def test_text_needs_no_quotes_on_the_command_line() -> None:
    assert from_values({}, ["name=0123"]).name == "0123"
    assert from_values({}, ["seed=10"]).seed == 10
