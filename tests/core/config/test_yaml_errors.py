"""The error for a configuration that is not valid YAML has file, line, column, reason and advice, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.core.config import compose
from nas.core.errors import InputError
from nas.settings.schema import from_values

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"


def told(text: str, folder: Path) -> str:
    path = folder / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        compose(str(path))
    message = str(caught.value)
    assert str(path) in message
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("seed: 1\ntrain:\n  epochs: 3\n   lr: 2\n", "line 4, column 6", "mapping values are not allowed"),
        ("seed: 1\ntrain: {epochs: 3\n", "line 3, column 1", "expected ',' or '}'"),
        ("train: {epochs: 3\n", "line 1, column 8", "flow mapping that begins in"),
        ("name: 'x\nseed: 2\n", "line 1, column 7", "a quoted scalar that begins in"),
        ("seed: 1\nseed: 2\n", "line 2, column 1", "duplicate key seed"),
        ("seed: 1\ntrain:\n\tepochs: 1\n", "line 3, column 1", "indent with spaces"),
        ("seed: *other\n", "line 1, column 7", "undefined alias"),
        ("seed: 1\nname: \x07\n", "line 2, column 7", "unacceptable character #x0007"),
        ("seed: 1\n- 2\n", "line 2, column 1", "block"),
    ],
)
def test_the_line_and_the_reason_are_told(text: str, place: str, reason: str, tmp_path: Path) -> None:
    message = told(text, tmp_path)
    assert place in message
    assert reason in message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"seed: 1\narch: {CELL}\n", "line 2, column 8"),
        (f"arch:   {CELL}\n", "line 1, column 10"),
        (f"tables:\n  scores:\n    - {CELL}\n", "line 3, column 8"),
        (f"tables: {{scores: [{CELL}]}}\n", "line 1, column 19"),
        ("arch: | nor_conv_3x3~0 |\n", "line 1, column 9"),
    ],
)
def test_an_architecture_without_quotes_is_reported_to_have_some(text: str, place: str, tmp_path: Path) -> None:
    message = told(text, tmp_path)
    assert place in message
    assert message.endswith("; put the value in quotes.")


def test_an_architecture_in_quotes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    for text in (f"arch: '{CELL}'", f'arch: "{CELL}"', f"arch: |\n  {CELL}\n"):
        path.write_text(text)
        assert compose(str(path))["arch"].strip() == CELL


@pytest.mark.parametrize("text", [f"tables.scores=[{CELL}]", f"tables.scores={CELL}", f"eval.model_options={CELL}"])
def test_so_it_is_in_a_value_that_is_typed(text: str) -> None:
    with pytest.raises(InputError, match="put the value in quotes") as caught:
        from_values({}, [text])
    assert "line 1" not in str(caught.value), "there is only one"


def test_a_value_that_is_text_needs_no_quotes() -> None:
    assert from_values({}, [f"arch={CELL}"]).arch == CELL
