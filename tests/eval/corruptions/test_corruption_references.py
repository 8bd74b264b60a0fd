"""Every corruption against a slow independent one, image by image in float64, or against a closed form."""

from __future__ import annotations

import colorsys
import io
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from nas.eval.corruptions import CORRUPTIONS, SEVERITIES, Corruption, photographs
from nas.eval.corruptions.base import uniform
from nas.eval.corruptions.blur import disk, shrunk, shuffled
from nas.eval.corruptions.water import distance, edges, equalised
from nas.eval.corruptions.weather import plasma

SIDES = (32, 224)
Slow = Callable[[np.ndarray, tuple[float, ...]], np.ndarray]  # one image (H, W, 3) in [0, 1] → the same


def pictures(n: int, side: int, seed: int = 0) -> np.ndarray:
    """Smooth random bytes (n, side, side, 3) with black, grey and saturated places."""
    rng = np.random.default_rng(seed)
    blurred = ndimage.gaussian_filter(rng.normal(size=(n, side, side, 3)), (0, side / 16, side / 16, 0))
    levels = np.clip(128 + 300 * blurred / blurred.std() / 4, 0, 255)
    levels[:, :2, :2] = 0
    levels[:, 3:6, :4] = 77
    return levels.astype(np.uint8)


def tensor(levels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(levels).permute(0, 3, 1, 2).float().contiguous() / 255


def array(x: torch.Tensor) -> np.ndarray:
    return x.permute(0, 2, 3, 1).double().numpy()


def generator(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def made(name: str, side: int) -> Iterator[tuple[Corruption, tuple[float, ...]]]:
    kind = CORRUPTIONS.get(name)
    return ((kind.made(None), kind.row(severity, side)) for severity in SEVERITIES)


def contrast(image: np.ndarray, row: tuple[float, ...]) -> np.ndarray:
    mean = image.mean((0, 1))
    return (image - mean) * row[0] + mean


def through_hsv(image: np.ndarray, change: Callable[..., tuple[float, ...]]) -> np.ndarray:
    out = np.empty_like(image)
    for place in np.ndindex(image.shape[:2]):
        out[place] = colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*image[place])))
    return out


def brightness(image: np.ndarray, row: tuple[float, ...]) -> np.ndarray:
    return through_hsv(image, lambda h, s, v: (h, s, min(1.0, v + row[0])))


def saturate(image: np.ndarray, row: tuple[float, ...]) -> np.ndarray:
    return through_hsv(image, lambda h, s, v: (h, min(1.0, s * row[0] + row[1]), v))


def gaussian_blur(image: np.ndarray, row: tuple[float, ...]) -> np.ndarray:
    return ndimage.gaussian_filter(image, (row[0], row[0], 0), mode="nearest", truncate=4)


def round_kernel(radius: float, alias: float) -> np.ndarray:
    reach, size = (8, 1) if radius <= 8 else (int(radius), 2)
    kernel = np.array(
        [[float(math.hypot(i, j) <= radius) for j in range(-reach, reach + 1)] for i in range(-reach, reach + 1)]
    )
    taps = np.exp([-(i**2) / (2 * alias**2) for i in range(-size, size + 1)])
    return ndimage.correlate(kernel / kernel.sum(), np.outer(taps, taps) / taps.sum() ** 2, mode="mirror")


def defocus_blur(image: np.ndarray, row: tuple[float, ...]) -> np.ndarray:
    kernel = round_kernel(row[0], row[1])
    return np.stack([ndimage.correlate(image[..., c], kernel, mode="mirror") for c in range(3)], -1)


def enlarged(image: np.ndarray, zoom: float) -> np.ndarray:
    side = len(image)
    crop = math.ceil(side / zoom)
    top = (side - crop) // 2
    middle = image[top : top + crop, top : top + crop]
    large = ndimage.zoom(middle, (zoom, zoom, 1), order=1, mode="nearest")
    top = (len(large) - side) // 2
    return large[top : top + side, top : top + side]


def zoom_blur(image: np.ndarray, row: tuple[float, ...]) -> np.ndarray:
    zooms = np.arange(1, 1 + (row[1] - 0.5) * row[0], row[0])
    assert len(zooms) == row[1]
    return (image + sum(enlarged(image, zoom) for zoom in zooms)) / (len(zooms) + 1)


def pixelate(image: np.ndarray, row: tuple[float, ...]) -> np.ndarray:
    picture = Image.fromarray(np.uint8(np.round(image * 255)))
    small = picture.resize([int(n * row[0]) for n in picture.size], Image.Resampling.BOX)
    return np.asarray(small.resize(picture.size, Image.Resampling.BOX)) / 255


def jpeg_compression(image: np.ndarray, row: tuple[float, ...]) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(np.uint8(np.round(image * 255))).save(file, "JPEG", quality=row[0])
    return np.asarray(Image.open(file)) / 255


PLAIN = (contrast, brightness, saturate, gaussian_blur, defocus_blur, zoom_blur, pixelate, jpeg_compression)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("slow", PLAIN, ids=lambda slow: slow.__name__)
def test_types_without_chance(slow: Slow, side: int) -> None:
    levels = pictures(2 if side == 32 else 1, 32 if side == 32 else 56)  # smaller, with the parameters for 224
    for corruption, row in made(slow.__name__, side):
        fast = array(corruption.apply(tensor(levels), row, generator()))
        for one, image in zip(fast, levels):
            assert np.abs(one - slow(image / 255, row)).max() < 2e-5


def test_a_shrunken_kernel_keeps_its_weight_and_scales_its_spread() -> None:
    kernel = disk(1.5, 0.1)
    reach = np.arange(-(len(kernel) // 2), len(kernel) // 2 + 1)
    for scale in (0.3, 0.5, 0.9):
        small = shrunk(kernel, scale)
        at = torch.arange(-(len(small) // 2), len(small) // 2 + 1)
        assert small.sum().item() == pytest.approx(1)
        mean_distance = (small * at.abs()).sum().item()
        assert mean_distance == pytest.approx(scale * (kernel * torch.from_numpy(abs(reach))).sum().item())


@pytest.mark.parametrize("side", SIDES)
def test_noise_has_its_mean_and_spread(side: int) -> None:
    x = torch.full((4, 3, 96, 96), 0.3)
    n = x.numel()

    def close(values: torch.Tensor, mean: float, sd: float) -> None:
        assert values.mean().item() == pytest.approx(mean, abs=5 * sd / math.sqrt(n))
        assert values.std().item() == pytest.approx(sd, rel=0.04)

    for corruption, row in made("gaussian_noise", side):
        close(corruption.apply(x, row, generator()), 0.3, row[0])
    for corruption, row in made("speckle_noise", side):
        close(corruption.apply(x, row, generator()), 0.3, 0.3 * row[0])
    for corruption, row in made("shot_noise", side):
        shot = corruption.apply(x, row, generator())
        close(shot, 0.3, math.sqrt(0.3 / row[0]))
        assert torch.allclose(shot * row[0], (shot * row[0]).round(), atol=1e-3)
    for corruption, row in made("impulse_noise", side):
        hit = corruption.apply(x, row, generator())
        counts = [(hit == value).sum().item() for value in (0, 1)]
        for count in counts:
            share = row[0] / 2
            assert count / n == pytest.approx(share, abs=5 * math.sqrt(share / n))
        assert (hit == x).sum().item() == n - sum(counts)
        assert ((hit != x).sum(1) == 1).any(), "each value is hit on its own, not the whole pixel"


def blurred_by_motion(plane: np.ndarray, radius: float, sigma: float, degrees: float) -> np.ndarray:
    """ImageMagick's: weights along a line of nearest pixels, the border repeated."""
    weights = [math.exp(-(i**2) / (2 * sigma**2)) for i in range(2 * math.ceil(radius) + 1)]
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    height, width = plane.shape
    out = np.zeros_like(plane)
    for y in range(height):
        for x in range(width):
            for i, weight in enumerate(weights):
                row = min(max(y + math.ceil(i * sine - 0.5), 0), height - 1)
                column = min(max(x + math.ceil(i * cosine - 0.5), 0), width - 1)
                out[y, x] += weight / sum(weights) * plane[row, column]
    return out


def test_motion_blur() -> None:
    levels = pictures(2, 24)
    for corruption, row in made("motion_blur", 32):
        fast = array(corruption.apply(tensor(levels), row, generator()))
        angles = uniform((2,), -45, 45, torch.zeros(1), generator()).tolist()
        assert len({round(angle) for angle in angles}) == 2
        for one, image, angle in zip(fast, levels, angles):
            slow = [blurred_by_motion(image[..., c] / 255.0, *row, angle) for c in range(3)]
            assert np.abs(one - np.stack(slow, -1)).max() < 0.5 / 255 + 1e-4
            assert np.allclose(one * 255, np.round(one * 255), atol=1e-3)


@pytest.mark.parametrize("reach", [1, 2, 3, 4])
def test_glass_is_the_sequential_loop(reach: int) -> None:
    x = torch.rand(3, 3, 21, 18, generator=generator())
    down, right = (torch.randint(-reach, reach, (3, 21, 18), generator=generator(seed)) for seed in (1, 2))
    fast = shuffled(x, down, right, reach)
    for image, rows, columns, one in zip(x.clone(), down, right, fast):
        for y in range(21 - reach, reach, -1):
            for z in range(18 - reach, reach, -1):
                image[:, y, z] = image[:, y + rows[y, z], z + columns[y, z]]
        assert torch.equal(image, one)


@pytest.mark.parametrize(("side", "severity"), [(32, 1), (32, 5), (224, 2)])
def test_glass_blurs_before_and_after(side: int, severity: int) -> None:
    levels = pictures(1, side)
    kind = CORRUPTIONS.get("glass_blur")
    sigma, reach, iterations = kind.row(severity, side)
    fast = array(kind().apply(tensor(levels), (sigma, reach, iterations), generator()))[0]
    image = np.floor(gaussian_blur(levels[0] / 255, (sigma,)) * 255 + 1e-3) / 255
    chance = generator()
    for _ in range(int(iterations)):
        draws = [uniform((1, side, side), -reach, reach, torch.zeros(1), chance).floor().long() for _ in range(2)]
        image = array(shuffled(torch.from_numpy(image).permute(2, 0, 1)[None], *draws, int(reach)))[0]
    off = np.abs(fast - gaussian_blur(image, (sigma,)))
    assert off.max() < 1 / 255, "a level may be cut to its neighbour"
    assert off.mean() < 0.01 / 255


def test_plasma_is_diamond_square_point_by_point() -> None:
    size, decay = 16, 2.5
    fast = plasma(2, size, decay, torch.zeros(1), generator())
    chance = generator()
    field = np.zeros((2, size, size))
    step, wibble = size, 100.0
    while step >= 2:
        half = step // 2
        noise = wibble * uniform((3, 2, size // step, size // step), -wibble, wibble, torch.zeros(1), chance).numpy()
        for image in range(2):
            at = field[image]
            for i in range(size // step):
                for j in range(size // step):
                    y, x, below, after = i * step, j * step, (i + 1) * step % size, (j + 1) * step % size
                    total = at[y, x] + at[below, x] + at[y, after] + at[below, after]
                    at[y + half, x + half] = total / 4 + noise[0, image, i, j]
            for i in range(size // step):
                for j in range(size // step):
                    y, x, below, after = i * step, j * step, (i + 1) * step % size, (j + 1) * step % size
                    beside = at[y + half, x + half] + at[y - half, x + half]
                    at[y, x + half] = (at[y, x] + at[y, after] + beside) / 4 + noise[1, image, i, j]
                    beside = at[y + half, x + half] + at[y + half, x - half]
                    at[y + half, x] = (at[y, x] + at[below, x] + beside) / 4 + noise[2, image, i, j]
        step, wibble = half, wibble / decay
    for slow, one in zip(field, fast.numpy()):
        assert np.abs((slow - slow.min()) / (slow.max() - slow.min()) - one).max() < 1e-5


@pytest.mark.parametrize("side", SIDES)
def test_fog_adds_the_plasma_and_dims(side: int) -> None:
    levels = pictures(2, side) // 2
    for corruption, (strength, decay) in made("fog", side):
        fast = array(corruption.apply(tensor(levels), (strength, decay), generator()))
        layers = plasma(2, 32 if side == 32 else 256, decay, torch.zeros(1), generator()).numpy()[:, :side, :side]
        for one, image, layer in zip(fast, levels / 255, layers):
            slow = (image + strength * layer[..., None]) * image.max() / (image.max() + strength)
            assert np.abs(one - slow).max() < 1e-5


def test_frost_is_a_crop_of_one_of_the_first_five_photographs(tmp_path: Path) -> None:
    y, x = np.mgrid[:200, :210]
    for number in range(6):
        photograph = np.stack([np.full_like(y, 40 * number + 20), y, x], -1).astype(np.uint8)
        Image.fromarray(photograph).save(tmp_path / f"frost{number}.png")
    (tmp_path / "notes.txt").write_text("not a photograph")
    kind = CORRUPTIONS.get("frost")
    images = torch.rand(60, 3, 32, 32, generator=generator())
    image_weight, overlay, scale = kind.row(3, 32)
    assert scale == 0.2
    added = (kind.made(str(tmp_path)).apply(images, kind.row(3, 32), generator()) - image_weight * images) / overlay
    red, down, right = (added * 255).round().unbind(1)
    assert set(red[:, 0, 0].tolist()) == {20.0, 60.0, 100.0, 140.0, 180.0}
    assert torch.equal(red, red[:, :1, :1].expand_as(red))
    steps = 5 * torch.arange(32) + 2  # every fifth pixel of the photograph: it is 0.2 times as large
    assert torch.equal(down - down[:, :1, :1] + 2, steps[:, None].float().expand_as(down))
    assert torch.equal(right - right[:, :1, :1] + 2, steps.float().expand_as(right))
    for corner, largest in ((down, 200), (right, 210)):
        first = (corner[:, 0, 0] - 2) / 5
        assert first.min() >= 0
        assert first.max() < largest // 5 - 32
        assert len(set(first.tolist())) > 3


def test_a_photograph_of_the_size_it_is_cut_from_stays_as_it_is() -> None:
    image = torch.arange(3 * 9 * 8, dtype=torch.uint8).reshape(3, 9, 8)
    assert torch.equal(photographs._resized(image, 1.0, 4, 5), image / 255)
    assert photographs._resized(image, 2.0, 4, 5).shape == (3, 18, 16)


def test_snow() -> None:
    levels = pictures(2, 32)
    for corruption, row in made("snow", 32):
        mean, sd, zoom, threshold, radius, sigma, mix = row
        fast = array(corruption.apply(tensor(levels), row, generator()))
        chance = generator()
        layers = mean + sd * torch.randn(2, 1, 32, 32, generator=chance).double().numpy()
        angles = uniform((2,), -135, -45, torch.zeros(1), chance).tolist()
        for one, image, layer, angle in zip(fast, levels / 255, layers, angles):
            flakes = enlarged(layer[0][..., None], zoom)[..., 0]
            flakes = np.floor(np.clip(np.where(flakes < threshold, 0, flakes), 0, 1) * 255 + 1e-3) / 255
            flakes = np.round(blurred_by_motion(flakes, radius, sigma, angle) * 255) / 255
            grey = image @ np.array([0.299, 0.587, 0.114])
            pale = mix * image + (1 - mix) * np.maximum(image, 1.5 * grey[..., None] + 0.5)
            slow = pale + (flakes + np.rot90(flakes, 2))[..., None]
            assert np.abs(one - slow).max() < 1.1 / 255, "a level may round to its neighbour"
            assert np.abs(one - slow).mean() < 0.02 / 255


@pytest.mark.parametrize("side", SIDES)
def test_elastic_transform(side: int) -> None:
    levels = pictures(1, side)
    for corruption, row in made("elastic_transform", side):
        alpha, sigma, affine = row
        one = array(corruption.apply(tensor(levels), row, generator()))[0]
        chance = generator()
        moved = uniform((1, 3, 2), -affine, affine, torch.zeros(1), chance)[0].double().numpy()
        noise = uniform((1, 2, side, side), -1, 1, torch.zeros(1), chance)[0].double().numpy()
        third = side // 3
        points = side // 2 + third * np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
        back = np.linalg.solve(np.c_[points + moved, np.ones(3)], points)
        y, x = np.mgrid[:side, :side].astype(float)
        source = np.stack([x, y, np.ones_like(x)], -1) @ back
        shift = [alpha * ndimage.gaussian_filter(plane, sigma, mode="reflect", truncate=3) for plane in noise]
        for channel in range(3):
            plane = levels[0, ..., channel] / 255
            warped = ndimage.map_coordinates(plane, [source[..., 1], source[..., 0]], order=1, mode="mirror")
            slow = ndimage.map_coordinates(warped, [y + shift[1], x + shift[0]], order=1, mode="reflect")
            assert np.abs(one[..., channel] - slow).max() < 2e-3
            assert np.abs(one[..., channel] - slow).mean() < 2e-5


@pytest.mark.parametrize(("side", "severity"), [(32, 4), (32, 5), (224, 5)])
def test_spatter_of_mud(side: int, severity: int) -> None:
    levels = pictures(1, side)
    kind = CORRUPTIONS.get("spatter")
    mean, sd, sigma, threshold, _, mud, _ = kind.row(severity, side)
    one = array(kind().apply(tensor(levels), kind.row(severity, side), generator()))[0]
    noise = torch.randn(1, 1, side, side, generator=generator()).double().numpy()[0, 0]
    layer = ndimage.gaussian_filter(mean + sd * noise, sigma, mode="nearest")
    mask = ndimage.gaussian_filter((layer > threshold).astype(float), mud, mode="nearest")
    mask = np.where(mask < 0.8, 0, mask)[..., None]
    slow = levels[0] / 255 * (1 - mask) + mask * np.array([63, 42, 20]) / 255
    assert np.abs(one - slow).max() < 1e-5
    assert 0.001 < (mask > 0).mean() < 0.9


def thin_edges(levels: np.ndarray) -> np.ndarray:
    """Canny's edges pixel by pixel."""
    height, width = levels.shape
    padded = np.pad(levels.astype(int), 1, mode="edge")
    dx, dy = np.zeros((height, width), int), np.zeros((height, width), int)
    for y in range(height):
        for x in range(width):
            (a, b, c), (d, _, e), (f, g, h) = padded[y : y + 3, x : x + 3]
            dx[y, x] = c + 2 * e + h - a - 2 * d - f
            dy[y, x] = f + 2 * g + h - a - 2 * b - c
    size = np.pad(abs(dx) + abs(dy), 1)
    peaks = np.zeros((height, width), bool)
    for y in range(height):
        for x in range(width):
            here = size[y + 1, x + 1]
            angle = math.degrees(math.atan2(abs(dy[y, x]), abs(dx[y, x])))
            if angle < 22.5:
                peak = here > size[y + 1, x] and here >= size[y + 1, x + 2]
            elif angle > 67.5:
                peak = here > size[y, x + 1] and here >= size[y + 2, x + 1]
            elif dx[y, x] * dy[y, x] < 0:
                peak = here > size[y, x + 2] and here > size[y + 2, x]
            else:
                peak = here > size[y, x] and here > size[y + 2, x + 2]
            peaks[y, x] = peak and here > 50
    labelled, _ = ndimage.label(peaks, np.ones((3, 3)))
    strong = set(labelled[peaks & (size[1:-1, 1:-1] > 150)].tolist())
    return np.isin(labelled, list(strong)) & peaks


def drops(seed: int) -> np.ndarray:
    layer = ndimage.gaussian_filter(np.random.default_rng(seed).normal(0.65, 0.3, (40, 36)), 1.2)
    return (np.where(layer < 0.69, 0, layer) * 255).astype(np.uint8)


@pytest.mark.parametrize("seed", [0, 1])
def test_edges_distance_and_histogram_of_drops(seed: int) -> None:
    levels = drops(seed)
    slow = thin_edges(levels)
    found = edges(torch.from_numpy(levels).float()[None, None])
    assert np.array_equal(found[0, 0].numpy(), slow)
    assert 0.02 < slow.mean() < 0.5

    few = slow & (np.random.default_rng(seed).random(slow.shape) < 0.03)
    far = distance(torch.from_numpy(few)[None, None])[0, 0].numpy()
    for y, x in np.ndindex(few.shape):
        shortest = 20.0
        for down, right in np.argwhere(few) - (y, x):
            short, long = sorted((abs(int(down)), abs(int(right))))
            if long >= 2 * short:
                shortest = min(shortest, 2.1969 * short + long - 2 * short)
            else:
                shortest = min(shortest, 2.1969 * (long - short) + 1.4 * (2 * short - long))
        assert far[y, x] == pytest.approx(shortest, abs=1e-4)

    whole = np.floor(far)
    flat = equalised(torch.from_numpy(whole)[None, None])[0, 0].numpy()
    lowest = (whole == whole.min()).sum()
    for level in np.unique(whole):
        expected = round(255 * ((whole <= level).sum() - lowest) / (whole.size - lowest))
        assert set(flat[whole == level].tolist()) == {float(expected)}
    assert torch.equal(equalised(torch.full((1, 1, 3, 3), 7.0)), torch.full((1, 1, 3, 3), 7.0))


@pytest.mark.parametrize(("side", "severity"), [(32, 1), (32, 3), (224, 3)])
def test_spatter_of_water(side: int, severity: int) -> None:
    levels = pictures(1, side)
    kind = CORRUPTIONS.get("spatter")
    mean, sd, sigma, threshold, strength, _, _ = kind.row(severity, side)
    one = array(kind().apply(tensor(levels), kind.row(severity, side), generator()))[0]
    noise = torch.randn(1, 1, side, side, generator=generator()).double().numpy()[0, 0]
    layer = ndimage.gaussian_filter(mean + sd * noise, sigma, mode="nearest")
    liquid = np.floor(np.clip(np.where(layer < threshold, 0, layer), 0, 1) * 255 + 1e-3)
    rim = distance(edges(torch.from_numpy(liquid)[None, None].float()))[0, 0].double().numpy()
    mean_of_nine = np.full((3, 3), 1 / 9)
    rim = np.floor(ndimage.correlate(rim, mean_of_nine, mode="mirror") + 1e-4)
    rim = equalised(torch.from_numpy(rim)[None, None])[0, 0].numpy()
    emboss = np.array([[-2.0, -1.0, 0.0], [-1.0, 1.0, 1.0], [0.0, 1.0, 2.0]])
    rim = np.clip(ndimage.correlate(rim, emboss, mode="mirror"), 0, 255)
    mask = liquid * np.round(ndimage.correlate(rim, mean_of_nine, mode="mirror"))
    assert mask.max() > 0
    slow = levels[0] / 255 + strength * (mask / mask.max())[..., None] * np.array([175, 238, 238]) / 255
    assert np.abs(one - slow).max() < 1e-4


def test_an_image_without_a_drop_stays() -> None:
    corruption = CORRUPTIONS.get("spatter")()
    x = torch.rand(1, 3, 32, 32, generator=generator())
    assert torch.equal(corruption.apply(x, (0.1, 0.01, 1, 0.9, 0.5, 0, 1), generator()), x)


def test_round_kernels() -> None:
    for radius, alias, _ in (*CORRUPTIONS.get("defocus_blur").small, *CORRUPTIONS.get("defocus_blur").large):
        kernel = disk(radius, alias)
        whole = round_kernel(radius, alias)
        margin = (len(whole) - len(kernel)) // 2
        assert np.allclose(np.pad(kernel.numpy(), margin), whole, atol=1e-12)
