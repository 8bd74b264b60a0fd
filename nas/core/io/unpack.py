"""Unpack a tar archive safely: only files and folders, and only inside the given folder."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from nas.core.errors import InputError

MAX_FILES = 100_000


def unpack(archive: Path, folder: Path, max_bytes: int) -> None:
    """Write the files of a (compressed) tar archive into `folder`: at most `MAX_FILES` files of `max_bytes` in all.

    Raises `InputError` for names that lead out of the folder (absolute, or with ..), for links, devices and pipes, and
    for an archive that is too large or damaged; files written before the error stay. Modes and owners are ignored.
    """
    written = 0
    try:
        with tarfile.open(archive) as tar:
            for number, member in enumerate(tar):
                name = PurePosixPath(member.name)
                inside = not name.is_absolute() and not {"..", "\\", ":", "\0"} & {*name.parts, *member.name}
                if not inside or not (member.isfile() or member.isdir()):
                    raise InputError(
                        f"Expected only files and folders in {archive} but it has {member.name!r}, which could write "
                        "elsewhere; fetch it from its official source."
                    )
                written += member.size
                if written > max_bytes or number >= MAX_FILES:
                    raise InputError(
                        f"Expected at most {max_bytes:,} bytes and {MAX_FILES:,} files in {archive} but it has more; "
                        "fetch it again."
                    )
                target = folder / name
                if member.isdir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                source = tar.extractfile(member)
                assert source is not None
                with source, target.open("xb") as file:
                    shutil.copyfileobj(source, file)
    except (tarfile.TarError, EOFError, zlib.error, ValueError) as error:
        raise InputError(f"Expected a tar archive but {archive} is damaged ({error}); fetch it again.") from error
