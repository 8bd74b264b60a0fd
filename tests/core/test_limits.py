"""The limits that protect a run from huge or hostile input, each tested at its edge or written down a second time."""

from __future__ import annotations

import tarfile
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from nas.core.config import yaml_size
from nas.core.config.yaml_size import TooLarge, check_size
from nas.core.errors import InputError, NasError, ResourceError, Terminated, printable
from nas.core.io.unpack import unpack
from nas.core.reasons import message_of
from nas.core.statistics.repetitions import sign_flip

MIB = 2**20
# limits that a test cannot reach in seconds, and times for which no test waits
LIMITS: dict[str, dict[str, Any]] = {
    "config.schema": {"MAX_TEXT_LENGTH": 10_000},
    "execution.local_pool": {"GRACE_SECONDS": 20.0},
    "eigenvalues": {"BREAKDOWN": 1e-6},
    "data.cache": {"MAX_NAMED": 20},
    "data.checksum": {"MAX_WHOLE_BYTES": 1024 * MIB, "SAMPLE_IMAGES": 1024},
    "data.formats.cifar": {"MAX_UNPACKED_BYTES": 256 * MIB},
    "data.formats.imagefolder": {"GLANCE_IMAGES": 200},
    "data.formats.image_decoding": {
        "MAX_PIXELS": 64 * MIB,
        "ORIENTATION": 274,  # EXIF 2.3, tag 274
        "UPRIGHT": 1,
    },
    "data.formats.folder_listing": {"MAX_NAMED": 5},
    "data.formats.base": {"MAX_HASHED_BYTES": 2048 * MIB},
    "data.formats.npz": {"MAX_NAMED": 20, "MAX_EXPANSION": 300, "FREE_BYTES": 256 * MIB},
    "execution.available_memory": {"MAX_DATA_SHARE": 0.5},
    "data.seen": {"OBLONG": 1, "TURNED": 2, "TRANSPARENT": 4, "LOW_LEVEL": 128},
    "execution.executor": {"TICK_SECONDS": 0.5},
    "optimisation.trainer": {"FORMAT": 2},
    "optimisation.attack_steps": {"SMALLEST_NORM": 1e-10},
    "provenance": {"TIMEOUT_SECONDS": 10},
    "storage.backup": {"MAX_COPY_SHARE": 0.01, "MINUTES_BETWEEN_COPIES": 5.0},
    "statistics.intervals": {"LEVEL": 0.95},
    "execution.signals": {"SECOND_SIGNAL_SECONDS": 1.0},
    "storage.sqlite": {"APPLICATION": int.from_bytes(b"nass", "big"), "FORMAT": 2},
    "io.unpack": {"MAX_FILES": 100_000},
    "config.yaml_size": {"MAX_CHARACTERS": 100_000, "MAX_VALUES": 20_000, "MAX_DEPTH": 40},
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits_are_changed_on_purpose_only(name: str) -> None:
    module = import_module(f"nas.core.{name}")
    assert {key: getattr(module, key) for key in LIMITS[name]} == LIMITS[name]


# texts


@pytest.mark.parametrize("length", [1999, 2000, 2001, 5000])
def test_a_message_of_more_than_2000_characters_is_cut_in_its_middle(length: int) -> None:
    text = "".join(chr(ord("a") + number % 26) for number in range(length))
    found = str(NasError(text))
    if length <= 2000:
        assert found == text
    else:
        assert found == f"{text[:997]} ... {text[-997:]}"
        assert len(found) <= 2000


def test_a_message_is_one_printable_line() -> None:
    assert str(InputError(" one\n  two \x1b[1m\n\x07")) == r"one two \x1b[1m \x07"
    assert printable("a\nb\x00") == "a\nb\\x00"
    assert printable("a\nb") == "a\nb"


def test_errors_end_a_command_with_their_code() -> None:
    assert (NasError.exit_code, InputError.exit_code, ResourceError.exit_code) == (1, 2, 1)
    assert not issubclass(Terminated, Exception)
    assert (Terminated(15).number, Terminated(15).run, Terminated(2, "runs/a").run) == (15, None, "runs/a")


def test_a_reason_of_more_than_500_characters_is_shortened() -> None:
    assert message_of(ValueError("a" * 500)) == "a" * 500
    long = "word " * 100 + "w"
    assert message_of(ValueError(long)) == "word " * 99 + "word …"
    assert message_of(ValueError("b" * 300 + ". " + "c" * 198)) == "b" * 300 + ". " + "c" * 198  # 500 characters
    assert message_of(ValueError("b" * 300 + ". " + "c" * 199)) == "b" * 300


# YAML


def test_a_text_has_100_000_characters_at_most() -> None:
    check_size("a" * 100_000)
    with pytest.raises(TooLarge, match="100,001 characters, more than 100,000"):
        check_size("a" * 100_001)


def test_sections_are_40_deep_at_most() -> None:
    check_size("[" * 40 + "]" * 40)
    with pytest.raises(TooLarge, match="more than 40 levels"):
        check_size("[" * 41 + "]" * 41)


@pytest.fixture
def fifty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of 50 values instead of 20,000, to save time."""
    monkeypatch.setattr(yaml_size, "MAX_VALUES", 50)


@pytest.mark.usefixtures("fifty")
def test_a_text_stands_for_so_many_values_at_most() -> None:
    """The list itself counts as a value."""
    check_size("[" + "1," * 49 + "]")
    with pytest.raises(TooLarge, match="more than 50 values"):
        check_size("[" + "1," * 50 + "]")


@pytest.mark.usefixtures("fifty")
@pytest.mark.parametrize(
    ("anchored", "size"),
    [("&a 1", 1), ("&a [1, 2, 3]", 4), ("&a {b: 1, c: [2, 3]}", 7), ("[&a 1, 2]", 1)],
)
def test_an_alias_counts_as_much_as_what_it_repeats(anchored: str, size: int) -> None:
    """The text also has a section, its key, the anchored value, a key and a list."""
    room = 50 - (1 + 1 + len(list(values(yaml.safe_load(anchored)))) + 1 + 1)
    check_size(f"x: {anchored}\ny: [{'*a, ' * (room // size)}]")
    with pytest.raises(TooLarge, match="more than 50 values"):
        check_size(f"x: {anchored}\ny: [{'*a, ' * (room // size + 1)}]")


def values(value: Any) -> Any:
    """A value and every value and key in it."""
    yield value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from values(inner)


def test_an_alias_within_itself_is_refused() -> None:
    with pytest.raises(TooLarge, match="'a' is within itself"):
        check_size("&a [1, *a]")
    check_size("[&a [1], *a, *a]")


# tests over repetitions


def test_signs_are_flipped_in_up_to_20_repetitions() -> None:
    assert sign_flip([1.0] * 20) == pytest.approx(2.0**-19)
    with pytest.raises(ValueError, match="1 to 20 differences but got 21"):
        sign_flip([1.0] * 21)


# unpacking


def test_an_archive_may_be_exactly_as_large_as_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 1000)
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / "file", "in/file")
    unpack(tmp_path / "a.tar", tmp_path / "out", 1000)
    assert (tmp_path / "out/in/file").read_bytes() == b"x" * 1000
    with pytest.raises(InputError, match="at most 999 bytes"):
        unpack(tmp_path / "a.tar", tmp_path / "other", 999)
    assert not (tmp_path / "other/in/file").exists()
