"""What a worker does with one item, and what became of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from nas.core.errors import InputError, NasError, ResourceError
from nas.core.io.files import told_plainly

Result = TypeVar("Result")
NOTES = "nas.data"  # logger of what is to be known of the data


@dataclass(frozen=True)
class Done(Generic[Result]):
    """What became of one item: its result, or the reason of its failure; and how long it took."""

    index: int
    result: Result | None
    failure: str | None
    seconds: float


def attempt(function: Callable[[Any], Any], index: int, item: Any) -> Done[Any]:
    """`function(item)`; an exception is the item's failure.

    But for `InputError` and `ResourceError`, which are raised: they say nothing about the item.
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
    return Done(index, result, failure, time.perf_counter() - start)


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
