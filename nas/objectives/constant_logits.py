"""Networks whose logits do not depend on the image: why they have no value, and what older versions did."""

from __future__ import annotations

from collections.abc import Iterable

from nas.core.errors import InputError

REASON = "The network's logits do not depend on the image: no path leads from it to them, so all images get one answer."
SINCE = "0.2.0"  # before this version they had values like all others
NEVER_VALUED = frozenset({"epe_nas", "jacov", "synflow", "zen"})  # but of these proxies, which failed on them before


def had_values(names: Iterable[str]) -> bool:
    """Whether an older version gave such a network a value of all these metrics together."""
    return NEVER_VALUED.isdisjoint(names)


def refusal(what: str, arch: str, version: str) -> InputError:
    """The error for a run of an older `version` that would continue to other numbers; `arch` is an example."""
    return InputError(
        f"Expected a run without values of networks whose logits do not depend on the image but {what} was begun by "
        f"version {version}, which gave them values like all others, such as that of {arch}; since {SINCE} they have "
        "none, so its numbers would change on the way: start a new run."
    )
