"""Runs `nas` commands in forks of one process that has imported everything: a new process each, without the wait.

Reads a line of JSON per command (`arguments`, `cwd`, `env`, `out`, `err`, `answers`). For each it forks a process that
starts the command and writes to the pipe `answers` the number of the command's process, then its exit code. So several
commands can run at once. The server computes nothing, so that no thread is there to be lost in a fork.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any, NoReturn


def _watch(request: dict[str, Any]) -> NoReturn:
    """Run the command in a further fork and report on it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        _run(request)
    with open(request["answers"], "w", buffering=1) as answers:
        print(child, file=answers)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers)
    os._exit(0)


def _run(request: dict[str, Any]) -> NoReturn:
    from nas.cli.main import main

    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, path in ((0, os.devnull), (1, request["out"]), (2, request["err"])):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    if not any(text.startswith("executor.workers") for text in request["arguments"]) and hasattr(
        os, "sched_setaffinity"
    ):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})  # on one core, commands start no workers
    sys.argv = ["nas", *request["arguments"]]
    main()


def _serve() -> None:
    import matplotlib.pyplot  # noqa: F401
    import pyautoattack  # noqa: F401
    import scipy.stats  # noqa: F401
    import sklearn.datasets
    import sklearn.ensemble  # noqa: F401
    import torch._dynamo
    import torch.utils.tensorboard  # noqa: F401
    import torchvision  # noqa: F401

    import nas.cli.main
    import nas.report.text
    import nas.runs.stages.transfer
    import nas.scoring.loop
    import nas.searches.search_stage  # noqa: F401
    from nas.commands import COMMANDS
    from nas.core.data import LOADERS
    from nas.eval.attacks import ATTACKS, library
    from nas.search_spaces import SPACES
    from nas.strategies import STRATEGIES
    from nas.strategies.proxies import PROXIES
    from nas.strategies.supernet import SUPERNET_STRATEGIES
    from nas.train import METHODS

    for registry in (COMMANDS, LOADERS, ATTACKS, SPACES, STRATEGIES, PROXIES, SUPERNET_STRATEGIES, METHODS):
        registry.names()  # imports what it has
    library.torchattacks()  # where it is installed

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system removes processes that have ended
    for line in sys.stdin:
        if os.fork() == 0:
            _watch(json.loads(line))


if __name__ == "__main__":
    _serve()
