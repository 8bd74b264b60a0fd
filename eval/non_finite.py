"""The number of images with a NaN or infinite logit. Such an image counts as wrong, and results have the number.

Each count is stored beside the outcomes that it belongs to. Versions before 0.3.0 stored no counts, and took NaN for
the largest logit: if all logits of an image were NaN, its predicted class was 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nas.core.errors import InputError
from nas.core.storage.base import FactStore
from nas.results import Count

SINCE = "0.3.0"


def once_with_count(outcomes: FactStore, key: str, compute: Callable[[], tuple[Any, Any]]) -> tuple[Any, Any]:
    """The outcome under `key` and its number of images with a non-finite logit; if there is none, both are computed.

    The count is None if an earlier version stored the outcome.
    """
    outcome = outcomes.get(key)
    if outcome is not None:
        return outcome, outcomes.get(count_key(key))
    outcome, count = compute()
    outcomes.put(count_key(key), count)  # first: if the process dies in between, both are computed again
    outcomes.put(key, outcome)
    return outcome, count


def count_key(key: str) -> str:
    """The key of the count of the outcome at `key`."""
    return f"{key}/non-finite"


def total(what: str, counts: Sequence[Count]) -> Count:
    """The sum of the counts of all parts of `what`; None (not known) if an earlier version computed one of them.

    Raises `InputError` if there is such a part and another one has images with non-finite logits, since the earlier
    version may have counted some images of its part as correct.
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
