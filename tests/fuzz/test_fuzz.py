"""Every reader accepts any input or refuses it in one line, in little time and memory."""

from __future__ import annotations

import logging
import zlib
from pathlib import Path

import fuzz
import numpy as np
import pytest
from contract import SEPARATOR, check

from nas.core.data import DataSettings, load
from nas.core.errors import InputError

TARGETS = fuzz.targets()
FEW = {
    "overrides": 5,
    "image-names": 20,
    "sources": 25,
    "run-config": 30,
    "checkpoint": 40,
    "checkpoint-pickle": 40,
    "config": 40,
}
USUAL = 25


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="nas")


@pytest.mark.parametrize("name", TARGETS)
def test_an_input_is_accepted_or_refused_in_one_line(name: str) -> None:
    fuzz.warm(TARGETS[name])
    assert fuzz.fuzz(TARGETS[name], FEW.get(name, USUAL), 0) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_thousands_of_inputs(name: str) -> None:
    fuzz.warm(TARGETS[name])
    assert fuzz.fuzz(TARGETS[name], 500 if name in FEW else 3000, 1) is None


# what was found


def npy(header: str, content: bytes = b"") -> bytes:
    padded = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded + content


def chunk(kind: bytes, content: bytes, length: int | None = None) -> bytes:
    size = (len(content) if length is None else length).to_bytes(4, "big")
    return size + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def png(width: int, height: int, length: int | None = None) -> bytes:
    """A grey image of 1 bit; `length` is the number of bytes of pixels that the file claims to have."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([1, 0, 0, 0, 0])
    pixels = zlib.compress(b"\x00" * 100)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels, length) + chunk(b"IEND", b"")


def laughs(levels: int, width: int) -> str:
    """YAML in which each list contains the one before it several times."""
    lists = [f"&a{level} [{', '.join([f'*a{level - 1}'] * width)}]" for level in range(1, levels)]
    return "name: [" + ", ".join(["&a0 [lol, lol]", *lists]) + "]"


DEEP = b"[" * 100_000
LABELS = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }", b"\x00\x01\x00\x01")
GOOD = {name: next(iter(target.seeds())) for name, target in TARGETS.items()}
FOUND = [
    # refusals with many lines or with all of the input
    ("nasbench201", b"|" * 5000),
    ("nasbench201", "|none\u2028~0|".encode()),
    ("config", b"search:\n  objective: " + b"9" * 5000),
    ("overrides", b"search." + b"a" * 5000 + b"=1"),
    ("sources", b"\r"),
    # errors of the YAML library, and inputs for which it takes long
    ("config", b"seed: " + b"9" * 5000),
    ("config", laughs(12, 9).encode()),
    ("config", b"name: &a [*a]"),
    ("config", b"name: &a {<<: *a}"),
    ("config", DEEP),
    ("config", b"name: " + b"${" * 400),
    ("config", b"name: ${oc.env:HOME}"),
    ("config", b"data: {root: ${name}${name}}\nname: ${device}${device}"),
    ("config", b"data: {name: npz, root: ${name}}\nname: ${data.root}"),
    ("overrides", b"seed=" + laughs(12, 9).encode()[6:]),
    ("overrides", b"seed=" + DEEP),
    ("overrides", b"data.root=a\x00b"),
    ("overrides", b"data.root=" + b"a" * 20_000),
    ("sources", b"timm:lcnet_050\nnum_classes=" + DEEP),
    # names that no file can have
    ("sources", b"torchvision:squeezenet1_1@" + b"a" * 5000),
    ("sources", b"torchvision:squeezenet1_1@~nobody\x00"),
    ("sources", b"${" * 3000),
    # tables
    ("table-robustness", GOOD["table-robustness"].replace(b'"isomorph": "2"', b'"isomorph": {}')),
    ("table-robustness", GOOD["table-robustness"].replace(b'"nb201-string": "', b'"nb201-string": 1.5, "": "', 1)),
    ("table-robustness", GOOD["table-robustness"].replace(b"0.5", b"1" + b"0" * 400, 1)),
    ("table-robustness", GOOD["table-robustness"].replace(b"[1, 8.0]", b"[1" + b"0" * 400 + b", 8.0]")),
    ("table-robustness", DEEP),
    ("table-scores-jsonl", DEEP),
    ("table-scores-json", DEEP),
    ("table-suite-zero", b'{"cifar10": {"(4, 0, 3, 1, 4, 3)": ' + DEEP),
    # arrays
    *(
        (
            "npz-arrays",
            SEPARATOR.join([npy(f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}}}"), LABELS]),
        )
        for kind, shape in (
            ("|u1", "(10**30, 4, 4, 3)"),
            ("|u1", "(" + "9" * 30 + ", 4, 4)"),
            ("|u1", "(4000000000, 4, 4)"),
            ("|u1", "(0, 4000000000, 4)"),
            ("|O", "(4, 4, 4)"),
            ("|u1", "(4,"),
        )
    ),
    ("npz-arrays", b"no array" + SEPARATOR + LABELS),
    # images
    ("image", png(8, 8, 0x7FFFFFFF)),
    ("image", png(20_000, 8_000)),
    ("image", png(2**31 - 1, 2**31 - 1)),
    # networks
    ("exported-description", DEEP),
    ("exported-description", GOOD["exported-description"].replace(b'"channels": 1', b'"channels": 1024')),
    ("exported-description", GOOD["exported-description"].replace(b'"channels": 1', b'"channels": true')),
    ("exported-description", GOOD["exported-description"].replace(b'"num_classes": 2', b'"num_classes": ' + b"9" * 30)),
    ("exported-description", GOOD["exported-description"].replace(b"0.25", b"0")),
    ("exported-description", GOOD["exported-description"].replace(b'"mine"', b"[]")),
    ("exported-description", GOOD["exported-description"].replace(b'"nasbench201"', b'"another"')),
    # runs
    ("run-config", DEEP),
    ("run-result", DEEP),
    ("run-result", b"[]"),
]


@pytest.mark.filterwarnings("ignore:Image size")
@pytest.mark.parametrize(("name", "data"), FOUND, ids=lambda value: value if isinstance(value, str) else "")
def test_what_was_found_once_is_refused(name: str, data: bytes) -> None:
    assert not check(TARGETS[name], data)


def test_a_few_bytes_that_stand_for_many_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file holds many zeros; here more than 64 KiB need a file of a fitting size."""
    monkeypatch.setattr("nas.core.data.formats.npz.FREE_BYTES", 2**16)
    settings = DataSettings("npz", str(tmp_path / "mine.npz"))
    images, labels = np.zeros((1000, 32, 32, 3), np.uint8), np.arange(1000) % 2
    np.savez_compressed(tmp_path / "mine.npz", images=images, labels=labels)
    with pytest.raises(InputError, match="unpacks to 3,080,256 bytes from"):
        load(settings, keep=False)
    np.savez(tmp_path / "mine.npz", images=images, labels=labels)  # as large as it is
    assert load(settings, keep=False).num_classes == 2
