"""Read the pickles that CIFAR and ImageNet16 come in without running what a stranger may have put there."""

from __future__ import annotations

import codecs
import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from nas.core.data.loader import log
from nas.core.errors import InputError


def read_pickle(path: Path, md5: str | None = None) -> Any:
    """The plain containers and numpy arrays in a pickle file; strings of Python 2 come as latin-1 text.

    Raises `InputError` naming the file where it is missing or damaged or asks for anything else. A file whose
    MD5 is not the published one is read all the same, with a warning.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"Expected to read {path} but: {error.strerror or error}.") from error
    if md5 is not None and hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        log.warning("%s is not the published file (its MD5 differs); its numbers may not be comparable.", path)
    try:
        return _Unpickler(io.BytesIO(content), path).load()
    except InputError:
        raise
    except Exception as error:  # a damaged pickle may raise anything at all
        raise InputError(
            f"Expected a pickle in {path} but it is damaged ({type(error).__name__}: {error}); "
            "delete it and fetch it again."
        ) from error


class _Unpickler(pickle.Unpickler):
    """Admits what a numpy array needs and refuses every other name."""

    def __init__(self, file: io.BytesIO, path: Path) -> None:
        super().__init__(file, encoding="latin1")
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            if name == "_reconstruct":
                return _empty_array
            if name == "scalar":
                return _scalar
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if (module, name) == ("_codecs", "encode"):
            return _latin1
        raise InputError(
            f"Expected only arrays in {self.path} but it asks for {module}.{name}, which could run "
            "foreign code; fetch the file from its official source."
        )


def _empty_array(kind: type, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """What numpy's own `_reconstruct` does, for plain arrays only; the contents follow in the pickle."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError("not a plain array")
    return np.ndarray(shape, dtype)


def _scalar(dtype: np.dtype, content: Any) -> Any:
    """A numpy number from its bytes."""
    data = codecs.encode(content, "latin1") if isinstance(content, str) else content
    return np.frombuffer(data, dtype, count=1)[0]


def _latin1(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes for protocol 2; no other codec is wanted."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"unexpected encoding {encoding!r}")
    return codecs.encode(text, "latin1")
