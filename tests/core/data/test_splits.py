"""How many images are withheld, from which class, and which: the same in every version."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.core.config import override
from nas.core.data import Dataset, DataSettings, load
from nas.core.data.checksum import checksums
from nas.core.data.splits import fixed_generator, split
from nas.core.errors import InputError
from nas.settings.schema import from_values, schema

SIZES = st.lists(st.integers(5, 40), min_size=2, max_size=8)


def labels_of(sizes: list[int]) -> np.ndarray:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return np.random.default_rng(0).permutation(labels)


def before(labels: np.ndarray, num_classes: int, percent: int, label: str) -> tuple[np.ndarray, np.ndarray]:
    """The rule of version 0.1 in whole numbers, for a share in percent."""
    random = fixed_generator(label)
    taken, rest = [], []
    seen = given = 0
    for k in range(num_classes):
        members = random.permutation(np.flatnonzero(labels == k))
        seen += len(members)
        due = (seen * percent + 50) // 100
        taken.append(members[: due - given])
        rest.append(members[due - given :])
        given = due
    return random.permutation(np.concatenate(taken)), random.permutation(np.concatenate(rest))


@pytest.mark.parametrize("has_test", [True, False])
@given(sizes=SIZES)
def test_a_tenth_is_what_version_0_1_withheld(has_test: bool, sizes: list[int]) -> None:
    labels = labels_of(sizes)
    test, rest = np.empty(0, dtype=np.int64), np.arange(len(labels))
    if not has_test:
        test, rest = before(labels, len(sizes), 20, "test")
    validation, train = before(labels[rest], len(sizes), 10, "validation")
    for found, wanted in zip(split(labels, len(sizes), (), has_test), (rest[train], rest[validation], test)):
        assert found.tolist() == wanted.tolist()


def test_the_images_of_version_0_1() -> None:
    """The expected checksums are those of version 0.1."""
    assert checksums(load(DataSettings())) == {
        "train": "67b494ecfd85622b31fd7537c0441cca31e2726212dfbd9c8ef9dc56e13a30ad",
        "validation": "4c5b5f9f53299712557fe6221942fadc7ffb8512e98186d553cd8703977ac992",
        "test": "44cb234002359f50f22dc09563305170e5af1300e223711eb68670a3d83f235d",
    }


@given(sizes=SIZES, has_test=st.booleans(), share=st.sampled_from([0.05, 0.1, 1 / 3, 0.5, 0.7, 1, 3, 5]))
def test_every_class_gives_its_part_to_within_one_image(sizes: list[int], has_test: bool, share: float) -> None:
    labels, asked = labels_of(sizes), Fraction(str(share))
    plain = split(labels, len(sizes), (), has_test)
    count = len(labels) - len(plain[2])
    wanted = int(asked) if asked >= 1 else int(np.floor(float(asked * count) + 0.5))
    if wanted == 0:
        with pytest.raises(InputError, match="the share needs at least"):
            split(labels, len(sizes), (), has_test, asked)
        return
    train, validation, test = split(labels, len(sizes), (), has_test, asked)
    assert sorted(np.concatenate([train, validation, test])) == list(range(len(labels)))
    assert test.tolist() == plain[2].tolist(), "the test part depends on nothing"
    assert len(validation) == wanted
    rest = np.concatenate([train, validation])
    exact = asked if asked < 1 else asked / count
    for k in range(len(sizes)):
        assert abs(int((labels[validation] == k).sum()) - exact * int((labels[rest] == k).sum())) <= 1
        assert (labels[train] == k).any()


@given(sizes=SIZES, has_test=st.booleans())
def test_none_is_withheld(sizes: list[int], has_test: bool) -> None:
    labels = labels_of(sizes)
    train, validation, test = split(labels, len(sizes), (), has_test, Fraction(0))
    assert len(validation) == 0
    assert sorted(np.concatenate([train, test])) == list(range(len(labels)))
    assert test.tolist() == split(labels, len(sizes), (), has_test)[2].tolist()


def test_a_count_is_the_share_of_as_many_images() -> None:
    labels = labels_of([50, 70, 80])
    for share, count in ((0.1, 20), (0.25, 50), (0.005, 1)):
        by_share, by_count = (split(labels, 3, (), True, Fraction(str(value))) for value in (share, count))
        assert all(map(np.array_equal, by_share, by_count))


@pytest.mark.parametrize(
    ("validation", "words"),
    [
        (20, "leave images to train on but got 20 of 20"),
        (21, "leave images to train on but got 21 of 20"),
        (19, "leaves none of class 'cat'"),
        (0.9, "0.9 of 20 images leaves none of class 'cat'"),
        (0.02, "the share 0.02 of the 20 images is less than one image .* needs at least 25 images"),
        (1e-9, "the share 1e-09 of the 20 images is less than one image"),
    ],
)
def test_what_leaves_nothing_is_refused(validation: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        split(np.array([0] * 17 + [1] * 3), 2, ("dog", "cat"), True, Fraction(str(validation)))


def test_without_validation_a_class_needs_an_image_less() -> None:
    labels = np.array([0, 0, 0, 1])
    with pytest.raises(InputError, match="at least 2 images of class 1"):
        split(labels, 2, (), True)
    assert sorted(split(labels, 2, (), True, Fraction(0))[0]) == [0, 1, 2, 3]


# the setting


@pytest.mark.parametrize("value", [-0.1, -1, 1.5, 2.0001, float("nan"), float("inf"), True, False, None, "many"])
def test_values_that_are_no_share_and_no_count(value: object) -> None:
    with pytest.raises(InputError, match=r"data\.validation to be 0, a share"):
        load(DataSettings(validation=value))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "value", "count"),
    [
        *((".1", 0.1, 144), ("1/10", 0.1, 144), ("0.999", 0.999, None), ("0", 0, 0), ("0.0", 0, 0), ("1", 1, 1)),
        *(("1.0", 1, 1), ("2", 2, 2), ("200.0", 200, 200), ("1e2", 100, 100)),
    ],
)
def test_as_it_is_written(text: str, value: float, count: int | None) -> None:
    settings = from_values({}, [f"data.validation={text}"])
    assert settings.data.validation == value
    assert str(settings.data.validation) == str(value), "a count is shown as one"
    if count is not None:
        data: Dataset = load(settings.data)
        assert (len(data.train), len(data.validation), len(data.test)) == (1438 - count, count, 359)


@pytest.mark.parametrize("text", ["true", "null", "-1", "1.5", ".nan", "half", "[1]"])
def test_what_a_configuration_may_not_say(text: str) -> None:
    with pytest.raises(InputError, match=r"data\.validation"):
        from_values({}, [f"data.validation={text}"])


def test_a_configuration_without_the_key_withholds_a_tenth() -> None:
    assert from_values({"data": {"name": "digits"}}, []).data.validation == 0.1
    assert override({}, ["data.validation=0"], schema("nasbench201", "evolution")) == {"data": {"validation": 0}}
