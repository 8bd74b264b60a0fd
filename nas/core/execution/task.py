"""What a worker does with one task."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from nas.core.errors import InputError, NasError, ResourceError
from nas.core.io.files import told_plainly
from nas.core.storage.base import Key, TaskResult

NOTES = "nas.data"  # logger of what is to be known of the data


def run_task(function: Callable[[Any], Any], key: Key, item: Any) -> TaskResult[Key, Any]:
    """The result of `function(item)` under the task's key; an exception is the failure of the task.

    Only `InputError` and `ResourceError` are raised: they say nothing about the task.
    """
    start = time.perf_counter()
    try:
        with told_plainly(Path.cwd()):
            result, failure = function(item), None
    except (InputError, ResourceError):
        raise
    except (MemoryError, OSError, torch.OutOfMemoryError) as error:
        raise ResourceError(_out_of(error)) from error
    except RuntimeError as error:
        if "allocate memory" in str(error):  # what torch says on a CPU
            raise ResourceError(_out_of(error)) from error
        result, failure = None, f"{type(error).__name__}: {error}"
    except NasError as error:
        result, failure = None, str(error)
    except Exception as error:
        result, failure = None, f"{type(error).__name__}: {error}"
    return TaskResult(key, result, failure, time.perf_counter() - start)


def _out_of(error: BaseException) -> str:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return f"The machine ran out of something ({reason}); continue with `nas resume RUN executor.workers=1`."


def make_repeatable(threads: int) -> None:
    """What results may depend on is set here, in every process alike."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def leave_notes_to_others() -> None:
    """In a process that helps another, which has told what is to be known of the data."""
    logging.getLogger(NOTES).setLevel(logging.CRITICAL)
