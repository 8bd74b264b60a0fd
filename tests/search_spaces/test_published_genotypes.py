"""Published genotypes by name: what their releases hold, and the weights that were published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nas.core.errors import InputError
from nas.search_spaces import DARTS
from nas.search_spaces.darts.published import PUBLISHED
from nas.settings.schema import from_values

SPACE = DARTS()


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_name_stands_for_its_genotype(name: str) -> None:
    genotype = SPACE.parse(name)
    assert SPACE.parse(str(genotype)) == genotype
    assert PUBLISHED[name].source


def test_they_are_those_of_the_releases(data_dir: Path) -> None:
    files = [json.loads((data_dir / name).read_text()) for name in ("genotypes.json", "genotypes_more.json")]
    given = {name: one for file in files for name, one in file["genotypes"].items()}
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


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_name_is_kept_in_one_spelling(name: str) -> None:
    """Also where a run of before kept another."""
    plain = name.replace("_", "")
    for text in (name, name.lower(), name.replace("_", "-"), name.replace("_", " "), plain, f" {plain.title()}\n"):
        assert SPACE.label(text, SPACE.parse(text)) == name
        assert from_values({"space": "darts", "arch": text}, []).arch == name
    genotype = str(SPACE.parse(name))
    assert SPACE.label(genotype, SPACE.parse(genotype)) == genotype


def test_a_configuration_keeps_the_fields_string() -> None:
    text = str(SPACE.parse("ADVRUSH"))
    printed = text.replace("[2, 3, 4, 5]", "range(2, 6)")
    assert from_values({"space": "darts"}, [f"arch=10:00:00 genotype = {printed}"]).arch == text
    cell = "|nor_conv_1x1~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|none~1|avg_pool_3x3~2|"
    assert from_values({}, ["arch=5"]).arch == from_values({"arch": 5}, []).arch == cell
