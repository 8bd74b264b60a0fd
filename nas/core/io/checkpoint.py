"""Save and load checkpoints: atomic to write, checked when read, and never able to run code."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from nas.core.errors import InputError
from nas.core.io.files import DamagedError, put_aside, write_atomic
from nas.core.reasons import said

State = dict[str, Any]  # what a checkpoint can hold: tensors, plain values, and lists and dictionaries of these


def save(path: Path, payload: State, previous: Path | None = None) -> None:
    """Write tensors and plain values; a kill at any moment leaves the old file or the new one.

    What was at `path` is at `previous` afterwards, where that is given.
    """
    buffer = io.BytesIO()  # torch.save hides a full disk behind errors of its own
    torch.save(payload, buffer)
    write_atomic(path, lambda file: file.write(buffer.getbuffer()), previous)


def load(path: Path, kind: str) -> State:
    """Read a checkpoint whose entry "kind" is `kind`; `InputError` where it is missing, damaged or something else.

    Every part's CRC is verified and unpickling is restricted to tensors and plain values (`weights_only`).
    """
    if not path.is_file():
        raise InputError(f"Expected a checkpoint at {path} but there is no such file; check the path.")
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
        if broken is not None:
            raise _damaged(path, f"its part {broken} does not match its checksum")
        payload = torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except Exception as error:  # zipfile, pickle and torch each have their own ways to say that a file is broken
        raise _damaged(path, said(error) or type(error).__name__) from error
    if not isinstance(payload, dict) or payload.get("kind") != kind:
        raise InputError(f"Expected a checkpoint of kind {kind!r} but {path} holds something else; check the path.")
    return payload


def save_rotating(path: Path, payload: State) -> None:
    """`save` what a stopped work goes on from; the one before stays as `last.previous.pt` beside `last.pt`."""
    save(path, payload, _previous(path))


def load_newest_valid(path: Path, kind: str) -> Iterator[State]:
    """What `save_rotating` wrote, the newest first; none where there is none.

    One that is damaged is named in a warning and put aside as `last.damaged-N.pt`; what is behind it is the one before
    it, or the start. Work that is repeated from there comes to the same end.
    """
    files = [file for file in (path, _previous(path)) if file.is_file()]
    for file, behind in zip(files, [*files[1:], None]):
        try:
            yield load(file, kind)
        except DamagedError as error:
            logging.getLogger("nas").warning(
                "The checkpoint %s was damaged (%s). It is %s now; the work goes on from %s, to the same result.",
                file,
                error.reason,
                put_aside(file).name,
                "the start" if behind is None else behind.name,
            )


def validate(path: Path, kind: str) -> str | None:
    """Why the checkpoint at `path` cannot be used; None where it can."""
    try:
        load(path, kind)
    except DamagedError as error:
        return error.reason
    except InputError:
        return "it is gone" if not path.exists() else "it holds something else"
    return None


def _previous(path: Path) -> Path:
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def _damaged(path: Path, why: str) -> DamagedError:
    return DamagedError(
        f"Expected a whole checkpoint but {path} is damaged ({why}); restore it from a copy or train again.", why
    )
