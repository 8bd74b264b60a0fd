"""Published genotypes by name: what their releases hold, and the weights that were published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nas.core.errors import InputError
from nas.drivers.settings import from_values
from nas.search_spaces import DARTS
from nas.search_spaces.darts.published import PUBLISHED

SPACE = DARTS()


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_name_stands_for_its_genotype(name: str) -> None:
    genotype = SPACE.parse(name)
    assert SPACE.parse(str(genotype)) == genotype
    assert PUBLISHED[name].source


def test_they_are_those_of_the_releases(data_dir: Path) -> None:
    given = json.loads((data_dir / "genotypes.json").read_text())["genotypes"]
    assert set(given) == set(PUBLISHED)
    for name, value in given.items():
        assert SPACE.parse(name) == SPACE.parse(json.dumps(value)), name


def test_the_weights_of_darts_v2() -> None:
    assert SPACE.cost(SPACE.parse("DARTS_V2"), 10, channels=36, cells=20).params == 3_349_342


def test_a_misspelt_name_is_told() -> None:
    with pytest.raises(InputError, match="did you mean 'PC_DARTS'"):
        SPACE.parse("PC-DARTS".replace("-", "") + "_")


def test_a_configuration_takes_a_name() -> None:
    assert from_values({"space": "darts"}, ["arch=ADVRUSH"]).arch == "ADVRUSH"
