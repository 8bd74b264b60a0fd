"""Photographs of frost, which are read from the user's folder or an installed package and cropped on the device."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F

from nas.core.errors import InputError

USED = 5  # the generator has six photographs and draws from the first five
PACKAGE = "imagecorruptions"  # its wheel contains the photographs
SUFFIXES = (".png", ".jpg", ".jpeg")
ADVICE = f"set eval.frost to a folder with photographs, or `pip install --no-deps {PACKAGE}`, whose wheel contains some"


class Photographs:
    """The first five images of a folder by name, each uint8 (3, H, W); their scaled versions are kept."""

    def __init__(self, images: list[Tensor]) -> None:
        self.images = images
        self._scaled: dict[tuple[torch.device, float, int, int], tuple[Tensor, Tensor]] = {}

    @classmethod
    def found(cls, folder: str | None) -> Photographs:
        """The photographs of the folder, else of the installed package. Raises `InputError` if there are none."""
        place = Path(folder) if folder is not None else _installed()
        if place is None:
            raise InputError(f"Expected photographs for frost but found none; {ADVICE}.")
        files = sorted(file for file in place.glob("*") if file.suffix.lower() in SUFFIXES)[:USED]
        if not files:
            raise InputError(f"Expected photographs (png, jpg) in {place} but found none; {ADVICE}.")
        return cls([_read(file) for file in files])

    def crops(self, draws: Tensor, height: int, width: int, scale: float) -> Tensor:
        """(B, 3, height, width) in [0, 1]: a crop for each column of `draws` (3, B), which are from U(0, 1).

        The rows of `draws` choose the photograph, the top and the left of the crop. The photographs are first resized
        by `scale` (bilinear, no anti-aliasing, as in the generator), or by more if a crop would not fit.
        """
        pixels, shapes = self._flat(draws.device, scale, height, width)
        start, rows, columns = shapes[:, (draws[0] * len(self.images)).long().clamp(max=len(self.images) - 1)]  # (B,)
        top = (draws[1] * (rows - height)).long()
        left = (draws[2] * (columns - width)).long()
        y = top[:, None] + torch.arange(height, device=draws.device)  # (B, height)
        x = left[:, None] + torch.arange(width, device=draws.device)  # (B, width)
        index = (start[:, None, None] + y[:, :, None] * columns[:, None, None] + x[:, None, :]).flatten()
        return pixels[:, index].view(3, -1, height, width).transpose(0, 1).to(draws.dtype)

    def _flat(self, device: torch.device, scale: float, height: int, width: int) -> tuple[Tensor, Tensor]:
        """All photographs as one row of pixels (3, N), and the start, height and width of each (3, photographs)."""
        key = (device, scale, height, width)
        if key not in self._scaled:
            resized = [_resized(image, scale, height, width) for image in self.images]
            sizes = torch.tensor([image.shape[1:] for image in resized])
            starts = torch.cat([torch.zeros(1, dtype=torch.long), sizes.prod(1).cumsum(0)[:-1]])
            pixels = torch.cat([image.flatten(1) for image in resized], 1)
            self._scaled[key] = pixels.to(device), torch.cat([starts[None], sizes.T]).to(device)
        return self._scaled[key]


def _installed() -> Path | None:
    spec = find_spec(PACKAGE)
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) / "frost" if places else None


def _read(file: Path) -> Tensor:
    try:
        with Image.open(file) as image:
            return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)
    except (OSError, UnidentifiedImageError) as error:
        raise InputError(f"Expected a photograph in {file} but it cannot be read ({error}); replace it.") from None


def _resized(image: Tensor, scale: float, height: int, width: int) -> Tensor:
    """The photograph at `scale`, at least one pixel higher and wider than a crop, levels rounded, in [0, 1]."""
    rows, columns = image.shape[1:]
    scale = max(scale, (height + 1) / rows, (width + 1) / columns)
    size = (max(round(rows * scale), height + 1), max(round(columns * scale), width + 1))
    if size == (rows, columns):
        return image.float() / 255
    return F.interpolate(image[None].float(), size=size, mode="bilinear", align_corners=False)[0].round() / 255
