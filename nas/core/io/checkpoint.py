"""Save and load checkpoints: written atomically, checked when read, and never able to run code."""

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
from nas.core.reasons import message_of

State = dict[str, Any]  # content of a checkpoint: tensors, plain values, and lists and dictionaries of these


def save(path: Path, payload: State, previous: Path | None = None) -> None:
    """Write tensors and plain values; a kill at any moment leaves either the old file or the new one.

    The file that was at `path` before is kept at `previous`, if that is given. Raises `InputError` if the disk is full
    or the folder cannot be written.
    """
    buffer = io.BytesIO()  # on a full disk torch.save would raise other errors
    torch.save(payload, buffer)
    write_atomic(path, lambda file: file.write(buffer.getbuffer()), previous)


def load(path: Path, kind: str) -> State:
    """Read a checkpoint whose entry "kind" is `kind`.

    The CRC of every part is verified, and unpickling is restricted to tensors and plain values (`weights_only`). Raises
    `DamagedError` if the file is damaged and `InputError` if it is missing or is something else.
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
    except Exception as error:  # zipfile, pickle and torch raise many kinds of errors for a broken file
        raise _damaged(path, message_of(error) or type(error).__name__) from error
    if not isinstance(payload, dict) or payload.get("kind") != kind:
        raise InputError(f"Expected a checkpoint of kind {kind!r} but {path} holds something else; check the path.")
    return payload


def save_rotating(path: Path, payload: State) -> None:
    """`save` the state to resume from, and keep the previous one: that of `last.pt` as `last.previous.pt`."""
    save(path, payload, _previous(path))


def load_newest_valid(path: Path, kind: str) -> Iterator[State]:
    """Yield the checkpoints of `save_rotating` that can be read, the newest first.

    A warning names each damaged checkpoint, which is renamed to `last.damaged-N.pt`. The work then resumes from the
    previous checkpoint, or starts from the beginning; it comes to the same result.
    """
    files = [file for file in (path, _previous(path)) if file.is_file()]
    for file, earlier in zip(files, [*files[1:], None]):
        try:
            yield load(file, kind)
        except DamagedError as error:
            logging.getLogger("nas").warning(
                "The checkpoint %s was damaged (%s). It is now %s; the work continues from %s, to the same result.",
                file,
                error.reason,
                put_aside(file).name,
                "the start" if earlier is None else earlier.name,
            )


def validate(path: Path, kind: str) -> str | None:
    """Check the checkpoint at `path`: the reason why it cannot be used, or `None` if it can."""
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
