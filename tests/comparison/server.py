"""Runs commands of one tree in forks of a process that has imported it; `tests/comparison/tree.py` starts it.

`python server.py FOLDER MODULE:FUNCTION PACKAGE,PACKAGE`: the folder that holds the package `nas`, the function behind
the console script, and the packages whose modules are imported beforehand. The server reads a line of JSON per command
(`arguments`, `cwd`, `out`, `err`) and answers with the process's number, then with its exit code. It computes nothing
itself, so it has no threads, which a fork would lose. It does not depend on how the project is divided into files.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

LIBRARIES = (
    *("torch", "torchvision", "torch.utils.tensorboard", "torch._dynamo", "matplotlib.pyplot", "pyautoattack"),
    *("scipy.stats", "sklearn.datasets", "sklearn.ensemble", "torchattacks", "timm", "onnx", "onnxscript", "PIL.Image"),
)


def _only_from(folder: str) -> None:
    """Put `folder` first on the path, and leave out every editable install, which may be of the other tree."""
    sys.path = [folder, *(path for path in sys.path if "__editable__" not in path)]
    sys.meta_path = [
        finder for finder in sys.meta_path if "editable" not in getattr(finder, "__module__", type(finder).__module__)
    ]


def _import_all(packages: list[str]) -> None:
    for name in LIBRARIES:
        try:
            importlib.import_module(name)
        except ImportError:  # an extra that is not installed: its commands say so in both trees
            continue
    for name in packages:
        package = importlib.import_module(name)
        if name == "nas":  # in a checkout its path may lead to other packages too
            continue
        for module in pkgutil.iter_modules(package.__path__, f"{name}."):
            if not module.ispkg and not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def _check_place(root: Path) -> None:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.split(".")[0] == "nas" and file is not None and not Path(file).resolve().is_relative_to(root):
            raise SystemExit(f"Expected {name} from {root} but it comes from {file}.")


def _run(main: Callable[[], Any], request: dict[str, Any]) -> NoReturn:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, path in ((0, os.devnull), (1, request["out"]), (2, request["err"])):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    os.chdir(request["cwd"])
    sys.argv = ["nas", *request["arguments"]]
    try:
        code = main()
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def serve(folder: str, entry: str, packages: list[str]) -> None:
    """Answer requests until standard input ends."""
    _only_from(folder)
    module, _, function = entry.partition(":")
    main = getattr(importlib.import_module(module), function)
    _import_all(packages)
    _check_place(Path(folder).resolve())
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(main, json.loads(line))
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], sys.argv[3].split(","))
