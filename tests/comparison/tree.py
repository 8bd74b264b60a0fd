"""One of the two trees that are compared: how its command is called, and a process that runs it."""

from __future__ import annotations

import configparser
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

TIME_LIMIT = 300.0  # seconds that a command may take
SERVER = Path(__file__).with_name("server.py")


@dataclass(frozen=True)
class Ended:
    """What a command printed, and its exit code (minus the signal's number if a signal ended it)."""

    code: int
    out: str
    err: str


def _pairs(text: str) -> dict[str, str]:
    """The lines `name = value` of an entry of setup.cfg."""
    lines = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in lines}


@dataclass(frozen=True)
class Entry:
    """What `setup.cfg` says about a tree: the folder that holds `nas`, the console script's function, the packages."""

    folder: Path
    function: str
    packages: tuple[str, ...]

    @classmethod
    def read(cls, root: Path) -> Entry:
        """The entry of the tree at `root`. Raises `ValueError` if it has no console script `nas`."""
        parser = configparser.ConfigParser()
        parser.read(root / "setup.cfg")
        scripts = _pairs(parser.get("options.entry_points", "console_scripts", fallback=""))
        if "nas" not in scripts:
            raise ValueError(f"Expected a console script nas in {root / 'setup.cfg'} but got {sorted(scripts)}.")
        places = _pairs(parser.get("options", "package_dir", fallback=""))
        folder = (root / places["nas"]).parent if "nas" in places else root / places.get("", "")
        listed = parser.get("options", "packages", fallback="").split()
        packages = [name for name in listed if name.startswith("nas") and not name.startswith("nas.bench")]
        return cls(folder.resolve(), scripts["nas"], tuple(packages) or ("nas",))


class Tree:
    """Runs the commands of the tree at `root`; leaving the block ends its process.

    `place` is the folder in which the tree may write: it holds the cache of data and the folders of the cases.
    """

    def __init__(self, root: Path, place: Path) -> None:
        self.root = root.resolve()
        self.place = place

    def __enter__(self) -> Tree:
        entry = Entry.read(self.root)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NAS_")}
        environment = {
            **kept,
            "NAS_CACHE": str(self.place / "cache"),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "120",
            "PYTHONPATH": str(entry.folder),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.server = subprocess.Popen(
            [sys.executable, "-u", str(SERVER), str(entry.folder), entry.function, ",".join(entry.packages)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=self.place,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.kill()
        self.server.wait()

    def run(self, arguments: tuple[str, ...], cwd: Path) -> Ended:
        """Run `nas ARGUMENTS` in `cwd` to its end."""
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        with TemporaryDirectory(dir=self.place) as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            request = {"arguments": arguments, "cwd": str(cwd), "out": str(out), "err": str(err)}
            self.server.stdin.write(json.dumps(request) + "\n")
            self.server.stdin.flush()
            number = self.server.stdout.readline()
            if not number:
                raise RuntimeError(f"Expected an answer from the process of {self.root} but it ended.")
            timer = threading.Timer(TIME_LIMIT, os.killpg, (int(number), signal.SIGKILL))
            timer.start()
            try:
                code = int(self.server.stdout.readline())
            finally:
                timer.cancel()
            return Ended(code, out.read_text(errors="replace"), err.read_text(errors="replace"))
