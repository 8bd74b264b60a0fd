"""Settings of the data: which data set, where its files are, the size of images, the order of classes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from nas.core.config import path_field
from nas.core.data.formats.class_order import NUMERIC, ORDERS, TEXT
from nas.core.data.resize import INTERPOLATIONS, RESIZES, SQUASH
from nas.core.errors import InputError
from nas.core.suggestions import suggest

SMALLEST_SIZE = 4
LARGEST_SIZE = 1024
PART, ALL = TESTS = ("part", "all")  # data.test
EARLIER_DATA_DEFAULTS = {"order": TEXT}  # values of settings that runs and checkpoints from before 0.3.0 do not have


@dataclass
class DataSettings:
    """`size` resizes every image to size x size; `None` keeps the size of the data set (digits: 16).

    `validation` says how many training images are withheld for validation: a value below 1 is a share of the training
    part, other values are a number of images (1 or 1.0 is one image, 5000.0 is 5000), and 0 withholds none. The count c
    of n images withholds the same images as the share c/n. The test part does not depend on `validation`.

    `order` is the order of class folders whose names are all whole numbers. `resize`, `crop_share` and `interpolation`
    say how images are brought to `size` (see `Resizing`). `test=all` makes every image a test image, for folders and
    files that contain no others.
    """

    name: str = "digits"  # the data set, from `nas list datasets`
    root: str | None = path_field()  # its folder or file
    size: int | None = None  # pixels a side to which images are resized; null keeps the data set's size
    download: bool = True  # whether missing CIFAR is downloaded
    validation: float = 0.1  # share (below 1) or number of training images that are withheld for validation
    order: str = NUMERIC  # or text
    resize: str = SQUASH  # or crop, squash-crop
    crop_share: float = 0.875  # fraction of the resized image's side that crop and squash-crop keep
    interpolation: str = "bilinear"  # or bicubic, lanczos, nearest
    test: str = PART  # or all

    def __post_init__(self) -> None:
        if isinstance(self.validation, float) and self.validation.is_integer():
            self.validation = int(self.validation)  # a configuration turns 5000 into 5000.0

    @property
    def withheld(self) -> Fraction:
        """`validation` as the exact decimal number that was written: 1/10 for .1."""
        return Fraction(str(self.validation))

    def check(self) -> None:
        """Raises `InputError` for values that suit no data set."""
        self._check_validation()
        choices = {"order": ORDERS, "resize": RESIZES, "interpolation": INTERPOLATIONS, "test": TESTS}
        for key, values in choices.items():
            value = getattr(self, key)
            if value not in values:
                near = suggest(str(value), list(values))
                raise InputError(f"Expected data.{key} to be {' or '.join(values)} but got {value!r}{near}.")
        if isinstance(self.crop_share, bool) or not 0.1 <= self.crop_share <= 1:
            raise InputError(f"Expected data.crop_share between 0.1 and 1 but got {self.crop_share}; .875 is usual.")
        if self.size is None:
            return
        if isinstance(self.size, bool) or not isinstance(self.size, int):
            raise InputError(f"Expected data.size to be a whole number of pixels but got {self.size!r}.")
        if not SMALLEST_SIZE <= self.size <= LARGEST_SIZE:
            raise InputError(
                f"Expected data.size between {SMALLEST_SIZE} and {LARGEST_SIZE} pixels but got {self.size}; "
                "choose another or leave it out."
            )

    def _check_validation(self) -> None:
        value = self.validation
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not is_number or value < 0 or (value > 1 and value != int(value)):
            raise InputError(
                "Expected data.validation to be 0, a share of the training part below 1, or a whole number of its "
                f"images, but got {value}; .1 withholds a tenth, 5000 withholds 5000 images, 0 none."
            )
