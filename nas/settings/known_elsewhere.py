"""The error about a setting that exists only with another space or strategy."""

from __future__ import annotations

from collections.abc import Callable

from nas.core import config
from nas.core.errors import InputError
from nas.search_spaces import SPACES
from nas.strategies import STRATEGIES
from nas.strategies.supernet import SUPERNET_STRATEGIES


def known_elsewhere(
    error: config.UnknownKey, space: str, strategy: str, schema: Callable[[str, str], type]
) -> InputError | None:
    """The error that names the other strategies or spaces that have the unknown key; None if none has it.

    `schema` returns the class of settings for a space and a strategy.
    """
    strategies = [*STRATEGIES.names(), *SUPERNET_STRATEGIES.names()]
    names = [name for name in strategies if config.has_key(schema(space, name), error.key)]
    if names:
        return error.elsewhere("strategy.name=", strategy, names)
    names = [name for name in SPACES.names() if config.has_key(schema(name, strategy), error.key)]
    return error.elsewhere("space=", space, names) if names else None
