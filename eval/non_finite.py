"""How many images had a logit that is NaN or infinite. Such an image counts as wrong, and results say how many.

Each count is kept beside the outcomes that it belongs to. Versions before 0.3.0 kept none, and took NaN for the
largest logit, so that an image of which all logits are NaN was one of class 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nas.core.errors import InputError
from nas.core.storage.base import FactStore
from nas.results import Count

SINCE = "0.3.0"


def once_with_count(outcomes: FactStore, key: str, compute: Callable[[], tuple[Any, Any]]) -> tuple[Any, Any]:
    """What is kept under `key` and its count of images without an answer; both are computed where nothing is kept.

    The count is None where an earlier version kept the outcome.
    """
    found = outcomes.get(key)
    if found is not None:
        return found, outcomes.get(count_key(key))
    found, count = compute()
    outcomes.put(count_key(key), count)  # first: where a process dies in between, both are computed again
    outcomes.put(key, found)
    return found, count


def count_key(key: str) -> str:
    """Where the count of the outcome at `key` is kept."""
    return f"{key}/non-finite"


def total(what: str, counts: Sequence[Count]) -> Count:
    """The sum over all parts of `what`; None where an earlier version finished one, so that it cannot be known.

    `InputError` where a part of this version has such images, and those of an earlier one may have had.
    """
    known = [count for count in counts if count is not None]
    if len(known) == len(counts):
        return sum(known)
    if any(known):
        raise refusal(f"{sum(known)} images of the other parts of {what} have such logits")
    return None


def refusal(found: str) -> InputError:
    return InputError(
        "Expected finished parts in which an image with a NaN or infinite logit counts as wrong but a version before "
        f"{SINCE}, which took NaN for the largest logit, finished some of them, and {found}; evaluate anew, in a new "
        "run."
    )
