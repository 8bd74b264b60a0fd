"""A search that trains a supernet is refused on a space without one, before anything is computed."""

from __future__ import annotations

import pytest

from nas.core.errors import InputError
from nas.search_spaces import SPACES, SearchSpace
from nas.searches import supernet_stage
from nas.settings.schema import from_values
from nas.strategies.supernet import SUPERNET_STRATEGIES


@pytest.mark.parametrize("space", SPACES.names())
def test_a_space_without_a_supernet_is_refused(space: str) -> None:
    for strategy in SUPERNET_STRATEGIES.names():
        settings = from_values({}, [f"space={space}", f"strategy.name={strategy}"])
        if SPACES.get(space).supernet is not SearchSpace.supernet:
            supernet_stage.check(settings)
            continue
        words = f"strategy.name={strategy} but got {space}, which has none; take another strategy"
        with pytest.raises(InputError, match=words):
            supernet_stage.check(settings)
