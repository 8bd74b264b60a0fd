"""Open and decode one image file, of any of the types in `image_types.py`."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from nas.core.data.formats.image_types import FORMATS
from nas.core.data.resize import Resizing
from nas.core.data.seen import OBLONG, TRANSPARENT, TURNED
from nas.core.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 2**26  # of an image before it is resized: a small file can claim to have billions
WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
ORIENTATION = 0x0112  # tag of EXIF
UPRIGHT = 1


def decode(path: str, resizing: Resizing) -> tuple[np.ndarray, int]:
    """The image, uint8 (H, W, 3), and its bits (see `seen.py`). Raises `InputError` if it cannot be read."""
    with _image_errors_as_input_errors(path), _open(path) as image:
        if image.mode.startswith(("I", "F")):
            raise InputError(f"Expected an image of 8 bits per channel but {path} has more; convert it.")
        if image.width * image.height > MAX_PIXELS:
            raise InputError(f"Expected at most {MAX_PIXELS:,} pixels but {path} has {image.size}; make it smaller.")
        rgb = image.convert("RGB")
        flags = OBLONG * (image.width != image.height) | TURNED * _is_turned(image)
        return np.asarray(resizing(rgb)), flags | TRANSPARENT * _is_transparent(image)


def size_of(path: str) -> tuple[int, int]:
    """Width and height, read from the beginning of the file. Raises `InputError` if it cannot be read."""
    with _image_errors_as_input_errors(path), _open(path) as image:
        return image.size


def _is_turned(image: Image) -> bool:
    try:
        return image.getexif().get(ORIENTATION, UPRIGHT) not in (UPRIGHT, None)
    except Exception:  # the EXIF data of a readable image may be damaged
        return False


def _is_transparent(image: Image) -> bool:
    """Whether the image has pixels that are not opaque."""
    if image.mode not in WITH_ALPHA and "transparency" not in image.info:
        return False
    least, _ = image.convert("RGBA").getchannel("A").getextrema()
    return least < 255  # type: ignore[operator]


@contextmanager
def _open(path: str) -> Iterator[Image]:
    from PIL import Image

    with open(path, "rb") as file, Image.open(file, formats=tuple(dict.fromkeys(FORMATS.values()))) as image:
        yield image


@contextmanager
def _image_errors_as_input_errors(path: str) -> Iterator[None]:
    """Turn every error that Pillow raises for a broken image into an `InputError`."""
    from PIL import Image

    try:
        yield
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
        TypeError,
        OverflowError,
        MemoryError,  # if the file states a wrong length
        struct.error,
        Image.DecompressionBombError,
    ) as error:
        raise InputError(
            f"Expected an image in {path} but it cannot be read ({error}); replace or remove it."
        ) from error
