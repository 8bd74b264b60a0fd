"""The reader of pickles accepts arrays and plain containers, and refuses all else that a pickle can do."""

from __future__ import annotations

import pickle
import struct
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.core.errors import InputError
from nas.core.io.unpickle import _dtype, _Foreign, read_pickle

VALUE: dict[Any, Any] = {
    "plain": [1, -2.5, None, True, "é", b"\xff", 10**30, (1, [2, {"a": ()}])],
    b"bytes for a key": 0,
    5: "five",
    "images": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    "fortran": np.asfortranarray(np.ones((2, 3), np.float32)),
    "big endian": np.arange(4, dtype=">i4"),
    "text": np.array(["ab", "c"]),
    "bytes": np.array([b"ab", b"c"]),
    "single": np.array(3.0),
    "number": np.float64(0.1),
    "label": np.int64(7),
    "truth": np.bool_(True),
    "set": {1, "a"},
    "pairs": OrderedDict({("cifar10", 777): {"acc": 0.5}}),
}


def equal(found: Any, value: Any) -> bool:
    if isinstance(value, (np.ndarray, np.generic)):
        native = value.dtype.newbyteorder("=")  # as numpy itself unpickles it
        return found.dtype == native and np.array_equal(found, value)
    return type(found) is type(value) and found == value


@pytest.mark.parametrize("protocol", range(5))
def test_arrays_and_plain_values_come_back(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "a").write_bytes(pickle.dumps(VALUE, protocol))
    found = read_pickle(tmp_path / "a")
    assert found.keys() == VALUE.keys()
    for key, value in VALUE.items():
        assert equal(found[key], value), key


class Call:
    """Its pickle calls a function."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self.function, self.arguments, self.state = function, arguments, state

    def __reduce__(self) -> Any:
        return (self.function, self.arguments, self.state) if self.state else (self.function, self.arguments)


def array(dtype: bytes, shape: bytes, content: bytes, state: bytes = b"N") -> bytes:
    """The pickle of an array, with the pickle `dtype` as its type."""
    empty = b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntC\x01btR"
    return b"\x80\x03" + empty + b"(K\x01" + shape + dtype + b"I00\n" + content + b"tb."


def dtype(name: bytes, state: bytes = b"") -> bytes:
    return b"cnumpy\ndtype\n(U" + bytes([len(name)]) + name + b"I00\nI01\ntR" + state


def state(order: bytes = b"<", fields: bytes = b"NNN", size: int = -1, flags: int = 0) -> bytes:
    numbers = b"".join(b"J" + struct.pack("<i", number) for number in (size, -1, flags))
    return b"(K\x03U\x01" + order + fields + numbers + b"tb"


NESTED = b"\x80\x02}(" + b"(" * 200_000 + b"t" * 200_000 + b"K\x01u."
ADDRESSES = b"A" * 16
EXPLOITS = {
    "a command": lambda mark: pickle.dumps(Call(__import__("os").system, f"touch {mark}")),
    "a process": lambda mark: pickle.dumps(Call(subprocess.check_output, ["touch", str(mark)])),
    "eval": lambda mark: pickle.dumps(Call(eval, f"open({str(mark)!r}, 'w')")),
    "exec in protocol 0": lambda mark: f"c__builtin__\nexec\n(S\"open({str(mark)!r}, 'w')\"\ntR.".encode(),
    "an import": lambda mark: b"cbuiltins\n__import__\n(S'antigravity'\ntR.",
    "getattr": lambda mark: pickle.dumps(Call(getattr, "", "join")),
    "a dotted name": lambda mark: b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__base__\x93.",
    "an old instance": lambda mark: f"(S'touch {mark}'\nios\nsystem\n.".encode(),
    "an object on the stack": lambda mark: f"(cos\nsystem\nS'touch {mark}'\no.".encode(),
    "a new object": lambda mark: b"\x80\x02cnumpy\nndarray\n(K\x01t\x81.",
    "a C function": lambda mark: b"cctypes\nstring_at\n(K\x00tR.",
    "a persistent id": lambda mark: b"\x80\x02K\x01Q.",
    "an extension": lambda mark: b"\x80\x02\x82\x01.",
    "numpy's loader": lambda mark: f"cnumpy\nload\n(S'{mark}'\ntR.".encode(),
    "a module in numpy": lambda mark: b"cnumpy.f2py\ncompile\n(S'x'\ntR.",
    "the state of a function": lambda mark: b"\x80\x02cnumpy._core.multiarray\nscalar\n}U\x08__name__U\x01xsb.",
    "the attributes of a function": lambda mark: (
        b"\x80\x02cnumpy._core.multiarray\nscalar\nN}U\x0c__defaults__K\x01\x85s\x86b."
    ),
    "the state of a class": lambda mark: b"\x80\x02cnumpy\nndarray\n}U\x01aK\x01sb.",
    "the state of a list": lambda mark: b"\x80\x02]}U\x01aK\x01sb.",
    "memory as objects": lambda mark: (
        b"\x80\x03cnumpy\nndarray\n((K\x02tcnumpy\ndtype\n(U\x01OtRC\x10" + ADDRESSES + b"tR."
    ),
    "an array of objects": lambda mark: pickle.dumps(np.array([Call(print)], dtype=object)),
    "an array of plain objects": lambda mark: pickle.dumps(np.array([1, None], dtype=object)),
    "an object as a scalar": lambda mark: (
        b"\x80\x03cnumpy._core.multiarray\nscalar\n(" + dtype(b"O") + b"C\x10" + ADDRESSES + b"tR."
    ),
    "a type with objects in its fields": lambda mark: pickle.dumps(np.zeros(2, [("a", "i8"), ("b", object)])),
    "a type with fields": lambda mark: pickle.dumps(np.zeros(2, [("a", "i8")])),
    "numbers made addresses": lambda mark: array(dtype(b"i8", state(flags=63)), b"(K\x02t", b"C\x10" + ADDRESSES),
    "a type of another size": lambda mark: array(dtype(b"S1", state(size=2**30)), b"(K\x02t", b"C\x02AA"),
    "fields outside the type": lambda mark: array(
        dtype(b"V8", state(fields=b"N(U\x01at}U\x01a(" + dtype(b"i8") + b"J\x00\x00\x00\x40ts")),
        *(b"(K\x01t", b"C\x08AAAAAAAA"),
    ),
    "contents that do not fill it": lambda mark: array(dtype(b"u1"), b"(J\xff\xff\xff\x7ft", b"C\x01A"),
    "sides below zero": lambda mark: array(dtype(b"u1"), b"(J\xff\xff\xff\xffJ\xff\xff\xff\xfft", b"C\x01A"),
    "a large memo": lambda mark: b"\x80\x02Nr\xff\xff\xff\x7f0" * 3,
    "a large text": lambda mark: b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "deep tuples to hash": lambda mark: NESTED,
    "deep tuples in a set": lambda mark: b"\x80\x04\x8f(" + b"(" * 200_000 + b"t" * 200_000 + b"\x90.",
    "deep tuples in a set of old": lambda mark: (
        b"\x80\x02cbuiltins\nset\n((" + b"(" * 200_000 + b"t" * 200_000 + b"ltR."
    ),
    "another codec": lambda mark: b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x03\x00\x00\x00zip\x74R.",
    "nothing": lambda mark: b"",
}


@pytest.mark.parametrize("name", EXPLOITS)
def test_what_could_do_harm_is_refused(tmp_path: Path, name: str) -> None:
    mark = tmp_path / "was here"
    path = tmp_path / "a.pickle"
    path.write_bytes(EXPLOITS[name](mark))
    with pytest.raises(InputError) as caught:
        read_pickle(path)
    assert "a.pickle" in str(caught.value)
    assert not mark.exists()
    assert "antigravity" not in sys.modules


def test_nothing_that_was_refused_leaves_a_trace(tmp_path: Path) -> None:
    from nas.core.io import unpickle

    before = [dict(vars(value)) for value in (unpickle._scalar, unpickle._latin1, unpickle._dtype)]
    for make in list(EXPLOITS.values())[:20]:
        (tmp_path / "a").write_bytes(make(tmp_path / "mark"))
        with pytest.raises(InputError):
            read_pickle(tmp_path / "a")
    assert [dict(vars(value)) for value in (unpickle._scalar, unpickle._latin1, unpickle._dtype)] == before
    assert unpickle._scalar.__defaults__ is None
    assert np.dtype("i8").hasobject is False


@pytest.mark.parametrize("name", ["O8", "V8", "M8[s]", "nonesuch" * 3, 8, None])
def test_numpy_types_that_are_no_numbers_are_refused_by_name(name: object) -> None:
    with pytest.raises(_Foreign, match="the numpy type"):
        _dtype(name)


@pytest.mark.parametrize("name", ["u1", "i8", "f4", "b1"])
def test_numpy_types_of_numbers_are_read(name: str) -> None:
    assert _dtype(name) == np.dtype(name)
