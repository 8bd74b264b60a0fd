"""CIFAR-10 and CIFAR-100 in their official Python format, downloaded by torchvision if they are missing."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

from nas.core.data.formats.pickled_batches import PickledBatches
from nas.core.errors import InputError
from nas.core.io.unpack import unpack

MAX_UNPACKED_BYTES = 2**28  # the official archives hold 187 MB


class _Cifar(PickledBatches):
    side = 32
    default_root = "data"
    inner: ClassVar[str]  # the folder in the official archive

    def folder(self) -> Path:
        root = Path(os.path.expanduser(self.settings.root or self.default_root))
        if any((root / name).is_file() for name in (*self.train_files, *self.test_files)):
            return root
        if not (root / self.inner).is_dir() and self.settings.download:
            self._download(root)
        return root / self.inner

    def advice(self) -> str:
        if self.settings.download:
            return super().advice()
        return (
            "with --dry-run or data.download=false nothing is downloaded; leave that out to download the file. Or "
            f"{super().advice()}"
        )

    def _download(self, root: Path) -> None:
        """Download the archive, unpack it into a temporary folder, and rename the folder only when it is complete."""
        from torchvision.datasets import CIFAR10, CIFAR100
        from torchvision.datasets.utils import download_url

        official = CIFAR100 if self.name == "cifar100" else CIFAR10
        missing = root / self.inner / next(iter(self.train_files))
        try:
            is_new = not root.exists()
            root.mkdir(parents=True, exist_ok=True)
            with contextlib.redirect_stdout(sys.stderr):  # stdout is for results
                download_url(official.url, str(root), official.filename, official.tgz_md5)
                with tempfile.TemporaryDirectory(dir=root, prefix=f".{self.inner}.") as temporary:
                    unpack(root / official.filename, Path(temporary), MAX_UNPACKED_BYTES)
                    os.replace(Path(temporary) / self.inner, root / self.inner)
        except (
            OSError,
            RuntimeError,
            EOFError,
        ) as error:  # no connection: OSError; a wrong checksum: RuntimeError
            if is_new:
                with contextlib.suppress(OSError):
                    root.rmdir()  # only if it is empty
            reason = str(error).rstrip(".")
            raise InputError(
                f"Expected the file {missing} of {self.name!r} but it is missing and could not be "
                f"downloaded ({reason}); {self.advice()}"
            ) from error


class Cifar10(_Cifar):
    name = "cifar10"
    references = ("krizhevsky2009learning",)
    reads: ClassVar[frozenset[str] | None] = frozenset({"root", "download"})
    doc = "CIFAR-10: 50,000 + 10,000 images of 32 x 32, 10 classes; official Python files, or downloaded"
    inner = "cifar-10-batches-py"
    label_key = "labels"
    num_classes = 10
    last_label = 9
    mean = (0.4914, 0.4822, 0.4465)
    std = (0.2023, 0.1994, 0.2010)
    train_files = {  # noqa: RUF012 - a constant
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    }
    test_files = {"test_batch": "40351d587109b95175f43aff81a1287e"}  # noqa: RUF012


class Cifar100(_Cifar):
    name = "cifar100"
    references = ("krizhevsky2009learning",)
    reads: ClassVar[frozenset[str] | None] = frozenset({"root", "download"})
    doc = "CIFAR-100: 50,000 + 10,000 images of 32 x 32, 100 classes; official Python files, or downloaded"
    inner = "cifar-100-python"
    label_key = "fine_labels"
    num_classes = 100
    last_label = 99
    mean = (0.5071, 0.4865, 0.4409)
    std = (0.2673, 0.2564, 0.2762)
    train_files = {"train": "16019d7e3df5f24257cddd939b257f8d"}  # noqa: RUF012
    test_files = {"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"}  # noqa: RUF012
