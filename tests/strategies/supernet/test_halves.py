"""The two halves of the training images, and which level sees which of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from toy_search import (
    dataset,
    first_batches,
    noise,
    pixels,
    same,
    search,
    split,
)

from nas.core.data import Split
from nas.core.errors import InputError
from nas.strategies.supernet.halves import halves
from nas.strategies.supernet.variants import DARTSFirstOrder, RNASMax, RNASUniform


def test_halves_are_disjoint_whole_and_class_by_class() -> None:
    data = dataset()
    first, second = halves(data.train, 3)
    one, other = (set(map(pixels, half.images)) for half in (first, second))
    assert len(one) == len(other) == 17
    assert not one & other
    assert one | other == set(map(pixels, data.train.images))
    assert (first.labels.bincount() - second.labels.bincount()).abs().max() <= 2
    assert all(torch.equal(a.images, b.images) for a, b in zip(halves(data.train, 3), (first, second)))


def test_each_level_sees_its_own_half_once_an_epoch() -> None:
    run = search(crop=0, flip=False)
    known = [
        {pixels(image / 255): label.item() for image, label in zip(half.images, half.labels)}
        for half in (run.weight_half, run.alpha_half)
    ]
    orders = []
    for epoch in (0, 1):
        pairs = list(run.batches(epoch))
        assert len(pairs) == run.steps_per_epoch == 2
        for level in (0, 1):
            seen = [pixels(image) for pair in pairs for image in pair[level][0]]
            labels = torch.cat([pair[level][1] for pair in pairs]).tolist()
            assert len(set(seen)) == 16
            assert [known[level][image] for image in seen] == labels
        orders.append(torch.cat([pair[0][0] for pair in pairs]))
    assert not torch.equal(*orders)


def ways(image: Tensor, crop: int) -> dict[bytes, tuple[int, int, bool]]:
    """Every window of the image with a black margin of `crop` pixels, mirrored or not -> row, column, mirrored."""
    side = image.shape[1]
    padded = torch.zeros(3, side + 2 * crop, side + 2 * crop)
    padded[:, crop : crop + side, crop : crop + side] = image / 255
    found = {}
    for row in range(2 * crop + 1):
        for column in range(2 * crop + 1):
            window = padded[:, row : row + side, column : column + side]
            found[pixels(window)] = (row, column, False)
            found[pixels(window.flip(2))] = (row, column, True)
    return found


@pytest.mark.parametrize(("crop", "flip"), [(2, True), (2, False), (0, True)])
@pytest.mark.parametrize("level", [0, 1])
def test_both_halves_are_cropped_and_mirrored(level: int, crop: int, flip: bool) -> None:
    """As in the release of DARTS: a window of the image with a black margin, all alike; half of them mirrored."""
    run = search(crop=crop, flip=flip)
    half = (run.weight_half, run.alpha_half)[level]
    known = {way: place for image in half.images for way, place in ways(image, crop).items()}
    seen = [known[pixels(image)] for epoch in range(20) for pair in run.batches(epoch) for image in pair[level][0]]
    assert {place[0] for place in seen} == {place[1] for place in seen} == set(range(2 * crop + 1))
    assert sum(place[2] for place in seen) / len(seen) == pytest.approx(0.5 if flip else 0.0, abs=0.1 * flip)


def test_a_level_does_not_depend_on_the_other_ones_images() -> None:
    data = dataset()
    plain = search(data=data)
    for level in (0, 1):
        changed = search(data=data)
        half = (changed.weight_half, changed.alpha_half)[level]
        half.images.copy_(255 - half.images.clone())
        weight_batch, alpha_batch = first_batches(plain)
        weight_changed, alpha_changed = first_batches(changed)
        assert same(list(weight_batch), list(weight_changed)) == (level == 1)
        assert same(list(alpha_batch), list(alpha_changed)) == (level == 0)
        ours, _ = plain.alpha_gradient(alpha_batch, weight_batch, noise())
        theirs, _ = changed.alpha_gradient(alpha_changed, weight_changed, noise())
        assert same(ours, theirs) == (level == 0)
        other = search(data=data)
        for run, batch in ((other, weight_batch), (changed, weight_changed)):
            run.weight_step(batch, run.loss, noise())
        assert same(other.weights, changed.weights) == (level == 1)


def test_the_same_seed_shows_every_strategy_the_same_images() -> None:
    runs = [search(DARTSFirstOrder), search(RNASUniform), search(RNASMax)]
    for run in runs:
        run.step()
    batches = [[*first[0], *first[1]] for first in (next(iter(run.batches(1))) for run in runs)]
    assert same(batches[0], batches[1])
    assert same(batches[0], batches[2])
    assert not same(batches[0], [*next(iter(search(seed=1).batches(1)))[0]] * 2)


def test_a_half_smaller_than_a_batch_is_one_batch() -> None:
    run = search(data=dataset(split(7, 3)), batch_size=64)
    ((x, _), (x_alpha, _)) = first_batches(run)
    assert len(x) == len(x_alpha) == 3
    run.step()


def test_too_few_images_are_told() -> None:
    with pytest.raises(InputError, match="at least 4 training images"):
        search(data=dataset(split(3, 0)))


def test_halves_of_all_images() -> None:
    """With data.validation=0 the two levels share out all of the 50,000 training images of CIFAR-10."""
    labels = torch.arange(50_000) % 10
    first, second = halves(Split(torch.zeros(50_000, 3, 1, 1, dtype=torch.uint8), labels), 10)
    for half in (first, second):
        assert len(half) == 25_000
        assert half.labels.bincount().tolist() == [2500] * 10
