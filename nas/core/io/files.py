"""Write files so that a half-written one can never be read as a whole one, and read the texts of users."""

from __future__ import annotations

import contextlib
import csv
import errno
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from nas.core.errors import InputError

CHUNK = 2**20  # bytes read at a time
_BYTE_ORDER_MARKS = {  # the longer ones first: one begins as another
    b"\xff\xfe\x00\x00": "UTF-32 (little endian)",
    b"\x00\x00\xfe\xff": "UTF-32 (big endian)",
    b"\xff\xfe": "UTF-16 (little endian)",
    b"\xfe\xff": "UTF-16 (big endian)",
}


class EncodingError(InputError):
    """A text is not in UTF-8 but in `encoding`."""

    def __init__(self, message: str, encoding: str = "") -> None:
        super().__init__(message)
        self.encoding = encoding


class DamagedError(InputError):
    """A file is not as it was written: truncated, overwritten, a bit flipped. `reason` says it in a few words."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message


class ChangedError(DamagedError):
    """A file can be read but is another than the one that was written, be it by damage or by hand."""


def read_text(path: Path) -> str:
    """The text of a user's file: UTF-8, a byte order mark taken off, lines ended by "\\n" alone.

    `EncodingError` names another encoding where the file begins with its mark. `OSError` and `UnicodeDecodeError` are
    the caller's to tell.
    """
    content = path.read_bytes()
    refuse_encoding(content, str(path))
    return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """The same, to be read line by line, with the ends of lines as they are, which is what `csv` wants."""
    with path.open("rb") as file:
        refuse_encoding(file.peek(4), str(path))
        with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
            yield text


def refuse_encoding(content: bytes, name: str) -> None:
    """`EncodingError` where the content begins with the byte order mark of another encoding than UTF-8."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            raise EncodingError(f"Expected text in UTF-8 but {name} is in {encoding}; save it as UTF-8.", encoding)


def write_atomic(path: Path, write: Callable[[BinaryIO], Any], previous: Path | None = None) -> None:
    """Call `write` on a temporary file beside `path`, flush it to the disk, then rename it over `path`.

    What was at `path` is at `previous` afterwards, where that is given.
    """
    with os_errors_as_input_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())  # mkstemp's own mode hides the run from the user's group
            if previous is not None and path.exists():
                _link(path, previous)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _link(path: Path, previous: Path) -> None:
    """The file is at both places; where the disk knows no links, at `previous` alone."""
    linked = previous.with_name(f".{previous.name}.link")
    linked.unlink(missing_ok=True)  # of a process that was killed here
    try:
        os.link(path, linked)
    except OSError:
        os.replace(path, previous)
        return
    os.replace(linked, previous)
    linked.unlink(missing_ok=True)  # a rename between two names of one file leaves both


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def write_json(path: Path, value: Any) -> None:
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    write_atomic(path, lambda file: file.write(text.encode()))


def write_text(path: Path, text: str) -> None:
    write_atomic(path, lambda file: file.write(text.encode()))


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    """Rows of cells as CSV; the cell of a None is empty."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def put_aside(path: Path, *companions: Path) -> Path:
    """Rename a damaged file to the next free NAME.damaged-N.SUFFIX beside it; returns where it is now.

    Of `companions`, which go first, those that exist get the same number.
    """

    def moved(file: Path) -> Path:
        return file.with_name(f"{file.stem}.damaged-{number}{file.suffix}")

    files = [*companions, path]
    number = 1
    while any(moved(file).exists() for file in files):
        number += 1
    with os_errors_as_input_errors(path):
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                os.replace(file, moved(file))
    return moved(path)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content in hexadecimal, read piece by piece."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def write_with_checksum(path: Path, value: Any) -> None:
    """`write_json`, and beside it NAME.sha256 in the form that `sha256sum -c` reads."""
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    write_text(_checksum_file(path), f"{hashlib.sha256(text.encode()).hexdigest()}  {path.name}\n")
    write_text(path, text)


def read_with_checksum(path: Path) -> Any:
    """The value of a JSON file; `DamagedError` where it is none or not the one that its NAME.sha256 is of.

    A file without one is taken as it is; a missing file is a `FileNotFoundError`.
    """
    content = path.read_bytes()
    try:
        wanted = _checksum_file(path).read_bytes()
    except FileNotFoundError:
        wanted = None
    try:
        value = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DamagedError(
            f"Expected a readable {path} but: {error}; restore it from a copy.", f"it is no JSON: {error}"
        ) from error
    if wanted is not None and wanted.split(b" ")[0] != hashlib.sha256(content).hexdigest().encode():
        raise ChangedError(
            f"Expected {path} as it was written but it does not match its checksum in {_checksum_file(path).name}; "
            "restore it from a copy.",
            "it does not match its checksum",
        )
    return value


def _checksum_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


@contextmanager
def os_errors_as_input_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals (full disk, read-only folder, ...) into one line that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise InputError(
                f"Expected room for {path} but the disk is full; free some space and continue with `nas resume`."
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise InputError(
                f"Expected to write {path} but the folder is read-only; make it writable, or choose another with "
                "run.dir=..."
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG):
            raise InputError(f"Expected to write {path} but: {error.strerror}; choose another path.") from error
        raise
