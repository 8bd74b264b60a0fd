"""Corrupted images: computed from clean ones, or read from the published files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nas.core.errors import InputError
from nas.core.images import check_unit_range
from nas.core.seeds import derive
from nas.eval.corruptions.base import CORRUPTIONS, LARGE, SEVERITIES, SMALL, SMALL_UP_TO, Corruption
from nas.eval.corruptions.names import check_severities, select_types


class CorruptedImages(ABC):
    """`n` images in fixed batches of `size`, each at every severity of every type.

    `batch` gives the same images whenever it is called, so that an evaluation can be continued. The keys under which
    outcomes are stored begin with `key`.
    """

    key: str
    kinds: list[str]
    severities: list[int]
    n: int
    size: int
    labels: Tensor  # (n,) or more
    left_out: dict[str, str]  # by type of corruption: why it is missing although `all` or its group was asked for
    other_order: Tensor | None = None  # each class's label in a second numbering of the classes, if there is one

    @property
    def batches(self) -> int:
        return -(-self.n // self.size)

    @property
    def steps(self) -> int:
        """The number of batches of an evaluation."""
        return self.batches * len(self.kinds) * len(self.severities)

    @property
    @abstractmethod
    def origin(self) -> str:
        """The origin of the images in words, for the result."""

    @abstractmethod
    def batch(self, kind: str, severity: int, number: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) in [0, 1] and labels (B,) on the device."""

    @property
    def has_clean(self) -> bool:
        """Whether the same images are known without corruption."""
        return True

    @abstractmethod
    def clean(self, number: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """The images and labels of a batch without corruption; only if `has_clean`."""

    def rows(self, number: int) -> slice:
        return slice(number * self.size, min((number + 1) * self.size, self.n))


class Computed(CorruptedImages):
    """Clean images (N, 3, H, W), bytes or floats in [0, 1], corrupted batch by batch.

    The random numbers of a batch depend only on the seed, type, severity, batch and kind of device. Frost needs
    photographs: without them, a group or `all` leaves it out and says so in `left_out`, but a list of names with
    `frost` itself raises `InputError`.
    """

    key = "corruption"

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        names: Sequence[str],
        severities: Sequence[int] = SEVERITIES,
        size: int = 250,
        seed: int = 0,
        frost: str | None = None,
    ) -> None:
        check_severities(severities)
        if len(images) != len(labels) or len(images) == 0:
            raise InputError(f"Expected a label for each image but got {len(images)} images, {len(labels)} labels.")
        if images.is_floating_point():
            check_unit_range(images)
        self.images, self.labels, self.seed = images, labels, seed
        self.n, self.size = len(labels), size
        self.severities = list(severities)
        self.corruptions: dict[str, Corruption] = {}
        self.left_out = {}
        for kind in select_types(names):
            try:
                self.corruptions[kind] = CORRUPTIONS.get(kind).made(frost)
            except InputError as error:
                if kind in names or frost is not None:
                    raise
                self.left_out[kind] = str(error)
        self.kinds = list(self.corruptions)
        check_batches(self.kinds, size)

    @property
    def origin(self) -> str:
        side = min(self.images.shape[-2:])
        if side in (SMALL, LARGE):
            return f"computed with the parameters for {side}x{side}"
        base = SMALL if side <= SMALL_UP_TO else LARGE
        return (
            f"computed with the parameters for {base}x{base}, lengths times {side}/{base}: not comparable with "
            "CIFAR-10-C or ImageNet-C"
        )

    def batch(self, kind: str, severity: int, number: int, device: torch.device) -> tuple[Tensor, Tensor]:
        x, y = self.clean(number, device)
        generator = torch.Generator(device).manual_seed(derive(self.seed, kind, severity, number))
        return self.corruptions[kind](x, severity, generator), y

    def clean(self, number: int, device: torch.device) -> tuple[Tensor, Tensor]:
        rows = self.rows(number)
        return _unit(self.images[rows].to(device)), self.labels[rows].to(device)


class Published(CorruptedImages):
    """The files of CIFAR-10-C or CIFAR-100-C: `<type>.npy` (5·m, H, W, 3) bytes, severity s in rows m(s-1) … ms-1.

    `labels.npy` holds 5·m labels (or m, for one severity). The first `n` rows of each severity are evaluated, in the
    order of the files, with their labels. `test` are the clean test images and labels in their original order: if all m
    labels of the file are equal to these, the clean images of the rows are known. `other` has the label of each class
    in a second numbering: if the file's labels are those of `test` in that numbering, the labels of `test` are used.

    Raises `InputError` if a file is missing or does not fit the other arguments.
    """

    key = "published"

    def __init__(
        self,
        folder: str,
        names: Sequence[str],
        num_classes: int,
        image_size: int,
        severities: Sequence[int] = SEVERITIES,
        n: int | None = None,
        size: int = 250,
        test: tuple[Tensor, Tensor] | None = None,
        other: Tensor | None = None,
    ) -> None:
        check_severities(severities)
        self.folder = Path(folder)
        self.left_out = {}
        self.kinds, self.severities, self.size = select_types(names), list(severities), size
        check_batches(self.kinds, size)
        labels = self._array("labels")
        files = {kind: self._array(kind) for kind in self.kinds}
        for kind, array in files.items():
            if array.shape[1:] != (image_size, image_size, 3) or array.dtype != np.uint8 or len(array) % 5:
                raise InputError(
                    f"Expected {self._path(kind)} to hold bytes (5·n, {image_size}, {image_size}, 3), five severities "
                    f"one after the other, but got {array.dtype} {array.shape}; give files that belong to the data set "
                    "(data.name, data.size)."
                )
        lengths = {len(array) for array in files.values()}
        if len(lengths) > 1:
            raise InputError(f"Expected files of the same length in {self.folder} but got {sorted(lengths)} images.")
        rows = lengths.pop() // 5
        if labels.shape not in ((rows,), (5 * rows,)) or labels.dtype.kind not in "iu":
            raise InputError(
                f"Expected {self._path('labels')} to hold {5 * rows} whole numbers, one for each image, but got "
                f"{labels.dtype} {labels.shape}."
            )
        each = np.asarray(labels).astype(np.int64).reshape(-1, rows)
        if not (each == each[0]).all():
            raise InputError(f"Expected the same labels at each severity in {self._path('labels')} but they differ.")
        if each.min() < 0 or each.max() >= num_classes:
            raise InputError(
                f"Expected labels from 0 to {num_classes - 1} in {self._path('labels')} but got {each.min()} to "
                f"{each.max()}; the network has {num_classes} classes."
            )
        self.n = rows if n is None else n
        if not 1 <= self.n <= rows:
            raise InputError(f"Expected between 1 and {rows} images per severity but got {n}; {folder} holds {rows}.")
        self.files, self.total = files, rows
        self.labels = torch.from_numpy(each[0])
        self.test = None
        self.renumbered = False
        if test is not None and len(test[1]) == rows:
            known = test[1].cpu().long()
            same = known.equal(self.labels)
            self.renumbered = not same and other is not None and other[known].equal(self.labels)
            if same or self.renumbered:
                self.test, self.labels = test[0], known
        if other is not None and self.test is None:
            self.other_order = torch.argsort(other)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    def _array(self, name: str) -> np.ndarray:
        """The array of one file, mapped into memory and not read. Raises `InputError` if it is missing or no array."""
        path = self._path(name)
        if not path.is_file():
            raise InputError(f"Expected the file {path} but there is none; name only types whose files are there.")
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise InputError(f"Expected an array in {path} but it cannot be read ({error}); fetch it again.") from None

    @property
    def origin(self) -> str:
        how = "; their labels, which number the classes in the other order, are renumbered" if self.renumbered else ""
        rows = f"rows 1 to {self.n} of {self.total} of each severity, in their order"
        return f"published files in {self.folder}, {rows}{how}"

    def batch(self, kind: str, severity: int, number: int, device: torch.device) -> tuple[Tensor, Tensor]:
        rows = self.rows(number)
        first = (severity - 1) * self.total
        levels = np.array(self.files[kind][first + rows.start : first + rows.stop])
        return _unit(torch.from_numpy(levels).to(device).permute(0, 3, 1, 2)), self.labels[rows].to(device)

    @property
    def has_clean(self) -> bool:
        return self.test is not None

    def clean(self, number: int, device: torch.device) -> tuple[Tensor, Tensor]:
        assert self.test is not None
        rows = self.rows(number)
        return _unit(self.test[rows].to(device)), self.labels[rows].to(device)


def check_batches(kinds: Sequence[str], size: int) -> None:
    """Raise `InputError` unless there are types to evaluate and a batch has at least one image."""
    if not kinds:
        raise InputError("Expected at least one type of corruption but got none; `all` names the whole benchmark.")
    if size < 1:
        raise InputError(f"Expected at least one image in a batch but got {size}.")


def _unit(images: Tensor) -> Tensor:
    """Floats in [0, 1] in ordinary memory order."""
    return (images if images.is_floating_point() else images.float() / 255).contiguous()
