"""Write files so that nobody can ever read a half-written one; read text files of users."""

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

from nas.core.errors import RESUME, InputError

READ_BYTES = 2**20  # at a time
_BYTE_ORDER_MARKS = {  # the longer ones first: the mark of UTF-32 begins with that of UTF-16
    b"\xff\xfe\x00\x00": "UTF-32 (little endian)",
    b"\x00\x00\xfe\xff": "UTF-32 (big endian)",
    b"\xff\xfe": "UTF-16 (little endian)",
    b"\xfe\xff": "UTF-16 (big endian)",
}


class EncodingError(InputError):
    """A text is in `encoding`, not in UTF-8."""

    def __init__(self, message: str, encoding: str = "") -> None:
        super().__init__(message)
        self.encoding = encoding


class DamagedError(InputError):
    """A file is not as it was written: truncated, overwritten, or with a flipped bit. `reason` says it briefly."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message


class ChangedError(DamagedError):
    """A file can be read but its content is not what was written: it was damaged, or edited by hand."""


def read_text(path: Path) -> str:
    """The text of a user's file in UTF-8, without a byte order mark and with "\\n" at the end of lines.

    Raises `EncodingError` if the file begins with the mark of another encoding. It also raises `OSError` and
    `UnicodeDecodeError`; the caller explains those to the user.
    """
    content = path.read_bytes()
    check_encoding(content, str(path))
    return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """A user's text file, opened for reading line by line, with unchanged line ends, as `csv` expects.

    Raises the same errors as `read_text`.
    """
    with path.open("rb") as file:
        check_encoding(file.peek(4), str(path))
        with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
            yield text


def check_encoding(content: bytes, name: str) -> None:
    """Raises `EncodingError` if the content begins with the byte order mark of an encoding other than UTF-8."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            raise EncodingError(f"Expected text in UTF-8 but {name} is in {encoding}; save it as UTF-8.", encoding)


def write_atomic(path: Path, write: Callable[[BinaryIO], Any], previous: Path | None = None) -> None:
    """Call `write` on a temporary file beside `path`, flush it to the disk, then rename it to `path`.

    The file that was at `path` before is kept at `previous`, if that is given. Raises `InputError` if the disk is full
    or the folder cannot be written.
    """
    with os_errors_as_input_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())  # mkstemp's mode would hide the run from the user's group
            if previous is not None and path.exists():
                _link(path, previous)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _link(path: Path, previous: Path) -> None:
    """Link the file to `previous` too; if the file system has no hard links, move it there."""
    linked = previous.with_name(f".{previous.name}.link")
    linked.unlink(missing_ok=True)  # left by a process that was killed here
    try:
        os.link(path, linked)
    except OSError:
        os.replace(path, previous)
        return
    os.replace(linked, previous)
    linked.unlink(missing_ok=True)  # renaming between two links to the same file does nothing


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, atomically. Raises `InputError` if the file cannot be written."""
    write_text(path, _json_text(value))


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, atomically. Raises `InputError` if the file cannot be written."""
    write_atomic(path, lambda file: file.write(text.encode()))


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    """Rows of cells as CSV; a None becomes an empty cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def put_aside(path: Path, *companions: Path) -> Path:
    """Rename a damaged file to the next free NAME.damaged-N.SUFFIX beside it; returns the new path.

    Those of `companions` that exist are renamed first and get the same number. Raises `InputError` if the folder cannot
    be written.
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
    """The SHA-256 of a file's content in hexadecimal; the file is read in chunks. Raises `OSError`."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def write_with_checksum(path: Path, value: Any) -> None:
    """Write a value as JSON, and its checksum beside it as NAME.sha256, in the format of `sha256sum -c`.

    Raises `InputError` if a file cannot be written.
    """
    text = _json_text(value)
    write_text(_checksum_file(path), f"{hashlib.sha256(text.encode()).hexdigest()}  {path.name}\n")
    write_text(path, text)


def read_with_checksum(path: Path) -> Any:
    """The value of a JSON file, which is compared with its NAME.sha256 if there is one.

    Raises `DamagedError` if the file is not JSON, `ChangedError` if it does not match its checksum, and
    `FileNotFoundError` if it is missing.
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
            f"Expected a readable {path} but: {error}; restore it from a copy.", f"it is not JSON: {error}"
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


def _json_text(value: Any) -> str:
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


@contextmanager
def os_errors_as_input_errors(path: Path) -> Iterator[None]:
    """Turn errors of the system (full disk, read-only folder, ...) into an `InputError` that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise InputError(f"Expected room for {path} but the disk is full; free some space and {RESUME}.") from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise InputError(
                f"Expected to write {path} but the folder is read-only; make it writable, or choose another with "
                "run.dir=..."
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG):
            raise InputError(f"Expected to write {path} but: {error.strerror}; choose another path.") from error
        raise
