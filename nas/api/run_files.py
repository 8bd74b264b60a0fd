"""The folder in which a call works: one that the caller named and that stays, or a temporary one."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nas.core.errors import NasError
from nas.runs.run_config import CONFIG
from nas.runs.run_files import RESULT

KEPT = (CONFIG, f"{CONFIG}.sha256", RESULT, f"{RESULT}.sha256")
NETWORKS = ("best.pt", "final.pt")


@dataclass(frozen=True)
class RunFiles:
    """What is left of a run: its folder, or the content of its files if the folder was temporary."""

    folder: Path | None
    contents: dict[str, bytes]

    @classmethod
    def of(cls, folder: Path, temporary: bool) -> RunFiles:
        if not temporary:
            return cls(folder.resolve(), {})
        networks = [path for name in NETWORKS for path in folder.glob(f"models/*/{name}")]
        paths = [*(folder / name for name in KEPT), *networks]
        return cls(None, {str(path.relative_to(folder)): path.read_bytes() for path in paths if path.is_file()})

    @contextmanager
    def on_disk(self) -> Iterator[Path]:
        """The folder of the run; if it was temporary, a new one with the same files, until the end of the block."""
        if self.folder is not None:
            yield self.folder
            return
        with tempfile.TemporaryDirectory(prefix="nas-") as name:
            for place, content in self.contents.items():
                path = Path(name, "run", place)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            yield Path(name, "run")


@contextmanager
def working_folder(run: str | os.PathLike[str] | None) -> Iterator[tuple[Path, bool]]:
    """A path for a new run, and whether it is temporary.

    A temporary folder is removed at the end, and errors name neither it nor `nas resume`.
    """
    if run is not None:
        yield Path(run).expanduser(), False
        return
    parent = Path(tempfile.mkdtemp(prefix="nas-"))
    try:
        yield parent / "run", True
    except NasError as error:
        words = without_run(str(error), parent)
        if words == str(error):
            raise
        raise _same_kind(error, words) from error
    finally:
        shutil.rmtree(parent, ignore_errors=True)


def _same_kind(error: NasError, words: str) -> NasError:
    changed = NasError.__new__(type(error))
    NasError.__init__(changed, words)
    return changed


def without_run(text: str, folder: Path) -> str:
    """A message about a run that is gone: without what `nas resume` could do, and without paths in its folder.

    >>> without_run("Its worker was killed (out of memory?); continue with `nas resume RUN`.", Path("/tmp/nas-1"))
    'Its worker was killed (out of memory?).'
    >>> without_run("a: no memory. Finished parts are kept: `nas resume /tmp/nas-1/run`", Path("/tmp/nas-1"))
    'a: no memory.'
    """
    sentences = re.split(r"(?<=[.!?]) (?=[A-Z])", text)
    kept = " ".join(filter(None, map(_without_resume, sentences)))
    return re.sub(
        re.escape(str(folder)) + r"[^\s;,:)'\"]*?(?=[.]?(?:[\s;,:)'\"]|$))", "a temporary folder", kept or text
    )


def _without_resume(sentence: str) -> str:
    """The sentence without its clauses that name `nas resume`; empty if nothing is left."""
    shorter = re.sub(r",? and (?:continue with )?`nas resume[^`]*`(?: the run)?", "", sentence)
    clauses = [clause for clause in re.split(r"(?<=;) ", shorter) if "nas resume" not in clause]
    joined = " ".join(clauses).rstrip(" ;")
    return joined if not joined or joined.endswith((".", "!", "?")) else f"{joined}."
