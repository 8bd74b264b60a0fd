"""Save and load checkpoints: atomic to write, checked when read, and never able to run code."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import torch

from nas.core.errors import InputError
from nas.core.files import write_atomic


def save(path: Path, payload: dict[str, Any]) -> None:
    """Write tensors and plain values; a kill at any moment leaves the old file or the new one."""
    buffer = io.BytesIO()  # torch.save hides a full disk behind errors of its own
    torch.save(payload, buffer)
    write_atomic(path, lambda file: file.write(buffer.getbuffer()))


def load(path: Path, kind: str) -> dict[str, Any]:
    """Read a checkpoint whose entry "kind" is `kind`; `InputError` where it is missing, damaged or something else.

    Every part's CRC is verified and unpickling is restricted to tensors and plain values (`weights_only`).
    """
    if not path.is_file():
        raise InputError(f"Expected a checkpoint at {path} but there is no such file; check the path.")
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
        if broken is not None:
            raise InputError(_damaged(path, f"its part {broken} does not match its checksum"))
        payload = torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except Exception as error:  # zipfile, pickle and torch each have their own ways to say that a file is broken
        raise InputError(_damaged(path, str(error).splitlines()[0] if str(error) else type(error).__name__)) from error
    if not isinstance(payload, dict) or payload.get("kind") != kind:
        raise InputError(f"Expected a checkpoint of kind {kind!r} but {path} holds something else; check the path.")
    return payload


def _damaged(path: Path, why: str) -> str:
    return f"Expected a whole checkpoint but {path} is damaged ({why}); restore it from a copy or train again."
