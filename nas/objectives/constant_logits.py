"""Networks whose logits do not depend on the image: why they get no values, and which values older versions gave."""

from __future__ import annotations

from collections.abc import Iterable

from nas.core.errors import InputError

REASON = "The network's logits do not depend on the image: no path connects them, so all images get the same answer."
SINCE = "0.2.0"  # the first version that gives these networks no values
NEVER_VALUED = frozenset({"epe_nas", "jacov", "synflow", "zen"})  # proxies that failed on them in older versions too


def had_values(names: Iterable[str]) -> bool:
    """Whether an older version gave such a network a value of each of these metrics."""
    return NEVER_VALUED.isdisjoint(names)


def refusal(what: str, arch: str, version: str) -> InputError:
    """The error for a run that an older `version` began and that would now get another number for `arch`."""
    return InputError(
        f"Expected a run without values of networks whose logits do not depend on the image but {what} was begun by "
        f"version {version}, which gave such networks values ({arch} is one); since {SINCE} they have none, so "
        "the numbers would change midway: start a new run."
    )
