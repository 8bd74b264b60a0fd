"""Read pickle files of published data without running code that somebody may have put into them.

A pickle is a program for a small virtual machine. The machine here knows only plain values, lists, tuples,
dictionaries, sets, and what numpy's arrays and numbers need; it refuses all other instructions before it executes them.
"""

from __future__ import annotations

import bz2
import codecs
import hashlib
import io
import logging
import math
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from nas.core.errors import InputError

ARRAY = "numpy.ndarray"  # in place of the class that a pickle names: it can be passed on but not called
NUMBERS = "biufc"  # kinds of numpy types that hold numbers
KINDS = NUMBERS + "SU"  # and text; arrays of objects could contain anything


def read_pickle(path: Path, md5: str | None = None) -> Any:
    """The plain containers and numpy arrays in a pickle file; strings of Python 2 are decoded as latin-1 text.

    Raises `InputError`, which names the file, if the file is missing or damaged or asks for other objects. If its
    MD5 is not the published one, the file is still read, with a warning.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"Expected to read {path} but: {error.strerror or error}.") from error
    if md5 is not None and hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        logging.getLogger("nas").warning(
            "%s is not the published file (its MD5 differs); its numbers may not be comparable.", path
        )
    return plain(content, path)


def read_compressed(path: Path) -> Any:
    """`read_pickle` for a file compressed with bzip2, such as those of NATS-Bench. Raises `InputError` likewise."""
    try:
        with bz2.open(path) as file:
            content = file.read()
    except OSError as error:
        raise InputError(f"Expected a bzip2 file in {path} but: {error.strerror or error}; fetch it again.") from error
    except EOFError as error:
        raise InputError(f"Expected a bzip2 file in {path} but it ends early; fetch it again.") from error
    return plain(content, path)


def plain(content: bytes, path: Path) -> Any:
    """The value of the pickle `content` from `path`. Raises `InputError` if it is damaged or asks for other objects."""
    try:
        return _Unpickler(content).load()
    except _Foreign as error:
        raise InputError(
            f"Expected only arrays in {path} but it asks for {error}, which could run foreign code; fetch the file "
            "from its official source."
        ) from error
    except Exception as error:  # a damaged pickle may raise anything
        raise InputError(
            f"Expected a pickle in {path} but it is damaged ({type(error).__name__}: {error}); "
            "delete it and fetch it again."
        ) from error


class _Foreign(Exception):
    """The pickle asks for something that plain values and arrays do not need, named by the message."""


_Machine: Any = pickle._Unpickler  # type: ignore[attr-defined]  # the version in C has no table of instructions


class _Unpickler(_Machine):
    """Executes only the instructions, and finds only the names, that plain values and arrays need."""

    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(_Machine.dispatch)

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            if name == "_reconstruct":
                return _empty_array
            if name == "scalar":
                return _scalar
        if module == "numpy" and name == "ndarray":
            return ARRAY
        if module == "numpy" and name == "dtype":
            return _dtype
        if (module, name) == ("_codecs", "encode"):
            return _latin1
        if (module, name) == ("collections", "OrderedDict"):
            return _ordered
        if module in ("builtins", "__builtin__") and name == "set":
            return _set
        raise _Foreign(f"{module}.{name}")

    def load_build(self) -> None:
        """Set the contents of an array or the byte order of a type; refuse the state of anything else."""
        state = self.stack.pop()
        value = self.stack[-1]
        if isinstance(value, np.dtype):
            _check_type_state(value, state)
        elif type(value) is np.ndarray:
            _check_array_state(state)
        else:
            raise _Foreign(f"the state of a {type(value).__name__}")
        value.__setstate__(state)

    def load_setitem(self) -> None:
        _check_keys(self.stack[-2:-1])
        super().load_setitem()

    def load_setitems(self) -> None:
        _check_keys(self.stack[::2])
        super().load_setitems()

    def load_dict(self) -> None:
        _check_keys(self.stack[::2])
        super().load_dict()

    def refuse(self) -> None:
        raise _Foreign("an object or a set")

    def load_additems(self) -> None:
        items = self.pop_mark()
        _check_keys(items)
        self.stack[-1].update(items)

    dispatch[pickle.ADDITEMS[0]] = load_additems
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.DICT[0]] = load_dict
    for _instruction in (
        *(pickle.INST, pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.PERSID, pickle.BINPERSID),
        *(pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.FROZENSET),
        *(pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
    ):
        dispatch[_instruction[0]] = refuse


def _check_keys(keys: list[Any]) -> None:
    """Refuse nested tuples as keys of dictionaries and in sets: hashing a very deep one would crash the process."""
    for key in keys:
        flat = key if type(key) is tuple else (key,)
        if not all(isinstance(part, (str, bytes, int, float)) for part in flat):
            raise pickle.UnpicklingError(f"a dictionary with a {type(key).__name__} as a key")


def _dtype(text: Any, *flags: Any) -> np.dtype:
    """The numpy type with this name, which must hold numbers or text; a copy, because its state may be changed."""
    dtype = np.dtype(text) if isinstance(text, str) and len(text) < 20 else None
    if dtype is None or dtype.kind not in KINDS or dtype.names is not None or dtype.subdtype is not None:
        raise _Foreign(f"the numpy type {text!r:.80}")
    return np.dtype(dtype.str, copy=True)


def _check_type_state(dtype: np.dtype, state: Any) -> None:
    """Accept only a byte order: numpy does not check a type's state, which could turn numbers into addresses.

    The state is (version, byte order, subtype, names, fields, size, alignment, flags).
    """
    version, order, *inner, size, alignment, flags = state
    sizes = (-1, -1, 0) if dtype.kind in NUMBERS else (dtype.itemsize, dtype.alignment, dtype.flags)
    plain = version in (3, 4) and order in ("<", ">", "|", "=") and inner == [None] * 3
    if not plain or (size, alignment, flags) != sizes:
        raise _Foreign("a numpy type with a state of its own")


def _check_array_state(state: Any) -> None:
    """Check the state (version, shape, type, Fortran order, contents): the contents must fill the shape exactly."""
    _, shape, dtype, _, content = state
    if not isinstance(dtype, np.dtype) or not isinstance(content, (bytes, str)):
        raise pickle.UnpicklingError("an array without a type or contents")
    if any(type(side) is not int or side < 0 for side in shape) or math.prod(shape) * dtype.itemsize != len(content):
        raise pickle.UnpicklingError("an array whose contents do not fill it")


def _empty_array(kind: Any, *unused: Any) -> np.ndarray:
    """numpy's `_reconstruct` for plain arrays only; shape, type and contents follow in the pickle."""
    if kind is not ARRAY:
        raise pickle.UnpicklingError("not a plain array")
    return np.empty(0, np.uint8)


def _scalar(dtype: Any, content: Any) -> Any:
    """A numpy number or text, made from its bytes."""
    if not isinstance(dtype, np.dtype) or dtype.kind not in KINDS:
        raise _Foreign("a numpy value that is neither a number nor text")
    data = codecs.encode(content, "latin1") if isinstance(content, str) else content
    return np.frombuffer(data, dtype, count=1)[0]


def _ordered(*unused: Any) -> OrderedDict[Any, Any]:
    """An empty dictionary; its items follow in the pickle."""
    return OrderedDict()


def _set(items: Any = ()) -> set[Any]:
    _check_keys(list(items))
    return set(items)


def _latin1(text: str, encoding: str) -> bytes:
    """The bytes that Python 3 wrote as latin-1 text, as it does in protocol 2. No other encoding is needed."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"unexpected encoding {encoding!r}")
    return codecs.encode(text, "latin1")
